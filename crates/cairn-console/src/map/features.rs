//! The cells of a view as a GeoJSON feature collection (RFC 7946), in whole numbers and words.
//!
//! Rings whose cell lies over the antimeridian run on past 180 degrees instead of being cut in two (section 3.1.9 would
//! have them cut): maps draw them as one piece, and other readers lose nothing.

use cairn_core::geo::{Area, Cell};
use cairn_ledger::PlaceSum;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::layer::step_of;
use super::{Layer, Step};
use crate::ConsoleError;
use crate::address::Address;
use crate::money::Money;
use crate::reader::Reader;
use crate::source::Source;

/// Cells of a view, at most.
const CELLS_MAX: usize = 5_000;
/// The closest zoom that is told apart.
const ZOOM_MAX: u64 = 24;
/// The resolution whose cells are between ten and twenty-five points wide, by zoom; beyond it the finest.
const RESOLUTIONS: [u8; 11] = [1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8];

/// What is said of a cell: the same on the map, in tables and on its page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Numbers {
    /// The H3 cell.
    pub cell: String,
    /// Devices there.
    pub devices: u64,
    /// Those that were judged.
    pub judged: u64,
    /// The mean score of those that were scored; `null` where there are none.
    pub score_ppm: Option<u32>,
    /// Those that were, at least once, not compared.
    pub untested: u64,
    /// What they earned together, base units.
    pub paid: String,
}

impl Numbers {
    pub fn of(cell: Cell, sum: &PlaceSum) -> Self {
        Self {
            cell: cell.to_string(),
            devices: sum.devices,
            judged: sum.judged,
            score_ppm: sum.score_ppm(),
            untested: sum.untested,
            paid: sum.paid.to_string(),
        }
    }
}

/// The answer: a feature collection with the statement that its numbers come from.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cells {
    #[serde(rename = "type")]
    kind: &'static str,
    source: Source,
    layer: Layer,
    /// The resolution that the cells were summed up to; those of devices that enrolled with a coarser one stay coarser.
    resolution: u8,
    /// `west,south,east,north` of all devices of the epoch, wherever the view is; `null` where there are none.
    around: Option<String>,
    legend: Vec<Step>,
    features: Vec<Feature>,
}

#[derive(Debug, Clone, Serialize)]
struct Feature {
    #[serde(rename = "type")]
    kind: &'static str,
    properties: Properties,
    geometry: Polygon,
}

#[derive(Debug, Clone, Serialize)]
struct Properties {
    #[serde(flatten)]
    numbers: Numbers,
    /// The step of the legend; `null` where there is no value.
    step: Option<usize>,
    /// The layer's value in words.
    words: String,
    /// The mean score in words.
    score: String,
    /// The pay with its symbol.
    pay: String,
}

/// The outline of a cell.
#[derive(Debug, Clone)]
struct Polygon(Cell);

impl Serialize for Polygon {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'a> {
            #[serde(rename = "type")]
            kind: &'static str,
            coordinates: [Ring<'a>; 1],
        }
        struct Ring<'a>(&'a [(i32, i64)]);
        impl Serialize for Ring<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut points = serializer.serialize_seq(Some(self.0.len()))?;
                for (lat_e7, lon_e7) in self.0 {
                    points.serialize_element(&[Degrees(*lon_e7), Degrees(i64::from(*lat_e7))])?;
                }
                points.end()
            }
        }
        let ring = self.0.outline();
        Shape { kind: "Polygon", coordinates: [Ring(&ring)] }.serialize(serializer)
    }
}

/// Degrees to five places (about a metre), which is what a map needs.
#[derive(Debug, Clone, Copy)]
struct Degrees(i64);

impl Serialize for Degrees {
    #[expect(
        clippy::float_arithmetic,
        clippy::cast_precision_loss,
        reason = "a place on a screen; nothing is paid by it"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let e5 = (self.0 + 50).div_euclid(100);
        serializer.serialize_f64(e5 as f64 / 1e5)
    }
}

/// The part of the earth and the zoom that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct View {
    area: Area,
    zoom: u64,
}

impl View {
    fn read(address: &Address) -> Result<Self, ConsoleError> {
        let zoom = address.number("zoom")?.unwrap_or(0);
        if zoom > ZOOM_MAX {
            return Err(ConsoleError::bad("NET-QUERY", format!("the query parameter `zoom` is at most {ZOOM_MAX}")));
        }
        let area = match address.text("bbox") {
            Some(text) => read_box(text).ok_or_else(|| {
                let expected = "four decimal degrees, `west,south,east,north`";
                ConsoleError::bad("NET-QUERY", format!("the query parameter `bbox` is {expected}, not `{text}`"))
            })?,
            None => Area::EARTH,
        };
        Ok(Self { area, zoom })
    }

