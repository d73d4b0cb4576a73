//! Who stands elsewhere than it says: its values fit the word heard at another place better than that at its own.
//!
//! Looked for within one window (that of the copies), only among devices that lie far off their own neighbours on
//! average, and only at so many other places: one of each square of half the least distance, [`PLACES_MAX`] in all,
//! chosen by the epoch's tie-break, which nobody can grind.
//!
//! A bad instrument fits some place of many by chance, so a fit has to be more than near. Both the mean distance and what
//! is left of it about its own mean (mean absolute deviation) must shrink to the profile's share: a biased instrument
//! keeps its shape at home, and finds no place where that shape fits so much better. What is left must also be that small
//! beside how the values themselves and the word there move: what hardly moves fits wherever little happens. Every other
//! quantity that is compared at both places has to lie within half its tolerance there, or no worse than at home. And the
//! neighbours' word at the other place must not hold the device's own.
//!
//! Measured on three years of daily PM10 at 63 background stations, 24 of them made faulty and 6 made to speak for places
//! elsewhere: at a share of 0.3 nobody was accused wrongly in 2,400 windows of 28 days, and one of the six was found. Fine
//! dust is too much alike over hundreds of kilometres, and too much a place's own, to tell more.
//!
//! Not promised: that a place nobody stands near is found, nor one whose weather equals that at home; nor that a device
//! that moves back and forth within a window is seen.

use std::collections::BTreeMap;

use cairn_core::geo::distance_m;
use rayon::prelude::*;

use super::case::Case;
use super::crowd::Crowd;
use super::hearing::Heard;
use super::own::Finding;
use super::voice::Voice;
use crate::sensing::profile::RelocationRule;
use crate::sensing::quantity::Quantity;
use crate::sensing::words::{Check, Code};

/// The most places that a suspect's values are held against.
const PLACES_MAX: usize = 256;

/// What was found, ascending by device and slot.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub findings: Vec<(u32, u64, Finding)>,
}

impl Moved {
    /// The findings over a device's slot.
    pub fn of(&self, device: u32, slot: u64) -> impl Iterator<Item = &Finding> {
        let from = self.findings.partition_point(|(of, at, _)| (*of, *at) < (device, slot));
        let rest = self.findings[from..].iter();
        rest.take_while(move |(of, at, _)| (*of, *at) == (device, slot)).map(|(_, _, finding)| finding)
    }
}

/// Looks for them among everything that was heard.
pub(super) fn among(case: &Case<'_>, voices: &[Voice], heard: &[Heard]) -> Moved {
    let Some(rule) = &case.profile.relocation else { return Moved::default() };
    let windows: Vec<&[Voice]> = voices.chunk_by(|a, b| case.window(a.slot) == case.window(b.slot)).collect();
    let mut from = 0;
    let heard: Vec<&[Heard]> = windows
        .iter()
        .map(|window| {
            from += window.len();
            &heard[from - window.len()..from]
        })
        .collect();
    let found = windows.par_iter().zip(heard).flat_map_iter(|(voices, heard)| in_window(case, rule, voices, heard));
    let mut findings: Vec<(u32, u64, Finding)> = found.collect();
    findings.sort_by_key(|&(device, slot, _)| (device, slot));
    Moved { findings }
}

/// A value and its neighbours' word in one slot.
#[derive(Clone, Copy)]
struct Compared<'a> {
    voice: &'a Voice,
    crowd: &'a Crowd,
}

/// One quantity of one device in a window, ascending by slot.
type Series<'a> = Vec<Compared<'a>>;

/// Every series of a window.
type AllSeries<'a> = BTreeMap<(Quantity, u32), Series<'a>>;

