//! Series that a straight line makes out of a neighbour's, at once or some slots apart.
//!
//! Each device's words of a window are held against those of its nearest [`NEAREST`] owners, at once and up to `lag_slots`
//! later, by linear regression in exact integers: `1 - r^2` at most `unexplained_ppm` is closer than two instruments come.
//! Work is devices * owners * (lags + 1) * slots.
//!
//! Who follows is the one whose words were received after the other's were complete, in more than half of the shared slots,
//! whichever of the two claims the later times; a series dated back is a copy all the same. Where words overlap, readings
//! tell: the follower's readings lie on a line over the last reading of the other that was received before each of them,
//! and not the other way round. In doubt nobody is accused.
//!
//! What remains: noise beyond the threshold; a scaled series of one instrument sent under two names at the same moments,
//! many times in a slot; whoever copies from further away.

use rayon::prelude::*;

use super::Copy;
use super::line::Line;
use super::receipt::{Turns, of_slots, received_ms};
use crate::sensing::judge::case::{Case, Sample};
use crate::sensing::judge::near::Nearest;
use crate::sensing::judge::own::Finding;
use crate::sensing::judge::voice::Voice;
use crate::sensing::profile::SeriesRule;
use crate::sensing::quantity::Quantity;
use crate::sensing::words::{Check, Code};

/// How many neighbours of distinct owners a series is held against.
pub(super) const NEAREST: usize = 15;

/// Every follower.
pub(super) fn among(case: &Case<'_>, voices: &[Voice], by_device: &[Vec<u32>], nearest: &Nearest) -> Vec<Copy> {
    let mut found = Vec::new();
    for (&quantity, rule) in &case.profile.quantities {
        let Some(rule) = &rule.series else { continue };
        let of_quantity = |own: &Vec<u32>| -> Vec<u32> {
            own.iter().copied().filter(|&n| voices[n as usize].quantity == quantity).collect()
        };
        let series: Vec<Vec<u32>> = by_device.par_iter().map(of_quantity).collect();
        let search = Search { case, voices, quantity, rule, series: &series };
        let devices: Vec<u32> = case.devices().collect();
        found.par_extend(devices.par_iter().flat_map_iter(|&device| search.around(nearest, device)));
    }
    found
}

/// The search for followers in one quantity.
struct Search<'a> {
    case: &'a Case<'a>,
    voices: &'a [Voice],
    quantity: Quantity,
    rule: &'a SeriesRule,
    /// For every device its voices of the quantity, ascending by slot.
    series: &'a [Vec<u32>],
}

