//! `cairn init`: write the configuration and the keys of a network. Nothing is logged until `cairn up`.

use std::path::{Path, PathBuf};

use cairn_classes::Class;
use cairn_core::{Account, Domain};
use cairn_ledger::NetworkClock;
use serde::Serialize;

use crate::config::{Config, Folder, duration_ms};
use crate::failure::Failure;
use crate::keys::{Algorithm, Key};
use crate::output::Output;

/// What else `[gateway]` takes, as it is when it is left out.
const GATEWAY: &str = include_str!("init/gateway.toml");

/// What a policy with compute says besides.
const COMPUTE: &str = include_str!("init/compute.toml");

/// The profile of compute that a network begins with.
const COMPUTE_PROFILE: &str = "compute.toml";

/// Arguments of `cairn init`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The network's folder; made if it does not exist.
    pub dir: PathBuf,
    /// The network's name.
    #[arg(long, default_value = "my network")]
    pub name: String,
    /// The log's origin, a scheme-less URL prefix that is yours.
    #[arg(long, default_value = "localhost/cairn")]
    pub origin: String,
    /// Length of an epoch: a number and s, m, h, d or w.
    #[arg(long, default_value = "1d")]
    pub epoch: String,
    /// How long after its end an epoch still takes its reports [default: 1h, of epochs shorter than 4h a quarter].
    #[arg(long)]
    pub grace: Option<String>,
    /// The token's symbol.
    #[arg(long, default_value = "CAIRN")]
    pub symbol: String,
    /// The settlement chain, CAIP-2; accounts are named on it.
    #[arg(long, default_value = "eip155:31337")]
    pub chain: String,
    /// The account that takes what no device gets (CAIP-10); a key is made for one when absent.
    #[arg(long)]
    pub treasury: Option<String>,
    /// Address and port that `cairn up` listens on.
    #[arg(long, default_value = "127.0.0.1:8640")]
    pub listen: String,
    /// The sensing profile to start from: one of those that come with Cairn, without `.toml`.
    #[arg(long, default_value = "sensing-station")]
    pub profile: String,
    /// Also take orders of compute: the policy and profile of `compute/1`, and an observer's key for buyers' deposits on
    /// the settlement chain.
    #[arg(long)]
    pub compute: bool,
    /// Rehearse on a recorded clock that starts at this time (ms since 1970 UTC) and follows the data.
    #[arg(long, value_name = "MS")]
    pub recorded_clock_from: Option<u64>,
    /// Something else that is rehearsed, in words; may be given more than once.
    #[arg(long)]
    pub rehearsed: Vec<String>,
}

