//! How one quantity of one device lay to its neighbours, as sums that fade.
//!
//! With each slot taken in, every sum S first loses S / `memory.slots` (rounded toward zero), then gains [`SCALE`] times
//! what the slot adds. So what lies n slots back counts (1 - 1/slots)^n, and nothing else about the past is kept.
//!
//! Bounds. A slot adds at most `SCALE * REACH_SQUARED`, so a sum stays below `slots * (SCALE * REACH_SQUARED + 1)`, which
//! at the longest memory (100,000 slots) is 6.4 * 10^18: within i64. Rounding toward zero keeps back less than one unit a
//! slot, so a sum lies at most `slots` units above the exact one: a mean is off by less than 1 / SCALE of a unit, a mean
//! square by less than 1 / SCALE of a square unit, and the error fades as everything does.
//!
//! Nothing one slot says lasts. The distance from the neighbours is taken in up to [`WILD_LIMITS`] of the tolerance that
//! the neighbours' own disagreement gives the slot: a value beyond fails by itself, and a crowd that lies for k slots
//! moves a mean by no more than 4 k / slots tolerances, of which a third is left after `slots` more.

use cairn_core::cbor::{self, CborError, Decoder, Encoder};

use super::solar::Hours;
use crate::sensing::quantity::Quantity;

/// Parts of a unit in which sums are kept.
const SCALE: i64 = 64;

/// How far the neighbours' word may lie from the quantity's reference, and a value from that word, to be taken as it is,
/// in the quantity's unit; what lies beyond is taken as lying there.
const REACH: i64 = 500_000;

/// How many tolerances off a value may lie to be taken as it is.
const WILD_LIMITS: i64 = 4;

/// What one slot says of a quantity.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// The device's own value.
    pub own: i64,
    /// What its neighbours make likely.
    pub expected: i64,
    /// The tolerance on the value's side, positive.
    pub limit: i64,
    pub hours: Hours,
}

/// The distance from the neighbours in one part of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Part {
    weight: i64,
    off: i64,
}

/// How a quantity lay to its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moments {
    /// Slots taken in so far; does not fade.
    pub taken: u32,
    /// What the slots still count together, [`SCALE`] each.
    weight: i64,
    /// Sums of values and neighbours' words, each less the quantity's reference.
    own: i64,
    crowd: i64,
    own_squares: i64,
    crowd_squares: i64,
    products: i64,
    day: Part,
    night: Part,
    /// Slots in a row (others between them not counted) that were wet at the neighbours' and dry here.
    pub dry: u32,
}

/// Sums of squared distances from the means, over weight.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    own: u128,
    crowd: u128,
    both: i128,
    weight: u128,
}

/// The value that a quantity's sums are kept relative to, so that squares of large values do not drown small changes:
/// the air pressure near sea level, else zero.
const fn reference(quantity: Quantity) -> i64 {
    match quantity {
        Quantity::Pressure => 100_000,
        _ => 0,
    }
}

impl Moments {
    /// Takes a slot in, under a memory of so many slots.
    pub fn take_in(&mut self, quantity: Quantity, slots: u32, word: &Word) {
        let crowd = word.expected.saturating_sub(reference(quantity)).clamp(-REACH, REACH);
        let most = word.limit.max(1).saturating_mul(WILD_LIMITS).min(REACH);
        let off = word.own.saturating_sub(word.expected).clamp(-most, most);
        let own = crowd + off;
        self.taken = self.taken.saturating_add(1);
        for (sum, new) in [
            (&mut self.weight, 1),
            (&mut self.own, own),
            (&mut self.crowd, crowd),
            (&mut self.own_squares, own * own),
            (&mut self.crowd_squares, crowd * crowd),
            (&mut self.products, own * crowd),
            (&mut self.day.weight, i64::from(word.hours == Hours::Day)),
            (&mut self.day.off, if word.hours == Hours::Day { off } else { 0 }),
            (&mut self.night.weight, i64::from(word.hours == Hours::Night)),
            (&mut self.night.off, if word.hours == Hours::Night { off } else { 0 }),
        ] {
            *sum = (*sum - *sum / i64::from(slots)).saturating_add(new * SCALE);
        }
    }

    /// Counts a slot's rain: `wet` is what makes a slot wet at the neighbours'.
    pub fn count_dry(&mut self, wet: i64, word: &Word) {
        if word.own > 0 {
            self.dry = 0;
        } else if word.expected >= wet {
            self.dry = self.dry.saturating_add(1);
        }
    }