fn in_window(case: &Case<'_>, rule: &RelocationRule, voices: &[Voice], heard: &[Heard]) -> Vec<(u32, u64, Finding)> {
    let mut all = AllSeries::new();
    for (voice, heard) in voices.iter().zip(heard) {
        if let Heard::Crowd(crowd) = heard {
            all.entry((voice.quantity, voice.device)).or_default().push(Compared { voice, crowd });
        }
    }
    all.retain(|_, series| series.len() >= rule.least_slots as usize);
    let suspects: Vec<(Quantity, u32)> =
        all.iter().filter(|(_, series)| is_suspect(rule, series)).map(|(&key, _)| key).collect();
    let mut places: BTreeMap<Quantity, Vec<u32>> = BTreeMap::new();
    for &(quantity, _) in &suspects {
        places.entry(quantity).or_insert_with(|| places_of(case, rule, &all, quantity));
    }
    let find = |&(quantity, device): &(Quantity, u32)| {
        let series = &all[&(quantity, device)];
        let (there, finding) = fits(case, rule, &all, quantity, device, &places[&quantity])?;
        let shown: Vec<u32> = [&series[..], &all[&(quantity, there)][..]]
            .into_iter()
            .flat_map(|series| series.iter().rev().take(8))
            .map(|compared| case.samples[compared.voice.sample as usize].report)
            .collect();
        let finding = Finding { evidence: shown, ..finding };
        let due = series.iter().filter(|compared| compared.voice.due);
        Some(due.map(|compared| (device, compared.voice.slot, finding.clone())).collect::<Vec<_>>())
    };
    suspects.par_iter().filter_map(find).flatten_iter().collect()
}

/// Whether a device with something to judge lies far off its own neighbours, on average.
fn is_suspect(rule: &RelocationRule, series: &[Compared<'_>]) -> bool {
    let off: u64 = series.iter().map(|compared| u64::from(compared.crowd.off_ppm(compared.voice.value))).sum();
    series.iter().any(|compared| compared.voice.due) && off >= u64::from(rule.off_ppm) * series.len() as u64
}

/// Where a quantity is heard: one device of each square, by tie.
fn places_of(case: &Case<'_>, rule: &RelocationRule, all: &AllSeries<'_>, quantity: Quantity) -> Vec<u32> {
    // A metre is 90 units of 1e-7 degree; squares narrow toward the poles, which only makes for more of them.
    let side_e7 = i64::from(rule.distance_m).saturating_mul(45).max(1);
    let mut by_square: BTreeMap<(i64, i64), (u32, u32)> = BTreeMap::new();
    for &(_, device) in all.range((quantity, 0)..=(quantity, u32::MAX)).map(|(key, _)| key) {
        let station = case.station(device);
        let position = station.site.position;
        let square = (i64::from(position.lat_e7).div_euclid(side_e7), i64::from(position.lon_e7).div_euclid(side_e7));
        let place = by_square.entry(square).or_insert((station.tie, device));
        *place = (station.tie, device).min(*place);
    }
    let mut places: Vec<(u32, u32)> = by_square.into_values().collect();
    places.sort_unstable();
    places.truncate(PLACES_MAX);
    places.into_iter().map(|(_, device)| device).collect()
}

/// How a device's values lie to its own neighbours' word and to that at another place, over the slots of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Fit {
    slots: i128,
    /// Sums of distances at home and there.
    home: i128,
    there: i128,
    /// Sums of the tolerance there.
    limit: i128,
    /// Sums of distances from the mean distance, times slots.
    home_shape: i128,
    there_shape: i128,
    /// How the device's own values and the word there moved: sums of distances from their means, times slots.
    own_moves: i128,
    there_moves: i128,
}

/// The slots of both series.
fn common<'s, 'a>(
    own: &'s [Compared<'a>],
    mut there: &'s [Compared<'a>],
) -> impl Iterator<Item = (&'s Compared<'a>, &'s Compared<'a>)> {
    own.iter().filter_map(move |own| {
        let skip = there.iter().take_while(|there| there.voice.slot < own.voice.slot).count();
        there = &there[skip..];
        there.first().filter(|there| there.voice.slot == own.voice.slot).map(|there| (own, there))
    })
}

/// Whether distances from the word at another place add up to more than `most`: found out early, for most places are far off.
fn is_far_off(own: &[Compared<'_>], there: &[Compared<'_>], most: u64) -> bool {
    let mut sum = 0u64;
    common(own, there).any(|(own, there)| {
        sum = sum.saturating_add(own.voice.value.abs_diff(there.crowd.expected));
        sum > most
    })
}

