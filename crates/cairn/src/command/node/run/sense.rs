//! Measuring: sources, clock, queue and sender of one device, each on threads of their own, until somebody asks to stop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cairn_edge::alert::{Alerts, Http, Watched};
use cairn_edge::home::AlertMessage;
use cairn_edge::queue::{Queue, QueueLimits};
use cairn_edge::reduce::Windows;
use cairn_edge::send::{SendStatus, Sender, keep};
use cairn_edge::source::SourceConfig;
use cairn_edge::station::{Measured, Station};
use cairn_edge::time::{Machine, Timekeeper};
use cairn_edge::{Clock, EdgeError, Ended, Source, SourceTrouble, Stop};
use cairn_ledger::wall_ms;
use cairn_log::Disk;

use super::super::setup::refused;
use super::super::status::{NEWS_EVERY_MS, NodeReport, QueueReport, WRITTEN_EVERY_MS};
use super::super::worker::{self, Job};
use super::super::{key, reach, said};
use super::board::{Board, Event};
use super::disks::Disks;
use super::household::Household;
use super::sending;
use super::watch::Watch;
use crate::config::node::{DeviceKey, NodeConfig, NodeFolder};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// How often it is looked whether the status changed.
const LOOK: Duration = Duration::from_secs(5);
/// How often it is looked whether everything was sent, once there is no more to come.
const DRAIN: Duration = Duration::from_millis(250);
/// The waits of a worker that could not begin: they double in between.
const AGAIN_MS: core::ops::RangeInclusive<u64> = 5_000..=300_000;

/// Who says that something of the status file, or of alerts, is wrong.
const STATUS: &str = "status";
const ALERTS: &str = "alerts";
/// The code of alerts that cannot be kept.
const NOT_KEPT: &str = "EDGE-DISK";

/// Which of it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct What {
    /// Measuring.
    pub sensing: bool,
    /// Work for buyers.
    pub working: bool,
}

/// Everything that the threads share.
struct Node<'a> {
    /// Where the status is written.
    disk: Arc<dyn Disk>,
    config: &'a NodeConfig,
    key: DeviceKey,
    queue: Arc<Mutex<Queue>>,
    clock: Arc<Timekeeper>,
    board: Arc<Board>,
    sent: Arc<Mutex<SendStatus>>,
    watch: Watch,
    alerts: Alerts,
    started_ms: u64,
    damaged_bytes: u64,
    /// Small files that were damaged when it began, and what was done about it.
    mended: Vec<String>,
}

/// Runs what `node.toml` says until `stop` is set, or there is no more to measure and everything was sent.
///
/// # Errors
/// What keeps the node from starting.
pub fn run(folder: &NodeFolder, what: What, stop: &Stop, output: Output) -> Result<(), Failure> {
    let config = NodeConfig::read(folder)?;
    let job = if what.working { job(folder, &config)? } else { None };
    if what.working && !what.sensing && job.is_none() {
        return Err(Failure::usage("NODE-WORKER", "node.toml has no table [worker]")
            .hint("see how one is written, in the guide: node.md"));
    }
    match job {
        Some(job) if !what.sensing => worker::work(&job, stop, output),
        job => sense(folder, &config, job.as_ref(), stop, output),
    }
}

/// The worker that `node.toml` names.
fn job(folder: &NodeFolder, config: &NodeConfig) -> Result<Option<Job>, Failure> {
    let Some(worker) = &config.worker else { return Ok(None) };
    let mut terms = worker.clone();
    terms.key = folder.at(&worker.key);
    let url = config.gateways.first().cloned();
    let url = url.ok_or_else(|| Failure::wrong("NODE-CONFIG", "`gateways` names none"))?;
    Ok(Some(Job {
        cache_bytes: terms.cache_mib << 20,
        terms,
        device: None,
        url,
        network: Some(config.network().0.to_hex()),
        folder: folder.worker(),
        poll: Duration::from_secs(1),
        promises: None,
    }))
}

