//! The rounds over one slot and quantity.
//!
//! Every round gives what asking everybody afresh would give, only that those whose circle has not changed are not asked
//! again. Who leaves a round is told from what all heard in it, whatever the order in which they are looked at.

use rayon::prelude::*;

use super::circle::{Around, Circle};
use super::{ABSENT, Heard, Speaker};
use crate::sensing::judge::case::small;
use crate::sensing::judge::crowd::{Crowd, Limits, NEAREST_MAX, Opinion, Word, at_height, opinion, spread_of};
use crate::sensing::judge::near::Nearest;
use crate::sensing::judge::voice::Voice;
use crate::sensing::profile::{NeighbourRule, REGION_MAX};

/// The most rounds in which some fall silent. As many liars as this within one circle are seen one after the other.
pub(super) const ROUNDS_MAX: u32 = 8;

/// The fewest voices that are worth another thread.
const TOGETHER: usize = 512;

/// Whose distance is not known: nobody to be held against.
const UNTESTED: i64 = -1;

/// What stands of one voice.
#[derive(Debug, Clone, Copy, Default)]
struct Seat {
    circle: Circle,
    opinion: Opinion,
    limits: Limits,
    /// Whether neighbours may be held against the voice at all.
    asked: bool,
    /// Whether the circle changed since the limits were told.
    redrawn: bool,
}

/// A bit for each voice: a block's bits stay near the processor while all its circles are looked through.
struct Bits(Vec<u64>);

impl Bits {
    fn none(voices: usize) -> Self {
        Self(vec![0; voices.div_ceil(64)])
    }

    fn set(&mut self, voice: u32) {
        self.0[voice as usize / 64] |= 1 << (voice % 64);
    }

    /// Whether one of these is set.
    fn any(&self, voices: &[u32]) -> bool {
        voices.iter().any(|&voice| self.0[voice as usize / 64] >> (voice % 64) & 1 == 1)
    }
}

/// A slot and quantity under way.
pub(super) struct Rounds<'a> {
    around: Around<'a>,
    nearest: &'a Nearest,
    /// The voice of each device that speaks.
    table: &'a mut [u32],
    seats: Vec<Seat>,
    /// How far each value lies off what is expected of it, or [`UNTESTED`].
    apart: Vec<i64>,
    /// The same in parts per million of its limit; 0 for the untested.
    off_ppm: Vec<u64>,
    /// Whose opinion was told anew in this round.
    stirred: Vec<bool>,
}

impl<'a> Rounds<'a> {
    /// Sets the table: everyone who may be asked and does not copy speaks.
    pub fn over(
        rule: &'a NeighbourRule,
        place_most: u32,
        (voices, values): (&'a [Voice], &'a [i64]),
        speakers: &'a [Speaker],
        nearest: &'a Nearest,
        table: &'a mut [u32],
        copied: impl Fn(&Voice) -> bool,
    ) -> Self {
        let mut seats = vec![Seat::default(); voices.len()];
        for (n, (seat, voice)) in seats.iter_mut().zip(voices).enumerate() {
            seat.asked = voice.compared && !speakers[voice.device as usize].mobile;
            if seat.asked && !copied(voice) {
                table[voice.device as usize] = small(n);
            }
        }
        let around = Around { rule, place_most, speakers, voices, values };
        let (apart, off_ppm, stirred) = (vec![UNTESTED; voices.len()], vec![0; voices.len()], vec![true; voices.len()]);
        Self { around, nearest, table, seats, apart, off_ppm, stirred }
    }

