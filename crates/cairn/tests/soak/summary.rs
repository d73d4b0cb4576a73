//! What a run has shown, as a document and for people; and whether memory stayed flat.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::books::Books;
use crate::plan::{Plan, UNBROKEN};
use crate::verify::{InLog, Money};
use crate::watch::Sample;

const MIB: u64 = 1 << 20;
/// After so long an unbroken life has filled what is bounded: rates, what judges remember, the lookback.
const SETTLED_S: u64 = 600;
/// Samples of so long are compared.
const WINDOW_S: u64 = 300;

/// The memory of an unbroken life.
#[derive(Debug, Serialize)]
pub struct Memory {
    pub samples: usize,
    pub first_mib: u64,
    pub median_mib: u64,
    pub most_mib: u64,
    /// Medians of five minutes, the first after ten and the last ones of the paced phase, KiB.
    pub settled_kib: u64,
    pub last_kib: u64,
    pub entries_between: u64,
    pub growth_bytes_per_entry: i64,
    pub slope_kib_per_minute_last_half: i64,
    /// Whether it was long enough to be judged.
    pub is_judged: bool,
}

/// A run.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub passed: bool,
    pub seed: u64,
    pub minutes: Option<u64>,
    pub traffic_s: u64,
    pub rate: u64,
    pub devices: usize,
    pub epoch_s: u64,
    pub lives: u64,
    pub ends: BTreeMap<String, u64>,
    pub lives_whose_counters_agree: u64,
    pub honest_answers: u64,
    pub hostile_answers: u64,
    pub lost_honest_requests: u64,
    pub checkpoints: String,
    pub in_log: InLog,
    pub money: Money,
    pub memory: Option<Memory>,
    pub most_resident_mib: u64,
    pub disk_bytes: u64,
    pub disk_bytes_per_report: u64,
    pub signed: BTreeMap<String, u64>,
    /// By who asked, and the answer.
    pub answers: BTreeMap<String, BTreeMap<String, u64>>,
    pub wrong: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    pub samples: Vec<Sample>,
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap()
}

/// The least-squares slope of memory over time, KiB a minute.
fn slope(samples: &[&Sample]) -> i64 {
    let count = samples.len().max(1) as i128;
    let (mut t, mut m, mut tt, mut tm) = (0, 0, 0, 0);
    for sample in samples {
        let (at, kib) = (i128::from(sample.life_s), i128::from(sample.resident_bytes >> 10));
        (t, m, tt, tm) = (t + at, m + kib, tt + at * at, tm + at * kib);
    }
    let below = count * tt - t * t;
    if below == 0 { 0 } else { i64::try_from((count * tm - t * m) * 60 / below).unwrap_or(i64::MAX) }
}

/// The memory of the life without an end, as long as it is paced; fails a run whose memory grows by more than the entries explain.
pub fn memory(samples: &[Sample], books: &Books) -> Option<Memory> {
    let paced: Vec<&Sample> = samples.iter().filter(|sample| sample.phase == UNBROKEN).collect();
    let end_s = paced.last()?.life_s;
    let within = |from: u64, to: u64| -> Vec<&&Sample> {
        paced.iter().filter(|sample| (from..=to).contains(&sample.life_s)).collect()
    };
    let (settled, last) = (within(SETTLED_S, SETTLED_S + WINDOW_S), within(end_s.saturating_sub(WINDOW_S), end_s));
    let is_judged = end_s >= SETTLED_S + 2 * WINDOW_S;
    let kib = |of: &[&&Sample]| median(of.iter().map(|sample| sample.resident_bytes >> 10).collect());
    let entries = |of: &[&&Sample]| median(of.iter().map(|sample| sample.log_entries).collect());
    let (settled_kib, last_kib) = (kib(&settled), kib(&last));
    let entries_between = entries(&last).saturating_sub(entries(&settled));
    let all: Vec<u64> = paced.iter().map(|sample| sample.resident_bytes / MIB).collect();
    let grown = signed(last_kib) - signed(settled_kib);
    let memory = Memory {
        samples: paced.len(),
        first_mib: all[0],
        median_mib: median(all.clone()),
        most_mib: all.iter().copied().max().unwrap_or(0),
        settled_kib,
        last_kib,
        entries_between,
        growth_bytes_per_entry: if is_judged { (grown << 10) / signed(entries_between.max(1)) } else { 0 },
        slope_kib_per_minute_last_half: slope(&paced[paced.len() / 2..]),
        is_judged,
    };
    if is_judged && grown > allowed_kib(settled_kib, entries_between) {
        books
            .wrong(format!("memory grows: {settled_kib} KiB after ten minutes, {last_kib} KiB at the end; {memory:?}"));
    }
    Some(memory)
}

