//! `cairn epoch`: the closed epochs and what each states.

use cairn_api::{EpochInfo, EpochList};
use clap::Subcommand;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{count, rehearsed_lines, tokens, utc};

/// Arguments of `cairn epoch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the closed epochs, newest first.
    List(ListArgs),
    /// Show what one epoch states.
    Show(ShowArgs),
}

/// Arguments of `cairn epoch list`.
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only epochs below this one.
    #[arg(long, value_name = "EPOCH")]
    before: Option<u64>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value = "20")]
    limit: u64,
    #[command(flatten)]
    connect: Connect,
}

/// Arguments of `cairn epoch show`.
#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The epoch's number.
    epoch: u64,
    #[command(flatten)]
    connect: Connect,
}

/// Runs the command.
///
/// # Errors
/// When the epoch has not closed, or the gateway cannot be reached.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::List(args) => {
            let list = args.connect.client()?.epochs(args.before, Some(args.limit))?;
            output.show(&list, list_text)
        }
        Command::Show(args) => {
            let epoch = args.connect.client()?.epoch(args.epoch)?;
            output.show(&epoch, show_text)
        }
    }
}

fn list_text(list: &EpochList) -> String {
    let mut text = list.epochs.first().map_or_else(String::new, |epoch| rehearsed_lines("", &epoch.rehearsed));
    text.push_str(&format!("epoch {} is open\n", list.open));
    for epoch in &list.epochs {
        let (subjects, passed) = epoch
            .classes
            .iter()
            .fold((0, 0), |(subjects, passed), class| (subjects + class.subjects, passed + class.passed));
        let paid = tokens(&epoch.balance.paid, epoch.balance.decimals, &epoch.balance.symbol);
        text.push_str(&format!(
            "{:>6}  {}  entries {} to {}  {passed} of {} clean  paid {paid}  {}\n",
            epoch.number,
            utc(epoch.start_ms),
            epoch.from,
            epoch.to,
            count(subjects, "verdict", "verdicts"),
            epoch.statement,
        ));
    }
    if let Some(next) = list.next {
        text.push_str(&format!("more: cairn epoch list --before {next}\n"));
    }
    text
}

fn show_text(epoch: &EpochInfo) -> String {
    let balance = &epoch.balance;
    let amount = |units: &String| tokens(units, balance.decimals, &balance.symbol);
    let mut text = format!("epoch {}: {} to {}\n", epoch.number, utc(epoch.start_ms), utc(epoch.end_ms));
    text.push_str(&rehearsed_lines("  ", &epoch.rehearsed));
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<12} {value}\n"));
    line("statement", epoch.statement.clone());
    line("previous", epoch.previous.clone());
    line("entries", format!("{} to {}, log root {}", epoch.from, epoch.to, epoch.log_root));
    line("policy", format!("{}, engine revision {}", epoch.policy_hash, epoch.engine_revision));
    for class in &epoch.classes {
        line(&class.class, format!("revision {}, profile {}", class.revision, class.profile_hash));
        let verdicts = count(class.subjects, "verdict", "verdicts");
        line("", format!("{verdicts}, {} clean, root {}", class.passed, class.verdict_root));
        line("", format!("revenue {}", amount(&class.revenue)));
    }
    for pool in &epoch.pools {
        let to = count(pool.recipients, "payout", "payouts");
        line(&pool.name, format!("paid {} of {} in {to}", amount(&pool.paid), amount(&pool.size)));
    }
    line("payout root", epoch.payout_root.clone());
    if let Some(sales) = &epoch.sales {
        line("sales", format!("{}, root {}", count(sales.count, "job settled", "jobs settled"), sales.root));
    }
    line(
        "balance",
        format!(
            "opening {} + minted {} + deposited {}",
            amount(&balance.opening),
            amount(&balance.minted),
            amount(&balance.deposited)
        ),
    );
    line(
        "",
        format!(
            "= paid {} + refunded {} + burned {}",
            amount(&balance.paid),
            amount(&balance.refunded),
            amount(&balance.burned)
        ),
    );
    line(
        "",
        format!(
            "+ escrow {} + vesting {} + unallocated {}",
            amount(&balance.escrow),
            amount(&balance.vesting),
            amount(&balance.unallocated)
        ),
    );
    for domain in &epoch.domains {
        let claims = count(domain.leaves, "claim", "claims");
        line(&domain.domain, format!("{claims} of {} in all, root {}", amount(&domain.cumulative), domain.claim_root));
    }
    line("state root", epoch.state_root.clone());
    text
}
