//! The writer's side of witnessing: when a checkpoint is shown to witnesses, and how long the next one waits for them.
//!
//! A checkpoint is published first, so that the lock record holds it before any witness does. Until its round is over the
//! writer publishes no other one, so that the one that is served gets its cosignatures; a round is over when the witnesses
//! have answered, and at the latest after its timeout. Requests are logged and answered meanwhile as ever.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use cairn_log::LogReader;
use cairn_merkle::Checkpoint;
use cairn_merkle::note::NoteSignature;

use crate::witnessing::WitnessingOptions;

/// What a round may take longer than its timeout before it is given up: the work around the waiting.
const SLACK: Duration = Duration::from_millis(250);

/// A checkpoint to be shown to witnesses.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    /// The signed note, as published.
    pub note: String,
    /// What it says.
    pub checkpoint: Checkpoint,
    /// Whether it is the first after the end of an epoch.
    pub ends_epoch: bool,
}

/// What witnesses said of a checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct Cosigned {
    /// The checkpoint's text.
    pub text: String,
    /// Their lines, verified.
    pub lines: Vec<NoteSignature>,
}

/// When rounds begin and end.
pub(crate) struct Rounds {
    asked: SyncSender<Round>,
    interval: Duration,
    refresh: Duration,
    patience: Duration,
    began: Option<Instant>,
    is_under_way: bool,
    last: Option<Checkpoint>,
    epoch: u64,
}

impl Rounds {
    /// Rounds, and where they are heard of; none without witnesses.
    pub fn of(options: &WitnessingOptions) -> Option<(Self, Receiver<Round>)> {
        if options.witnesses.is_empty() {
            return None;
        }
        let (asked, rounds) = sync_channel(1);
        let rounds_of = Self {
            asked,
            interval: options.interval,
            refresh: options.refresh,
            patience: options.timeout + SLACK,
            began: None,
            is_under_way: false,
            last: None,
            epoch: 0,
        };
        Some((rounds_of, rounds))
    }

    /// Whether the published checkpoint is to stay for now.
    pub fn hold_back(&mut self) -> bool {
        let Some(began) = self.began else { return false };
        let since = began.elapsed();
        self.is_under_way &= since < self.patience;
        self.is_under_way || since < self.interval
    }

    /// Begins a round if the published checkpoint is another one, or was shown long ago. It covers the log as it was a
    /// moment ago, far less than what audits allow: what a witness sees is all that there is.
    pub fn begin(&mut self, log: &LogReader, epoch: u64) {
        let (Some(note), Some(checkpoint)) = (log.checkpoint(), log.published()) else { return };
        let is_other = self.last.as_ref() != Some(&checkpoint);
        let is_old = self.began.is_none_or(|began| began.elapsed() >= self.refresh);
        if !(is_other || is_old) {
            return;
        }
        let ends_epoch = self.last.is_some() && epoch != self.epoch;
        let round = Round { note, checkpoint: checkpoint.clone(), ends_epoch };
        // Those who ask are busy when a witness took all the time there is; the next tick tries again.
        if self.asked.try_send(round).is_ok() {
            self.began = Some(Instant::now());
            self.is_under_way = true;
            self.last = Some(checkpoint);
            self.epoch = epoch;
        }
    }

    /// The round is over.
    pub fn end(&mut self) {
        self.is_under_way = false;
    }
}
