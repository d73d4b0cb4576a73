//! How one quantity of one device lay to its neighbours, as sums that fade.
//!
//! With each slot taken in, every sum S first loses S / `memory.slots` (rounded toward zero), then gains what the slot
//! adds, in parts of a unit: [`FINE`] for counts and sums of values, [`COARSE`] for sums of squares. So what lies n slots
//! back counts (1 - 1/slots)^n, and nothing else about the past is kept.
//!
//! Bounds. A value counts for 2 [`REACH`] at most, so a sum stays below `slots * (FINE * 2 REACH + 1)` or
//! `slots * (COARSE * (2 REACH)^2 + 1)`: at the longest memory (100,000 slots) 1.7 and 6.4 * 10^18, within i64. Rounding
//! toward zero keeps back less than one part a slot, and that fades too: a mean is off by less than a ten-millionth of
//! itself, a mean square by less than 1/64.
//!
//! Nothing one slot says lasts. The distance from the neighbours is taken in up to [`WILD_LIMITS`] of the tolerance that
//! the neighbours' own disagreement gives the slot: a value beyond fails by itself, and a crowd that lies for k slots
//! moves a mean by no more than 4 k / slots tolerances, of which a third is left after `slots` more.

use cairn_core::cbor::{self, CborError, Decoder, Encoder};

use super::solar::Hours;
use crate::sensing::quantity::Quantity;

/// Parts of a unit in which counts and sums of values are kept.
const FINE: i64 = 1 << 24;

/// Parts of a unit in which sums of squares are kept.
const COARSE: i64 = 1 << 6;

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
    /// What the slots still count together, [`FINE`] each.
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

/// A sum over a weight, to the nearest, halves upward.
fn mean(sum: i64, weight: i64) -> i64 {
    let weight = i128::from(weight.max(1));
    let mean = (2 * i128::from(sum) + weight).div_euclid(2 * weight);
    i64::try_from(mean).expect("no more than the sum")
}

