//! `cairn bridge run`: listen, translate, keep, sign and send, until it is told to stop.
//!
//! It needs nobody to listen: what comes in is on disk before it is answered, and what only a gateway can tell (the network's keys,
//! whether the bridge is enrolled, whether its devices are its owner's) is asked beside, again and again, and said. Only a bridge that
//! does not know yet which network it is for has to be told so by a gateway first.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cairn_bridge::{Bridge, BridgeConfig, Desk, Originals, Seen, Shelf};
use cairn_client::{Client, Retries};
use cairn_core::key::SecretKey;
use cairn_core::{DeviceId, NetworkId};
use cairn_edge::queue::{Queue, QueueLimits};
use cairn_edge::reduce::MakingRoom;
use cairn_edge::send::{Gateway, Keys, SendOptions, Sender, Sending, SharedQueue};
use cairn_edge::time::{Machine, Timekeeper};
use cairn_edge::{EdgeError, Stop};
use cairn_log::Disk;
use serde::Serialize;
use serde_json::json;

use crate::command::node::{Board, disk, hear, tell};
use crate::config::node::NodeFolder;
use crate::connect::network_id;
use crate::failure::Failure;
use crate::keys::{Key, random};
use crate::output::Output;

mod standing;

use standing::{Held, Way};

/// What requests brought, as it came.
const ORIGINALS: &str = "originals";

/// Arguments of `cairn bridge run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bridge's configuration.
    #[arg(long, value_name = "FILE", default_value = "bridge.toml")]
    config: PathBuf,
    /// The bridge's folder: what waits, what was promised and refused, what was seen, and the originals. It must not be lost while
    /// reports wait. [default: the configuration with .bridge]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What is said when it listens.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Listening { address: String, bridge: String, network_id: String, devices: usize, waiting: u64 },
}

fn text(event: &Event) -> String {
    let Event::Listening { address, bridge, devices, waiting, .. } = event;
    format!("bridge {bridge} of {devices} devices listens on http://{address}; {waiting} reports wait")
}

/// Everything that the threads share.
struct Parts {
    config: BridgeConfig,
    folder: NodeFolder,
    shelves: Shelves,
    key: Arc<SecretKey>,
    held: Held,
    queue: SharedQueue,
    clock: Arc<Timekeeper>,
    board: Arc<Board>,
}

/// Runs the command.
///
/// # Errors
/// What keeps the bridge from starting: its configuration, its folder, its address.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let stop = Stop::default();
    hear(&stop)?;
    let config = BridgeConfig::read(&args.config)?;
    let (table, secrets, key) = (config.table()?, config.secrets()?, Key::read(&config.key)?.signing()?);
    let subjects: BTreeSet<DeviceId> = table.values().copied().collect();
    let folder = args.dir.clone().unwrap_or_else(|| args.config.with_extension("bridge"));
    let folder = NodeFolder::named(Some(&folder))?;
    let network = network(&config, &folder)?;
    let held = Held::of(&config, network, &key)?;
    // The queue's lock is the folder's: nothing else in it is touched before.
    let shelf = Shelves::open(&config, &folder)?;
    let queue = open_queue(&config, &folder, &held, &shelf)?;
    shelf.tidy(&folder)?;
    let waiting = queue.len();
    let clock =
        Timekeeper::of(&config.clock, &config.gateways, Box::new(Machine::default()), Some(shelf.at(&folder.clock())?));
    let parts = Parts {
        board: Arc::new(Board::of(output, Vec::new())),
        queue: Arc::new(Mutex::new(queue)),
        clock: Arc::new(clock),
        key: Arc::new(key),
        config,
        folder,
        shelves: shelf,
        held,
    };
    let sender = parts.sender()?;
    let devices = table.len();
    let bridge = Bridge {
        desk: parts.desk(table)?,
        clock: parts.clock.clone(),
        secrets,
        limits: parts.config.limits,
        status: parts.status(),
    };
    let running = bridge.listen(parts.config.listen)?;
    let (address, bridge, network_id) =
        (running.address().to_string(), parts.held.device.to_string(), network.0.to_hex());
    output.line(&Event::Listening { address, bridge, network_id, devices, waiting }, text)?;
    let done = parts.work(sender, subjects, &stop);
    running.stop();
    // Requests that were under way may have brought something.
    let _ = lock(&parts.queue).flush();
    done
}

/// The network that everything is for: as it is configured, as the folder knows it, or as the first gateway says that answers.
fn network(config: &BridgeConfig, folder: &NodeFolder) -> Result<NetworkId, Failure> {
    if let Some(network) = config.network_id()? {
        return Ok(network);
    }
    if let Some(network) = Queue::network_of(&*disk(&folder.queue())?)? {
        return Ok(network);
    }
    let mut first = None;
    for url in &config.gateways {
        let asked = Client::patient(url, Retries { attempts: 2, ..Retries::default() })?.network();
        match asked.map_err(Failure::from).and_then(|info| network_id(&info)) {
            Ok(network) => return Ok(network),
            Err(failure) => first = first.or(Some(failure)),
        }
    }
    let why = first.map_or_else(String::new, |failure| format!(": {}: {}", failure.code, failure.message));
    let what = format!("it is not known yet which network this bridge is for, and no gateway says so{why}");
    Err(Failure::failed("BRG-FIRST", what).hint(
        "start it again when a gateway answers, or write the network's id into bridge.toml (network = \"…\"): then it \
         listens without one",
    ))
}

