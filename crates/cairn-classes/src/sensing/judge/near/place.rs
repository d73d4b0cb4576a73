//! Who speaks for a place when many stand there: the most senior.

use cairn_core::geo::{Position, distance_m};
use rayon::prelude::*;

use super::{Fixed, OWNER_MOST};

/// The height of a square: about 100 m of latitude.
const ROW_E7: i32 = 9_000;

/// Of each square's stations the first in the order given that speak to others: so many that, whoever of one owner is
/// left aside, twice `place_most` remain. At most [`OWNER_MOST`] of an owner.
pub(super) fn speakers(by_seniority: &[Fixed], place_most: usize) -> Vec<Fixed> {
    let most = 2 * place_most + OWNER_MOST;
    let in_square = |fixed: &Fixed| (square(fixed.position), *fixed);
    let mut squares: Vec<((i32, i64), Fixed)> = by_seniority.par_iter().map(in_square).collect();
    // Stable: seniority stays the order within a square.
    squares.par_sort_by_key(|&(square, _)| square);
    let mut speakers: Vec<Fixed> = Vec::with_capacity(squares.len());
    for of_square in squares.chunk_by(|a, b| a.0 == b.0) {
        let from = speakers.len();
        for (_, fixed) in of_square {
            let heard = &speakers[from..];
            if heard.len() == most {
                break;
            }
            if heard.iter().filter(|other| other.owner == fixed.owner).count() < OWNER_MOST {
                speakers.push(*fixed);
            }
        }
    }
    speakers
}

/// The square of about 100 by 100 m that holds a position, as row and column.
fn square(position: Position) -> (i32, i64) {
    let row = position.lat_e7.div_euclid(ROW_E7);
    // A degree along the southern edge of the row, so that the width is the same for the whole row.
    let lat_e7 = row * ROW_E7;
    let degree_m = distance_m(Position { lat_e7, lon_e7: 0 }, Position { lat_e7, lon_e7: 10_000_000 });
    let width_e7 = 1_000_000_000 / i64::from(degree_m.max(1));
    // Both ends of the longitudes name the same meridian.
    let east_e7 = (i64::from(position.lon_e7) + 1_800_000_000).rem_euclid(3_600_000_000);
    (row, east_e7 / width_e7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_about_100_m_wide_and_know_no_date_line() {
        for (lat_e7, wide) in [(0, 9_000), (500_000_000, 14_000), (-600_000_000, 18_000)] {
            let at = |lon_e7: i32| square(Position { lat_e7, lon_e7 });
            let columns = (0..100).map(|n| at(100_000_000 + n * 1_000).1);
            let held = 100_000 / i64::from(wide);
            let (first, last) = (columns.clone().min().unwrap(), columns.max().unwrap());
            assert!((held - 1..=held + 1).contains(&(last - first)), "{lat_e7}: {first} to {last}");
            assert_eq!(at(1_800_000_000), at(-1_800_000_000));
        }
        let pole = |lon_e7| square(Position { lat_e7: 900_000_000, lon_e7 });
        assert_eq!(pole(-1_700_000_000).0, pole(1_700_000_000).0);
    }

    #[test]
    fn the_most_senior_speak_and_an_owner_twice() {
        let fixed = |device: u32, owner: u32| Fixed {
            position: Position { lat_e7: 10, lon_e7: 10 },
            tie: 1_000 - device,
            owner,
            device,
        };
        let crowd: Vec<Fixed> = (0..100).map(|n| fixed(n, if n < 50 { 0 } else { n })).collect();
        let speak: Vec<u32> = speakers(&crowd, 3).iter().map(|fixed| fixed.device).collect();
        assert_eq!(speak, [0, 1, 50, 51, 52, 53, 54, 55]);
    }
}
