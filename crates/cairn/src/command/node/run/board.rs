//! What is going on in a node, gathered from all of its threads: told at once, and kept for whoever asks how it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cairn_edge::{Ended, SourceTrouble};
use cairn_ledger::wall_ms;
use serde::Serialize;

use super::super::status::{SourceReport, Trouble};
use crate::output::Output;
use crate::words::count;

/// The most troubles that are kept at once.
const TROUBLES_MAX: usize = 256;

/// What happens, one line each.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    Started {
        device: String,
        network_id: String,
        waiting: u64,
        sources: usize,
        worker: bool,
    },
    Trouble {
        who: String,
        code: String,
        detail: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    Over {
        who: String,
        code: String,
    },
    Ended {
        who: String,
        why: String,
    },
    Sent {
        gateway: String,
        promised: u64,
        waiting: u64,
    },
    Doubted {
        gateway: String,
        count: u64,
        code: String,
        detail: String,
    },
    Refused {
        code: String,
        detail: String,
        gateways: Vec<String>,
    },
    Again {
        count: u64,
    },
    AgedOut {
        receipts: u64,
        promises: u64,
        refused: u64,
    },
    Broken {
        index: u64,
    },
    Alert {
        code: String,
        detail: String,
        is_over: bool,
    },
    Stopped {
        waiting: u64,
        kept: bool,
    },
}

fn text(event: &Event) -> String {
    match event {
        Event::Started { device, waiting, sources, worker, .. } => {
            let worker = if *worker { ", and a worker" } else { "" };
            let sources = count(*sources as u64, "source", "sources");
            format!("started  {device}: {sources}{worker}; {}", waits(*waiting))
        }
        Event::Trouble { who, code, detail, hint } => {
            let hint = hint.as_ref().map(|hint| format!("\n         hint: {hint}")).unwrap_or_default();
            format!("trouble  {who}, {code}: {detail}{hint}")
        }
        Event::Over { who, code } => format!("over     {who}, {code}"),
        Event::Ended { who, why } => format!("ended    {who}: {why}"),
        Event::Sent { gateway, promised, waiting } => {
            format!("sent     {promised} promised by {gateway}; {}", waits(*waiting))
        }
        Event::Doubted { gateway, count: number, code, detail } => {
            let reports = count(*number, "report", "reports");
            format!("doubted  {reports} refused by {gateway} alone, {code}: {detail}; another gateway is asked")
        }
        Event::Refused { code, detail, .. } => format!("refused  {code}: {detail}; set aside: cairn node refused"),
        Event::Again { count: number } => {
            format!("again    {} set aside {} sent again", count(*number, "report", "reports"), are(*number))
        }
        Event::AgedOut { receipts, promises, refused } => {
            format!(
                "gave up  for room: {receipts} receipts, {promises} promises without one, {refused} refused reports"
            )
        }
        Event::Broken { index } => {
            format!("BROKEN   entry {index} was promised and is not there; the evidence is kept")
        }
        Event::Alert { code, detail, is_over: false } => format!("ALERT    {code}: {detail}"),
        Event::Alert { code, detail, is_over: true } => format!("over     {code}: {detail}"),
        Event::Stopped { waiting, kept: true } => format!("stopped  all that was taken is kept; {}", waits(*waiting)),
        Event::Stopped { waiting, kept: false } => {
            format!("stopped  not all that was taken could be kept; {}", waits(*waiting))
        }
    }
}

