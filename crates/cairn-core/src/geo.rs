//! Where things are: positions, H3 cells, and distances that are the same on every machine.
//!
//! A position is a pair of integers. A cell comes from the `h3o` crate in its `libm` form: fixed software routines, no
//! platform mathematics, and one final rounding to an integer; `goldens/cells.txt` pins the results. Distances are
//! integers from a cosine table. Not here: routes, altitudes, datums other than WGS 84, moving things.

mod grid;

use core::fmt;

use h3o::{CellIndex, LatLng, Resolution};

use crate::id::BadName;

pub use grid::Area;

/// A quarter turn in units of 1e-7 degree.
const QUARTER_E7: i32 = 900_000_000;
/// A whole turn in units of 1e-7 degree.
const TURN_E7: i64 = 3_600_000_000;

/// A point on WGS 84 in units of 1e-7 degree (about 11 mm of latitude).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// Latitude, -900,000,000 (south pole) to 900,000,000.
    pub lat_e7: i32,
    /// Longitude, -1,800,000,000 to 1,800,000,000; both ends name the same meridian.
    pub lon_e7: i32,
}

impl Position {
    /// The position, or `None` when latitude or longitude is out of range.
    #[must_use]
    pub const fn of(lat_e7: i32, lon_e7: i32) -> Option<Self> {
        let position = Self { lat_e7, lon_e7 };
        if position.is_on_earth() { Some(position) } else { None }
    }

    /// Whether latitude and longitude are within their ranges.
    #[must_use]
    pub const fn is_on_earth(self) -> bool {
        self.lat_e7.unsigned_abs() <= QUARTER_E7.unsigned_abs()
            && self.lon_e7.unsigned_abs() <= 2 * QUARTER_E7.unsigned_abs()
    }
}

impl fmt::Display for Position {
    /// Decimal degrees with all seven places: `53.6705710, 9.5859110`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        degrees(f, self.lat_e7)?;
        f.write_str(", ")?;
        degrees(f, self.lon_e7)
    }
}

fn degrees(f: &mut fmt::Formatter<'_>, e7: i32) -> fmt::Result {
    let sign = if e7 < 0 { "-" } else { "" };
    let magnitude = e7.unsigned_abs();
    write!(f, "{sign}{}.{:07}", magnitude / 10_000_000, magnitude % 10_000_000)
}

/// A cell of the H3 grid, shown and parsed as its 15 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell(u64);

impl Cell {
    /// The finest resolution of H3.
    pub const RESOLUTION_MAX: u8 = 15;

    /// The cell that an H3 index names, or `None` when it names no cell.
    #[must_use]
    pub fn of(index: u64) -> Option<Self> {
        CellIndex::try_from(index).ok().map(|_| Self(index))
    }

    /// The cell of `resolution` (0 coarsest, 15 finest) that contains `position`; `None` when either is out of range.
    #[must_use]
    pub fn containing(position: Position, resolution: u8) -> Option<Self> {
        let resolution = Resolution::try_from(resolution).ok()?;
        if !position.is_on_earth() {
            return None;
        }
        Some(Self(to_lat_lng(position)?.to_cell(resolution).into()))
    }

    /// The H3 index.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.0
    }

    /// The resolution, 0 to 15.
    #[must_use]
    pub fn resolution(self) -> u8 {
        self.h3().resolution().into()
    }

    /// The cell of a coarser (or the same) `resolution` above this one; `None` for a finer one.
    #[must_use]
    pub fn parent(self, resolution: u8) -> Option<Self> {
        let resolution = Resolution::try_from(resolution).ok()?;
        self.h3().parent(resolution).map(|parent| Self(parent.into()))
    }

    /// The centre of the cell, rounded to the nearest 1e-7 degree.
    #[must_use]
    pub fn center(self) -> Position {
        let center = LatLng::from(self.h3());
        Position { lat_e7: to_e7(center.lat()), lon_e7: to_e7(center.lng()) }
    }

    /// Parses 15 hexadecimal digits (either case).
    ///
    /// # Errors
    /// [`BadName`] for other text and for an index that names no cell.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let digits = text.len() == 15 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let index = if digits { u64::from_str_radix(text, 16).ok() } else { None };
        index
            .and_then(Self::of)
            .ok_or_else(|| BadName { text: text.to_owned(), expected: "an H3 cell: 15 hexadecimal digits" })
    }

    fn h3(self) -> CellIndex {
        CellIndex::try_from(self.0).expect("the index was checked when the cell was made")
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:015x}", self.0)
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// Division and multiplication by constants are exact in IEEE 754's sense: the same bits everywhere.
#[expect(clippy::float_arithmetic)]
fn to_lat_lng(position: Position) -> Option<LatLng> {
    LatLng::new(f64::from(position.lat_e7) / 1e7, f64::from(position.lon_e7) / 1e7).ok()
}

