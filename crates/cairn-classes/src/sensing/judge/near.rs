//! Who is near whom: one list per station and epoch, nearest first, so that no slot searches again.
//!
//! A list holds twice as many as any rule looks at, so that half of them may have nothing to say in a slot. However
//! many devices crowd together, the search stays bounded and a crowd takes no more of a list than its due:
//!
//! * of each square of about 100 m only the most senior speak to others, a few more than the profile hears (`place`);
//! * an owner has at most [`OWNER_MOST`] devices in a list, and never stands in one of his own;
//! * a list is drawn from the [`LOOK_MAX`] nearest of these, in the order of distance, ties by the epoch's salt.
//!
//! So somebody who puts hundreds of devices of his own at different places around a station can leave it untested, at
//! his cost and without loss to it; he cannot make it listen to them. Moving stations have no list and are in none.

mod place;
mod tree;

use cairn_core::geo::{Position, distance_m};
use rayon::prelude::*;

use self::tree::Tree;
use super::case::{Case, Station, small};

/// The most devices of one owner in a list: one that speaks, one in its stead.
const OWNER_MOST: usize = 2;

/// Of how many nearest a list is drawn at most.
const LOOK_MAX: usize = 512;

/// Neighbours closer than this to one another stand at one place.
const PLACE_M: u32 = 100;

/// A station in another's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Near {
    pub distance_m: u32,
    /// Index into the case's stations.
    pub device: u32,
    /// How far east of the list's station, in metres along the middle latitude, as distances are measured.
    pub east_m: i32,
    /// How far north of it, in metres.
    pub north_m: i32,
    /// The earlier entries of the list within 100 m of this one, a bit each.
    pub beside: u64,
    /// The earlier entries of the same owner, a bit each.
    pub kin: u64,
}

/// For every station the nearest others within the profile's greatest radius: ascending by distance, ties by salt.
#[derive(Debug)]
pub(super) struct Nearest {
    lists: Vec<Vec<Near>>,
}

/// A station that stands still, with what a search compares, side by side in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fixed {
    position: Position,
    tie: u32,
    owner: u32,
    device: u32,
}

impl Nearest {
    pub fn of(case: &Case<'_>) -> Self {
        let rules = || case.profile.quantities.values().filter_map(|rule| rule.neighbours.as_ref());
        let radius_m = rules().map(|rule| rule.radius_m).max().unwrap_or(0);
        // At most 64: a bit for each entry fits in 64 bits.
        let most = 2 * rules().map(|rule| rule.region as usize).max().unwrap_or(0);
        let fixed = |(n, station): (usize, &Station<'_>)| {
            let (tie, owner, device) = (station.tie, station.owner, small(n));
            (!station.site.mobile).then_some(Fixed { position: station.site.position, tie, owner, device })
        };
        let stations: Vec<Option<Fixed>> = case.stations.iter().enumerate().map(fixed).collect();
        let seniority = |fixed: &Fixed| {
            let site = case.station(fixed.device).site;
            (!site.anchor, site.enrolled_index, fixed.device)
        };
        let mut still: Vec<Fixed> = stations.iter().copied().flatten().collect();
        still.sort_unstable_by_key(seniority);
        let speakers = place::speakers(&still, case.profile.weights.place_most as usize);
        let tree = Tree::of(speakers);
        let list = |own: &Option<Fixed>| own.map_or_else(Vec::new, |own| list(&tree, radius_m, most, own));
        Self { lists: stations.par_iter().map(list).collect() }
    }

    pub fn list(&self, device: u32) -> &[Near] {
        &self.lists[device as usize]
    }
}

/// The list of one station. Most are full after a first look at half as many more; the rest look as far as is allowed.
fn list(tree: &Tree, radius_m: u32, most: usize, own: Fixed) -> Vec<Near> {
    let first = most + most / 2;
    let found = tree.nearest(own, radius_m, first);
    let list = drawn(&found, most, own);
    if list.len() == most || found.len() < first {
        return list;
    }
    drawn(&tree.nearest(own, radius_m, LOOK_MAX), most, own)
}

/// Draws a list from stations in order of their distance.
fn drawn(found: &[(u32, Fixed)], most: usize, own: Fixed) -> Vec<Near> {
    let mut list: Vec<Near> = Vec::with_capacity(found.len().min(most));
    let mut owners: Vec<u32> = Vec::with_capacity(found.len().min(most));
    for &(distance_m, fixed) in found {
        if list.len() == most {
            break;
        }
        let known = owners.contains(&fixed.owner);
        let kin = if known { mask(owners.iter().map(|&owner| owner == fixed.owner)) } else { 0 };
        if kin.count_ones() as usize >= OWNER_MOST {
            continue;
        }
        let (east_m, north_m) = offset_m(own.position, fixed.position);
        // Only those about as far away can be near one another; the legs are rounded, distances too.
        let about = distance_m.saturating_sub(PLACE_M + 3);
        let first = list.partition_point(|other| other.distance_m < about);
        let beside = mask(list[first..].iter().map(|other| {
            let (east, north) = (i64::from(other.east_m - east_m), i64::from(other.north_m - north_m));
            east * east + north * north <= i64::from(PLACE_M) * i64::from(PLACE_M)
        }));
        // With an empty rest there is nothing to shift, by up to 64.
        let beside = beside.checked_shl(small(first)).unwrap_or(0);
        list.push(Near { distance_m, device: fixed.device, east_m, north_m, beside, kin });
        owners.push(fixed.owner);
    }
    list
}

/// A bit for each that holds, the first lowest.
fn mask(holds: impl Iterator<Item = bool>) -> u64 {
    holds.enumerate().fold(0, |mask, (n, holds)| mask | u64::from(holds) << n)
}

/// How far `to` lies east and north of `from`, in metres, each rounded to the nearest: the legs of the distance that
/// [`distance_m`] gives, with its error (below 0.01 % within 100 km and 70 degrees of latitude, 0.1 % within 300 km).
fn offset_m(from: Position, to: Position) -> (i32, i32) {
    let signed = |metres: u32, back: bool| {
        let metres = i32::try_from(metres).expect("nothing on earth is 2,000,000 km apart");
        if back { -metres } else { metres }
    };
    let lat_e7 = i32::midpoint(from.lat_e7, to.lat_e7);
    let along = |lon_e7: i32| Position { lat_e7, lon_e7 };
    let upright = |lat_e7: i32| Position { lat_e7, lon_e7: 0 };
    let turned = (i64::from(to.lon_e7) - i64::from(from.lon_e7)).rem_euclid(3_600_000_000);
    let east = signed(distance_m(along(from.lon_e7), along(to.lon_e7)), turned > 1_800_000_000);
    let north = signed(distance_m(upright(from.lat_e7), upright(to.lat_e7)), to.lat_e7 < from.lat_e7);
    (east, north)
}

#[cfg(test)]
mod tests;
