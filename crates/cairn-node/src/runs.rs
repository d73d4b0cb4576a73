//! Jobs being run beside the worker's loop, as many at once as was asked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use cairn_core::JobId;
use cairn_core::statement::Order;

use crate::NodeError;
use crate::cache::Cache;
use crate::network::Network;
use crate::run::{Found, Missed, fetch, run_order};

/// A job to run.
#[derive(Debug, Clone)]
pub struct Work {
    /// The job.
    pub job: JobId,
    /// What was ordered.
    pub order: Order,
}

/// What runs jobs.
pub trait Runs {
    /// Begins a run; `false` while there is no room for it.
    ///
    /// # Errors
    /// [`NodeError::System`].
    fn start(&mut self, work: Work) -> Result<bool, NodeError>;

    /// What has ended since this was last asked.
    fn finished(&mut self) -> Vec<(JobId, Result<Found, Missed>)>;

    /// The jobs that are being run.
    fn running(&self) -> Vec<JobId>;

    /// Nobody wants this run any more.
    fn cancel(&mut self, job: &JobId);
}

type Ended = Result<Found, Missed>;

struct Running {
    thread: JoinHandle<Ended>,
    is_cancelled: Arc<AtomicBool>,
}

/// Threads, one for each run. Dropping it ends them.
pub struct Pool {
    network: Arc<dyn Network>,
    cache: Arc<Cache>,
    capacity: usize,
    running: BTreeMap<JobId, Running>,
}

impl Pool {
    /// Room for so many runs, which fetch from the network what the cache does not have.
    #[must_use]
    pub const fn of(network: Arc<dyn Network>, cache: Arc<Cache>, capacity: usize) -> Self {
        Self { network, cache, capacity, running: BTreeMap::new() }
    }
}

fn ended(running: Running) -> Ended {
    running.thread.join().unwrap_or_else(|_| Err(Missed::Host("the run panicked".to_owned())))
}

impl Runs for Pool {
    fn start(&mut self, work: Work) -> Result<bool, NodeError> {
        if self.running.len() >= self.capacity || self.running.contains_key(&work.job) {
            return Ok(false);
        }
        let (network, cache, job) = (self.network.clone(), self.cache.clone(), work.job);
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let cancelled = is_cancelled.clone();
        let run = move || {
            let contents = fetch(&*network, &cache, &work.order)?;
            run_order(&work.job, &work.order, &contents, &mut || cancelled.load(Ordering::Relaxed))
        };
        let thread = std::thread::Builder::new().name("cairn-run".to_owned()).spawn(run);
        let thread = thread.map_err(|_| NodeError::System("thread"))?;
        self.running.insert(job, Running { thread, is_cancelled });
        Ok(true)
    }

    fn finished(&mut self) -> Vec<(JobId, Ended)> {
        let done = self.running.iter().filter(|(_, running)| running.thread.is_finished());
        let done: Vec<JobId> = done.map(|(job, _)| *job).collect();
        done.into_iter().filter_map(|job| Some((job, ended(self.running.remove(&job)?)))).collect()
    }

    fn running(&self) -> Vec<JobId> {
        self.running.keys().copied().collect()
    }

    fn cancel(&mut self, job: &JobId) {
        if let Some(running) = self.running.get(job) {
            running.is_cancelled.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for running in self.running.values() {
            running.is_cancelled.store(true, Ordering::Relaxed);
        }
        for (_, running) in core::mem::take(&mut self.running) {
            drop(ended(running));
        }
    }
}