// The one rounding. Latitudes and longitudes stay within 1.8e9, and `as` saturates anyway.
#[expect(clippy::float_arithmetic, clippy::cast_possible_truncation)]
fn to_e7(degrees: f64) -> i32 {
    (degrees * 1e7).round() as i32
}

/// Cosine of 0, 0.5, 1, ... 90 degrees in parts per billion, rounded to the nearest.
const COSINE_PPB: [u32; 181] = [
    1000000000, 999961923, 999847695, 999657325, 999390827, 999048222, 998629535, 998134798, 997564050, 996917334,
    996194698, 995396198, 994521895, 993571856, 992546152, 991444861, 990268069, 989015863, 987688341, 986285602,
    984807753, 983254908, 981627183, 979924705, 978147601, 976296007, 974370065, 972369920, 970295726, 968147640,
    965925826, 963630453, 961261696, 958819735, 956304756, 953716951, 951056516, 948323655, 945518576, 942641491,
    939692621, 936672189, 933580426, 930417568, 927183855, 923879533, 920504853, 917060074, 913545458, 909961271,
    906307787, 902585284, 898794046, 894934362, 891006524, 887010833, 882947593, 878817113, 874619707, 870355696,
    866025404, 861629160, 857167301, 852640164, 848048096, 843391446, 838670568, 833885822, 829037573, 824126189,
    819152044, 814115518, 809016994, 803856861, 798635510, 793353340, 788010754, 782608157, 777145961, 771624583,
    766044443, 760405966, 754709580, 748955721, 743144825, 737277337, 731353702, 725374371, 719339800, 713250449,
    707106781, 700909264, 694658370, 688354576, 681998360, 675590208, 669130606, 662620048, 656059029, 649448048,
    642787610, 636078220, 629320391, 622514637, 615661475, 608761429, 601815023, 594822787, 587785252, 580702956,
    573576436, 566406237, 559192903, 551936985, 544639035, 537299608, 529919264, 522498565, 515038075, 507538363,
    500000000, 492423560, 484809620, 477158760, 469471563, 461748613, 453990500, 446197813, 438371147, 430511097,
    422618262, 414693243, 406736643, 398749069, 390731128, 382683432, 374606593, 366501227, 358367950, 350207381,
    342020143, 333806859, 325568154, 317304656, 309016994, 300705800, 292371705, 284015345, 275637356, 267238376,
    258819045, 250380004, 241921896, 233445364, 224951054, 216439614, 207911691, 199367934, 190808995, 182235525,
    173648178, 165047606, 156434465, 147809411, 139173101, 130526192, 121869343, 113203214, 104528463, 95845753,
    87155743, 78459096, 69756474, 61048540, 52335956, 43619387, 34899497, 26176948, 17452406, 8726535, 0,
];

/// The step of [`COSINE_PPB`] in units of 1e-7 degree.
const STEP_E7: u32 = 5_000_000;

/// Cosine of a latitude in parts per billion, linear between the table's steps: at most 10,000 ppb (1e-5) too small.
fn cosine_ppb(lat_e7: i64) -> i64 {
    let lat = u32::try_from(lat_e7.unsigned_abs()).unwrap_or(u32::MAX).min(QUARTER_E7.unsigned_abs());
    let step = (lat / STEP_E7) as usize;
    let from = i64::from(COSINE_PPB[step]);
    let to = i64::from(*COSINE_PPB.get(step + 1).unwrap_or(&0));
    from + (to - from) * i64::from(lat % STEP_E7) / i64::from(STEP_E7)
}

/// Nanometres of a great circle per 1e-7 degree: the mean earth radius of 6,371,008.8 m (IUGG) times pi / 180 / 1e7.
const NANOMETRES_PER_E7: i64 = 11_119_508;