    /// Lets what was seen so far count for no more than `slots` slots: means stay, and give way to what comes next.
    pub fn loosen(&mut self, slots: u32) {
        let (most, weight) = (i64::from(slots) * SCALE, self.weight);
        if weight > most {
            let part = |sum: i64| i64::try_from(i128::from(sum) * i128::from(most) / i128::from(weight));
            for sum in self.sums_mut() {
                *sum = part(*sum).expect("less than before");
            }
        }
    }

    /// The mean distance from the neighbours, in the quantity's unit, rounded toward zero.
    pub fn bias(&self) -> i64 {
        (self.own - self.crowd) / self.weight.max(1)
    }

    /// The mean of the neighbours' word, in the quantity's unit.
    pub fn crowd_mean(&self, quantity: Quantity) -> i64 {
        self.crowd / self.weight.max(1) + reference(quantity)
    }

    /// The mean distance by day and by night, when so many slots of each still count.
    pub fn day_and_night(&self, slots: u32) -> Option<(i64, i64)> {
        let least = i64::from(slots.max(1)) * SCALE;
        let mean = |part: &Part| part.off / part.weight;
        (self.day.weight >= least && self.night.weight >= least).then(|| (mean(&self.day), mean(&self.night)))
    }

    /// How own and neighbours' values spread about their means.
    pub fn spread(&self) -> Spread {
        let wide = i128::from;
        let weight = wide(self.weight.max(1));
        let about = |squares: i64, a: i64, b: i64| wide(squares) - wide(a) * wide(b) / weight;
        Spread {
            // Rounding may leave a constant slightly below zero.
            own: about(self.own_squares, self.own, self.own).max(0).cast_unsigned(),
            crowd: about(self.crowd_squares, self.crowd, self.crowd).max(0).cast_unsigned(),
            both: about(self.products, self.own, self.crowd),
            weight: weight.cast_unsigned(),
        }
    }

    const fn sums(&self) -> [i64; 10] {
        [
            self.weight,
            self.own,
            self.crowd,
            self.own_squares,
            self.crowd_squares,
            self.products,
            self.day.weight,
            self.day.off,
            self.night.weight,
            self.night.off,
        ]
    }

    const fn sums_mut(&mut self) -> [&mut i64; 10] {
        [
            &mut self.weight,
            &mut self.own,
            &mut self.crowd,
            &mut self.own_squares,
            &mut self.crowd_squares,
            &mut self.products,
            &mut self.day.weight,
            &mut self.day.off,
            &mut self.night.weight,
            &mut self.night.off,
        ]
    }

    /// `[taken, dry, sum...]`, at most 102 bytes.
    pub fn encode(&self, out: &mut Encoder) {
        out.array(12).uint(self.taken.into()).uint(self.dry.into());
        for sum in self.sums() {
            out.int(sum);
        }
    }

    /// Reads what [`Moments::encode`] writes.
    ///
    /// # Errors
    /// For anything else, also for weights below zero.
    pub fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        input.array_exact(12)?;
        let mut moments = Self { taken: input.uint32()?, dry: input.uint32()?, ..Self::default() };
        let at = input.position();
        for sum in moments.sums_mut() {
            *sum = input.int()?;
        }
        input.leave();
        if [moments.weight, moments.day.weight, moments.night.weight].iter().any(|&weight| weight < 0) {
            return Err(CborError::Range { at, what: "a weight below zero" });
        }
        Ok(moments)
    }
}

impl Spread {
    /// Whether the neighbours' standard deviation reaches `spread`, in the quantity's unit.
    pub const fn tells(&self, spread: i64) -> bool {
        let square = (spread as i128 * spread as i128).cast_unsigned();
        self.crowd >= square.saturating_mul(self.weight)
    }

    /// Pearson's coefficient of correlation in parts per million, rounded toward zero; 0 for one that never moves.
    pub fn correlation_ppm(&self) -> i64 {
        let both = (self.own * self.crowd).isqrt().cast_signed();
        i64::try_from(self.both * 1_000_000 / both.max(1)).unwrap_or(0).clamp(-1_000_000, 1_000_000)
    }

    /// Own standard deviation over the neighbours', in parts per million, rounded down.
    pub fn amplitude_ppm(&self) -> i64 {
        i64::try_from((self.own * 1_000_000_000_000 / self.crowd.max(1)).isqrt()).unwrap_or(i64::MAX)
    }
}