/// What memory may grow by at the same traffic and with the same devices: an eighth for the allocator's holes, and a few
/// bytes of index for every entry.
fn allowed_kib(settled_kib: u64, entries: u64) -> i64 {
    signed(settled_kib / 8 + entries * 8 / 1_024)
}

/// The answers by who asked.
pub fn answers(books: &Books) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut by_who: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for ((who, answer), count) in books.answers() {
        by_who.entry(who).or_default().insert(answer, count);
    }
    by_who
}

impl Summary {
    /// Answers to honest senders, and to the others.
    pub fn split(answers: &BTreeMap<String, BTreeMap<String, u64>>) -> (u64, u64) {
        let sum = |is_honest: bool| {
            let of = answers.iter().filter(|(who, _)| who.starts_with("honest") == is_honest);
            of.flat_map(|(_, answers)| answers.values()).sum()
        };
        (sum(true), sum(false))
    }

    /// For people.
    pub fn text(&self, plan: &Plan) -> String {
        let mut text = String::new();
        let word = if self.passed { "PASS" } else { "FAIL" };
        let _ =
            writeln!(text, "\nsoak {word}: seed {}, {} s of traffic, {} lives", self.seed, self.traffic_s, self.lives);
        let ends: Vec<String> = self.ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
        let _ = writeln!(text, "  ended by     {}", ends.join(", "));
        let log = &self.in_log;
        let _ = writeln!(
            text,
            "  log          {} entries: {} reports, {} statements, {} epochs; {} promised, all there",
            log.entries, log.reports, log.statements, log.epoch_statements, log.promises
        );
        let _ = writeln!(
            text,
            "  lost answers {} honest requests; {} reports confirmed afterwards, {} never",
            self.lost_honest_requests,
            log.reports_known_after_loss,
            log.reports_never_answered.len()
        );
        let _ = writeln!(text, "  checkpoints  {}", self.checkpoints);
        let money = &self.money;
        let _ = writeln!(
            text,
            "  money        {} epochs balance, {} paid devices, {} payout rows",
            money.epochs, money.paying_epochs, money.payout_rows
        );
        let _ = writeln!(text, "  counters     agreed in {} drained lives", self.lives_whose_counters_agree);
        if let Some(memory) = &self.memory {
            let _ = writeln!(
                text,
                "  memory       {} MiB at first, median {}, most {}; {} KiB after ten minutes, {} KiB at the end \
                 ({} bytes an entry), {} KiB a minute in the last half{}",
                memory.first_mib,
                memory.median_mib,
                memory.most_mib,
                memory.settled_kib,
                memory.last_kib,
                memory.growth_bytes_per_entry,
                memory.slope_kib_per_minute_last_half,
                if memory.is_judged { "" } else { "; too short a life to be judged" }
            );
        }
        let _ = writeln!(
            text,
            "  most memory  {} MiB\n  disk         {} bytes a report, of {} devices in epochs of {} s",
            self.most_resident_mib, self.disk_bytes_per_report, plan.devices, plan.epoch_s
        );
        for (who, answers) in &self.answers {
            let mut answers: Vec<(&String, &u64)> = answers.iter().collect();
            answers.sort_by_key(|(_, count)| core::cmp::Reverse(**count));
            let answers: Vec<String> = answers.iter().map(|(answer, count)| format!("{count} {answer}")).collect();
            let _ = writeln!(text, "  {who:<38} {}", answers.join(", "));
        }
        for wrong in &self.wrong {
            let _ = writeln!(text, "  WRONG  {wrong}");
        }
        if let Some(kept) = &self.kept {
            let _ = writeln!(text, "  kept in {kept}; the traffic replays with CAIRN_SEED={}", self.seed);
        }
        text
    }
}