impl Args {
    /// The defaults, for a folder.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        #[derive(clap::Parser)]
        struct Defaults {
            #[command(flatten)]
            args: Args,
        }
        let parsed = <Defaults as clap::Parser>::parse_from(["init".as_ref(), dir.as_os_str()]);
        parsed.args
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Made {
    dir: PathBuf,
    operator: String,
    treasury: String,
    rehearsed: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// When the folder holds a network already, or an argument is refused.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let made = make(args)?;
    output.show(&made, |made| {
        let dir = made.dir.display();
        let mut text = format!(
            "A network's folder is ready in {dir}\n  operator  {}\n  treasury  {}\n",
            made.operator, made.treasury
        );
        for what in &made.rehearsed {
            text.push_str(&format!("  rehearsed {what}\n"));
        }
        text.push_str(&format!(
            "\nRead and change {dir}/network.toml, policy.toml and profiles/; keep {dir}/keys safe.\nThen: cairn up {dir}"
        ));
        text
    })
}

pub(crate) fn make(args: &Args) -> Result<Made, Failure> {
    let folder = Folder::at(&args.dir);
    if folder.config().exists() {
        return Err(Failure::wrong("NET-EXISTS", format!("{} holds a network already", args.dir.display()))
            .hint("choose another folder"));
    }
    check(args)?;
    let profile_name = format!("{}.toml", args.profile);
    let profiles = Class::Sensing.default_profiles();
    let (profile_name, profile) = profiles.iter().find(|(name, _)| *name == profile_name).ok_or_else(|| {
        let names: Vec<&str> = profiles.iter().map(|(name, _)| name.trim_end_matches(".toml")).collect();
        Failure::usage("NET-PROFILE", format!("no profile `{}` comes with Cairn", args.profile))
            .hint(format!("there are {}", names.join(", ")))
    })?;
    for path in [folder.keys(), args.dir.join("profiles")] {
        std::fs::create_dir_all(&path).map_err(|error| Failure::io("make", &path, &error))?;
    }
    let operator = make_key(&folder, "operator", Algorithm::Ed25519, "the operator's statements")?;
    make_key(&folder, "log", Algorithm::Ed25519, "the log's checkpoints")?;
    make_key(&folder, "promise", Algorithm::Ed25519, "the gateway's promises")?;
    let clock = make_key(&folder, "clock", Algorithm::Ed25519, "the operator's clock observations")?.signing()?;
    let treasury = treasury(&folder, args)?;
    let rehearsed = rehearsed(args);
    let mut policy = cairn_reward::default_policy(&args.symbol, &treasury, &clock.public());
    if args.compute {
        let observer = make_key(&folder, "deposits", Algorithm::Ed25519, "observations of what buyers deposited")?;
        policy
            .push_str(&COMPUTE.replace("CHAIN", &args.chain).replace("OBSERVER", &observer.signing()?.public().did()));
        for (name, text) in Class::Compute.default_profiles().iter().filter(|(name, _)| *name == COMPUTE_PROFILE) {
            write(&args.dir.join("profiles").join(name), text)?;
        }
    }
    write(&args.dir.join("policy.toml"), &policy)?;
    write(&args.dir.join("profiles").join(profile_name), &with_whole_slots(profile, args)?)?;
    write(&folder.config(), &network_toml(args, profile_name, &rehearsed))?;
    Config::read(&folder)?;
    Ok(Made { dir: args.dir.clone(), operator: operator.public_name(), treasury: treasury.to_string(), rehearsed })
}

/// The longest grace that nobody asked for, ms.
const GRACE_MS: u64 = 3_600_000;

fn check(args: &Args) -> Result<(), Failure> {
    let epoch_ms = length("--epoch", &args.epoch)?;
    if length("--grace", &grace(args))? >= epoch_ms {
        return Err(Failure::usage("NET-CONFIG", "the grace must be shorter than the epoch")
            .hint("say a shorter one with --grace, or leave it out"));
    }
    Domain::parse(&args.chain).map_err(|error| Failure::usage("NET-CONFIG", error))?;
    let printable = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\');
    if let Some(text) =
        [&args.name, &args.origin, &args.listen].into_iter().chain(&args.rehearsed).find(|t| !printable(t))
    {
        return Err(Failure::usage("NET-CONFIG", format!("`{text}` does not fit into network.toml as it is"))
            .hint("use printable ASCII without quotes and backslashes"));
    }
    Ok(())
}

/// A duration that was given as `name`, ms.
fn length(name: &str, text: &str) -> Result<u64, Failure> {
    duration_ms(text).ok_or_else(|| {
        Failure::usage("NET-CONFIG", format!("{name} `{text}` is not a duration"))
            .hint("write a number and ms, s, m, h, d or w, such as 1d")
    })
}

/// The grace that was asked for; else an hour, or a quarter of an epoch that is shorter than four.
fn grace(args: &Args) -> String {
    args.grace.clone().unwrap_or_else(|| {
        let ms = duration_ms(&args.epoch).map_or(GRACE_MS, |epoch_ms| (epoch_ms / 4).clamp(1, GRACE_MS));
        let (unit, unit_ms) = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
            .into_iter()
            .find(|(_, unit_ms)| ms.is_multiple_of(*unit_ms))
            .unwrap_or(("ms", 1));
        format!("{}{unit}", ms / unit_ms)
    })
}

fn make_key(folder: &Folder, name: &str, algorithm: Algorithm, purpose: &str) -> Result<Key, Failure> {
    let key = Key::generate(algorithm)?;
    key.write(&folder.key(name), purpose)?;
    Ok(key)
}

fn treasury(folder: &Folder, args: &Args) -> Result<Account, Failure> {
    if let Some(text) = &args.treasury {
        return Account::parse(text).map_err(|error| Failure::usage("NET-CONFIG", error));
    }
    let wallet = make_key(folder, "treasury", Algorithm::Secp256k1, "the treasury's account")?.wallet()?;
    let domain = Domain::parse(&args.chain).map_err(|error| Failure::usage("NET-CONFIG", error))?;
    Account::at(domain, wallet.address()).map_err(|error| {
        Failure::usage("NET-CONFIG", error).hint("name the treasury's account yourself with --treasury")
    })
}

fn rehearsed(args: &Args) -> Vec<String> {
    let mut all = args.rehearsed.clone();
    if args.recorded_clock_from.is_some() {
        all.insert(0, NetworkClock::RECORDED_DECLARATION.to_owned());
    }
    all
}

/// The profile with slots that fit the network's epochs whole: its own, or the longest that do. Slots that are shorter than
/// the profile's are cut into fewer pieces, of which as many have to be reported.
fn with_whole_slots(profile: &str, args: &Args) -> Result<String, Failure> {
    let slot_ms = cairn_classes::slot_ms(Class::Sensing.schema(), profile)?;
    let epoch_ms = duration_ms(&args.epoch).unwrap_or(slot_ms);
    let whole_ms = [epoch_ms, args.recorded_clock_from.unwrap_or(0)].into_iter().fold(slot_ms, common_divisor);
    if whole_ms == slot_ms {
        return Ok(profile.to_owned());
    }
    let fit = |line: &str| match line.split_once(" = ") {
        Some(("slot_ms", _)) => format!("slot_ms = {whole_ms}\n"),
        Some((key @ "every_ms", value)) => {
            let every_ms =
                value.replace('_', "").parse().map_or(whole_ms, |every_ms| common_divisor(every_ms, whole_ms));
            format!("{key} = {every_ms}\n")
        }
        _ => format!("{line}\n"),
    };
    let fitted: String = profile.lines().map(fit).collect();
    cairn_classes::check_profile(Class::Sensing.schema(), &fitted).map_err(|error| {
        Failure::usage("NET-SLOTS", format!("epochs of {} have no whole slots: {error}", args.epoch))
            .hint("take an epoch of whole seconds, and a recorded clock that starts at one")
    })?;
    Ok(fitted)
}

/// Euclid's greatest common divisor; that of anything and zero is the thing itself.
const fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::io("write", path, &error))
}

