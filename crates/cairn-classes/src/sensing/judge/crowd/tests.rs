//! The estimator on cases counted by hand, its laws, and its extremes.

use proptest::prelude::*;

use super::*;
use crate::sensing::profile::CurvePoint;

fn rule(plane: bool, floor: i64) -> NeighbourRule {
    NeighbourRule {
        nearest: 15,
        region: 32,
        radius_m: 1_000_000,
        half_m: 1_000,
        least: 1,
        plane,
        altitude: None,
        tolerance: Tolerance { floor, above_ppm: 500_000, below_ppm: 0 },
        curve: vec![CurvePoint { off_ppm: 3_000_000, lost_ppm: 0 }, CurvePoint { off_ppm: 4_000_000, lost_ppm: 10 }],
    }
}

fn word(value: i64, east_m: i32, north_m: i32) -> Word {
    Word { value, weight: 256, east_m, north_m }
}

#[test]
fn the_median_is_counted_by_hand() {
    let words = [word(10, 1, 0), word(14, 2, 0), word(12, 0, 3), word(500, 4, 4)];
    // The middle of 12 and 14 is 13; they lie 3, 1, 1, 487 off it, the middle of 1 and 3 is 2, so 2 as a deviation.
    // Distances count to 3 * max(2, 5) = 15: the root of (9 + 1 + 1 + 225) / 4 * 4 / 3 = 78 is 8.
    let said = opinion(&rule(false, 5), &words);
    assert_eq!(said, Opinion { median: 13, expected: 13, spread: 8 });
    assert_eq!(opinion(&rule(false, 5), &words[..1]), Opinion { median: 10, expected: 10, spread: 0 });
    let limits = Limits::of(&rule(false, 5).tolerance, 13, 8);
    // Below: the root of 25 + 64. Above: the share of 13 is 6, so the root of 25 + 64 + 36.
    assert_eq!((limits.above_milli, limits.below_milli), (11_180, 9_433));
    assert_eq!((limits.above, limits.below), (11, 9));
    let crowd = Crowd::of(&rule(false, 5), &said, limits, [7, 8, 9].into_iter());
    assert_eq!((crowd.members(), crowd.suspect_ppm), (&[7, 8, 9][..], 3_000_000));
    let cases = [(13, 0), (24, 983_900), (25, 1_073_346), (4, 954_098), (3, 1_060_109), (i64::MAX, 1_000_000_000)];
    for (value, off_ppm) in cases {
        assert_eq!(crowd.off_ppm(value), off_ppm, "{value}");
    }
    assert_eq!((crowd.limit_at(14, 3_000_000), crowd.limit_at(12, 2_000_000)), (33, -18));
}

#[test]
fn a_plane_is_met_where_neighbours_stand_around() {
    // 1 per 10 m eastward, -1 per 20 m northward.
    let at = |east_m: i32, north_m: i32| word(5_000 + i64::from(east_m / 10 - north_m / 20), east_m, north_m);
    let around = [(-2_000, 0), (2_000, 0), (0, 2_000), (0, -2_000), (2_000, 2_000), (-2_000, -2_000)];
    let words: Vec<Word> = around.iter().map(|&(east, north)| at(east, north)).collect();
    assert_eq!(opinion(&rule(true, 300), &words).expected, 5_000);
    // At the edge, all neighbours to the east: the slope makes up for most of the way, a level for nothing of it.
    let aside: Vec<Word> = around.iter().map(|&(east, north)| at(east + 3_000, north)).collect();
    let (plane, level) = (opinion(&rule(true, 300), &aside).expected, opinion(&rule(false, 300), &aside).expected);
    assert_eq!(level, 5_300);
    assert!((4_990..5_090).contains(&plane), "{plane}");
    // A slope never reaches beyond what drawn-in values may say.
    let far: Vec<Word> = around.iter().map(|&(east, north)| at(east + 300_000, north)).collect();
    let said = opinion(&rule(true, 50), &far);
    assert!((said.expected - said.median).abs() <= 2 * 1_483 * 200 / 1_000, "{said:?}");
}

#[test]
fn a_liar_pulls_no_further_than_a_drawn_in_value() {
    let mut words: Vec<Word> = (0..8).map(|n| word(1_000 + i64::from(n % 3), 1_000 - 300 * n, 200 * n - 900)).collect();
    let honest = opinion(&rule(true, 10), &words).expected;
    for lie in [2_000, 1 << 40, -(1 << 40)] {
        words[2].value = lie;
        let lied = opinion(&rule(true, 10), &words);
        assert!((lied.expected - honest).abs() <= 10, "{lie}: {lied:?} where {honest} is expected");
    }
}

