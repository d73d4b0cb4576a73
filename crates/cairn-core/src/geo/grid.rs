//! How cells lie to each other and on a map: finer ones, those beside, outlines, and what a box of degrees touches.
//!
//! Promised: an outline is a closed ring whose longitudes run on past 180 degrees where the cell does, and which goes by way
//! of the pole where the cell holds it, so that it is drawn as one piece; [`Cell::reach`] holds the cell and everything below
//! it. Outlines are for looking at: nothing is judged or paid by them. Not here: lines and areas on the ellipsoid.

use h3o::{CellIndex, LatLng, Resolution};

use super::{Cell, Position, QUARTER_E7, TURN_E7, cosine_ppb, to_e7};

/// How far the farthest point of the largest cell of each resolution is from its centre, with all that is below the cell, in
/// 1e-7 degree of a great circle, rounded up by a tenth: finer cells overhang coarser ones.
const REACH_E7: [i64; 16] = [
    160_000_000,
    57_000_000,
    21_500_000,
    8_200_000,
    3_100_000,
    1_180_000,
    450_000,
    170_000,
    65_000,
    25_000,
    9_500,
    3_600,
    1_400,
    540,
    210,
    85,
];

/// A box of degrees on a map, in units of 1e-7 degree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Area {
    /// The lowest latitude, -900,000,000 to 900,000,000.
    pub south_e7: i32,
    /// The highest one, not below `south_e7`.
    pub north_e7: i32,
    /// The western end, -1,800,000,000 to 1,799,999,999.
    pub west_e7: i64,
    /// The eastern end: not below `west_e7`, and at most a whole turn above it. It may pass 180 degrees.
    pub east_e7: i64,
}

impl Area {
    /// The whole earth.
    pub const EARTH: Self =
        Self { south_e7: -QUARTER_E7, north_e7: QUARTER_E7, west_e7: -TURN_E7 / 2, east_e7: TURN_E7 / 2 };

    /// The box between two latitudes and two longitudes, which may lie on any turn: what runs over a whole turn is all of it,
    /// and where the east lies west of the west, the box passes 180 degrees. `None` when a latitude is off the earth or the
    /// south is above the north.
    #[must_use]
    pub fn of(south_e7: i32, north_e7: i32, west_e7: i64, east_e7: i64) -> Option<Self> {
        let is_on_earth = |lat_e7: i32| lat_e7.unsigned_abs() <= QUARTER_E7.unsigned_abs();
        if !is_on_earth(south_e7) || !is_on_earth(north_e7) || south_e7 > north_e7 {
            return None;
        }
        let width_e7 = east_e7.saturating_sub(west_e7);
        if width_e7 >= TURN_E7 {
            return Some(Self { south_e7, north_e7, ..Self::EARTH });
        }
        let west_e7 = turned(west_e7);
        Some(Self { south_e7, north_e7, west_e7, east_e7: west_e7 + width_e7.rem_euclid(TURN_E7) })
    }

    /// Whether the two have a point in common.
    #[must_use]
    pub const fn meets(&self, other: &Self) -> bool {
        let ahead_e7 = (other.west_e7 - self.west_e7).rem_euclid(TURN_E7);
        let is_in_turn =
            ahead_e7 <= self.east_e7 - self.west_e7 || ahead_e7 + (other.east_e7 - other.west_e7) >= TURN_E7;
        is_in_turn && self.south_e7 <= other.north_e7 && other.south_e7 <= self.north_e7
    }
}

/// A longitude within -180 (in) to 180 (out).
const fn turned(lon_e7: i64) -> i64 {
    (lon_e7.rem_euclid(TURN_E7) + TURN_E7 / 2).rem_euclid(TURN_E7) - TURN_E7 / 2
}

impl Cell {
    /// The 122 cells of resolution 0, in the order of their indices.
    pub fn coarsest() -> impl Iterator<Item = Self> {
        CellIndex::base_cells().map(|cell| Self(cell.into()))
    }