fn are(number: u64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

fn waits(waiting: u64) -> String {
    format!("{} on disk", count(waiting, "report waits", "reports wait"))
}

/// The board.
pub struct Board {
    output: Output,
    troubles: Mutex<BTreeMap<(String, String), Trouble>>,
    sources: Mutex<Vec<SourceReport>>,
}

impl Board {
    /// Nothing wrong yet.
    pub fn of(output: Output, sources: Vec<String>) -> Self {
        let sources = sources.into_iter().map(|name| SourceReport { name, ended: None }).collect();
        Self { output, troubles: Mutex::default(), sources: Mutex::new(sources) }
    }

    /// Where it is told.
    pub const fn output(&self) -> Output {
        self.output
    }

    /// Tells what happens. That nobody listens any more is no reason to stop measuring.
    pub fn tell(&self, event: &Event) {
        let _ = self.output.line(event, text);
    }

    /// Hears what a source, the queue or the clock cannot do, or can again.
    pub fn trouble(&self, who: &str, trouble: SourceTrouble) {
        if trouble.is_over {
            self.over(who, Some(trouble.code));
        } else {
            self.wrong(who, trouble.code, &trouble.detail, None);
        }
    }

    /// Hears that something is wrong with somebody, and the way out, where there is one.
    pub fn wrong(&self, who: &str, code: &str, detail: &str, hint: Option<&str>) {
        let (key, detail) = ((who.to_owned(), code.to_owned()), detail.to_owned());
        let mut troubles = lock(&self.troubles);
        let since_ms = troubles.get(&key).map_or_else(wall_ms, |known| known.since_ms);
        if troubles.len() < TROUBLES_MAX || troubles.contains_key(&key) {
            let (who, code) = key.clone();
            let hint = hint.map(str::to_owned);
            troubles.insert(key.clone(), Trouble { who, code, detail: detail.clone(), hint, since_ms });
        }
        drop(troubles);
        self.tell(&Event::Trouble { who: key.0, code: key.1, detail, hint: hint.map(str::to_owned) });
    }

    /// Hears that it is over; without a code, all that was wrong with somebody is.
    pub fn over(&self, who: &str, code: Option<&str>) {
        let mut troubles = lock(&self.troubles);
        let is_over = |key: &&(String, String)| key.0 == who && code.is_none_or(|code| key.1 == code);
        let over: Vec<(String, String)> = troubles.keys().filter(is_over).cloned().collect();
        over.iter().for_each(|key| _ = troubles.remove(key));
        drop(troubles);
        for (who, code) in over {
            self.tell(&Event::Over { who, code });
        }
    }

    /// Hears how sources ended.
    pub fn ended(&self, ended: &[(String, Ended)]) {
        for (who, how) in ended {
            let why = match how {
                Ended::Stopped => continue,
                Ended::Exhausted => "there is no more to come".to_owned(),
                Ended::Failed(trouble) => format!("{}: {}", trouble.code, trouble.detail),
            };
            if let Some(source) = lock(&self.sources).iter_mut().find(|source| source.name == *who) {
                source.ended = Some(why.clone());
            }
            self.tell(&Event::Ended { who: who.clone(), why });
        }
    }

    /// What is wrong.
    pub fn troubles(&self) -> Vec<Trouble> {
        lock(&self.troubles).values().cloned().collect()
    }

    /// The sources.
    pub fn sources(&self) -> Vec<SourceReport> {
        lock(&self.sources).clone()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_stands_until_it_is_over() {
        let board = Board::of(Output { json: true }, vec!["a".to_owned()]);
        let trouble = |is_over| SourceTrouble { code: "EDGE-X", detail: "why".to_owned(), is_over };
        board.trouble("a", trouble(false));
        board.trouble("b", trouble(false));
        let since_ms = board.troubles()[0].since_ms;
        board.trouble("a", trouble(false));
        assert_eq!((board.troubles().len(), board.troubles()[0].since_ms), (2, since_ms));
        board.trouble("a", trouble(true));
        let left: Vec<String> = board.troubles().into_iter().map(|trouble| trouble.who).collect();
        assert_eq!(left, ["b"]);
        board.wrong("b", "EDGE-Y", "another", Some("mend it"));
        assert_eq!(board.troubles()[1].hint.as_deref(), Some("mend it"));
        board.over("b", None);
        assert!(board.troubles().is_empty());
        board.ended(&[("a".to_owned(), Ended::Exhausted)]);
        assert!(board.sources()[0].ended.is_some());
    }
}
