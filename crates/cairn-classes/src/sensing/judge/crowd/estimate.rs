//! What a circle of neighbours makes likely at one place: a weighted median, or a plane through their values.
//!
//! First the weighted median m and the scaled median absolute deviation. Values farther than twice that (or twice the
//! floor) from m are drawn in to there, so that a liar pulls no more than anyone else. Through what is left goes a plane
//! by weighted least squares, ridged by a tenth of the points' own moments: a circle that lies to one side, or on a
//! line, bends the plane toward the level and not toward the sky. What the plane says at the place, never farther from
//! m than drawn-in values may be, is expected. How far the neighbours themselves lie off the plane is the spread.
//!
//! All of it in integers. The neighbours' offsets are scaled to 1,024 for the farthest, slopes are kept in 65,536ths of
//! the quantity's unit per scaled step and rounded to the nearest. Bounds, with at most 15 = n words of weight at most
//! 2^12 (16 for standing times 256 for nearness) and drawn-in values y within 2^40 of m:
//! sum w < 2^16; |X - mx| <= 2^11; |y - my| <= 2^41; a, b, c < 2^38, with their ridge < 2^39; e, g < 2^68; e c and g b
//! < 2^107; a slope's numerator < 2^108, times 65,536 < 2^124; and the sum of two slopes along 2^11 < 2^120 in the
//! unit's 65,536ths, for the determinant is at least 1. Signed 128 bits hold them all.

use super::median::{spread_of, weighted_median};
use super::{NEAREST_MAX, VALUE_MOST, root};
use crate::sensing::profile::NeighbourRule;

/// The scaled offset of the farthest neighbour.
const STEPS: i64 = 1_024;

/// Bits of a slope behind its point.
const FINE: u32 = 16;

/// The farthest that a neighbour counts as lying off the plane.
const APART_MOST: i64 = 1 << 43;

/// A neighbour's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Word {
    /// Brought to the height of the place, within [`VALUE_MOST`].
    pub value: i64,
    /// 1 to 4,096.
    pub weight: u32,
    pub east_m: i32,
    pub north_m: i32,
}

/// What neighbours say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Opinion {
    /// The weighted median of their values.
    pub median: i64,
    /// What they make likely at the place.
    pub expected: i64,
    /// How far they lie off it themselves: a standard deviation, at most 2^46.
    pub spread: i64,
}

/// The opinion of one to [`NEAREST_MAX`] neighbours.
pub(in super::super) fn opinion(rule: &NeighbourRule, words: &[Word]) -> Opinion {
    let mut sorted = [(0, 0); NEAREST_MAX];
    let median = weighted_median(fill(&mut sorted, words, |word| word.value));
    let deviation = spread_of(fill(&mut sorted, words, |word| (word.value - median).abs()));
    let floor = rule.tolerance.floor;
    let reach = (2 * deviation.max(floor)).min(VALUE_MOST);
    let plane = rule.plane.then(|| Plane::through(words, |value| (value - median).clamp(-reach, reach)));
    let here = plane.as_ref().map_or(0, |plane| plane.at(0, 0));
    let lift = here.clamp(-reach, reach);
    let apart = |word: &Word| {
        let slope = plane.as_ref().map_or(0, |plane| plane.at_word(word) - here);
        (word.value - median - slope - lift).abs().min(APART_MOST)
    };
    let mut distances = [0; NEAREST_MAX];
    for (distance, word) in distances.iter_mut().zip(words) {
        *distance = apart(word);
    }
    let mut of_word = distances.iter();
    let spread = spread_of(fill(&mut sorted, words, |_| of_word.next().copied().unwrap_or(0)));
    let most = 3 * spread.max(floor);
    Opinion { median, expected: median + lift, spread: deviation_within(words, &distances, most) }
}

fn fill<'s>(
    sorted: &'s mut [(i64, u32); NEAREST_MAX],
    words: &[Word],
    mut value: impl FnMut(&Word) -> i64,
) -> &'s mut [(i64, u32)] {
    for (place, word) in sorted.iter_mut().zip(words) {
        *place = (value(word), word.weight);
    }
    &mut sorted[..words.len()]
}

