//! A city that does not exist: sixty stations on twelve kilometres, a reading every ten minutes.
//!
//! The air has a daily course, weather that wanders, a gradient across the city and a lapse with height; stations have an
//! offset of their own, instruments have noise, one reading in thirty is missing. It is kinder than real air: its errors are
//! independent, and no two streets differ. What a judge does here is an upper bound.

use cairn_classes::sensing::Quantity;
use cairn_core::geo::Position;

use super::field::{Field, Place, Row, day_of};
use crate::random::Random;

const STATIONS: usize = 60;
const CADENCE_MS: u64 = 600_000;
const DAY_MS: u64 = 86_400_000;
const HOUR_MS: u64 = 3_600_000;
/// The least distance between two stations, in 1e-7 degree of either axis.
const APART_E7: i32 = 60_000;
/// A thousand times the sine of every 15 degrees.
const SINE: [i64; 24] = [
    0, 259, 500, 707, 866, 966, 1000, 966, 866, 707, 500, 259, 0, -259, -500, -707, -866, -966, -1000, -966, -866,
    -707, -500, -259,
];

/// What is a station's own.
struct Site {
    east: i64,
    north: i64,
    height_m: i64,
    temperature: i64,
    humidity: i64,
    pressure: i64,
    dust_ppt: i64,
    sun_ppt: i64,
}

/// Weather that all stations share, by the hour.
struct Weather {
    temperature: Vec<i64>,
    humidity: Vec<i64>,
    pressure: Vec<i64>,
    dust: Vec<i64>,
    gradient: Vec<i64>,
}

pub(super) fn simulate(seed: u64, days: u64) -> Field {
    let mut random = Random::of(seed);
    let (places, sites) = stations(&mut random);
    let hours = usize::try_from(days * 24 + 2).expect("a few years at most");
    let mut wander = |half: i64, step: i64| -> Vec<i64> {
        let mut at = 0i64;
        let next = |_| {
            // Pulled back to the middle, or it would walk away for ever.
            at = (at - at / 40 + random.around_zero(step)).clamp(-half, half);
            at
        };
        (0..hours).map(next).collect()
    };
    let weather = Weather {
        temperature: wander(800, 45),
        humidity: wander(1_500, 120),
        pressure: wander(2_200, 60),
        dust: wander(900, 90),
        gradient: wander(150, 12),
    };
    let start_ms = day_of("2025-04-01") * DAY_MS;
    let mut rows = Vec::new();
    for step in 0..days * DAY_MS / CADENCE_MS {
        let after_ms = step * CADENCE_MS;
        for (station, site) in sites.iter().enumerate() {
            if random.one_in(30) {
                continue;
            }
            rows.push(Row {
                station,
                time_ms: start_ms + after_ms,
                values: measure(site, &weather, after_ms, &mut random),
            });
        }
    }
    Field { name: "simulated-city", places, rows, cadence_ms: CADENCE_MS }
}

fn stations(random: &mut Random) -> (Vec<Place>, Vec<Site>) {
    const MIDDLE: (i32, i32) = (520_000_000, 100_000_000);
    let mut corners: Vec<(i32, i32)> = Vec::new();
    while corners.len() < STATIONS {
        let mut side = |half: i64| i32::try_from(random.within(-half, half)).expect("a tenth of a degree");
        let (north, east) = (side(540_000), side(880_000));
        let near = |&(n, e): &(i32, i32)| (n - north).abs() < APART_E7 && (e - east).abs() < APART_E7;
        if !corners.iter().any(near) {
            corners.push((north, east));
        }
    }
    let mut of_corner = |(n, &(north, east)): (usize, &(i32, i32))| {
        let height_m = 60 + i64::from(north) / 12_000 + random.within(-8, 8);
        let place = Place {
            name: format!("simulated-{n:02}"),
            position: Position::of(MIDDLE.0 + north, MIDDLE.1 + east).expect("a place on earth"),
            altitude_cm: Some(i32::try_from(height_m * 100).expect("low")),
        };
        let site = Site {
            east: east.into(),
            north: north.into(),
            height_m,
            temperature: random.around_zero(30),
            humidity: random.around_zero(150),
            pressure: random.around_zero(25),
            dust_ppt: 1_000 + random.around_zero(120),
            sun_ppt: 1_000 + random.around_zero(60),
        };
        (place, site)
    };
    corners.iter().enumerate().map(&mut of_corner).unzip()
}

/// The value at a time of a series by the hour.
fn at(hours: &[i64], after_ms: u64) -> i64 {
    let hour = usize::try_from(after_ms / HOUR_MS).expect("an index");
    let part = i64::try_from(after_ms % HOUR_MS).expect("below an hour");
    let (from, to) = (hours[hour % hours.len()], hours[(hour + 1) % hours.len()]);
    from + (to - from) * part / HOUR_MS.cast_signed()
}

fn measure(site: &Site, weather: &Weather, after_ms: u64, random: &mut Random) -> Vec<(Quantity, i64)> {
    // Warmest at three in the afternoon: the sine's top is at six hours.
    let course = at(&SINE, (after_ms + 15 * HOUR_MS) % DAY_MS) * site.sun_ppt / 1_000;
    // Towards the edge, up to 1.5 degC either way.
    let tilt = at(&weather.gradient, after_ms) * (site.east + site.north) / 1_000_000;
    let common = 1_200 + course / 2 + at(&weather.temperature, after_ms);
    let temperature = common + tilt - site.height_m * 65 / 100 + site.temperature + random.around_zero(12);
    let humidity = 6_800 - course * 16 / 10 + at(&weather.humidity, after_ms) + site.humidity + random.around_zero(60);
    let pressure =
        101_325 + at(&weather.pressure, after_ms) - site.height_m * 12 + site.pressure + random.around_zero(6);
    // Twice a day there is traffic.
    let rush = at(&SINE, (2 * after_ms + 8 * HOUR_MS) % DAY_MS).max(0) / 8;
    let level = (200 + rush) * (1_150 + at(&weather.dust, after_ms)) / 1_000 * site.dust_ppt / 1_000;
    let pm10 = (level * (1_000 + random.around_zero(60)) / 1_000).max(5);
    let pm25 = (level * (600 + random.around_zero(40)) / 1_000).clamp(3, pm10);
    vec![
        (Quantity::AirTemperature, temperature),
        (Quantity::RelativeHumidity, humidity.clamp(1_200, 9_990)),
        (Quantity::Pressure, pressure),
        (Quantity::Pm10, pm10),
        (Quantity::Pm25, pm25),
    ]
}
