//! Lists against comparing everyone with everyone.

use proptest::prelude::*;

use super::*;

/// What the head of the module says, by hand.
fn by_hand(speakers: &[Fixed], radius_m: u32, most: usize, own: Fixed) -> Vec<(u32, u32)> {
    let mut all: Vec<(u32, u32, u32, u32)> = speakers
        .iter()
        .filter(|fixed| fixed.owner != own.owner)
        .map(|fixed| (distance_m(own.position, fixed.position), fixed.tie, fixed.device, fixed.owner))
        .filter(|&(distance_m, ..)| distance_m <= radius_m)
        .collect();
    all.sort_unstable();
    all.truncate(LOOK_MAX);
    let mut owners: Vec<u32> = Vec::new();
    all.retain(|&(.., owner)| {
        owners.push(owner);
        owners.iter().filter(|&&other| other == owner).count() <= OWNER_MOST
    });
    all.into_iter().take(most).map(|(distance_m, _, device, _)| (distance_m, device)).collect()
}

fn places() -> impl Strategy<Value = Vec<(i32, i32, u32)>> {
    proptest::collection::vec((-9i32..9, -9i32..9, prop_oneof![Just(0u32), 0u32..7, 0u32..400]), 1..900)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_list_is_what_comparing_everyone_gives(
        places in places(), pole: bool, near: bool, radius_m in 0u32..60_000, most in 0usize..=64, place_most in 1usize..4,
    ) {
        // A coarse lattice over the antimeridian, so that distances tie and places fill; or one that ends at the pole.
        let middle_e7 = if pole { 891_000_000 } else { 500_000_000 };
        let (north_e7, east_e7) = if near { (3_000, 4_000) } else { (1_000_000, 500_000) };
        let fixed = |(n, (north, east, owner)): (usize, (i32, i32, u32))| {
            let lon_e7 = if east < 0 { 1_800_000_000 + east * east_e7 } else { east * east_e7 - 1_800_000_000 };
            let position = Position { lat_e7: middle_e7 + north * north_e7, lon_e7 };
            Fixed { position, tie: small(n).wrapping_mul(2_654_435_761), owner, device: small(n) }
        };
        let stations: Vec<Fixed> = places.into_iter().enumerate().map(fixed).collect();
        let speakers = place::speakers(&stations, place_most);
        let tree = Tree::of(speakers.clone());
        for own in stations.iter().step_by(47) {
            let list = list(&tree, radius_m, most, *own);
            let found: Vec<(u32, u32)> = list.iter().map(|near| (near.distance_m, near.device)).collect();
            prop_assert_eq!(found, by_hand(&speakers, radius_m, most, *own));
        }
    }

    #[test]
    fn the_legs_make_the_distance(
        lat_e7 in -700_000_000i32..700_000_000, lon_e7 in -1_800_000_000i32..1_800_000_000,
        north_e7 in -9_000_000i32..9_000_000, east_e7 in -9_000_000i64..9_000_000,
    ) {
        let from = Position { lat_e7, lon_e7 };
        let lon_e7 = (i64::from(lon_e7) + east_e7 + 1_800_000_000).rem_euclid(3_600_000_000) - 1_800_000_000;
        let to = Position { lat_e7: lat_e7 + north_e7, lon_e7: i32::try_from(lon_e7).unwrap() };
        let (east, north) = offset_m(from, to);
        let square = i64::from(east) * i64::from(east) + i64::from(north) * i64::from(north);
        prop_assert!(square.isqrt().abs_diff(i64::from(distance_m(from, to))) <= 2);
        prop_assert!(i64::from(east.signum()) * east_e7.signum() >= 0 && north.signum() * north_e7.signum() >= 0);
        prop_assert_eq!(offset_m(to, from), (-east, -north));
    }
}

#[test]
fn a_list_knows_who_stands_together_and_who_belongs_together() {
    let fixed = |device: u32, owner: u32, north_m: i32| {
        let position = Position { lat_e7: 500_000_000 + north_m * 90, lon_e7: 100_000_000 };
        Fixed { position, tie: device, owner, device }
    };
    let others = [fixed(1, 1, 1_000), fixed(2, 2, 1_090), fixed(3, 1, 1_180), fixed(4, 4, 9_000), fixed(5, 1, 9_500)];
    let list = list(&Tree::of(others.to_vec()), 20_000, 64, fixed(0, 0, 0));
    let seen: Vec<(u32, u64, u64)> = list.iter().map(|near| (near.device, near.beside, near.kin)).collect();
    assert_eq!(seen, [(1, 0, 0), (2, 0b1, 0), (3, 0b10, 0b1), (4, 0, 0)]);
}