    /// The cells of the next finer resolution, in the order of their indices; none below the finest.
    #[must_use]
    pub fn children(self) -> Vec<Self> {
        match Resolution::try_from(self.resolution() + 1) {
            Ok(finer) => self.h3().children(finer).map(|child| Self(child.into())).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// The cells beside it, of its own resolution, in the order of their indices: six, or five beside a pentagon.
    #[must_use]
    pub fn neighbours(self) -> Vec<Self> {
        let disk: Vec<CellIndex> = self.h3().grid_disk(1);
        let mut beside: Vec<Self> =
            disk.into_iter().map(|cell| Self(cell.into())).filter(|cell| *cell != self).collect();
        beside.sort_unstable();
        beside
    }

    /// Its first and last place among cells of any resolution, each in the place of what is below it: what lies between is
    /// below it, or is it. The cell itself has the last one, see [`Cell::place`].
    #[must_use]
    pub fn places(self) -> (u64, u64) {
        let place = self.place();
        let below = (1u64 << (3 * u32::from(Self::RESOLUTION_MAX - self.resolution()))) - 1;
        (place & !below, place)
    }

    /// Its place in the order in which a cell comes right after everything below it.
    #[must_use]
    pub const fn place(self) -> u64 {
        // Base cell and digits; digits below the resolution are all ones.
        self.0 & ((1 << 52) - 1)
    }

    /// The corners in counterclockwise order, rounded to the nearest 1e-7 degree: six or five, and those where an edge crosses
    /// an edge of the icosahedron.
    #[must_use]
    pub fn boundary(self) -> Vec<Position> {
        let corner = |corner: &LatLng| Position { lat_e7: to_e7(corner.lat()), lon_e7: to_e7(corner.lng()) };
        self.h3().boundary().iter().map(corner).collect()
    }

    /// The outline as a closed ring of latitude and longitude in 1e-7 degree, counterclockwise, its last corner the first one
    /// again. Its middle is within 180 degrees, and longitudes run on past them where the cell does; a cell with a pole in
    /// it goes up to the pole and back.
    #[must_use]
    pub fn outline(self) -> Vec<(i32, i64)> {
        let corners = self.boundary();
        let mut ring: Vec<(i32, i64)> = Vec::with_capacity(corners.len() + 3);
        let mut lon_e7 = turned(self.center().lon_e7.into());
        for corner in corners.iter().chain(corners.first()) {
            // Each corner on the turn on which it is nearest to the one before.
            lon_e7 += turned(i64::from(corner.lon_e7) - lon_e7);
            ring.push((corner.lat_e7, lon_e7));
        }
        let (first, last) = (ring[0], ring[ring.len() - 1]);
        if first.1 != last.1 {
            let pole_e7 = if self.center().lat_e7 < 0 { -QUARTER_E7 } else { QUARTER_E7 };
            ring.extend([(pole_e7, last.1), (pole_e7, first.1), first]);
        }
        let (west_e7, east_e7) =
            ring.iter().fold((first.1, first.1), |(west, east), (_, lon)| (west.min(*lon), east.max(*lon)));
        let middle_e7 = i64::midpoint(west_e7, east_e7);
        ring.iter().map(|(lat, lon)| (*lat, lon + turned(middle_e7) - middle_e7)).collect()
    }

    /// A box that holds the cell and everything below it: somewhat larger than needed.
    #[must_use]
    pub fn reach(self) -> Area {
        let center = self.center();
        let reach_e7 = REACH_E7[usize::from(self.resolution())];
        let lat_e7 = i64::from(center.lat_e7);
        let (south, north) = (lat_e7 - reach_e7, lat_e7 + reach_e7);
        let in_range = |lat_e7: i64| {
            i32::try_from(lat_e7.clamp((-QUARTER_E7).into(), QUARTER_E7.into()))
                .expect("it was clamped to a quarter turn")
        };
        let (south_e7, north_e7) = (in_range(south), in_range(north));
        // On no latitude of the box does a longitude take less of a great circle.
        let cosine = cosine_ppb(south.abs().max(north.abs()));
        let width_e7 = (reach_e7 * 1_000_000_000).checked_div(cosine).unwrap_or(TURN_E7);
        if width_e7 >= TURN_E7 / 2 {
            return Area { south_e7, north_e7, ..Area::EARTH };
        }
        let west_e7 = turned(i64::from(center.lon_e7) - width_e7);
        Area { south_e7, north_e7, west_e7, east_e7: west_e7 + 2 * width_e7 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(lat_e7: i32, lon_e7: i32, resolution: u8) -> Cell {
        Cell::containing(Position::of(lat_e7, lon_e7).unwrap(), resolution).unwrap()
    }

    #[expect(clippy::float_arithmetic, reason = "what the integers are held against")]
    fn great_circle_e7(a: Position, b: Position) -> f64 {
        let radians = |e7: i32| (f64::from(e7) / 1e7).to_radians();
        let north = (radians(a.lat_e7) - radians(b.lat_e7)) / 2.0;
        let east = (radians(a.lon_e7) - radians(b.lon_e7)) / 2.0;
        let h = north.sin().powi(2) + radians(a.lat_e7).cos() * radians(b.lat_e7).cos() * east.sin().powi(2);
        (2.0 * h.sqrt().min(1.0).asin()).to_degrees() * 1e7
    }

    #[test]
    fn the_reach_of_every_coarse_cell_is_within_the_table() {
        let mut cells: Vec<Cell> = Cell::coarsest().collect();
        assert_eq!(cells.len(), 122);
        for (resolution, reach_e7) in REACH_E7.into_iter().enumerate().take(3) {
            let mut farthest = 0.0f64;
            for cell in &cells {
                let below = cell.children().into_iter().flat_map(Cell::children).flat_map(|child| child.boundary());
                for corner in below.chain(cell.boundary()) {
                    farthest = farthest.max(great_circle_e7(cell.center(), corner));
                }
            }
            let table = reach_e7 as f64;
            assert!(farthest * 1.05 < table && farthest * 1.3 > table, "{resolution}: {farthest}");
            cells = cells.into_iter().flat_map(Cell::children).collect();
        }
    }

    #[test]
    fn outlines_are_one_piece_over_the_antimeridian_and_the_poles() {
        for (lat_e7, lon_e7) in [(0, 1_800_000_000), (500_000_000, -1_799_999_000), (-650_000_000, 1_799_999_000)] {
            for resolution in 0..=9 {
                let ring = at(lat_e7, lon_e7, resolution).outline();
                let (least, most) = (ring.iter().map(|(_, lon)| *lon).min(), ring.iter().map(|(_, lon)| *lon).max());
                assert!(most.unwrap() - least.unwrap() < TURN_E7 / 2, "{lat_e7} {lon_e7} {resolution}");
                assert_eq!(ring.first(), ring.last());
            }
        }
        for (lat_e7, pole_e7) in [(QUARTER_E7, QUARTER_E7), (-QUARTER_E7, -QUARTER_E7)] {
            for resolution in [0, 1, 2, 5, 8, 12] {
                let ring = at(lat_e7, 0, resolution).outline();
                assert_eq!(ring.iter().filter(|(lat, _)| *lat == pole_e7).count(), 2, "{resolution}: {ring:?}");
                let (least, most) = (ring.iter().map(|(_, lon)| *lon).min(), ring.iter().map(|(_, lon)| *lon).max());
                assert_eq!(most.unwrap() - least.unwrap(), TURN_E7);
                assert!(least.unwrap().abs() <= TURN_E7 && most.unwrap().abs() <= TURN_E7);
                assert_eq!(ring.first(), ring.last());
            }
        }
    }

    #[test]
    fn boxes_meet_on_whatever_turn_they_are_named() {
        let area = |west: i64, east: i64| Area::of(-10, 10, west * 10_000_000, east * 10_000_000).unwrap();
        for (one, other, meet) in [
            (area(-10, 10), area(5, 20), true),
            (area(-10, 10), area(11, 20), false),
            (area(170, -170), area(179, 180), true),
            (area(170, -170), area(-175, -174), true),
            (area(170, -170), area(-169, 169), false),
            (area(170, 190), area(-175, -174), true),
            (area(530, 550), area(-175, -174), true),
            (area(-540, 540), area(3, 4), true),
            (area(-180, 180), area(3, 4), true),
            (area(3, 4), area(-190, -170), false),
            (area(5, 5), area(5, 5), true),
        ] {
            assert_eq!((one.meets(&other), other.meets(&one)), (meet, meet), "{one:?} {other:?}");
        }
        assert!(!Area::of(5, 6, 0, 1).unwrap().meets(&Area::of(7, 8, 0, 1).unwrap()));
        for (south, north) in [(1, 0), (-900_000_001, 0), (0, 900_000_001)] {
            assert_eq!(Area::of(south, north, 0, 1), None);
        }
    }

    #[test]
    fn neighbours_are_beside_each_other() {
        let berlin = at(525_200_080, 134_049_540, 8);
        let beside = berlin.neighbours();
        assert_eq!(beside.len(), 6);
        assert!(beside.iter().all(|cell| cell.neighbours().contains(&berlin)));
        let pentagon = Cell::coarsest().find(|cell| cell.boundary().len() < 6).unwrap();
        assert_eq!((pentagon.neighbours().len(), pentagon.children().len()), (5, 6));
        assert_eq!(at(0, 0, 15).children(), []);
    }

    proptest! {
        #[test]
        fn what_is_below_a_cell_is_within_its_reach_and_between_its_places(
            lat_e7 in -QUARTER_E7..=QUARTER_E7, lon_e7 in -1_800_000_000i32..=1_800_000_000,
            resolution in 0u8..=15, coarser in 0u8..=15,
        ) {
            let cell = at(lat_e7, lon_e7, resolution.max(coarser));
            let above = cell.parent(resolution.min(coarser)).unwrap();
            let reach = above.reach();
            for corner in cell.boundary() {
                let spot = Area::of(corner.lat_e7, corner.lat_e7, corner.lon_e7.into(), corner.lon_e7.into()).unwrap();
                prop_assert!(reach.meets(&spot), "{cell} below {above}: {corner} is not in {reach:?}");
            }
            let (first, last) = above.places();
            prop_assert!((first..=last).contains(&cell.place()));
            let (below_first, below_last) = cell.places();
            prop_assert!(first <= below_first && below_last <= last && below_last == cell.place());
            if let Some(beside) = above.neighbours().first() {
                let (first, last) = beside.places();
                prop_assert!(!(first..=last).contains(&cell.place()));
            }
        }
    }
}