/// Originals, and the disk that is not full as long as there are any.
struct Shelves(Arc<Mutex<Originals>>);

impl Shelves {
    fn open(config: &BridgeConfig, folder: &NodeFolder) -> Result<Self, Failure> {
        let path = folder.at(ORIGINALS.as_ref());
        let originals = Originals::open(&path, config.limits.originals_bytes);
        Ok(Self(Arc::new(Mutex::new(originals.map_err(|error| Failure::io("open", &path, &error))?))))
    }

    /// To be called once the folder is this bridge's own.
    fn tidy(&self, folder: &NodeFolder) -> Result<(), Failure> {
        let tidied = self.0.lock().unwrap_or_else(PoisonError::into_inner).tidy();
        tidied.map_err(|error| Failure::io("tidy", &folder.at(ORIGINALS.as_ref()), &error))
    }

    /// A folder of what is worth more than they are.
    fn at(&self, path: &Path) -> Result<Arc<dyn Disk>, Failure> {
        Ok(Arc::new(MakingRoom::on(disk(path)?, self.0.clone())))
    }
}

fn open_queue(config: &BridgeConfig, folder: &NodeFolder, held: &Held, shelves: &Shelves) -> Result<Queue, Failure> {
    let limits = QueueLimits::of(config.limits.queue_bytes);
    Queue::open(shelves.at(&folder.queue())?, held.network, held.device, limits).map_err(|error| {
        let is_locked = matches!(error, EdgeError::Locked);
        let failure = Failure::from(error);
        if is_locked {
            return failure
                .hint("another bridge runs on this folder, as a service perhaps; each needs its own (--dir)");
        }
        failure
    })
}

impl Parts {
    fn desk(
        &self,
        table: std::collections::BTreeMap<(cairn_bridge::Adapter, String), DeviceId>,
    ) -> Result<Desk, Failure> {
        let root = self.folder.root();
        let made = |error: std::io::Error| Failure::io("open", root, &error);
        let board = Arc::clone(&self.board);
        let told = Box::new(move |of: &'static str, trouble| board.trouble(of, trouble));
        let shelf = Shelf::of(Arc::clone(&self.shelves.0), Arc::clone(&self.queue), told);
        let seen = Seen::open(self.shelves.at(root)?).map_err(made)?;
        Ok(Desk::of(&self.config, table, seen, Box::new(shelf))?)
    }

    fn sender(&self) -> Result<Sender, Failure> {
        let boxed = |way: Way| -> Box<dyn Gateway> { Box::new(way) };
        let ways = standing::ways(&self.config, &self.held)?;
        let board = Arc::clone(&self.board);
        let sending = Sending {
            queue: Arc::clone(&self.queue),
            disk: self.shelves.at(&self.folder.receipts())?,
            signer: self.key.clone(),
            device: self.held.device,
            network: self.held.network,
            gateways: ways.into_iter().map(boxed).collect(),
            clock: self.clock.clone(),
            events: Box::new(move |event| tell(&board, event)),
        };
        let (log, promises) = (self.config.log_vkey.as_deref(), self.config.promise_vkey.as_deref());
        let keys = Keys::pinned(self.held.network, log, promises)?;
        let seed = u64::from_le_bytes(random()?);
        Ok(Sender::open(sending, SendOptions { keys, seed, ..self.config.refused.options() })?)
    }

    /// What `/status` says beside what became of requests.
    fn status(&self) -> cairn_bridge::Status {
        let (queue, board, clock) = (Arc::clone(&self.queue), Arc::clone(&self.board), Arc::clone(&self.clock));
        let (bridge, network_id) = (self.held.device.to_string(), self.held.network.0.to_hex());
        Box::new(move || {
            let (waiting, counts) = {
                let queue = lock(&queue);
                (queue.len(), queue.counts())
            };
            json!({
                "bridge": bridge, "network_id": network_id, "clock": clock.status().source, "waiting": waiting,
                "promised": counts.promised, "refused": counts.refused, "lost": counts.lost, "troubles": board.troubles(),
            })
        })
    }

    /// Does everything beside listening, until it is asked to stop.
    fn work(&self, mut sender: Sender, subjects: BTreeSet<DeviceId>, stop: &Stop) -> Result<(), Failure> {
        let ways = standing::ways(&self.config, &self.held)?;
        std::thread::scope(|scope| {
            scope.spawn(|| self.clock.run(&|trouble| self.board.trouble("clock", trouble), stop));
            scope.spawn(move || sender.run(stop));
            scope.spawn(move || standing::look(ways, subjects, &self.board, stop));
        });
        Ok(())
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
