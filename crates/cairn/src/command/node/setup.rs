//! `cairn node setup`: from a machine to an enrolled device with a service, in steps that may each be the last.
//!
//! Every step leaves what it made durable, and looks first whether it was done: so whoever is interrupted says the same again.
//! Promised: a key that is there is never replaced, a device is enrolled once, a configuration that is there is kept.

use std::path::{Path, PathBuf};

use cairn_api::NetworkInfo;
use cairn_client::Client;
use cairn_core::NetworkId;
use cairn_edge::source::{ConfigError, declares_simulation};
use cairn_edge::time::PUBLIC_SERVERS;
use serde::Serialize;

use crate::config::node::{NodeConfig, NodeFolder};
use crate::failure::Failure;
use crate::output::Output;

mod document;
mod join;
mod network;
mod owner;
mod person;
mod place;
mod secret;
mod service;
mod sources;

use super::find::LookArgs;
use join::Joined;
use network::Chosen;
pub(super) use owner::OwnerArgs;
use person::{Person, Terminal};
pub(super) use place::PlaceArgs;
pub(super) use secret::{keep_text, make_folder, replace_text};
pub(super) use sources::refused;

/// Arguments of `cairn node setup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address of a gateway of the network, such as https://air.example.org [default: one that is found on the local network and chosen]
    url: Option<String>,
    /// The network's id, as its operator tells it: a gateway of any other is refused
    #[arg(long, value_name = "ID", value_parser = network::parse)]
    network: Option<NetworkId>,
    #[command(flatten)]
    look: LookArgs,
    /// The node's folder [default: ~/.cairn/node, of root /var/lib/cairn-node]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// More gateways, asked when the first does not answer; may be given more than once
    #[arg(long, value_name = "URL")]
    gateway: Vec<String>,
    #[command(flatten)]
    owner: OwnerArgs,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    source: sources::SourceArgs,
    /// Take a PKCS#8 file (`openssl genpkey`) as the device's key, instead of making one
    #[arg(long, value_name = "FILE")]
    key_pem: Option<PathBuf>,
    /// A server that is asked for the time over NTP; may be given more than once [default: three public ones]
    #[arg(long, value_name = "HOST", conflicts_with = "no_ntp")]
    ntp: Vec<String>,
    /// Ask no server for the time: the machine's own clock, where something keeps it, and gateways
    #[arg(long)]
    no_ntp: bool,
    /// The model, in your words
    #[arg(long, default_value = "")]
    model: String,
    /// Ask nothing: what is not said is as it would be suggested
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    service: service::ServiceArgs,
    /// Of how many seconds the readings become one report.
    #[arg(skip = 60u64)]
    window_s: u64,
}

impl Args {
    /// What sets a device up whose readings are made up, these quantities every so many seconds: without a service.
    pub(super) fn simulated(
        url: String,
        dir: &Path,
        owner: OwnerArgs,
        place: PlaceArgs,
        (quantities, every_s): (String, u64),
    ) -> Self {
        Self {
            url: Some(url),
            network: None,
            look: LookArgs::none(),
            dir: Some(dir.to_owned()),
            gateway: Vec::new(),
            owner,
            place,
            source: sources::SourceArgs::simulated(quantities, every_s),
            key_pem: None,
            ntp: Vec::new(),
            no_ntp: true,
            model: "simulated".to_owned(),
            yes: true,
            service: service::ServiceArgs::none(),
            window_s: every_s,
        }
    }
}

/// What was set up.
#[derive(Debug, Serialize)]
struct SetUp {
    device: String,
    network: String,
    network_id: String,
    rehearsed: Vec<String>,
    folder: PathBuf,
    config: PathBuf,
    /// The page about the device.
    page: String,
    #[serde(flatten)]
    joined: Joined,
    /// The wallet that was made, or was made before: whoever has this file has what is earned.
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<PathBuf>,
    sources: Vec<String>,
    service: service::Installed,
    /// What to do next, in words.
    next: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// What keeps the device from being set up; what was done until then stays done.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let mut person = Terminal::of(args.yes || output.json);
    let reached = reach(args, &mut person, output)?;
    let done = set_up(args, reached, &mut person, output)?;
    output.show(&done, text)
}

/// Sets a device up whose readings are made up, where that is rehearsed; says in a line which.
///
/// # Errors
/// `EDGE-SIMULATED` before anything is made; else those of [`run`].
pub(super) fn simulated(args: &Args, output: Output) -> Result<String, Failure> {
    let mut person = Terminal::of(true);
    let reached = reach(args, &mut person, output)?;
    if !declares_simulation(&reached.info.rehearsed) {
        return Err(refused(&ConfigError::Simulated));
    }
    let done = set_up(args, reached, &mut person, output)?;
    Ok(format!("simulated: {} of {}; its page: {}", done.device, done.network, done.page))
}