    /// The resolution to look at: none finer than what is there, nor than what the widest screen shows of so much of the earth.
    fn resolution(&self, finest: u8) -> u8 {
        let turn_e7 = Area::EARTH.east_e7 - Area::EARTH.west_e7;
        let width_e7 = (self.area.east_e7 - self.area.west_e7).max(1);
        let halvings = (0..ZOOM_MAX).find(|halvings| turn_e7 >> halvings <= width_e7).unwrap_or(ZOOM_MAX);
        // A screen of eight tiles, each of which has the earth at zoom 0.
        let zoom = self.zoom.min(halvings + 3);
        let at = usize::try_from(zoom).unwrap_or(usize::MAX);
        RESOLUTIONS.get(at).copied().unwrap_or(finest).min(finest)
    }
}

/// A box in decimal degrees: `west,south,east,north`.
pub(crate) fn degrees(area: &Area) -> String {
    let of = |e7: i64| crate::pages::device::readings::decimal(e7, 7);
    format!("{},{},{},{}", of(area.west_e7), of(area.south_e7.into()), of(area.east_e7), of(area.north_e7.into()))
}

/// Reads `west,south,east,north`; longitudes may run on past 180 degrees, up to three turns.
fn read_box(text: &str) -> Option<Area> {
    let mut sides = text.split(',').map(degrees_e7);
    let (west, south, east, north) = (sides.next()??, sides.next()??, sides.next()??, sides.next()??);
    let most = 3 * Area::EARTH.east_e7;
    if sides.next().is_some() || west.abs() > most || east.abs() > most {
        return None;
    }
    Area::of(i32::try_from(south).ok()?, i32::try_from(north).ok()?, west, east)
}

/// Decimal degrees with up to seven places as 1e-7 degree.
fn degrees_e7(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || part.len() > 7 || !is_plain(whole) || !is_plain(part) {
        return None;
    }
    format!("{whole}{part:0<7}").parse::<i64>().ok().map(|e7| sign * e7)
}

