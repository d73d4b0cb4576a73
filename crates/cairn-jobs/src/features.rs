//! What the forecast is fed with: a row of small integers for a station and a day.
//!
//! In this order, with everything as of the day on which the forecast is made:
//!
//! | values | what |
//! | --- | --- |
//! | 5 | the station's own levels, that day and the four before; a missing day has the level of the day after |
//! | 2 for each of 8 | level, and change since the day before, at the nearest stations that reported that day, nearest first |
//! | 2 for each of 8 | the same of the mean of all stations to the east, west, north and south within 120 km, then within 350 km |
//! | 2 | the same of the mean of all other stations |
//! | 2 | 64 when the day of the forecast is a Saturday, and when it is a Sunday; 0 otherwise |
//! | 2 | the season, as a triangle wave of a year from -100 to 100 and the same a quarter of a year on |
//!
//! A level is four times the root of the value in 0.1 ug/m3, less 64, within -127..127: fine where most values are and wide
//! enough for all. A change is a difference of levels. A sector without a station has the mean of all. Weather is not known
//! here, so neither is rain, which washes out most; the forecast can only be as good as that.

use crate::grid::Grid;

/// Days of the station itself.
const OWN_DAYS: u32 = 5;
/// Neighbours that must have reported.
pub const NEIGHBOURS: usize = 8;
/// Four directions in two rings.
const SECTORS: usize = 8;
const NEAR_KM: i32 = 120;
const FAR_KM: i32 = 350;
/// Hundredths of a day in a year.
const YEAR: i32 = 36_525;

/// Values in a row.
pub const WIDTH: usize = OWN_DAYS as usize + 2 * NEIGHBOURS + 2 * SECTORS + 2 + 4;

/// What was measured on a day and on the one before, in 0.1 ug/m3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pair {
    now: u32,
    before: u32,
}

/// The row by which a station's value on the day after `day` (in days since 1970) is forecast, or `None` where the station
/// itself, or 8 others, did not report on `day`.
#[must_use]
pub fn row(grid: &Grid, station: usize, day: u32) -> Option<Vec<i8>> {
    let own = pair(grid, station, day)?;
    let others: Vec<(usize, Pair)> =
        grid.nearest(station).iter().filter_map(|&other| Some((other, pair(grid, other, day)?))).collect();
    let nearest = others.get(..NEIGHBOURS)?;
    let mut row = Vec::with_capacity(WIDTH);
    let mut known = own.now;
    for back in 0..OWN_DAYS {
        let value = day.checked_sub(back).and_then(|day| grid.value(station, day));
        known = value.map_or(known, u32::from);
        row.push(level(known));
    }
    let mut push = |pair: Pair| row.extend([level(pair.now), change(pair)]);
    nearest.iter().for_each(|(_, pair)| push(*pair));
    let mut sectors: [Vec<Pair>; SECTORS] = core::array::from_fn(|_| Vec::new());
    for &(other, pair) in &others {
        if let Some(sector) = sector(grid.offset_km(station, other)) {
            sectors[sector].push(pair);
        }
    }
    let all = mean(others.iter().map(|(_, pair)| *pair)).expect("eight stations reported");
    sectors.into_iter().for_each(|members| push(mean(members.into_iter()).unwrap_or(all)));
    push(all);
    row.extend(calendar(day + 1));
    debug_assert_eq!(row.len(), WIDTH, "a row is as wide as it is documented");
    Some(row)
}

/// What a station measured, when it did; a missing day before counts as no change.
fn pair(grid: &Grid, station: usize, day: u32) -> Option<Pair> {
    let now = u32::from(grid.value(station, day)?);
    let before = day.checked_sub(1).and_then(|day| grid.value(station, day)).map_or(now, u32::from);
    Some(Pair { now, before })
}

/// The mean, rounded half up, of as many as there are.
fn mean(pairs: impl Iterator<Item = Pair>) -> Option<Pair> {
    let (count, sum) = pairs.fold((0, Pair { now: 0, before: 0 }), |(count, sum), pair| {
        (count + 1, Pair { now: sum.now + pair.now, before: sum.before + pair.before })
    });
    let of = |sum: u32| (sum + count / 2).checked_div(count);
    Some(Pair { now: of(sum.now)?, before: of(sum.before)? })
}

