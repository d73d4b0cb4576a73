//! Where a tile is, and its number in an archive.

/// The closest zoom whose tiles have a number here.
pub const ZOOM_MAX: u8 = 26;

/// A tile of the Web Mercator pyramid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    zoom: u8,
    /// Columns from the west.
    x: u32,
    /// Rows from the north.
    y: u32,
}

impl Place {
    /// The tile in column `x` and row `y` of a zoom; `None` outside the pyramid.
    #[must_use]
    pub fn of(zoom: u64, x: u64, y: u64) -> Option<Self> {
        let zoom = u8::try_from(zoom).ok().filter(|zoom| *zoom <= ZOOM_MAX)?;
        let side = 1u64 << zoom;
        if x >= side || y >= side {
            return None;
        }
        Some(Self { zoom, x: u32::try_from(x).ok()?, y: u32::try_from(y).ok()? })
    }

    /// The zoom.
    #[must_use]
    pub const fn zoom(self) -> u8 {
        self.zoom
    }

    /// The tile's number: those of the zooms before it, and its place on the Hilbert curve of its own (PMTiles version 3,
    /// "Entries").
    #[must_use]
    pub fn number(self) -> u64 {
        let mut number = ((1u64 << (2 * self.zoom)) - 1) / 3;
        let (mut x, mut y) = (u64::from(self.x), u64::from(self.y));
        for level in (0..self.zoom).rev() {
            let side = 1u64 << level;
            let (right, below) = (x & side != 0, y & side != 0);
            // The quarters of a square, in the order in which the curve goes through them.
            let quarter = match (right, below) {
                (false, false) => 0,
                (false, true) => 1,
                (true, true) => 2,
                (true, false) => 3,
            };
            number += quarter << (2 * level);
            (x, y) = (x & (side - 1), y & (side - 1));
            // The first and the last quarter are turned.
            if !below {
                if right {
                    (x, y) = (side - 1 - x, side - 1 - y);
                }
                (x, y) = (y, x);
            }
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tiles_have_the_numbers_of_the_specification() {
        for (zoom, x, y, number) in [
            (0, 0, 0, 0),
            (1, 0, 0, 1),
            (1, 0, 1, 2),
            (1, 1, 1, 3),
            (1, 1, 0, 4),
            (2, 0, 0, 5),
            (2, 1, 0, 6),
            (2, 1, 1, 7),
            (2, 0, 1, 8),
            (12, 3_423, 1_763, 19_078_479),
            (26, 0, 0, 1_501_199_875_790_165),
            (26, (1 << 26) - 1, 0, 6_004_799_503_160_660),
        ] {
            assert_eq!(Place::of(zoom, x, y).unwrap().number(), number, "{zoom}/{x}/{y}");
        }
    }

    #[test]
    fn there_is_no_tile_outside_the_pyramid() {
        for (zoom, x, y) in [(0, 1, 0), (3, 8, 0), (3, 0, 8), (27, 0, 0), (300, 0, 0), (26, u64::MAX, 0)] {
            assert_eq!(Place::of(zoom, x, y), None, "{zoom}/{x}/{y}");
        }
    }

    #[test]
    fn each_tile_has_a_number_of_its_own_and_neighbours_on_the_curve_touch() {
        let mut before: Option<(u64, u64, u64)> = None;
        let mut tiles = Vec::new();
        for zoom in 0..=6u64 {
            let side = 1 << zoom;
            tiles.extend((0..side * side).map(|at| (zoom, at % side, at / side)));
        }
        let number = |&(zoom, x, y): &(u64, u64, u64)| Place::of(zoom, x, y).unwrap().number();
        let numbers: BTreeSet<u64> = tiles.iter().map(number).collect();
        assert_eq!(numbers, (0..tiles.len() as u64).collect());
        tiles.sort_by_key(number);
        for tile in tiles {
            if let Some((zoom, x, y)) = before.filter(|before| before.0 == tile.0) {
                assert_eq!(x.abs_diff(tile.1) + y.abs_diff(tile.2), 1, "{zoom}/{x}/{y} and {tile:?}");
            }
            before = Some(tile);
        }
    }
}