    /// Runs them to the end.
    pub fn run(&mut self) {
        self.listen(|_| true);
        let mut silenced: Vec<u32> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let leaving = self.leaving();
            if leaving.is_empty() {
                break;
            }
            let mut left = Bits::none(self.seats.len());
            for &n in &leaving {
                left.set(n);
                self.table[self.around.voices[n as usize].device as usize] = ABSENT;
            }
            silenced.extend(leaving);
            self.listen(|circle| left.any(circle.voices()));
        }
        let fits = |&n: &u32| {
            self.apart[n as usize] != UNTESTED && self.off_ppm[n as usize] <= self.around.rule.suspect_ppm().into()
        };
        let back: Vec<u32> = silenced.into_iter().filter(fits).collect();
        if !back.is_empty() {
            for n in back {
                self.table[self.around.voices[n as usize].device as usize] = n;
            }
            self.listen(|_| true);
        }
    }

    /// What came of it.
    pub fn tell(&self, heard: &mut [Heard]) {
        let Around { rule, voices, .. } = self.around;
        let tell = |seat: &Seat| {
            if !seat.asked {
                return Heard::NotAsked;
            }
            let count = seat.circle.first(rule.nearest);
            if small(count) < rule.least {
                return Heard::TooFew(small(count));
            }
            let samples = seat.circle.voices()[..count].iter().map(|&voice| voices[voice as usize].sample);
            Heard::Crowd(Crowd::of(rule, &seat.opinion, seat.limits, samples))
        };
        heard.par_iter_mut().zip(&self.seats).with_min_len(TOGETHER).for_each(|(heard, seat)| *heard = tell(seat));
    }

    /// Draws the circles anew that may have changed, asks those whose neighbours did, and tells the limits of all who are
    /// within hearing of a change.
    fn listen(&mut self, changed: impl Fn(&Circle) -> bool + Sync) {
        let Self { around, nearest, table, seats, apart, off_ppm, stirred } = self;
        let first = around.rule.nearest;
        seats
            .par_iter_mut()
            .zip(apart.par_iter_mut())
            .zip(stirred.par_iter_mut())
            .zip(around.voices)
            .with_min_len(TOGETHER)
            .for_each(|(((seat, apart), stirred), voice)| {
                *stirred = false;
                seat.redrawn = false;
                if !seat.asked || !changed(&seat.circle) {
                    return;
                }
                let list = nearest.list(voice.device);
                let circle = Circle::draw(around, &around.speakers[voice.device as usize], list, table);
                seat.redrawn = circle != seat.circle;
                let same = circle.first(first) == seat.circle.first(first)
                    && circle.voices()[..circle.first(first)] == seat.circle.voices()[..circle.first(first)];
                seat.circle = circle;
                if !same {
                    *stirred = true;
                    *apart = seat.ask(around, nearest, voice);
                }
            });
        let mut stirring = Bits::none(stirred.len());
        (0..).zip(stirred.iter()).filter(|(_, stirred)| **stirred).for_each(|(n, _)| stirring.set(n));
        let apart = &*apart;
        seats
            .par_iter_mut()
            .zip(off_ppm.par_iter_mut())
            .zip(around.voices)
            .enumerate()
            .with_min_len(TOGETHER)
            .for_each(|(n, ((seat, off_ppm), voice))| {
                let stir = || stirring.any(seat.circle.voices());
                if !(seat.redrawn || stirred[n] || stir()) {
                    return;
                }
                *off_ppm = 0;
                if apart[n] != UNTESTED {
                    let spread = (seat.opinion.spread + seat.region(apart)) / 2;
                    seat.limits = Limits::of(&around.rule.tolerance, seat.opinion.median, spread);
                    *off_ppm = seat.limits.off_ppm(voice.value, seat.opinion.expected);
                }
            });
    }

    /// Who falls silent: everyone who is suspect, speaks, and has nobody worse of that kind among those asked about it.
    fn leaving(&self) -> Vec<u32> {
        let Around { rule, speakers, voices, .. } = self.around;
        let suspect_ppm = u64::from(rule.suspect_ppm());
        let bad = |n: u32| {
            let device = voices[n as usize].device as usize;
            let speaks = self.table[device] == n && !speakers[device].anchor;
            let off_ppm = self.off_ppm[n as usize];
            (speaks && off_ppm > suspect_ppm).then(|| (off_ppm, speakers[device].tie))
        };
        let leaves = |&n: &u32| {
            let Some(own) = bad(n) else { return false };
            let circle = &self.seats[n as usize].circle;
            let asked = &circle.voices()[..circle.first(rule.nearest)];
            asked.iter().all(|&other| bad(other).is_none_or(|other| other < own))
        };
        (0..small(voices.len())).into_par_iter().with_min_len(TOGETHER).filter(leaves).collect()
    }
}

impl Seat {
    /// Asks the circle; how far the value lies off what it makes likely.
    fn ask(&mut self, around: &Around<'_>, nearest: &Nearest, voice: &Voice) -> i64 {
        let Around { rule, speakers, values, .. } = *around;
        let count = self.circle.first(rule.nearest);
        if count == 0 || small(count) < rule.least {
            return UNTESTED;
        }
        let list = nearest.list(voice.device);
        let ours_cm = speakers[voice.device as usize].altitude_cm;
        let mut words = [Word::default(); NEAREST_MAX];
        for (word, member) in words.iter_mut().zip(self.circle.members().take(count)) {
            let near = &list[usize::from(member.place)];
            let value = values[member.voice as usize];
            let theirs_cm = speakers[near.device as usize].altitude_cm;
            let value = at_height(rule.altitude.as_ref(), value, theirs_cm, ours_cm)
                .expect("a circle holds only those whose height allows it");
            *word = Word { value, weight: member.weight, east_m: near.east_m, north_m: near.north_m };
        }
        self.opinion = opinion(rule, &words[..count]);
        (voice.value - self.opinion.expected).abs()
    }

    /// How far the circle's members lie off what their own neighbours make likely: a standard deviation.
    fn region(&self, apart: &[i64]) -> i64 {
        let mut distances = [(0, 0); REGION_MAX as usize];
        let mut count = 0;
        for member in self.circle.members() {
            let apart = apart[member.voice as usize];
            if apart != UNTESTED {
                distances[count] = (apart, member.weight);
                count += 1;
            }
        }
        spread_of(&mut distances[..count])
    }
}