/// In which sector a place lies that is so far east and north: east, west, north, south; four more for the outer ring.
fn sector((east, north): (i32, i32)) -> Option<usize> {
    let direction = match (east.abs() > north.abs(), east > 0, north > 0) {
        (true, true, _) => 0,
        (true, false, _) => 1,
        (false, _, true) => 2,
        (false, _, false) => 3,
    };
    match i64::from(east).pow(2) + i64::from(north).pow(2) {
        far if far <= i64::from(NEAR_KM).pow(2) => Some(direction),
        far if far <= i64::from(FAR_KM).pow(2) => Some(direction + 4),
        _ => None,
    }
}

/// Weekend and season of a day.
fn calendar(day: u32) -> [i8; 4] {
    // 1970-01-01 was a Thursday; Sunday is 0.
    let weekday = (day + 4) % 7;
    let is = |wanted: u32| if weekday == wanted { 64 } else { 0 };
    let phase = i32::try_from(u64::from(day) * 100 % YEAR as u64).expect("below a year");
    [is(6), is(0), triangle(phase), triangle((phase + YEAR / 4) % YEAR)]
}

/// 100 at the turn of the year, -100 in its middle.
fn triangle(phase: i32) -> i8 {
    small((phase - YEAR / 2).abs() * 200 / (YEAR / 2) - 100)
}

fn level(value: u32) -> i8 {
    small(root(value) - 64)
}

fn change(pair: Pair) -> i8 {
    small(root(pair.now) - root(pair.before))
}

/// Four times the root of a value in 0.1 ug/m3, rounded down.
fn root(value: u32) -> i32 {
    (value * 16).isqrt().cast_signed()
}

fn small(value: i32) -> i8 {
    i8::try_from(value.clamp(-127, 127)).expect("clamped")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    /// Nine stations, a hundredth of a degree (about 1.1 km) north of each other, from day 10 on, station `s` at `100 + 10 s`.
    fn nine(days: u32) -> Grid {
        let places = (0..9).map(|s| Place { lat_e7: 510_000_000 + s * 100_000, lon_e7: 100_000_000 }).collect();
        let rows: Vec<(u32, usize, u16)> =
            (0..days).flat_map(|day| (0..9u16).map(move |s| (10 + day, usize::from(s), 100 + 10 * s))).collect();
        Grid::of(places, &rows)
    }

    #[test]
    fn a_row_says_what_is_documented_in_that_order() {
        let row = row(&nine(1), 0, 10).unwrap();
        assert_eq!(row.len(), WIDTH);
        assert_eq!(row[..5], [level(100); 5], "missing days have the level of the day after");
        assert_eq!(row[5..9], [level(110), 0, level(120), 0]);
        let mean = level(145);
        // All others are to the north and near; where nobody is there is the mean of all.
        assert_eq!(row[21..37], [mean, 0].repeat(8));
        assert_eq!(row[37..39], [mean, 0]);
        // Day 11 was a Monday in January.
        assert_eq!(row[39..], [0, 0, 87, -13]);
    }

    #[test]
    fn where_too_few_reported_there_is_no_row() {
        let grid = nine(2);
        for (station, day, there) in [(0, 10, true), (8, 11, true), (0, 12, false), (0, 9, false), (9, 10, false)] {
            assert_eq!(row(&grid, station, day).is_some(), there, "station {station}, day {day}");
        }
        let eight = Grid::of(vec![Place { lat_e7: 0, lon_e7: 0 }; 8], &(0..8).map(|s| (0, s, 1)).collect::<Vec<_>>());
        assert_eq!(row(&eight, 0, 0), None);
    }

    #[test]
    fn levels_and_the_season_stay_within_their_bounds() {
        for value in 0..=u16::MAX {
            assert!(level(value.into()) >= -64, "{value}");
        }
        for day in 0..100_000 {
            assert!(calendar(day)[2..].iter().all(|wave| (-100..=100).contains(wave)), "day {day}");
        }
    }

    #[test]
    fn directions_are_those_of_the_compass() {
        let cases = [
            ((10, 2), Some(0)),
            ((-10, 2), Some(1)),
            ((2, 10), Some(2)),
            ((2, -10), Some(3)),
            ((120, 0), Some(0)),
            ((121, 0), Some(4)),
            ((0, -350), Some(7)),
            ((0, 351), None),
        ];
        for (offset, wanted) in cases {
            assert_eq!(sector(offset), wanted, "{offset:?}");
        }
    }
}
