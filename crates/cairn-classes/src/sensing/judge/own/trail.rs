//! The end of a quantity's series in the epochs before, so that steps, runs and counters go on over an epoch's end.
//!
//! Bounded whatever is reported: the last readings, one run, two counts. Only on-time readings that are due move it on.

use cairn_core::cbor::{self, CborError, Decoder, Encoder};

use super::counter::Count;
use super::series::Told;
use super::stuck::Run;

/// How many readings before a pair are looked at by the check of steps; with the one of the pair itself, remembered.
pub(super) const BEFORE: usize = 5;

/// The end of a quantity's series in the epochs before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::sensing::judge) struct Trail {
    /// The last readings as (ms since 1970 UTC, value), ascending in time.
    pub(super) recent: Vec<(u64, i64)>,
    /// The readings since the value last changed.
    pub(super) run: Run,
    /// What a counter is counted from.
    pub(super) base: Option<Count>,
    /// A count that did not follow from that.
    pub(super) doubt: Option<Count>,
}

impl Trail {
    /// The time and value of the last reading.
    pub fn last(&self) -> Option<(u64, i64)> {
        self.recent.last().copied()
    }

    /// Moves on to the last readings told, as many as are of use.
    pub(super) fn follow(&mut self, told: &[Told], most: usize) {
        self.recent.extend(told[told.len().saturating_sub(most)..].iter().map(|told| (told.time_ms, told.value)));
        self.recent.drain(..self.recent.len().saturating_sub(most));
    }

    pub fn encode(&self, out: &mut Encoder) {
        out.array(4).array(self.recent.len() * 2);
        let mut before = 0;
        for &(time_ms, value) in &self.recent {
            // The first as it is, the others as ms after the one before.
            out.uint(time_ms.saturating_sub(before)).int(value);
            before = time_ms;
        }
        let run = &self.run;
        if run.readings == 0 && run.low == 0 && run.high == 0 && run.lasted_ms == 0 {
            out.array(0);
        } else {
            out.array(4).int(run.low).int(run.high).uint(run.lasted_ms).uint(run.readings.into());
        }
        for count in [&self.base, &self.doubt] {
            match count {
                Some(count) => out.array(3).uint(count.time_ms).int(count.value).uint(count.boot.into()),
                None => out.array(0),
            };
        }
    }

    pub fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        input.array_exact(4)?;
        let recent = read_recent(input)?;
        let run = match input.array()? {
            0 => Run::default(),
            _ => {
                let (low, high) = (input.int()?, input.int()?);
                Run { low, high, lasted_ms: input.uint()?, readings: input.uint32()? }
            }
        };
        input.leave();
        let (base, doubt) = (read_count(input)?, read_count(input)?);
        input.leave();
        Ok(Self { recent, run, base, doubt })
    }
}

fn read_recent(input: &mut Decoder<'_>) -> cbor::Result<Vec<(u64, i64)>> {
    let at = input.position();
    let len = input.array()?;
    if len % 2 != 0 || len > 2 * (BEFORE + 1) {
        return Err(CborError::Range { at, what: "a few readings of two numbers each" });
    }
    let mut recent = Vec::with_capacity(len / 2);
    let mut time_ms = 0u64;
    for _ in 0..len / 2 {
        time_ms = time_ms.saturating_add(input.uint()?);
        recent.push((time_ms, input.int()?));
    }
    input.leave();
    Ok(recent)
}

fn read_count(input: &mut Decoder<'_>) -> cbor::Result<Option<Count>> {
    let count = match input.array()? {
        0 => None,
        _ => Some(Count { time_ms: input.uint()?, value: input.int()?, boot: input.uint32()? }),
    };
    input.leave();
    Ok(count)
}
