//! Readings that nobody measured: for rehearsals, and only there.
//!
//! A network says in its genesis what is rehearsed in it; without a line that begins with [`SIMULATED`] this source is refused, so
//! that no made-up reading stands beside a real one unmarked. What it makes follows from the seed and the time alone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cairn_classes::sensing::Quantity;
use cairn_core::Hash;

use super::feed::Feed;
use crate::{Ended, Raw, Reading, Source, SourceTrouble, Stop};

/// How a network declares that devices in it may be simulated: a line of `rehearsed` in its genesis that begins so.
pub const SIMULATED: &str = "simulated devices";

const DAY_MS: u64 = 86_400_000;

/// Whether a network declares that its devices may be simulated.
#[must_use]
pub fn declares_simulation(rehearsed: &[String]) -> bool {
    rehearsed.iter().any(|what| what.starts_with(SIMULATED))
}

/// The middle of a day, half of its range, and the noise, in the quantity's integer unit.
const fn shape(quantity: Quantity) -> (i64, i64, i64) {
    match quantity {
        Quantity::AirTemperature => (1_200, 600, 40),
        Quantity::RelativeHumidity => (6_500, -1_800, 150),
        Quantity::Pressure => (101_325, 300, 20),
        Quantity::Pm10 => (180, 60, 30),
        Quantity::Pm25 => (90, 40, 20),
        Quantity::WindSpeed => (350, 150, 120),
        Quantity::WindDirection => (180, 60, 30),
        Quantity::Rain => (0, 0, 0),
        Quantity::Illuminance => (20_000, 19_000, 900),
        Quantity::Battery => (3_700, 150, 10),
        Quantity::Irradiance => (300, 280, 15),
        Quantity::Noise => (480, 90, 40),
        Quantity::Co2 => (430, -20, 10),
        Quantity::HostTemperature => (4_800, 300, 100),
        Quantity::HostLoad => (40, 20, 15),
    }
}

/// A value at a time: a wave over the day, and noise that is a hash of seed, quantity and time.
fn value(seed: u64, quantity: Quantity, time_ms: u64) -> i64 {
    let (middle, half, noise) = shape(quantity);
    // From 0 at midnight UTC up to 2 at noon and down again, in thousandths, less one.
    let of_day = i64::try_from(time_ms % DAY_MS).unwrap_or(0);
    let day = i64::try_from(DAY_MS).unwrap_or(1);
    let wave = 1_000 - (4_000 * of_day / day - 2_000).abs();
    let seed = [&seed.to_be_bytes()[..], &[quantity.number()], &time_ms.to_be_bytes()].concat();
    let random = Hash::of(&seed).0;
    let random = i64::from(u16::from_be_bytes([random[0], random[1]])) - 32_768;
    middle + half * wave / 1_000 + noise * random / 32_768
}

/// Made-up readings of some quantities.
pub struct SimulatedSource {
    seed: u64,
    quantities: Vec<Quantity>,
    every: Duration,
}

impl SimulatedSource {
    /// Readings from a seed, every so often, in a network that rehearses this; `None` in any other.
    #[must_use]
    pub fn of(rehearsed: &[String], seed: u64, quantities: Vec<Quantity>, every: Duration) -> Option<Self> {
        declares_simulation(rehearsed).then_some(Self { seed, quantities, every })
    }

    fn at(&self, time_ms: u64) -> Raw {
        let values = self.quantities.iter().map(|quantity| (*quantity, value(self.seed, *quantity, time_ms)));
        let readings: Vec<_> = values.map(|(quantity, value)| Reading { quantity, value }).collect();
        let text =
            readings.iter().fold(format!("simulated seed={}", self.seed), |text, Reading { quantity, value }| {
                format!("{text} {}={}", quantity.key(), quantity.decimal(*value))
            });
        Raw { bytes: text.into_bytes(), said_ms: None, readings, mark: None }
    }
}

impl Source for SimulatedSource {
    fn name(&self) -> String {
        format!("simulated {}", self.seed)
    }

    fn run(self: Box<Self>, out: &dyn Fn(Raw) -> bool, trouble: &dyn Fn(SourceTrouble), stop: &Stop) -> Ended {
        let mut feed = Feed::new(out, trouble, stop);
        loop {
            // What time it is only shapes the wave; when it was measured is said by the node's own clock.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            if !feed.give(self.at(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))) || stop.wait(self.every) {
                return Ended::Stopped;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::collect;
    use super::*;

    #[test]
    fn readings_are_made_up_only_where_that_is_declared() {
        let quantities = vec![Quantity::AirTemperature];
        let of = |rehearsed: &[&str]| {
            let rehearsed: Vec<String> = rehearsed.iter().map(|what| (*what).to_owned()).collect();
            SimulatedSource::of(&rehearsed, 1, quantities.clone(), Duration::from_millis(1))
        };
        for rehearsed in
            [&[][..], &["recorded clock: time follows the data, not the machine"], &["not simulated devices"]]
        {
            assert!(of(rehearsed).is_none(), "{rehearsed:?}");
        }
        let source = of(&["simulated devices: readings are made up"]).unwrap();
        let stop = Stop::default();
        let (found, ended) = collect(Box::new(source), &stop, |count| {
            if count == 3 {
                stop.set()
            }
        });
        assert_eq!((found.values().len(), ended), (3, Ended::Stopped));
    }

    #[test]
    fn what_is_made_up_follows_from_the_seed_and_says_what_it_is() {
        let source = SimulatedSource { seed: 7, quantities: Quantity::all().collect(), every: Duration::ZERO };
        assert_eq!(source.at(1_700_000_000_000), source.at(1_700_000_000_000));
        assert_ne!(value(7, Quantity::Pressure, 0), value(8, Quantity::Pressure, 0));
        assert!(source.at(0).bytes.starts_with(b"simulated seed=7 temperature="));
        let (noon, midnight) =
            (value(7, Quantity::AirTemperature, DAY_MS / 2), value(7, Quantity::AirTemperature, DAY_MS));
        assert!(noon > 1_700 && midnight < 700, "{noon} {midnight}");
    }
}