fn network_toml(args: &Args, profile_name: &str, rehearsed: &[String]) -> String {
    let (clock, zero) = match args.recorded_clock_from {
        Some(from_ms) => ("recorded", format!("epoch_zero_ms = {from_ms}")),
        None => ("wall", "# epoch_zero_ms = 0".to_owned()),
    };
    let compute =
        if args.compute { format!("\"compute/1\" = \"profiles/{COMPUTE_PROFILE}\"\n") } else { String::new() };
    let rehearsed: String = rehearsed.iter().map(|what| format!("\n    \"{what}\",")).collect();
    let rehearsed = if rehearsed.is_empty() { "[]".to_owned() } else { format!("[{rehearsed}\n]") };
    format!(
        r#"# A Cairn network. `cairn up` in this folder runs it.

# What the network is. Said once, in the log's first entry; afterwards the log decides and changes here are refused.
[network]
name = "{name}"
# A scheme-less URL prefix that is yours: the name of the log, for ever.
origin = "{origin}"
# Epochs: ms, s, m, h, d, w. Reports of an epoch may come in until its end plus grace.
epoch = "{epoch}"
grace = "{grace}"
# Start of epoch 0, milliseconds since 1970 UTC. Left out, it is the start of the epoch in which the network first starts,
# epochs being counted from 1970.
{zero}
# "wall": the machine's clock. "recorded": time follows the data, which is a rehearsal and must be declared as one.
clock = "{clock}"
# Everything that is not real, in words. Every page, table and epoch statement repeats it.
rehearsed = {rehearsed}
# The rules of money. Later versions are logged with `cairn policy propose`.
policy = "policy.toml"

# The thresholds that each class is judged by.
[profiles]
"sensing/1" = "profiles/{profile_name}"
{compute}
# The chain that accounts are named on. Without a distributor no contract is attached: claim roots are computed and
# served, and nothing is paid on the chain.
[settlement]
chain = "{chain}"
# distributor = "0x0000000000000000000000000000000000000000"
# token = "eip155:1/erc20:0x..."
finality_blocks = 0

# How it runs. Change freely. Behind a `#` stand the defaults: to change one, uncomment its line and its section.
[gateway]
listen = "{listen}"
checkpoint_ms = 1000
{gateway}
[storage]
# Epochs that keep a snapshot, from which an audit may start.
snapshots_kept = 1000
"#,
        name = args.name,
        origin = args.origin,
        epoch = args.epoch,
        grace = grace(args),
        chain = args.chain,
        listen = args.listen,
        gateway = commented_out(GATEWAY),
    )
}