impl Moments {
    /// Takes a slot in, under a memory of so many slots.
    pub fn take_in(&mut self, quantity: Quantity, slots: u32, word: &Word) {
        let crowd = word.expected.saturating_sub(reference(quantity)).clamp(-REACH, REACH);
        let most = word.limit.max(1).saturating_mul(WILD_LIMITS).min(REACH);
        let off = word.own.saturating_sub(word.expected).clamp(-most, most);
        let own = crowd + off;
        self.taken = self.taken.saturating_add(1);
        let part = |hours| i64::from(word.hours == hours) * FINE;
        let new = [
            FINE,
            own * FINE,
            crowd * FINE,
            own * own * COARSE,
            crowd * crowd * COARSE,
            own * crowd * COARSE,
            part(Hours::Day),
            part(Hours::Day) * off,
            part(Hours::Night),
            part(Hours::Night) * off,
        ];
        for (sum, new) in self.sums_mut().into_iter().zip(new) {
            *sum = (*sum - *sum / i64::from(slots)).saturating_add(new);
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
        let (most, weight) = (i64::from(slots) * FINE, self.weight);
        if weight > most {
            let part = |sum: i64| i64::try_from(i128::from(sum) * i128::from(most) / i128::from(weight));
            for sum in self.sums_mut() {
                *sum = part(*sum).expect("less than before");
            }
        }
    }

    /// The mean distance from the neighbours, in the quantity's unit, to the nearest.
    pub fn bias(&self) -> i64 {
        mean(self.own - self.crowd, self.weight)
    }

    /// The mean of the neighbours' word, in the quantity's unit, to the nearest.
    pub fn crowd_mean(&self, quantity: Quantity) -> i64 {
        mean(self.crowd, self.weight) + reference(quantity)
    }

    /// The mean distance by day and by night, when so many slots of each still count.
    pub fn day_and_night(&self, slots: u32) -> Option<(i64, i64)> {
        let told = |part: &Part| part.weight >= i64::from(slots.max(1)) * FINE;
        let both = told(&self.day) && told(&self.night);
        both.then(|| (mean(self.day.off, self.day.weight), mean(self.night.off, self.night.weight)))
    }

    /// How own and neighbours' values spread about their means.
    pub fn spread(&self) -> Spread {
        let wide = i128::from;
        let weight = wide(self.weight.max(1));
        let about = |squares: i64, a: i64, b: i64| wide(squares) - wide(a) * wide(b) / weight / wide(FINE / COARSE);
        Spread {
            // Rounding may leave a constant slightly below zero.
            own: about(self.own_squares, self.own, self.own).max(0).cast_unsigned(),
            crowd: about(self.crowd_squares, self.crowd, self.crowd).max(0).cast_unsigned(),
            both: about(self.products, self.own, self.crowd),
            weight: (weight / wide(FINE / COARSE)).cast_unsigned(),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn word(own: i64, expected: i64) -> Word {
        Word { own, expected, limit: 10_000, hours: Hours::Other }
    }

    fn bytes(moments: &Moments) -> Vec<u8> {
        let mut out = Encoder::empty();
        moments.encode(&mut out);
        out.into_bytes()
    }

    #[test]
    fn means_are_those_of_what_was_taken_in_and_fade_by_a_third_in_a_memory() {
        let mut moments = Moments::default();
        (0..100).for_each(|_| moments.take_in(Quantity::AirTemperature, 336, &word(2_500, 2_000)));
        assert_eq!((moments.bias(), moments.crowd_mean(Quantity::AirTemperature)), (500, 2_000));
        let mut full = Moments::default();
        (0..5_000).for_each(|_| full.take_in(Quantity::Pressure, 336, &word(98_400, 98_000)));
        assert_eq!((full.bias(), full.crowd_mean(Quantity::Pressure)), (400, 98_000));
        (0..336).for_each(|_| full.take_in(Quantity::Pressure, 336, &word(98_000, 98_000)));
        assert!((145..=148).contains(&full.bias()), "{} of 400 are left after a memory's length", full.bias());
    }

    #[test]
    fn a_wild_value_counts_as_four_tolerances_and_no_more() {
        let mut moments = Moments::default();
        let wild = Word { own: 1_000_000_000_000, expected: 2_000, limit: 300, hours: Hours::Day };
        moments.take_in(Quantity::AirTemperature, 336, &wild);
        assert_eq!(moments.bias(), 1_200);
        assert_eq!(moments.day_and_night(1), None);
    }

    #[test]
    fn loosened_moments_keep_their_means_and_give_way_sooner() {
        let mut moments = Moments::default();
        (0..1_000).for_each(|_| moments.take_in(Quantity::Pm10, 336, &word(500, 100)));
        let mut loose = moments;
        loose.loosen(72);
        assert_eq!((loose.bias(), loose.taken), (moments.bias(), moments.taken));
        loose.loosen(72);
        (0..72).for_each(|_| loose.take_in(Quantity::Pm10, 336, &word(100, 100)));
        (0..72).for_each(|_| moments.take_in(Quantity::Pm10, 336, &word(100, 100)));
        assert!(loose.bias() < 200 && moments.bias() > 300, "{} and {}", loose.bias(), moments.bias());
    }

    #[test]
    fn a_gauge_is_dry_until_it_counts_anything() {
        let mut moments = Moments::default();
        for (own, expected, dry) in [(0, 50, 1), (0, 0, 1), (0, 30, 2), (0, 29, 2), (0, 500, 3), (20, 0, 0), (0, 30, 1)]
        {
            moments.count_dry(30, &word(own, expected));
            assert_eq!(moments.dry, dry, "{own} where neighbours say {expected}");
        }
    }

    #[test]
    fn what_never_moves_correlates_with_nothing_and_what_is_the_crowds_with_all_of_it() {
        let (mut still, mut same, mut against) = (Moments::default(), Moments::default(), Moments::default());
        for n in 0..200 {
            let crowd = 100_000 + (n % 10) * 100;
            still.take_in(Quantity::Pressure, 336, &word(100_300, crowd));
            same.take_in(Quantity::Pressure, 336, &word(crowd + 77, crowd));
            against.take_in(Quantity::Pressure, 336, &word(200_900 - crowd, crowd));
        }
        assert!(same.spread().tells(250) && !same.spread().tells(300));
        assert_eq!(still.spread().correlation_ppm() / 10_000, 0);
        assert!(still.spread().amplitude_ppm() < 10_000);
        assert!(same.spread().correlation_ppm() > 999_000, "{}", same.spread().correlation_ppm());
        assert!(against.spread().correlation_ppm() < -999_000);
        assert!((999_000..1_001_000).contains(&same.spread().amplitude_ppm()));
    }

    proptest! {
        #[test]
        fn no_admitted_value_overflows_and_the_record_is_short_and_read_back(
            slots in prop_oneof![Just(2u32), Just(336), Just(100_000)],
            words in proptest::collection::vec(
                (prop_oneof![Just(i64::MAX), Just(-1_000_000_000_000i64), -2_000_000i64..2_000_000],
                 prop_oneof![Just(1_000_000_000_000i64), Just(-1_000_000_000_000i64), -2_000_000i64..2_000_000],
                 prop_oneof![Just(0i64), Just(i64::MAX), 1i64..1_000], 0u8..3), 1..200),
        ) {
            let mut moments = Moments::default();
            for (own, expected, limit, hours) in words {
                let hours = [Hours::Day, Hours::Night, Hours::Other][usize::from(hours)];
                moments.take_in(Quantity::Pressure, slots, &Word { own, expected, limit, hours });
                let spread = moments.spread();
                prop_assert!((-1_000_000..=1_000_000).contains(&spread.correlation_ppm()));
                let _ = (spread.amplitude_ppm(), spread.tells(1_000_000), moments.day_and_night(1));
            }
            let bytes = bytes(&moments);
            prop_assert!(bytes.len() <= 102);
            prop_assert_eq!(Moments::decode(&mut Decoder::over(&bytes)), Ok(moments));
        }
    }

    #[test]
    fn a_memory_at_its_longest_and_fullest_does_not_overflow() {
        let most = COARSE * (2 * REACH) * (2 * REACH) * 100_000;
        let mut moments = Moments { taken: u32::MAX, dry: u32::MAX, ..Moments::default() };
        for sum in moments.sums_mut() {
            *sum = most;
        }
        moments.weight = FINE * 100_000;
        (moments.own, moments.crowd) = (FINE * 100_000 * 2 * REACH, FINE * 100_000 * REACH);
        let full = Word { own: i64::MAX, expected: i64::MAX, limit: i64::MAX, hours: Hours::Day };
        moments.take_in(Quantity::Illuminance, 100_000, &full);
        let _ = (moments.spread().correlation_ppm(), moments.spread().amplitude_ppm(), moments.bias());
        moments.loosen(2);
        assert!(moments.own_squares > 0 && bytes(&moments).len() <= 102);
    }
}