impl Cells {
    /// Reads the cells of a view: `layer`, `bbox`, `zoom`, and `epoch`, the last closed one where there is none.
    ///
    /// # Errors
    /// [`ConsoleError`] for a query that cannot be read and for an epoch that has not closed.
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["layer", "bbox", "zoom", "epoch"])?;
        let (layer, view) = (Layer::read(address.text("layer"))?, View::read(address)?);
        let epoch = match address.number("epoch")? {
            Some(epoch) => Some(epoch),
            None => reader.last_closed()?,
        };
        let (source, money) = (reader.source(epoch)?, reader.money(epoch)?);
        let (cells, around) = match epoch {
            Some(epoch) => {
                let places = reader.places(epoch)?;
                let cells = places.view(&view.area, view.resolution(places.resolution_max()), CELLS_MAX);
                (cells, places.area().map(|area| degrees(&area)))
            }
            None => ((0, Vec::new()), None),
        };
        Ok(Self { around, ..Self::of(source, layer, cells, &money) })
    }

    fn of(source: Source, layer: Layer, (resolution, cells): (u8, Vec<(Cell, PlaceSum)>), money: &Money) -> Self {
        let values: Vec<u128> = cells.iter().filter_map(|(_, sum)| layer.value(sum)).collect();
        let bounds = layer.bounds(&values);
        let feature = |(cell, sum): &(Cell, PlaceSum)| {
            let value = layer.value(sum);
            Feature {
                kind: "Feature",
                properties: Properties {
                    numbers: Numbers::of(*cell, sum),
                    step: value.map(|value| step_of(&bounds, value)),
                    words: layer.words(value, money),
                    score: Layer::Score.words(Layer::Score.value(sum), money),
                    pay: Layer::Pay.words(Layer::Pay.value(sum), money),
                },
                geometry: Polygon(*cell),
            }
        };
        Self {
            kind: "FeatureCollection",
            source,
            layer,
            resolution,
            around: None,
            legend: layer.steps(&bounds, &values, money),
            features: cells.iter().map(feature).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_four_decimal_degrees() {
        let e7 = |degrees: i64| degrees * 10_000_000;
        for (text, area) in [
            ("-180,-90,180,90", Some(Area::EARTH)),
            ("-400.5,-90,300,90", Some(Area::EARTH)),
            ("9.5,53,10.25,54.0000001", Area::of(530_000_000, 540_000_001, 95_000_000, 102_500_000)),
            ("170,-10,-170,10", Area::of(-100_000_000, 100_000_000, e7(170), e7(190))),
            ("170,-10,190,10", Area::of(-100_000_000, 100_000_000, e7(170), e7(190))),
            ("1,2,3", None),
            ("1,2,3,4,5", None),
            ("1,2,3,1", None),
            ("0,-91,1,1", None),
            ("1e1,2,3,4", None),
            ("1,2,3,+4", None),
            ("600,2,3,4", None),
            ("1,2,3,4.00000001", None),
            ("-,2,3,4", None),
            ("", None),
        ] {
            assert_eq!(read_box(text), area, "{text}");
        }
    }

    #[test]
    fn closer_is_finer_up_to_what_is_there() {
        let town = Area::of(0, 100_000, 0, 100_000).unwrap();
        let at = |zoom| View { area: town, zoom }.resolution(8);
        assert_eq!((at(0), at(5), at(10), at(24)), (1, 4, 8, 8));
        assert!((0..ZOOM_MAX).all(|zoom| at(zoom) <= at(zoom + 1)));
        assert_eq!(View { area: town, zoom: 20 }.resolution(3), 3);
        // Nobody sees the whole earth from close by.
        let eighth = Area::of(0, 1, 0, 450_000_000).unwrap();
        for (area, resolution) in [(Area::EARTH, 3), (eighth, 5), (town, 15)] {
            assert_eq!(View { area, zoom: 24 }.resolution(15), resolution);
        }
    }

    /// Devices in a thousand towns, most of them in few: what networks look like.
    fn devices(count: u32) -> Vec<cairn_ledger::PlaceRow> {
        let mut seed = 1u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let spot = |lat: u64, lon: u64| {
            let e7 = |value: u64, half: i64| i32::try_from(i64::try_from(value).unwrap() - half).unwrap();
            cairn_core::geo::Position::of(e7(lat, 550_000_000), e7(lon, 1_800_000_000)).unwrap()
        };
        let towns: Vec<(u64, u64)> = (0..1_000).map(|_| (random(1_200_000_000), random(3_590_000_000))).collect();
        let row = |number: u32| {
            let mut device = cairn_core::DeviceId([0; 16]);
            device.0[..4].copy_from_slice(&number.to_be_bytes());
            let town = towns[usize::try_from(random(1_000) * random(1_000) / 1_000).unwrap()];
            let position = spot(town.0 + random(5_000_000), town.1 + random(5_000_000));
            cairn_ledger::PlaceRow {
                device,
                cell: Cell::containing(position, 8).unwrap(),
                is_judged: true,
                score_ppm: Some(u32::try_from(random(1_000_001)).unwrap()),
                is_untested: random(5) == 0,
                paid: cairn_core::Amount(random(1 << 30).into()),
            }
        };
        (0..count).map(row).collect()
    }

    /// Prints how long the answers take; nothing depends on it.
    #[test]
    #[ignore = "measures, and holds nothing"]
    fn views_of_a_hundred_thousand_and_a_million_devices_are_timed() {
        let source = Source { network: "n".into(), network_id: "0".into(), as_of: None, rehearsed: Vec::new() };
        let money = Money { symbol: "T".into(), decimals: 18 };
        for count in [100_000, 1_000_000] {
            let rows = devices(count);
            let busy = rows[0].cell.center();
            let start = std::time::Instant::now();
            let places = cairn_ledger::Places::of(rows, Vec::new());
            println!("{count} devices in {} cells, sorted and summed in {:?}", places.cells(), start.elapsed());
            for zoom in [0, 2, 4, 6, 8, 10, 12, 24] {
                // What a screen of 1,280 by 640 points shows around a busy place; at last, what no screen shows.
                let zoomed = if zoom == 24 { 0 } else { zoom };
                let width_e7 = (3_600_000_000i64 * 5 / 2) >> zoomed;
                let side = |at: i32, by: i64| (i64::from(at) + by).clamp(-850_000_000, 850_000_000);
                let south_north = [-1, 1].map(|sign| i32::try_from(side(busy.lat_e7, sign * width_e7 / 4)).unwrap());
                let lon_e7 = i64::from(busy.lon_e7);
                let area =
                    Area::of(south_north[0], south_north[1], lon_e7 - width_e7 / 2, lon_e7 + width_e7 / 2).unwrap();
                let mut times: Vec<(std::time::Duration, usize, usize, u8)> = (0..11)
                    .map(|_| {
                        let start = std::time::Instant::now();
                        let cells = places.view(&area, View { area, zoom }.resolution(8), CELLS_MAX);
                        let (resolution, shown) = (cells.0, cells.1.len());
                        let answer = Cells::of(source.clone(), Layer::Pay, cells, &money);
                        let bytes = serde_json::to_vec(&answer).unwrap().len();
                        (start.elapsed(), shown, bytes, resolution)
                    })
                    .collect();
                times.sort_unstable();
                let (took, shown, bytes, resolution) = times[5];
                println!(
                    "  zoom {zoom}: {shown} cells of resolution {resolution}, {bytes} bytes, {took:?} at the median of 11"
                );
            }
        }
    }

    #[test]
    fn degrees_have_five_places() {
        let shown = |e7| serde_json::to_string(&Degrees(e7)).unwrap();
        for (e7, text) in [(0, "0.0"), (1_341_234_567, "134.12346"), (-95_000_049, "-9.5"), (-95_000_051, "-9.50001")] {
            assert_eq!(shown(e7), text);
        }
    }
}