/// The weighted standard deviation of distances, none counted beyond `most`: the root of
/// `sum(w d^2) / sum(w) * n / (n - 1)`, rounded down.
fn deviation_within(words: &[Word], distances: &[i64], most: i64) -> i64 {
    let squares: u128 = words
        .iter()
        .zip(distances)
        .map(|(word, &distance)| {
            let distance = distance.min(most).unsigned_abs();
            u128::from(word.weight) * (u128::from(distance) * u128::from(distance))
        })
        .sum();
    let weight: u64 = words.iter().map(|word| u64::from(word.weight)).sum();
    let count = words.len() as u64;
    let below = weight * (count - 1).max(1);
    let over = squares * u128::from(count);
    let variance = u64::try_from(over).map_or_else(|_| over / u128::from(below), |over| (over / below).into());
    root(variance).cast_signed()
}

/// A plane over scaled offsets; values are differences to the median.
struct Plane {
    /// How many metres the farthest neighbour lies off, east or north.
    far_m: i64,
    /// The weighted centre.
    east: i64,
    north: i64,
    value: i64,
    /// Slopes in 65,536ths of the unit per scaled step.
    eastward: i128,
    northward: i128,
}

impl Plane {
    fn through(words: &[Word], drawn_in: impl Fn(i64) -> i64) -> Self {
        let far = |word: &Word| word.east_m.unsigned_abs().max(word.north_m.unsigned_abs());
        let far_m = i64::from(words.iter().map(far).max().unwrap_or(0).max(1));
        let mut points = [(0, 0, 0, 0); NEAREST_MAX];
        let (mut weight, mut east, mut north, mut value) = (0, 0, 0, 0);
        for (point, word) in points.iter_mut().zip(words) {
            let (w, y) = (i64::from(word.weight), drawn_in(word.value));
            let (x_east, x_north) = (scaled(word.east_m, far_m), scaled(word.north_m, far_m));
            *point = (w, x_east, x_north, y);
            (weight, east, north, value) = (weight + w, east + w * x_east, north + w * x_north, value + w * y);
        }
        let (east, north, value) = (nearest(east, weight), nearest(north, weight), nearest(value, weight));
        let (mut a, mut b, mut c, mut e, mut g) = (0, 0, 0, 0, 0);
        for &(w, x_east, x_north, y) in &points[..words.len()] {
            let (x, z, y) = (x_east - east, x_north - north, i128::from(y - value));
            (a, b, c) = (a + w * x * x, b + w * x * z, c + w * z * z);
            (e, g) = (e + i128::from(w * x) * y, g + i128::from(w * z) * y);
        }
        let ridge = (a + c) / 10 + 1;
        let (a, b, c) = (i128::from(a + ridge), i128::from(b), i128::from(c + ridge));
        let determinant = a * c - b * b;
        let slope = |numerator: i128| nearest_wide(numerator << FINE, determinant);
        Self { far_m, east, north, value, eastward: slope(e * c - g * b), northward: slope(a * g - e * b) }
    }

    fn at_word(&self, word: &Word) -> i64 {
        self.at(scaled(word.east_m, self.far_m), scaled(word.north_m, self.far_m))
    }

    /// The value at scaled offsets, to the nearest unit; a plane too steep for that ends at [`APART_MOST`].
    fn at(&self, east: i64, north: i64) -> i64 {
        let rise = self.eastward * i128::from(east - self.east) + self.northward * i128::from(north - self.north);
        let rise = (rise + (1 << (FINE - 1))) >> FINE;
        let most = i128::from(APART_MOST);
        self.value + i64::try_from(rise.clamp(-most, most)).expect("within 2^43")
    }
}

fn scaled(metres: i32, far_m: i64) -> i64 {
    i64::from(metres) * STEPS / far_m
}

/// The quotient to the nearest, halves away from zero; `by` is above 0.
const fn nearest(of: i64, by: i64) -> i64 {
    (of + by / 2 * of.signum()) / by
}

const fn nearest_wide(of: i128, by: i128) -> i128 {
    (of + by / 2 * of.signum()) / by
}