/// The lines of a document as comments.
fn commented_out(document: &str) -> String {
    document.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("# {line}\n") }).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::GatewayConfig;

    #[test]
    fn what_is_shown_of_the_gateway_is_what_it_does_without_being_told() {
        let read =
            |text: &str| toml::from_str::<BTreeMap<String, GatewayConfig>>(text).unwrap().remove("gateway").unwrap();
        let options = |config: &GatewayConfig| {
            let options = config.options(None, false, Path::new("")).unwrap();
            format!("{:?}", cairn_gateway::GatewayOptions { tls: None, ..options })
        };
        let shown = read(&format!("[gateway]\n{GATEWAY}"));
        assert!(shown.tls.is_some());
        assert_eq!(options(&shown), options(&GatewayConfig::default()));
        let uncommented: String =
            commented_out(GATEWAY).lines().map(|line| line.trim_start_matches("# ").to_owned() + "\n").collect();
        assert_eq!(options(&read(&format!("[gateway]\n{uncommented}"))), options(&shown));
        assert!(toml::from_str::<toml::Table>(&commented_out(GATEWAY)).unwrap().is_empty(), "all of it is comments");
    }

    #[test]
    fn a_grace_that_nobody_asked_for_is_an_hour_or_fits_into_a_short_epoch() {
        let args = |epoch: &str, grace: Option<&str>| Args {
            epoch: epoch.to_owned(),
            grace: grace.map(str::to_owned),
            ..Args::of(Path::new("net"))
        };
        let cases = [
            ("1w", "1h"),
            ("1d", "1h"),
            ("4h", "1h"),
            ("3h", "45m"),
            ("1h", "15m"),
            ("90s", "22500ms"),
            ("2ms", "1ms"),
        ];
        for (epoch, expected) in cases {
            let args = args(epoch, None);
            assert_eq!(grace(&args), expected, "{epoch}");
            check(&args).unwrap();
        }
        assert_eq!(grace(&args("1d", Some("2h"))), "2h");
        for (epoch, grace) in [("1h", Some("1h")), ("1ms", None), ("soon", None), ("1d", Some("soon"))] {
            let refused = check(&args(epoch, grace)).unwrap_err().to_string();
            assert!(refused.contains("NET-CONFIG") && refused.contains("hint: "), "{epoch} {grace:?}: {refused}");
        }
    }

    #[test]
    fn with_compute_a_network_has_its_class_its_profile_and_an_observer_of_deposits() {
        let folder = tempfile::tempdir().unwrap();
        let args = |compute: bool, dir: &str| Args { compute, ..Args::of(&folder.path().join(dir)) };
        for (compute, dir) in [(true, "with"), (false, "without")] {
            let args = args(compute, dir);
            make(&args).unwrap();
            let policy = cairn_reward::Policy::parse(&std::fs::read(args.dir.join("policy.toml")).unwrap()).unwrap();
            let schema = Class::Compute.schema();
            assert_eq!(policy.classes.contains_key(schema), compute);
            assert_eq!(policy.credit.is_some(), compute);
            let observed = policy.observers.iter().any(|observer| observer.source == "deposits/eip155:31337");
            assert_eq!((observed, args.dir.join("keys/deposits.key").exists()), (compute, compute));
            let config = Config::read(&Folder::at(&args.dir)).unwrap();
            assert_eq!(config.profiles.contains_key(schema), compute);
        }
    }

    #[test]
    fn the_policy_and_every_profile_that_a_network_begins_with_fit_each_other() {
        let policy = cairn_reward::Policy::parse(cairn_reward::DEFAULT_POLICY.as_bytes()).unwrap();
        let schema = Class::Sensing.schema();
        for (name, profile) in Class::Sensing.default_profiles() {
            assert_eq!(cairn_classes::read_by(schema, profile).ok(), policy.classes.get(schema).copied(), "{name}");
        }
    }
}