fn sense(
    folder: &NodeFolder,
    config: &NodeConfig,
    job: Option<&Job>,
    stop: &Stop,
    output: Output,
) -> Result<(), Failure> {
    if config.source.is_empty() && job.is_none() {
        return Err(Failure::wrong("NODE-SOURCES", "node.toml has no [[source]]: there is nothing to measure")
            .hint("see where readings come from, in the guide: sources.md"));
    }
    let key = current_key(folder, config, stop, output)?;
    let disks = Disks::open(folder, config)?;
    let limits = QueueLimits::of(config.queue_bytes());
    let mut queue = Queue::open(disks.at(&folder.queue())?, config.network(), key.device, limits)?;
    see_names(&mut queue, &*disks.at(&folder.receipts())?)?;
    let mended: Vec<String> = queue.mended().iter().map(|own| said(&folder.queue().join(own.file), own)).collect();
    mended.iter().for_each(|what| output.say(format!("warning[EDGE-MENDED]: {what}")));
    let damaged_bytes = queue.damaged().iter().map(|segment| segment.bytes as u64).sum();
    for segment in queue.damaged() {
        output.say(format!(
            "warning: {} bytes of {} are not what was written, and are passed over",
            segment.bytes, segment.file
        ));
    }
    let sources = sources(config, &queue)?;
    let windows = windows(config, folder.joined_ms())?;
    let waiting = queue.len();
    let queue = Arc::new(Mutex::new(queue));
    let kept = Some(disks.at(&folder.clock())?);
    let clock = Arc::new(Timekeeper::of(&config.clock, &config.gateways, Box::new(Machine::default()), kept));
    let names = sources.iter().map(|(name, _)| name.clone()).collect();
    let board = Arc::new(Board::of(output, names));
    let name = config.home.as_ref().and_then(|home| home.name.clone()).unwrap_or_else(|| key.device.to_string());
    let alerts = Alerts::open(&config.alerts, key.device, &name, disks.at(&folder.alerts())?)
        .map_err(|what| Failure::wrong("NODE-CONFIG", format!("[alerts]: {what}")))?;
    let sender = sending::sender((folder, &disks), config, &key, &queue, clock.clone(), &board)?;
    let node = Node {
        disk: disks.at(folder.root())?,
        config,
        key,
        queue,
        clock,
        board,
        sent: sender.status(),
        watch: Watch::default(),
        alerts,
        started_ms: wall_ms(),
        damaged_bytes,
        mended,
    };
    node.board.tell(&Event::Started {
        device: node.key.device.to_string(),
        network_id: config.network().0.to_hex(),
        waiting,
        sources: sources.len(),
        worker: job.is_some(),
    });
    let station =
        Station { sources, windows, store: disks.raw(), clock: node.clock.clone(), queue: node.queue.clone() };
    let measured = node.measure(station, sender, job, stop)?;
    node.end(&measured)
}

/// The key that the network knows: a rotation that was interrupted is finished first, as soon as somebody can be asked.
fn current_key(folder: &NodeFolder, config: &NodeConfig, stop: &Stop, output: Output) -> Result<DeviceKey, Failure> {
    let mut wait_ms = *AGAIN_MS.start();
    loop {
        let key = config.device(folder)?;
        match key::finish_rotation(folder, config, &key.device, || reach(config)) {
            Ok(false) => return Ok(key),
            Ok(true) => output.say("the device's next key holds: the rotation is finished"),
            Err(failure) if failure.exit == Exit::Wrong => return Err(failure),
            Err(failure) => {
                output.say(format!(
                    "a rotation was interrupted, and nobody says yet which key holds: {}",
                    failure.message
                ));
                if stop.wait(Duration::from_millis(wait_ms)) {
                    return Err(failure);
                }
                wait_ms = (wait_ms * 2).min(*AGAIN_MS.end());
            }
        }
    }
}