fn set_up(args: &Args, reached: Reached, person: &mut dyn Person, output: Output) -> Result<SetUp, Failure> {
    let Reached { folder, client, info } = reached;
    let before = if folder.config().exists() { Some(NodeConfig::read(&folder)?) } else { None };
    if before.as_ref().is_some_and(|config| config.network().0.to_hex() != info.network_id) {
        let what = format!("{} is set up for another network", folder.root().display());
        return Err(Failure::wrong("NODE-NETWORK", what).hint("take another folder: --dir DIR"));
    }
    make_folder(folder.root())?;
    let (key_config, key) = join::device_key(args.key_pem.as_deref(), before.as_ref(), &folder)?;
    let known = join::known(&client, &key)?;
    let draft = match known {
        Some(_) => None,
        None => Some(join::Asked {
            owner: args.owner.ask(person, &folder, &info)?,
            place: args.place.ask(person, &info)?,
            model: args.model.clone(),
        }),
    };
    // Before anything is said to anybody: a question that is not answered leaves nothing half done.
    let config = match &before {
        Some(config) => config.clone(),
        None => {
            let sources = args.source.ask(person, &info)?;
            let gateways: Vec<String> = std::iter::once(client.url().to_owned()).chain(args.gateway.clone()).collect();
            let document =
                document::text(&gateways, &info, &key_config, &key.device, &servers(args), (&sources, args.window_s));
            let config = NodeConfig::parse(&document, &folder.config())?;
            for source in &config.source {
                source.open(&info.rehearsed, None).map_err(|error| refused(&error))?;
            }
            replace_text(&folder.config(), &document)?;
            config
        }
    };
    let joined = join::join(&client, &info, &key, &folder, known, draft)?;
    let installed = args.service.install(person, &folder, &config)?;
    let page = format!("{}/devices/{}", client.url(), key.device);
    let next = next_steps(&folder, &joined, &installed);
    if let Some(note) = joined.note() {
        output.say(note);
    }
    Ok(SetUp {
        device: key.device.to_string(),
        network: info.name.clone(),
        network_id: info.network_id,
        rehearsed: info.rehearsed,
        config: folder.config(),
        page,
        joined,
        wallet: folder.owner_key().exists().then(|| folder.owner_key()),
        sources: config.source.iter().map(cairn_edge::source::SourceConfig::name).collect(),
        service: installed,
        next,
        folder: folder.root().to_owned(),
    })
}

/// The folder, a gateway, and the network that it speaks for.
struct Reached {
    folder: NodeFolder,
    client: Client,
    info: NetworkInfo,
}

fn reach(args: &Args, person: &mut dyn Person, output: Output) -> Result<Reached, Failure> {
    let folder = NodeFolder::named(args.dir.as_deref())?;
    let chosen = match &args.url {
        Some(url) => Chosen { url: url.clone(), announced: None },
        None => network::choose(&args.look, args.network, person, output)?,
    };
    let client = Client::at(&chosen.url)?;
    let info = client.network()?;
    let expected = args.network.map(|id| id.0.to_hex()).or(chosen.announced);
    network::hold(&client, &info, expected.as_deref())?;
    if args.url.is_none() {
        output.say(network::told(&client, &info));
    }
    Ok(Reached { folder, client, info })
}

/// Who is asked for the time.
fn servers(args: &Args) -> Vec<String> {
    match (args.no_ntp, args.ntp.as_slice()) {
        (true, _) => Vec::new(),
        (false, []) => PUBLIC_SERVERS.map(str::to_owned).to_vec(),
        (false, named) => named.to_vec(),
    }
}

fn next_steps(folder: &NodeFolder, joined: &Joined, installed: &service::Installed) -> Vec<String> {
    let dir = folder.root().display();
    let mut next = Vec::new();
    if let Some(file) = joined.awaiting() {
        next.push(format!("the owner lets it join: cairn node approve {} --owner WALLET", file.display()));
    }
    next.extend(installed.next.clone());
    next.push(format!("look how it is: cairn node status --dir {dir}"));
    next.push(format!("keep a copy of its key elsewhere: cairn node key backup --dir {dir}"));
    next
}

fn text(done: &SetUp) -> String {
    let mut text = format!("{} of {}\n", done.device, done.network);
    let mut line = |name: &str, value: String| text.push_str(&format!("  {name:<9}{value}\n"));
    line("network", done.network_id.clone());
    line("owner", done.joined.owner.clone());
    line("standing", done.joined.standing());
    line("measures", if done.sources.is_empty() { "nothing yet".to_owned() } else { done.sources.join(", ") });
    line("folder", done.folder.display().to_string());
    line("page", done.page.clone());
    if let Some(wallet) = &done.wallet {
        line("wallet", format!("{}: whoever has this file has what is earned; keep a copy", wallet.display()));
    }
    line("service", done.service.text());
    for what in &done.rehearsed {
        line("rehearsed", what.clone());
    }
    text.push_str("\nNext:\n");
    for step in &done.next {
        text.push_str(&format!("  {step}\n"));
    }
    text
}

/// A path as people and other programs find it from anywhere.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