impl Fit {
    fn of(own: &[Compared<'_>], there: &[Compared<'_>]) -> Self {
        let pairs = || {
            common(own, there).map(|(own, there)| {
                let value = i128::from(own.voice.value);
                let off = |crowd: &Crowd| value - i128::from(crowd.expected);
                let limit = there.crowd.limits.above.min(there.crowd.limits.below);
                (value, off(own.crowd), off(there.crowd), limit)
            })
        };
        let mut fit = Self::default();
        let (mut own_sum, mut home_sum, mut there_sum) = (0, 0, 0);
        for (value, home, there, limit) in pairs() {
            fit.slots += 1;
            fit.home += home.abs();
            fit.there += there.abs();
            fit.limit += i128::from(limit);
            own_sum += value;
            home_sum += home;
            there_sum += there;
        }
        for (value, home, there, _) in pairs() {
            fit.home_shape += (home * fit.slots - home_sum).abs();
            fit.there_shape += (there * fit.slots - there_sum).abs();
            fit.own_moves += (value * fit.slots - own_sum).abs();
            fit.there_moves += ((value - there) * fit.slots - (own_sum - there_sum)).abs();
        }
        fit
    }

    /// Whether the other place fits so much better.
    fn is_better(&self, rule: &RelocationRule) -> bool {
        let shrinks = |home: i128, there: i128| there * 1_000_000 <= home * i128::from(rule.fit_ppm);
        self.slots >= i128::from(rule.least_slots)
            && self.home > 0
            && shrinks(self.home, self.there)
            && shrinks(self.home_shape, self.there_shape)
            && shrinks(self.own_moves.min(self.there_moves), self.there_shape)
    }

    /// Whether nothing speaks against the other place.
    fn is_bearable(&self) -> bool {
        self.there <= self.home.max(self.limit / 2)
    }

    /// The mean distances at home and there.
    fn means(&self) -> (i64, i64) {
        let mean = |sum: i128| i64::try_from(sum / self.slots.max(1)).unwrap_or(i64::MAX);
        (mean(self.home), mean(self.there))
    }
}

/// The place that fits best, if one fits.
fn fits(
    case: &Case<'_>,
    rule: &RelocationRule,
    all: &AllSeries<'_>,
    quantity: Quantity,
    device: u32,
    places: &[u32],
) -> Option<(u32, Finding)> {
    let own = &all[&(quantity, device)];
    let station = case.station(device);
    let far = |&&place: &&u32| {
        let other = case.station(place);
        other.owner != station.owner && distance_m(station.site.position, other.site.position) >= rule.distance_m
    };
    // What the distances may add up to over all slots; over those of both they may not add up to more.
    let home: u64 = own.iter().map(|own| own.voice.value.abs_diff(own.crowd.expected)).sum();
    let most = u64::try_from(u128::from(home) * u128::from(rule.fit_ppm) / 1_000_000).unwrap_or(u64::MAX);
    let fit_at = |&place: &u32| {
        let there = &all[&(quantity, place)];
        if is_far_off(own, there, most) {
            return None;
        }
        let fit = Fit::of(own, there);
        (fit.is_better(rule) && !hears(case, there, device)).then_some((fit.means(), place))
    };
    // Places stand in the order of the tie-break, and the first of the least wins.
    let ((home, there), place) = places.iter().filter(far).filter_map(fit_at).min_by_key(|((_, there), _)| *there)?;
    let agrees = |&other: &Quantity| {
        let both = all.get(&(other, device)).zip(all.get(&(other, place)));
        both.is_none_or(|(own, there)| Fit::of(own, there).is_bearable())
    };
    let mut others = case.profile.quantities.keys().filter(|&&other| other != quantity);
    others.all(agrees).then(|| {
        let check = Check::FitsAt { quantity, device: case.station(place).id };
        let finding = Finding {
            code: Code::Moved,
            check,
            observed: home,
            threshold: there,
            lost_ppm: rule.lost_ppm,
            evidence: Vec::new(),
        };
        (place, finding)
    })
}

/// Whether the word heard at a place holds the device's own.
fn hears(case: &Case<'_>, there: &[Compared<'_>], device: u32) -> bool {
    let members = there.iter().flat_map(|compared| compared.crowd.members());
    members.copied().any(|sample: u32| case.samples[sample as usize].device == device)
}