#[test]
fn weight_decides() {
    let mut words: Vec<Word> = (0..7).map(|n| word(if n < 4 { 100 } else { 0 }, 1_000 * n, -500 * n)).collect();
    assert_eq!(opinion(&rule(false, 10), &words).expected, 100);
    words[4..].iter_mut().for_each(|word| word.weight *= 4);
    assert_eq!(opinion(&rule(false, 10), &words).expected, 0);
}

#[test]
fn the_loss_rises_along_the_curve() {
    let rule = rule(true, 10);
    let cases =
        [(0, 0), (3_000_000, 0), (3_000_001, 1), (3_500_000, 5), (3_999_999, 10), (4_000_000, 10), (u32::MAX, 10)];
    for (off_ppm, lost) in cases {
        assert_eq!(lost_ppm(&rule, off_ppm), lost, "{off_ppm}");
    }
}

#[test]
fn heights_bring_values_and_forbid_comparisons() {
    let mut rule = AltitudeRule { per_km: -650, difference_m: 500, required: false };
    assert_eq!(at_height(None, 1_000, None, Some(1)), Some(1_000));
    assert_eq!(at_height(Some(&rule), 1_000, Some(0), Some(50_000)), Some(675));
    assert_eq!(at_height(Some(&rule), 1_000, Some(50_000), Some(0)), Some(1_325));
    assert_eq!(at_height(Some(&rule), 1_000, Some(0), Some(50_001)), None);
    assert_eq!(at_height(Some(&rule), 1_000, None, Some(50_001)), Some(1_000));
    rule.required = true;
    assert_eq!(at_height(Some(&rule), 1_000, None, Some(50_001)), None);
    assert_eq!(at_height(None, i64::MIN, None, None), Some(-VALUE_MOST));
}

/// Values at the ends and in between, places on top of each other and far apart.
fn words() -> impl Strategy<Value = Vec<Word>> {
    let value = prop_oneof![Just(VALUE_MOST), Just(-VALUE_MOST), -VALUE_MOST..=VALUE_MOST, -9i64..9];
    let metres = || prop_oneof![Just(1_000_000), Just(-1_000_000), Just(0), -1_000_000..1_000_000, -9i32..9];
    let weight = prop_oneof![Just(1u32), Just(4_096), 1u32..=4_096];
    let word = (value, weight, metres(), metres());
    let word = word.prop_map(|(value, weight, east_m, north_m)| Word { value, weight, east_m, north_m });
    proptest::collection::vec(word, 1..=NEAREST_MAX)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_values_weights_or_places_overflow(words in words(), plane: bool, floor in 1i64..=1_000_000_000, own: i64) {
        let mut rule = rule(plane, floor);
        rule.tolerance.above_ppm = 1_000_000_000;
        let said = opinion(&rule, &words);
        prop_assert!(said.median.abs() <= VALUE_MOST && said.expected.abs() <= 2 * VALUE_MOST);
        prop_assert!((0..1 << 45).contains(&said.spread), "{:?}", said);
        let limits = Limits::of(&rule.tolerance, said.median, said.spread);
        prop_assert!(limits.above >= floor && limits.below >= floor);
        let crowd = Crowd::of(&rule, &said, limits, [].into_iter());
        prop_assert!(crowd.off_ppm(own) <= 1_000_000_000);
        prop_assert_eq!(crowd.limit_at(own, u32::MAX) < 0, own < said.expected);
    }

    #[test]
    fn the_order_of_words_says_nothing(words in words(), plane: bool, keys in proptest::collection::vec(any::<u32>(), 15)) {
        let mut order: Vec<(u32, Word)> = keys.into_iter().zip(words.iter().copied()).collect();
        order.sort_by_key(|&(key, _)| key);
        let shuffled: Vec<Word> = order.into_iter().map(|(_, word)| word).collect();
        prop_assert_eq!(opinion(&rule(plane, 100), &words), opinion(&rule(plane, 100), &shuffled));
    }

    #[test]
    fn a_level_added_to_all_is_added_to_what_is_expected(words in words(), plane: bool, level in -1_000_000i64..1_000_000) {
        let small = |word: &Word| Word { value: word.value % 1_000_000, ..*word };
        let words: Vec<Word> = words.iter().map(small).collect();
        let raised: Vec<Word> = words.iter().map(|word| Word { value: word.value + level, ..*word }).collect();
        let (low, high) = (opinion(&rule(plane, 100), &words), opinion(&rule(plane, 100), &raised));
        prop_assert_eq!((low.median + level, low.expected + level, low.spread), (high.median, high.expected, high.spread));
    }
}
