//! Who is heard about whom, who falls silent, and who comes back: cases, and the rounds against asking everybody afresh.

use std::collections::BTreeSet;

use cairn_core::geo::Position;
use proptest::prelude::*;

use super::*;
use crate::sensing::Quantity;
use crate::sensing::judge::case::{Case, small};
use crate::sensing::judge::copies::Copies;
use crate::sensing::judge::crowd::{Crowd, Limits, Opinion, Word, at_height, opinion, spread_of};
use crate::sensing::judge::hearing::{Heard, Hearing};
use crate::sensing::judge::memory::Memory;
use crate::sensing::judge::near::Nearest;
use crate::sensing::judge::voice::{self, Voice};
use crate::sensing::profile::NeighbourRule;

/// Stations by their places in metres north and east of one point, each of its own owner, and what they say of PM10.
fn field(stations: &[(i32, i32, i64)]) -> Town {
    let mut town = Town::of(stations.len() as u64);
    for (n, &(north_m, east_m, value)) in (0u64..).zip(stations) {
        // At the equator, where a metre is 90 units either way.
        town.site(n).position = Position { lat_e7: north_m * 90, lon_e7: east_m * 90 };
        town.fresh.push(pm10(n, 7, value));
    }
    rule(&mut town).nearest = 12;
    rule(&mut town).region = 24;
    rule(&mut town).plane = true;
    town
}

fn rule(town: &mut Town) -> &mut NeighbourRule {
    town.profile.quantities.get_mut(&Quantity::Pm10).unwrap().neighbours.as_mut().unwrap()
}

/// The devices that are not in full agreement with their neighbours.
fn flagged(town: &Town) -> Vec<u64> {
    let flagged = |n: &u64| codes(&town.of_device(*n)).iter().any(|code| code.starts_with("SEN-NEIGHBOUR"));
    (0..town.sites.len() as u64).filter(flagged).collect()
}

/// Five rows of five, 2 km apart.
fn square(value: impl Fn(i32) -> i64) -> Vec<(i32, i32, i64)> {
    (0..25).map(|n| (n / 5 * 2_000, n % 5 * 2_000, value(n))).collect()
}

#[test]
fn the_liar_falls_silent_before_those_whom_it_makes_look_bad() {
    for liars in [&[12][..], &[0], &[12, 13], &[6, 12, 18], &[0, 1, 5]] {
        for lie in [600, 3_000, 19_000] {
            let town = field(&square(|n| if liars.contains(&n) { lie + i64::from(n) } else { 180 + i64::from(n % 4) }));
            let expected: Vec<u64> = liars.iter().map(|&n| n.unsigned_abs().into()).collect();
            assert_eq!(flagged(&town), expected, "{lie}");
        }
    }
}

#[test]
fn a_slope_makes_no_suspect_of_the_station_at_its_foot() {
    let mut town = field(&square(|n| 200 + 80 * i64::from(n % 5)));
    assert_eq!(flagged(&town), [0; 0]);
    let expected = |town: &Town| {
        let first = town.assess().into_iter().find(|value| value.index == 100).unwrap();
        first.comparison.unwrap().median
    };
    let on_a_plane = expected(&town);
    rule(&mut town).plane = false;
    let level = expected(&town);
    assert!((180..240).contains(&on_a_plane) && level >= 280, "{on_a_plane} and {level} where 200 is said");
}

#[test]
fn veterans_outweigh_a_majority_that_is_fresh() {
    // Eight liars in a corner, nearest to each other.
    let liars = [0, 1, 2, 5, 6, 7, 10, 11];
    let mut town = field(&square(|n| if liars.contains(&n) { 1_200 } else { 180 + i64::from(n % 4) }));
    town.profile.weights.seniority = vec![(0, 1), (30, 4)];
    (rule(&mut town).nearest, rule(&mut town).region) = (5, 10);
    let caught = |town: &Town| flagged(town).iter().filter(|&&n| liars.iter().any(|&liar| n == liar as u64)).count();
    let equals = caught(&town);
    for n in (0..25u64).filter(|&n| !liars.iter().any(|&liar| n == liar as u64)) {
        let veteran = Memory { good_slots: 30, ..Memory::default() };
        town.carry.insert(device(n).0.to_vec(), veteran.encode());
    }
    assert!(equals < liars.len());
    assert_eq!(flagged(&town), [0, 1, 2, 5, 6, 7, 10, 11]);
}