/// Where the queue does not know any more which names were given, receipts and promises do.
fn see_names(queue: &mut Queue, receipts: &dyn Disk) -> Result<(), Failure> {
    if !queue.has_lost_count() {
        return Ok(());
    }
    let promised = keep::promises(receipts)?.into_iter().flat_map(|promise| promise.reports);
    let boots = keep::receipts(receipts)?.into_iter().map(|receipt| receipt.boot);
    let highest = boots.chain(promised.map(|report| report.boot)).max();
    Ok(highest.map_or(Ok(()), |seen| queue.saw_boot(seen))?)
}

/// Sources by their names.
type Sources = Vec<(String, Box<dyn Source>)>;

/// The sources, each where it stopped.
fn sources(config: &NodeConfig, queue: &Queue) -> Result<Sources, Failure> {
    let is_simulated = config.source.iter().any(|source| matches!(source, SourceConfig::Simulated(_)));
    // Only what is made up depends on what the network declares; everything else starts without a network.
    let rehearsed = if is_simulated { reach(config)?.network()?.rehearsed } else { Vec::new() };
    let mut marks = queue.marks();
    let mut open = |source: &SourceConfig| {
        let name = source.name();
        let opened = source.open(&rehearsed, marks.remove(&name));
        opened.map(|source| (name, source)).map_err(|error| refused(&error))
    };
    config.source.iter().map(&mut open).collect()
}

fn windows(config: &NodeConfig, joined_ms: u64) -> Result<Windows, Failure> {
    let wrong = |error: cairn_edge::map::MapError| Failure::wrong("NODE-CONFIG", format!("[reduce]: {error}"));
    let (recipe, length_ms) = (config.reduce.recipe().map_err(wrong)?, config.reduce.length_ms().map_err(wrong)?);
    Ok(Windows::of(recipe, config.reduce.align, length_ms).but_of(joined_ms))
}

