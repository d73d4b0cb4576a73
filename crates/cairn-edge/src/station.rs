//! What runs next to the hardware, put together: sources feed windows, windows are closed into the queue, and somebody sends.
//!
//! Promised: what a source handed over and was told is taken waits on disk, or is still in a window and comes from the source
//! again (a file) or is lost with the process (a line on standard input, a message); a stop closes every window first.
//! While nothing can be kept, nothing more is taken, and memory stays bounded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::intake::{self, Intake, Told};
use crate::queue::Queue;
use crate::reduce::{SharedStore, Windows};
use crate::{Clock, EdgeError, Ended, Item, Source, SourceTrouble, Stop};

/// Who says that something of the queue is wrong.
pub const QUEUE: &str = "queue";

/// What measures.
pub struct Station {
    /// Sources by their names, which differ.
    pub sources: Vec<(String, Box<dyn Source>)>,
    /// How readings are reduced.
    pub windows: Windows,
    /// Where raw inputs are kept. On a disk that is full the oldest go first; see [`crate::reduce::MakingRoom`] for everything else.
    pub store: SharedStore,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where items wait; whoever sends shares it.
    pub queue: Arc<Mutex<Queue>>,
}

/// How measuring ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// How each source ended, by its name.
    pub ended: Vec<(String, Ended)>,
    /// Whether everything that was taken is on disk.
    pub is_kept: bool,
}

impl Station {
    /// Measures until `stop` is set or every source has ended, then closes every window. Troubles of sources and of the queue are
    /// told by name.
    ///
    /// # Errors
    /// The name of a source that is there more than once.
    pub fn run(self, told: &Told<'_>, stop: &Stop) -> Result<Measured, String> {
        let keeping = Keeping::of(self.queue, told);
        let push = |item: &Item| keeping.push(item);
        let windows = self.windows.going_on(keeping.queue().marks());
        let intake = Intake::of(windows, self.store, self.clock, &push, told);
        let ended = intake::run(self.sources, &intake, stop)?;
        // What was not taken a moment ago is offered once more.
        let is_kept = intake.finish() && keeping.flush();
        Ok(Measured { ended, is_kept })
    }
}

/// Puts items into a queue, and says once what is in the way until it is over.
struct Keeping<'a> {
    queue: Arc<Mutex<Queue>>,
    told: &'a Told<'a>,
    /// The code of the trouble that was told and is not over.
    open: Mutex<Option<&'static str>>,
    given_up: AtomicU64,
}

impl<'a> Keeping<'a> {
    fn of(queue: Arc<Mutex<Queue>>, told: &'a Told<'a>) -> Self {
        Self { queue, told, open: Mutex::new(None), given_up: AtomicU64::new(0) }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the queue has taken an item, for good: then it is not to be offered again.
    fn push(&self, item: &Item) -> bool {
        let pushed = self.queue().push(vec![item.clone()]);
        match pushed {
            Ok(0) => self.works(),
            Ok(lost) => {
                self.works();
                let all = self.given_up.fetch_add(lost, Ordering::Relaxed) + lost;
                let detail = format!("the queue is full: the {lost} oldest were given up, {all} in this start");
                (self.told)(QUEUE, SourceTrouble { code: "EDGE-QUEUE-FULL", detail, is_over: false });
            }
            // It is no report and never will be one.
            Err(error @ EdgeError::TooLarge { .. }) => {
                let detail = format!("something measured is passed over: {error}");
                (self.told)(QUEUE, SourceTrouble { code: error.code(), detail, is_over: false });
            }
            Err(error) => {
                self.fails(&error);
                return false;
            }
        }
        true
    }

    fn flush(&self) -> bool {
        let flushed = self.queue().flush();
        match &flushed {
            Ok(()) => self.works(),
            Err(error) => self.fails(error),
        }
        flushed.is_ok()
    }

    fn fails(&self, error: &EdgeError) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.replace(error.code()) != Some(error.code()) {
            let detail = format!("what is measured cannot be kept, and waits where it comes from: {error}");
            (self.told)(QUEUE, SourceTrouble { code: error.code(), detail, is_over: false });
        }
    }

    fn works(&self) {
        let over = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(code) = over {
            (self.told)(QUEUE, SourceTrouble { code, detail: String::new(), is_over: true });
        }
    }
}

#[cfg(test)]
mod late;
#[cfg(test)]
mod tests;