#[test]
fn anchors_outrank_a_crowd_and_are_never_silenced() {
    let town = |anchors: bool| {
        let mut town = field(&square(|n| if [7, 17].contains(&n) { 180 } else { 1_500 + i64::from(n) }));
        for n in [7, 17] {
            town.site(n).anchor = anchors;
        }
        town
    };
    assert_eq!(flagged(&town(false)), [7, 17]);
    let flagged = flagged(&town(true));
    assert_eq!(flagged.len(), 23, "{flagged:?}");
    assert!(!flagged.contains(&7) && !flagged.contains(&17));
}

#[test]
fn a_crowd_at_one_place_has_no_more_words_than_the_place_is_due() {
    // Five honest stations around, ten liars of ten owners within 80 m of each other.
    let mut stations =
        vec![(0, 0, 180), (3_000, 0, 181), (0, 3_000, 182), (-3_000, 0, 183), (0, -3_000, 184), (9, 900, 182)];
    stations.extend((0..10).map(|n| (n * 8, 700, 1_500)));
    let mut town = field(&stations);
    assert_eq!(flagged(&town), (6..16).collect::<Vec<u64>>());
    town.profile.weights.place_most = 15;
    assert!(flagged(&town).contains(&0));
}

/// What the rounds promise, by asking everybody afresh each time.
struct ByHand<'a> {
    case: &'a Case<'a>,
    voices: &'a [Voice],
    nearest: &'a Nearest,
    memories: &'a [Memory],
    rule: &'a NeighbourRule,
}

/// One voice's circle as (voice, weight), its opinion if it is tested, its limits, and how far off it is.
type Asked = (Vec<(usize, u32)>, Option<Opinion>, Limits, u64);