impl Search<'_> {
    /// Holds a device's series against its neighbours' earlier ones.
    fn around(&self, nearest: &Nearest, device: u32) -> Vec<Copy> {
        let mut owners = Vec::with_capacity(NEAREST);
        let mut found = Vec::new();
        if self.series[device as usize].len() < self.rule.least_slots as usize {
            return found;
        }
        for near in nearest.list(device) {
            let owner = self.case.station(near.device).owner;
            if owners.contains(&owner) || self.series[near.device as usize].len() < self.rule.least_slots as usize {
                continue;
            }
            if owners.len() == NEAREST {
                break;
            }
            owners.push(owner);
            for lag in 0..=self.rule.lag_slots {
                self.along(device, near.device, lag, &mut found);
            }
        }
        found
    }

    fn voice(&self, n: u32) -> &Voice {
        &self.voices[n as usize]
    }

    /// The pairs of words of two devices, the second's so many slots earlier, window by window of the first's slots.
    fn along(&self, device: u32, other: u32, lag: u32, found: &mut Vec<Copy>) {
        let lag = u64::from(lag);
        let mut others = self.series[other as usize].iter().map(|&n| self.voice(n)).peekable();
        let mut line = Line::default();
        let mut window = i64::MIN;
        let mut from = 0;
        let own = &self.series[device as usize];
        for (n, voice) in own.iter().map(|&n| self.voice(n)).enumerate() {
            let at = self.case.window(voice.slot);
            if at != window {
                self.weigh(&line, &own[from..n], other, lag, found);
                (line, window, from) = (Line::default(), at, n);
            }
            while others.next_if(|other| other.slot + lag < voice.slot).is_some() {}
            let Some(other) = others.next_if(|other| other.slot + lag == voice.slot) else { continue };
            // What is late and what is on time are looked at apart.
            if (self.case.window(other.slot) < 0) == (at < 0) {
                line.add(voice.said, other.said);
            }
        }
        self.weigh(&line, &own[from..], other, lag, found);
    }

    /// Says who follows, if one does. `own` are the first device's words of the window.
    fn weigh(&self, line: &Line, own: &[u32], other: u32, lag: u64, found: &mut Vec<Copy>) {
        if line.count() < self.rule.least_slots.into() {
            return;
        }
        let Some(unexplained_ppm) = line.unexplained_ppm(self.rule.spread) else { return };
        if unexplained_ppm > self.rule.unexplained_ppm {
            return;
        }
        let device = self.voice(own[0]).device;
        let pairs: Vec<(&Voice, &Voice)> =
            own.iter().map(|&n| self.voice(n)).filter_map(|voice| Some((voice, self.at(other, voice, lag)?))).collect();
        let mut turns = Turns::default();
        pairs.iter().for_each(|(one, two)| turns.count(self.case, one, two));
        let later = turns.later(self.case, device, other);
        let later = later.or_else(|| if lag == 0 { self.echo(&pairs) } else { None });
        let Some(follower) = later else { return };
        let original = if follower == device { other } else { device };
        let mut words = pairs.iter().map(|&(one, two)| if follower == device { one } else { two });
        // Two neighbours at no lag find each other twice; of equal findings one is kept.
        if let Some(word) = words.find(|word| word.due) {
            let window = self.case.window(word.slot);
            let finding = Finding {
                code: Code::Follows,
                check: Check::After {
                    quantity: self.quantity,
                    device: self.case.station(original).id,
                    lag_slots: u32::try_from(lag).expect("a profile's lag"),
                },
                observed: unexplained_ppm.into(),
                threshold: self.rule.unexplained_ppm.into(),
                lost_ppm: self.rule.lost_ppm,
                evidence: vec![self.case.samples[word.sample as usize].report],
            };
            found.push(Copy { window, device: follower, original, finding });
        }
    }

    /// The word of a device so many slots before another's, on the same side of the epoch's start.
    fn at(&self, device: u32, voice: &Voice, lag: u64) -> Option<&Voice> {
        let slot = voice.slot.checked_sub(lag)?;
        let series = &self.series[device as usize];
        let n = series.binary_search_by_key(&slot, |&n| self.voice(n).slot).ok()?;
        ((self.case.window(slot) < 0) == (self.case.window(voice.slot) < 0)).then(|| self.voice(series[n]))
    }

    /// Which of two devices repeats the other reading by reading, as they are received.
    fn echo(&self, pairs: &[(&Voice, &Voice)]) -> Option<u32> {
        let (first, last) = (pairs.first()?, pairs.last()?);
        let slot_ms = self.case.profile.slot_ms;
        let readings = |voice: &Voice| -> Vec<&Sample> {
            of_slots(self.case, voice, first.0.slot * slot_ms, (last.0.slot + 1) * slot_ms).collect()
        };
        let (one, two) = (readings(first.0), readings(first.1));
        match (self.echoes(&one, &two), self.echoes(&two, &one)) {
            (true, false) => Some(first.0.device),
            (false, true) => Some(first.1.device),
            _ => None,
        }
    }

    /// Whether readings lie on a line over the last one of the others received before each of them.
    fn echoes(&self, own: &[&Sample], others: &[&Sample]) -> bool {
        let mut known: Vec<(u64, u64, i64)> =
            others.iter().map(|sample| (received_ms(self.case, sample), sample.time_ms, sample.value)).collect();
        known.sort_unstable();
        let mut line = Line::default();
        for sample in own {
            let received_ms = received_ms(self.case, sample);
            let before = known.partition_point(|(known_ms, ..)| *known_ms < received_ms);
            if let Some(n) = before.checked_sub(1) {
                line.add(sample.value, known[n].2);
            }
        }
        let least = i128::try_from(own.len()).map_or(i128::MAX, |readings| readings / 2);
        line.count() >= least.max(self.rule.least_slots.into())
            && line.unexplained_ppm(self.rule.spread).is_some_and(|ppm| ppm <= self.rule.unexplained_ppm)
    }
}