/// The distance between two positions in metres, rounded to the nearest, in integers only.
///
/// Equirectangular with the cosine of the middle latitude, longitude taken the short way round. Below 70 degrees of
/// latitude it overstates the haversine distance by less than 0.1 % within 300 km (worst seen 0.075 %) and by less than
/// 0.01 % within 100 km; farther and nearer the poles by more, up to no use at all across a pole.
#[must_use]
pub fn distance_m(a: Position, b: Position) -> u32 {
    let north_e7 = i64::from(a.lat_e7) - i64::from(b.lat_e7);
    let east_e7 = (i64::from(a.lon_e7) - i64::from(b.lon_e7) + TURN_E7 / 2).rem_euclid(TURN_E7) - TURN_E7 / 2;
    let middle_e7 = i64::midpoint(i64::from(a.lat_e7), i64::from(b.lat_e7));
    let millimetres = |e7: i64| e7 * NANOMETRES_PER_E7 / 1_000_000;
    // Half a turn is 2.0e10 mm, so that times a cosine of 1e8 parts stays within 64 bits.
    let east_mm = millimetres(east_e7) * (cosine_ppb(middle_e7) / 10) / 100_000_000;
    let (north_mm, east_mm) = (millimetres(north_e7).unsigned_abs(), east_mm.unsigned_abs());
    let square = u128::from(north_mm) * u128::from(north_mm) + u128::from(east_mm) * u128::from(east_mm);
    // Most distances are short, and the root of 64 bits is much faster than that of 128.
    let root_mm = u64::try_from(square).map_or_else(|_| square.isqrt(), |square| square.isqrt().into());
    u32::try_from((root_mm + 500) / 1_000).expect("even positions off the earth are within 60,000 km of each other")
}

