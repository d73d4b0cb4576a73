//! Who is asked about one voice: the nearest who speak.

use super::{ABSENT, Speaker};
use crate::sensing::judge::crowd::at_height;
use crate::sensing::judge::near::Near;
use crate::sensing::judge::voice::Voice;
use crate::sensing::profile::{NeighbourRule, REGION_MAX};

const CIRCLE_MAX: usize = REGION_MAX as usize;

/// The nearest who speak, nearest first: one of an owner, no more at a place than the profile allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Circle {
    count: u32,
    /// Indices into the block's voices.
    voices: [u32; CIRCLE_MAX],
    /// Places in the station's list.
    places: [u8; CIRCLE_MAX],
    /// Standing times nearness, 1 to 4,096.
    weights: [u16; CIRCLE_MAX],
}

/// One member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub voice: u32,
    pub place: u8,
    pub weight: u32,
}

/// What drawing a circle needs.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub rule: &'a NeighbourRule,
    pub place_most: u32,
    pub speakers: &'a [Speaker],
    pub voices: &'a [Voice],
    /// What the voices say, side by side in memory.
    pub values: &'a [i64],
}

impl Circle {
    /// Draws a circle from a station's list; `table` gives the voice of each device that speaks.
    pub fn draw(around: &Around<'_>, subject: &Speaker, list: &[Near], table: &[u32]) -> Self {
        let Around { rule, place_most, speakers, values, .. } = *around;
        let mut circle = Self::default();
        let mut taken = 0u64;
        for (place, near) in (0u8..).zip(list) {
            if near.distance_m > rule.radius_m || circle.count == rule.region {
                break;
            }
            let voice = table[near.device as usize];
            if voice == ABSENT || taken & near.kin != 0 || (taken & near.beside).count_ones() >= place_most {
                continue;
            }
            let speaker = &speakers[near.device as usize];
            // Values are far apart in memory: looked at only where heights may forbid the comparison.
            let height = rule.altitude.as_ref();
            let value = || values[voice as usize];
            if height.is_some() && at_height(height, value(), speaker.altitude_cm, subject.altitude_cm).is_none() {
                continue;
            }
            let n = circle.count as usize;
            (circle.voices[n], circle.places[n]) = (voice, place);
            circle.weights[n] = weight(speaker.weight, rule.half_m, near.distance_m);
            circle.count += 1;
            taken |= 1 << place;
        }
        circle
    }

    pub fn voices(&self) -> &[u32] {
        &self.voices[..self.count as usize]
    }

    /// The members, nearest first.
    pub fn members(&self) -> impl ExactSizeIterator<Item = Member> {
        (0..self.count as usize).map(|n| Member {
            voice: self.voices[n],
            place: self.places[n],
            weight: self.weights[n].into(),
        })
    }

    /// How many of the first `most` members there are.
    pub fn first(&self, most: u32) -> usize {
        self.count.min(most) as usize
    }
}

/// Standing times nearness: 256 at the place, half of it at `half_m`, falling as 1 / (1 + (d / half)^2), at least 1.
fn weight(standing: u32, half_m: u32, distance_m: u32) -> u16 {
    let square = |metres: u32| u64::from(metres) * u64::from(metres);
    let nearness = (256 * square(half_m) / (square(half_m) + square(distance_m))).max(1);
    u16::try_from(u64::from(standing) * nearness).expect("at most 16 times 256")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearness_halves_where_the_profile_says() {
        let cases = [(1, 0, 256), (1, 5_000, 128), (4, 5_000, 512), (1, 10_000, 51), (16, 0, 4_096), (3, 1_000_000, 3)];
        for (standing, distance_m, expected) in cases {
            assert_eq!(weight(standing, 5_000, distance_m), expected, "{standing} {distance_m}");
        }
        assert_eq!(weight(1, 1_000_000, 1_000_000), 128);
    }
}