impl ByHand<'_> {
    fn circle(&self, n: usize, alive: &BTreeSet<usize>) -> (Vec<(usize, u32)>, Vec<Word>) {
        let (mut circle, mut words) = (Vec::new(), Vec::new());
        let mut taken: Vec<(u32, i32, i32)> = Vec::new();
        let own = self.voices[n].device;
        for near in self.nearest.list(own).iter().filter(|near| near.distance_m <= self.rule.radius_m) {
            let Some(voice) = self.voices.iter().position(|voice| voice.device == near.device) else { continue };
            let (there, here) = (self.case.station(near.device), self.case.station(own));
            let beside = |&&(_, east, north): &&(u32, i32, i32)| {
                (near.east_m - east).pow(2) + (near.north_m - north).pow(2) <= 10_000
            };
            let kin = taken.iter().any(|&(owner, ..)| owner == there.owner);
            let full = taken.iter().filter(beside).count() >= self.case.profile.weights.place_most as usize;
            let value = self.voices[voice].value;
            let value = at_height(self.rule.altitude.as_ref(), value, there.site.altitude_cm, here.site.altitude_cm);
            let Some(value) = value.filter(|_| alive.contains(&voice) && !kin && !full) else { continue };
            if circle.len() == self.rule.region as usize {
                break;
            }
            taken.push((there.owner, near.east_m, near.north_m));
            let weights = &self.case.profile.weights;
            let good_slots = self.memories[near.device as usize].good_slots;
            let standing = if there.site.anchor { weights.anchor } else { weights.of_good_slots(good_slots) };
            let (half, far) = (u64::from(self.rule.half_m).pow(2), u64::from(near.distance_m).pow(2));
            let weight = standing * u32::try_from((256 * half / (half + far)).max(1)).unwrap();
            circle.push((voice, weight));
            words.push(Word { value, weight, east_m: near.east_m, north_m: near.north_m });
        }
        words.truncate(self.rule.nearest as usize);
        (circle, words)
    }

    fn ask(&self, alive: &BTreeSet<usize>) -> Vec<Asked> {
        let circles: Vec<_> = (0..self.voices.len()).map(|n| self.circle(n, alive)).collect();
        let least = self.rule.least as usize;
        let tested = |words: &[Word]| (words.len() >= least).then(|| opinion(self.rule, words));
        let opinions: Vec<Option<Opinion>> = circles.iter().map(|(_, words)| tested(words)).collect();
        let apart = |n: usize| opinions[n].map(|said| (self.voices[n].value - said.expected).abs());
        let asked = |n: usize| {
            let Some(said) = opinions[n] else { return (circles[n].0.clone(), None, Limits::default(), 0) };
            let mut region: Vec<(i64, u32)> =
                circles[n].0.iter().filter_map(|&(other, weight)| Some((apart(other)?, weight))).collect();
            let spread = (said.spread + spread_of(&mut region)) / 2;
            let limits = Limits::of(&self.rule.tolerance, said.median, spread);
            (circles[n].0.clone(), Some(said), limits, limits.off_ppm(self.voices[n].value, said.expected))
        };
        (0..self.voices.len()).map(asked).collect()
    }

    fn all(&self) -> Vec<Heard> {
        let suspect = u64::from(self.rule.suspect_ppm());
        let mut alive: BTreeSet<usize> = (0..self.voices.len()).collect();
        let mut out = Vec::new();
        let mut asked = self.ask(&alive);
        for _ in 0..8 {
            let station = |n: usize| self.case.station(self.voices[n].device);
            let bad = |n: usize| alive.contains(&n) && !station(n).site.anchor && asked[n].3 > suspect;
            let rank = |n: usize| (asked[n].3, station(n).tie);
            let first = |n: usize| asked[n].0.iter().take(self.rule.nearest as usize);
            let leaves = |&n: &usize| bad(n) && !first(n).any(|&(other, _)| bad(other) && rank(other) > rank(n));
            let leaving: Vec<usize> = (0..self.voices.len()).filter(leaves).collect();
            if leaving.is_empty() {
                break;
            }
            alive.retain(|n| !leaving.contains(n));
            out.extend(leaving);
            asked = self.ask(&alive);
        }
        alive.extend(out.iter().filter(|&&n| asked[n].1.is_some() && asked[n].3 <= suspect));
        let heard = |(circle, said, limits, _): Asked| {
            let members = &circle[..circle.len().min(self.rule.nearest as usize)];
            let Some(said) = said else { return Heard::TooFew(small(members.len())) };
            let samples: Vec<u32> = members.iter().map(|&(voice, _)| self.voices[voice].sample).collect();
            Heard::Crowd(Crowd::of(self.rule, &said, limits, samples.into_iter()))
        };
        self.ask(&alive).into_iter().map(heard).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn asking_only_where_something_changed_is_asking_everybody(
        stations in proptest::collection::vec(
            ((-6i32..6, -6i32..6), 0u32..9, 0u64..40, proptest::bool::weighted(0.05), 0i32..900), 1..120,
        ),
        spacing_m in prop_oneof![Just(40i32), Just(900), Just(4_000)],
        plane: bool, high: bool, nearest in 1u32..12, more in 0u32..12, least in 1u32..4,
    ) {
        let value = |n: usize, kind: u32| match kind {
            0 | 1 => 1_500,
            2 => 3_000 + n as i64,
            3 => 700,
            _ => 180 + (n as i64 * 37) % 50,
        };
        let places: Vec<(i32, i32, i64)> = stations
            .iter()
            .enumerate()
            .map(|(n, &((north, east), kind, ..))| (north * spacing_m, east * spacing_m, value(n, kind)))
            .collect();
        let mut town = field(&places);
        for (n, &(_, _, owner, anchor, height_m)) in (0u64..).zip(&stations) {
            let site = town.site(n);
            (site.owner, site.anchor, site.altitude_cm) = (account(owner), anchor, Some(height_m * 100));
        }
        let rule = rule(&mut town);
        (rule.plane, rule.nearest, rule.region, rule.least) = (plane, nearest, nearest + more, least.min(nearest));
        (rule.half_m, rule.radius_m) = (3_000, 20_000);
        rule.altitude = high.then_some(crate::sensing::profile::AltitudeRule { per_km: -50, difference_m: 400, required: true });
        town.with(|docket| {
            let case = Case::lay_out(&town.profile, docket).unwrap();
            let voices: Vec<Voice> = (0..small(case.samples.len()))
                .map(|n| {
                    let of = &case.samples[n as usize];
                    let (slot, quantity, device) = (case.slot(of.time_ms), of.quantity, of.device);
                    Voice { slot, quantity, device, value: of.value, said: of.value, sample: n, due: true, compared: true }
                })
                .collect();
            let mut memories: Vec<Memory> = (0..small(case.stations.len()))
                .map(|n| Memory { good_slots: n % 50, ..Memory::default() })
                .collect();
            let nearest = Nearest::of(&case);
            let copies = Copies::among(&case, &voices, &voice::by_device(&case, &voices), &nearest, &mut memories);
            let heard = Hearing { case: &case, voices: &voices, nearest: &nearest, memories: &memories };
            let rule = town.profile.quantities[&Quantity::Pm10].neighbours.as_ref().unwrap();
            let by_hand = ByHand { case: &case, voices: &voices, nearest: &nearest, memories: &memories, rule };
            assert_eq!(heard.all(&copies), by_hand.all());
        });
    }
}