#[cfg(test)]
#[expect(clippy::float_arithmetic, clippy::cast_possible_truncation)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/cells.txt");
    const GOLDEN_HEAD: &str = "# lat_e7 lon_e7 resolution cell center_lat_e7 center_lon_e7\n";

    /// Poles, antimeridian, pentagons and their edges, cell borders, cities, and a lattice over the whole earth.
    fn golden_positions() -> Vec<Position> {
        let mut positions = Vec::new();
        for lat_e7 in [-QUARTER_E7, -899_999_999, 0, 1, 899_999_999, QUARTER_E7] {
            for lon_e7 in [-1_800_000_000, -1_799_999_999, -1, 0, 1_799_999_999, 1_800_000_000] {
                positions.push(Position { lat_e7, lon_e7 });
            }
        }
        for pentagon in Resolution::Zero.pentagons() {
            let Position { lat_e7, lon_e7 } = Cell(pentagon.into()).center();
            for (north_e7, east_e7) in [(0, 0), (30_000, 0), (0, -30_000), (-40_000_000, 50_000_000)] {
                positions.push(Position { lat_e7: lat_e7 + north_e7, lon_e7: (lon_e7 + east_e7).max(-1_800_000_000) });
            }
        }
        for text in [
            (536_705_710, 95_859_110),
            (571_380_000, -20_770_000),
            (488_647_160, 23_490_140),
            (-338_688_000, 1_512_093_000),
        ] {
            positions.push(Position { lat_e7: text.0, lon_e7: text.1 });
        }
        for row in 0..8i32 {
            for column in 0..14i32 {
                positions.push(Position {
                    lat_e7: -830_000_000 + row * 237_142_857,
                    lon_e7: (column - 7) * 255_000_000 + row * 1_234_567,
                });
            }
        }
        positions
    }

    #[test]
    fn cells_and_their_centres_are_the_same_on_every_machine() {
        let mut text = String::from(GOLDEN_HEAD);
        for (n, position) in golden_positions().into_iter().enumerate() {
            let resolution = [8, 0, 5, 8, 15, 8, 11][n % 7];
            let cell = Cell::containing(position, resolution).unwrap();
            let center = cell.center();
            let Position { lat_e7, lon_e7 } = position;
            text += &format!("{lat_e7} {lon_e7} {resolution} {cell} {} {}\n", center.lat_e7, center.lon_e7);
        }
        if std::env::var_os("CAIRN_BLESS").is_some() {
            std::fs::write(GOLDEN, &text).unwrap();
        }
        let golden = std::fs::read_to_string(GOLDEN).unwrap();
        assert!(golden.lines().count() >= 200);
        for (found, expected) in text.lines().zip(golden.lines()) {
            assert_eq!(found, expected);
        }
        assert_eq!(text.lines().count(), golden.lines().count());
    }

    #[test]
    fn cells_have_one_text_and_parents_contain_their_children() {
        let berlin = Position::of(525_200_080, 134_049_540).unwrap();
        let cell = Cell::containing(berlin, 8).unwrap();
        assert_eq!(cell.to_string(), "881f1d4895fffff");
        assert_eq!(Cell::parse(&cell.to_string()), Ok(cell));
        assert_eq!(Cell::parse("881F1D4895FFFFF"), Ok(cell));
        assert_eq!(Cell::of(cell.index()), Some(cell));
        assert_eq!(cell.resolution(), 8);
        assert_eq!(cell.parent(8), Some(cell));
        assert_eq!(cell.parent(9), None);
        assert_eq!(cell.parent(4), Cell::containing(berlin, 4));
        assert_eq!(Cell::containing(cell.center(), 8), Some(cell));
        for bad in ["", "881f1d4895ffff", "0881f1d4895fffff", "+81f1d4895fffff", "000000000000000", "ffffffffffffffff"]
        {
            assert!(Cell::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_not_on_earth_has_no_cell() {
        assert_eq!(Position::of(900_000_001, 0), None);
        assert_eq!(Position::of(0, -1_800_000_001), None);
        assert_eq!(Position::of(i32::MIN, i32::MIN), None);
        assert_eq!(Cell::containing(Position { lat_e7: i32::MAX, lon_e7: 0 }, 8), None);
        assert_eq!(Cell::containing(Position { lat_e7: 0, lon_e7: 0 }, 16), None);
        assert_eq!(Position { lat_e7: -5, lon_e7: 1_234_567_890 }.to_string(), "-0.0000005, 123.4567890");
    }

    #[test]
    fn the_cosine_table_is_the_cosine() {
        for (step, &ppb) in COSINE_PPB.iter().enumerate() {
            let exact = (step as f64 / 2.0).to_radians().cos();
            assert_eq!(i64::from(ppb), (exact * 1e9).round() as i64, "step {step}");
        }
        for lat_e7 in (-900_000_000..=900_000_000).step_by(777_777) {
            let exact = (f64::from(lat_e7) / 1e7).to_radians().cos() * 1e9;
            let low = exact - cosine_ppb(i64::from(lat_e7)) as f64;
            assert!((-2.0..10_000.0).contains(&low), "{lat_e7}: {low}");
        }
    }

    fn haversine_m(a: Position, b: Position) -> f64 {
        let radians = |e7: i32| (f64::from(e7) / 1e7).to_radians();
        let half_north = (radians(a.lat_e7) - radians(b.lat_e7)) / 2.0;
        let half_east = (radians(a.lon_e7) - radians(b.lon_e7)) / 2.0;
        let h = half_north.sin().powi(2) + radians(a.lat_e7).cos() * radians(b.lat_e7).cos() * half_east.sin().powi(2);
        2.0 * 6_371_008.8 * h.sqrt().min(1.0).asin()
    }

    #[test]
    fn distances_hold_on_known_pairs() {
        let cases = [
            ((0, 0), (0, 0), 0),
            ((0, 0), (0, 90), 1),
            ((0, 0), (10_000_000, 0), 111_195),
            ((0, 1_799_999_000), (0, -1_799_999_000), 22),
            ((0, 1_800_000_000), (0, -1_800_000_000), 0),
            ((-900_000_000, 0), (900_000_000, 0), 20_015_114),
            ((536_705_710, 95_859_110), (535_241_800, 96_850_300), 17_543),
        ];
        for (a, b, metres) in cases {
            let (a, b) = (Position { lat_e7: a.0, lon_e7: a.1 }, Position { lat_e7: b.0, lon_e7: b.1 });
            assert_eq!(distance_m(a, b), metres, "{a} to {b}");
            assert_eq!(distance_m(b, a), metres, "{b} to {a}");
        }
    }

    proptest! {
        #[test]
        fn distances_stay_within_a_thousandth_of_haversine(
            lat_e7 in -699_000_000i32..699_000_000, lon_e7 in -1_800_000_000i32..=1_800_000_000,
            north_e7 in -27_000_000i32..27_000_000, east_ppm in -1_000_000i32..1_000_000, near in 1i32..100,
        ) {
            let a = Position { lat_e7, lon_e7 };
            let lat_b = lat_e7 + north_e7 / near;
            let reach = 27_000_000.0 / f64::from(near) / (f64::from(lat_e7) / 1e7).to_radians().cos();
            let lon_b = i64::from(lon_e7) + (reach * f64::from(east_ppm) / 1e6) as i64;
            let lon_b = (lon_b + TURN_E7 / 2).rem_euclid(TURN_E7) - TURN_E7 / 2;
            let b = Position { lat_e7: lat_b, lon_e7: lon_b as i32 };
            let exact = haversine_m(a, b);
            prop_assume!(exact <= 300_000.0 && lat_b.abs() < 700_000_000);
            let off = (f64::from(distance_m(a, b)) - exact).abs();
            prop_assert!(off <= 1.0 + exact * 0.001, "{a} to {b}: {off} m off in {exact} m");
            if exact <= 100_000.0 {
                prop_assert!(off <= 1.0 + exact * 0.0001, "{a} to {b}: {off} m off in {exact} m");
            }
        }

        #[test]
        fn distance_is_symmetric_and_total(a: (i32, i32), b: (i32, i32)) {
            let (a, b) = (Position { lat_e7: a.0, lon_e7: a.1 }, Position { lat_e7: b.0, lon_e7: b.1 });
            prop_assert_eq!(distance_m(a, b), distance_m(b, a));
            prop_assert_eq!(distance_m(a, a), 0);
        }
    }
}
