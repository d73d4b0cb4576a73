//! Who is near whom: one list per station and epoch, nearest first, so that no slot searches again.

use cairn_core::geo::{Position, distance_m};
use rayon::prelude::*;

use super::case::{Case, Station, small};

/// The longest list kept for one station. A station that has more within its radius asks only these, so that memory
/// grows with stations, not with their square.
const LIST_MAX: usize = 512;

/// A station in another's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Near {
    pub distance_m: u32,
    /// Index into the case's stations.
    pub device: u32,
}

/// For every station the others within the profile's greatest radius: ascending by distance, ties by the epoch's salt.
/// Moving stations have no list and are in none.
#[derive(Debug)]
pub(super) struct Nearest {
    lists: Vec<Vec<Near>>,
}

/// A station that stands still, with what a search compares, side by side in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fixed {
    position: Position,
    tie: u32,
    owner: u32,
    device: u32,
}

impl Nearest {
    pub fn of(case: &Case<'_>) -> Self {
        let rules = case.profile.quantities.values().filter_map(|rule| rule.neighbours.as_ref());
        let radius_m = rules.map(|rule| rule.radius_m).max().unwrap_or(0);
        let fixed = |(n, station): (usize, &Station<'_>)| {
            let (tie, owner, device) = (station.tie, station.owner, small(n));
            (!station.site.mobile).then_some(Fixed { position: station.site.position, tie, owner, device })
        };
        let stations: Vec<Option<Fixed>> = case.stations.iter().enumerate().map(fixed).collect();
        // Positions order by latitude first.
        let mut by_latitude: Vec<Fixed> = stations.iter().copied().flatten().collect();
        by_latitude.sort_unstable();
        let list = |own: &Option<Fixed>| own.map_or_else(Vec::new, |own| list(&by_latitude, radius_m, own));
        Self { lists: stations.par_iter().map(list).collect() }
    }

    pub fn list(&self, device: u32) -> &[Near] {
        &self.lists[device as usize]
    }
}

fn list(by_latitude: &[Fixed], radius_m: u32, own: Fixed) -> Vec<Near> {
    let latitude = |fixed: &Fixed| i64::from(fixed.position.lat_e7);
    // A metre is 89.93 units of 1e-7 degree; one more metre covers the rounding of distances.
    let reach_e7 = (i64::from(radius_m) + 1) * 90;
    let from = by_latitude.partition_point(|fixed| latitude(fixed) < latitude(&own) - reach_e7);
    let to = by_latitude.partition_point(|fixed| latitude(fixed) <= latitude(&own) + reach_e7);
    let mut list: Vec<(u32, u32, u32)> = by_latitude[from..to]
        .iter()
        .filter(|fixed| fixed.owner != own.owner)
        .map(|fixed| (distance_m(own.position, fixed.position), fixed.tie, fixed.device))
        .filter(|&(distance_m, ..)| distance_m <= radius_m)
        .collect();
    if list.len() > LIST_MAX {
        list.select_nth_unstable(LIST_MAX);
        list.truncate(LIST_MAX);
    }
    list.sort_unstable();
    list.into_iter().map(|(distance_m, _, device)| Near { distance_m, device }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all_by_hand(stations: &[Fixed], radius_m: u32, own: Fixed) -> Vec<Near> {
        let mut all: Vec<(u32, u32, u32)> = stations
            .iter()
            .filter(|fixed| fixed.owner != own.owner)
            .map(|fixed| (distance_m(own.position, fixed.position), fixed.tie, fixed.device))
            .filter(|&(distance_m, ..)| distance_m <= radius_m)
            .collect();
        all.sort_unstable();
        all.truncate(LIST_MAX);
        all.into_iter().map(|(distance_m, _, device)| Near { distance_m, device }).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn the_list_is_what_comparing_everyone_gives(
            places in proptest::collection::vec((-9i32..9, -9i32..9, 0u32..400), 1..700),
            pole: bool, radius_m in 0u32..60_000,
        ) {
            // A coarse lattice over the antimeridian, so that distances tie; or one that ends at the pole.
            let middle_e7 = if pole { 891_000_000 } else { 500_000_000 };
            let fixed = |(n, (north, east, owner)): (usize, (i32, i32, u32))| {
                let lon_e7 = if east < 0 { 1_800_000_000 + east * 500_000 } else { east * 500_000 - 1_800_000_000 };
                let position = Position { lat_e7: middle_e7 + north * 1_000_000, lon_e7 };
                Fixed { position, tie: small(n).wrapping_mul(2_654_435_761), owner, device: small(n) }
            };
            let mut stations: Vec<Fixed> = places.into_iter().enumerate().map(fixed).collect();
            stations.sort_unstable();
            for own in stations.iter().step_by(97) {
                prop_assert_eq!(list(&stations, radius_m, *own), all_by_hand(&stations, radius_m, *own));
            }
        }
    }
}
