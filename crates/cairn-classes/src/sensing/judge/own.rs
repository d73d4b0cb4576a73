//! What a device's readings say by themselves: faults of single readings, findings over slots, and the voice of each slot.
//!
//! Readings are looked at in the order of their times, the on-time ones and the late ones apart: on-time readings
//! continue what the memory's trail ends with, late ones stand for themselves.

use std::collections::BTreeMap;

use cairn_core::cbor::{self, Decoder, Encoder};

use super::case::{Case, Phase, Sample, Standing, small};
use super::memory::Memory;
use super::voice::Voice;
use crate::sensing::words::{Check, Code, Fault};

/// One thing that was found about a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub code: Code,
    pub check: Check,
    pub observed: i64,
    pub threshold: i64,
    /// What it would take alone.
    pub lost_ppm: u32,
    /// Indices into the case's reports.
    pub evidence: Vec<u32>,
}

/// What is wrong with one reading's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wrong {
    /// Out of range.
    Range,
    /// Anything else.
    Fault(Fault),
}

/// A fault of one value: the first check that it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Index into the case's samples.
    pub sample: u32,
    pub wrong: Wrong,
    pub observed: i64,
    pub threshold: i64,
    /// What a slot loses whose readings all have it.
    pub lost_ppm: u32,
    /// Whether the value still speaks for its device.
    pub speaks: bool,
}

/// The end of a quantity's series in the epochs before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Trail {}

impl Trail {
    pub fn encode(&self, out: &mut Encoder) {
        out.array(0);
    }

    pub fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        input.array_exact(0)?;
        input.leave();
        Ok(Self {})
    }
}

/// What one device's readings say by themselves.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Ascending by sample.
    pub flaws: Vec<Flaw>,
    /// Findings over whole slots, ascending by slot.
    pub findings: Vec<(u64, Finding)>,
    /// Ascending by quantity and slot.
    pub voices: Vec<Voice>,
}

impl Own {
    pub fn of(case: &Case<'_>, device: u32, _memory: &mut Memory) -> Self {
        let mut own = Self::default();
        let range = case.of_device(device);
        let mut spoken: BTreeMap<_, Vec<(i64, u32)>> = BTreeMap::new();
        for (n, sample) in range.clone().zip(&case.samples[range]) {
            if sample.standing != Standing::Usable || sample.phase == Phase::Later {
                continue;
            }
            match flaw(case, small(n), sample) {
                Some(flaw) => own.flaws.push(flaw),
                None => {
                    let key = (sample.quantity, case.slot(sample.time_ms));
                    spoken.entry(key).or_default().push((sample.value, small(n)));
                }
            }
        }
        own.voices = spoken.into_values().filter_map(|spoken| Voice::of(case, spoken, true)).collect();
        own
    }

    /// The flaw of a sample.
    pub fn flaw(&self, sample: u32) -> Option<&Flaw> {
        self.flaws.binary_search_by_key(&sample, |flaw| flaw.sample).ok().map(|n| &self.flaws[n])
    }

    /// The findings over a slot.
    pub fn findings(&self, slot: u64) -> impl Iterator<Item = &Finding> {
        let from = self.findings.partition_point(|(of, _)| *of < slot);
        self.findings[from..].iter().take_while(move |(of, _)| *of == slot).map(|(_, finding)| finding)
    }
}

fn flaw(case: &Case<'_>, n: u32, sample: &Sample) -> Option<Flaw> {
    let rule = &case.rule(sample)?.range;
    let threshold = if sample.value < rule.min { rule.min } else { rule.max };
    let out = !(rule.min..=rule.max).contains(&sample.value);
    out.then_some(Flaw {
        sample: n,
        wrong: Wrong::Range,
        observed: sample.value,
        threshold,
        lost_ppm: rule.lost_ppm,
        speaks: false,
    })
}
