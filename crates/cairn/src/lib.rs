//! The `cairn` binary as a library: every command, callable from tests.

mod announce;
mod command;
mod config;
mod connect;
pub mod dataset;
mod demo;
mod failure;
mod held;
mod keys;
mod open;
mod output;
pub mod parse;
mod promises;
mod propose;
mod readings;
mod rules;
mod served;
mod settle;
mod submission;
mod words;
mod work;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

pub use failure::{Exit, Failure};
use output::Output;

/// The engine of a decentralised physical infrastructure network, from sensor to token.
#[derive(Debug, Parser)]
#[command(name = "cairn", version, about, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    /// Print one JSON document on standard output instead of text.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the configuration and the keys of a network.
    Init(command::init::Args),
    /// Run a network: its log, its judge, its API.
    Up(command::up::Args),
    /// A whole network over real readings, from sensor to token, audited at the end.
    Demo(command::demo::Args),
    /// Make a key.
    Keygen(command::keygen::Args),
    /// Let a device join an owner.
    Enrol(command::enrol::Args),
    /// Plug a device in and be paid: measure, sign and send; run jobs; or both.
    Node(command::node::Args),
    /// Speak for devices that cannot sign: SenML, ChirpStack, Sensor.Community.
    Bridge(command::bridge::Args),
    /// Buy work.
    Buy(command::buy::Args),
    /// See jobs, their results and receipts; take one back.
    Job(command::job::Args),
    /// Run a job again on this machine, and compare every byte.
    Replay(command::replay::Args),
    /// Say what the use of a content costs.
    Licence(command::licence::Args),
    /// Sign readings from standard input and send them.
    Send(command::send::Args),
    /// Show what a network is and how it is.
    Status(command::status::Args),
    /// Show what the network knows of a device.
    Device(command::device::Args),
    /// Show what an account was given, and its claim.
    Account(command::account::Args),
    /// Show what buyers paid in and have not spent.
    Credit(command::credit::Args),
    /// Show closed epochs.
    Epoch(command::epoch::Args),
    /// Say why a device got what it got in an epoch, with proofs verified here.
    Explain(command::explain::Args),
    /// Print an epoch's payouts or verdicts as a table.
    Export(command::export::Args),
    /// Recompute a whole network from what it serves, and compare every byte.
    Audit(command::audit::Args),
    /// Be an auditor: recompute every epoch and sign what is right, for settlement chains.
    Auditor(command::auditor::Args),
    /// Deploy, see and serve the contracts that pay what the log says.
    Chain(command::chain::Args),
    /// Be paid what the log granted an account.
    Claim(command::claim::Args),
    /// Keep the key of an account sealed, and see and send what it holds.
    Wallet(command::wallet::Args),
    /// Be a witness: cosign the checkpoints of logs that are seen to grow.
    Witness(command::witness::Args),
    /// Prove that an entry stands in the log.
    Proof(command::proof::Args),
    /// Check or make a portable proof that somebody contradicted himself.
    Evidence(command::evidence::Args),
    /// Export, check or repair the log in a network's folder.
    Log(command::log::Args),
    /// Check or rebuild what is derived from the log in a network's folder.
    Ledger(command::ledger::Args),
    /// Judge a recording, without a network.
    Judge(command::judge::Args),
    /// Check, compare or propose the rules of money.
    Policy(command::policy::Args),
    /// Check or propose the thresholds of a class.
    Profile(command::profile::Args),
    /// Examine a network's folder and its gateway.
    Doctor(command::doctor::Args),
    /// Measure what this machine takes in.
    Bench(command::bench::Args),
}

/// The help of every command as one Markdown page, `docs/reference/cli.md`; a test holds the page to it.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# The command line\n\nGenerated from the program: `CAIRN_BLESS=1 cargo test -p cairn --test cli` writes it again.\n\n\
         With `--json` standard output carries exactly one JSON document (`cairn auditor run`, `cairn bridge run` and `cairn node run`: one after the other). Exit codes: 0 done, 1 the input or the checked\n\
         thing is wrong, 2 the call is wrong, 3 Cairn failed. A failure has a stable code and, where there is one, a way out\n\
         on a `hint:` line. Commands that ask a gateway take its address from `--url`, else from `CAIRN_URL`.\n",
    );
    let mut root = Cli::command().term_width(HELP_WIDTH);
    root.build();
    describe(&mut root, &mut page);
    page
}

/// Columns of the help in the reference.
const HELP_WIDTH: usize = 100;

fn describe(command: &mut clap::Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    // No line of a page ends in a space.
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n").trim_end()));
    for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
        describe(sub, page);
    }
}

/// Runs the command line and says how it ended: 0 done, 1 the input or the checked thing is wrong, 2 the call is wrong,
/// 3 Cairn failed.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A closed standard output leaves nowhere to say so.
            let _ = error.print();
            return ExitCode::from(if wanted { 0 } else { Exit::Usage as u8 });
        }
    };
    let output = Output { json: cli.json };
    let result = match cli.command {
        Command::Init(args) => command::init::run(&args, output),
        Command::Up(args) => command::up::run(&args, output),
        Command::Demo(args) => command::demo::run(&args, output),
        Command::Keygen(args) => command::keygen::run(&args, output),
        Command::Enrol(args) => command::enrol::run(&args, output),
        Command::Node(args) => command::node::run(args, output),
        Command::Bridge(args) => command::bridge::run(&args, output),
        Command::Buy(args) => command::buy::run(&args, output),
        Command::Job(args) => command::job::run(&args, output),
        Command::Replay(args) => command::replay::run(&args, output),
        Command::Licence(args) => command::licence::run(&args, output),
        Command::Send(args) => command::send::run(&args, output),
        Command::Status(args) => command::status::run(&args, output),
        Command::Device(args) => command::device::run(&args, output),
        Command::Account(args) => command::account::run(&args, output),
        Command::Credit(args) => command::credit::run(&args, output),
        Command::Epoch(args) => command::epoch::run(&args, output),
        Command::Explain(args) => command::explain::run(&args, output),
        Command::Export(args) => command::export::run(&args, output),
        Command::Audit(args) => command::audit::run(&args, output),
        Command::Auditor(args) => command::auditor::run(&args, output),
        Command::Chain(args) => command::chain::run(&args, output),
        Command::Claim(args) => command::claim::run(&args, output),
        Command::Wallet(args) => command::wallet::run(&args, output),
        Command::Witness(args) => command::witness::run(&args, output),
        Command::Proof(args) => command::proof::run(&args, output),
        Command::Evidence(args) => command::evidence::run(&args, output),
        Command::Log(args) => command::log::run(&args, output),
        Command::Ledger(args) => command::ledger::run(&args, output),
        Command::Judge(args) => command::judge::run(&args, output),
        Command::Policy(args) => command::policy::run(&args, output),
        Command::Profile(args) => command::profile::run(&args, output),
        Command::Doctor(args) => command::doctor::run(&args, output),
        Command::Bench(args) => command::bench::run(&args, output),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.fail(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}