impl Node<'_> {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Measures on this thread, with everything else beside it, and ends all of it.
    fn measure(
        &self,
        station: Station,
        mut sender: Sender,
        job: Option<&Job>,
        stop: &Stop,
    ) -> Result<Measured, Failure> {
        let told = |who: &str, trouble: SourceTrouble| self.board.trouble(who, trouble);
        std::thread::scope(|scope| {
            scope.spawn(|| self.clock.run(&|trouble| told("clock", trouble), stop));
            scope.spawn(move || sender.run(stop));
            scope.spawn(|| self.watch.run(self.config, &self.key.device, stop));
            scope.spawn(|| self.report(stop));
            if self.config.alerts.webhook.is_some() {
                scope.spawn(|| self.alerts.run(&Http::default(), &|trouble| told(ALERTS, trouble), stop));
            }
            if let Some(job) = job {
                scope.spawn(|| self.work(job, stop));
            }
            let measured = station.run(&told, stop);
            if let Ok(measured) = &measured {
                self.board.ended(&measured.ended);
            }
            // A worker goes on without sources; else what waits is sent, and then there is nothing left to do.
            while !stop.is_set() && (job.is_some() || !self.queue().is_empty()) {
                let _ = stop.wait(DRAIN);
            }
            stop.set();
            measured.map_err(|name| {
                Failure::wrong("NODE-CONFIG", format!("two sources are called `{name}`"))
                    .hint("take one of these [[source]] tables out of node.toml: both read the same")
            })
        })
    }

    /// Works for buyers; what keeps the worker from starting is told, and tried again where it may pass.
    fn work(&self, job: &Job, stop: &Stop) {
        let mut wait_ms = *AGAIN_MS.start();
        while !stop.is_set() {
            let Err(failure) = worker::work(job, stop, self.board.output()) else { return };
            let code = "NODE-WORKER";
            let detail = format!("{}: {}", failure.code, failure.message);
            self.board.trouble("worker", SourceTrouble { code, detail, is_over: false });
            let _ = stop.wait(Duration::from_millis(wait_ms));
            wait_ms = (wait_ms * 2).min(*AGAIN_MS.end());
            // Tried again, it works until it says otherwise.
            self.board.trouble("worker", SourceTrouble { code, detail: String::new(), is_over: true });
        }
    }

    /// Looks how the node is, tells whom it concerns, and writes it down now and then: its disk may be flash.
    fn report(&self, stop: &Stop) {
        let mut last: Option<NodeReport> = None;
        let mut household = self.config.home.as_ref().map(|home| Household::of(home, self.key.device));
        loop {
            let is_last = stop.wait(if last.is_some() { LOOK } else { Duration::ZERO });
            let told = self.alert();
            let report = self.look();
            if let Some(household) = &mut household {
                household.show(&report, self.watch.seen(), &told, &self.board);
            }
            let is_due = last.as_ref().is_none_or(|last| {
                let age_ms = report.written_ms.saturating_sub(last.written_ms);
                age_ms >= WRITTEN_EVERY_MS || report.is_warning(last) || age_ms >= NEWS_EVERY_MS && report.is_news(last)
            });
            if is_due || is_last {
                match report.write(&*self.disk) {
                    Ok(()) => self.board.over(STATUS, None),
                    Err(error) => {
                        self.board.wrong(STATUS, "NODE-STATUS", &format!("it cannot be written: {error}"), None)
                    }
                }
                last = Some(report);
            }
            if is_last {
                return;
            }
        }
    }

    /// Decides what is to be told, and says it here; a webhook is told beside.
    fn alert(&self) -> Vec<AlertMessage> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut watched = Watched::of(self.clock.now(), &sent, &self.clock.status());
        watched.score = self.watch.seen().and_then(|seen| seen.score);
        match self.alerts.look(&watched) {
            Ok(told) => {
                self.board.over(ALERTS, Some(NOT_KEPT));
                for AlertMessage { code, detail, is_over, .. } in told.clone() {
                    self.board.tell(&Event::Alert { code, detail, is_over });
                }
                told
            }
            Err(error) => {
                self.board.wrong(ALERTS, NOT_KEPT, &format!("what is to be told cannot be kept: {error}"), None);
                Vec::new()
            }
        }
    }

    fn look(&self) -> NodeReport {
        NodeReport {
            device: self.key.device.to_string(),
            network_id: self.config.network().0.to_hex(),
            started_ms: self.started_ms,
            written_ms: wall_ms(),
            clock: serde_json::to_value(self.clock.status()).unwrap_or_default(),
            queue: self.look_at_queue(),
            sending: self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            sources: self.board.sources(),
            troubles: self.board.troubles(),
            alerts: self.alerts.current(),
            mended: self.mended.clone(),
        }
    }

    fn look_at_queue(&self) -> QueueReport {
        let queue = self.queue();
        let counts = queue.counts();
        QueueReport {
            waiting: queue.len(),
            bytes: queue.bytes(),
            bytes_max: queue.limits().bytes_max,
            taken: counts.taken,
            promised: counts.promised,
            refused: counts.refused,
            lost: counts.lost,
            damaged_bytes: self.damaged_bytes,
        }
    }

    fn end(&self, measured: &Measured) -> Result<(), Failure> {
        let _ = self.look().write(&*self.disk);
        let (waiting, kept) = (self.queue().len(), measured.is_kept);
        self.board.tell(&Event::Stopped { waiting, kept });
        if !kept {
            return Err(Failure::failed("EDGE-DISK", "not all that was measured could be kept")
                .hint("make room on the disk of the node's folder, or give [queue] in node.toml more"));
        }
        let failed = measured.ended.iter().find_map(|(name, ended)| match ended {
            Ended::Failed(trouble) => Some((name, trouble)),
            Ended::Stopped | Ended::Exhausted => None,
        });
        match failed {
            Some((name, trouble)) => Err(Failure::wrong(trouble.code, format!("{name}: {}", trouble.detail))),
            None => Ok(()),
        }
    }
}

impl From<EdgeError> for Failure {
    fn from(error: EdgeError) -> Self {
        let exit = if error.may_pass() { Exit::Failed } else { Exit::Wrong };
        Self { exit, ..Self::failed(error.code(), &error) }.maybe_hint(error.hint())
    }
}
