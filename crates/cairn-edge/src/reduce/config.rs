//! How readings are reduced, as it stands in a configuration: the `[reduce]` table.

use std::collections::BTreeMap;

use cairn_classes::sensing::Quantity;
use serde::Deserialize;

use super::raw::LENGTH_MS_MAX;
use super::recipe::{Recipe, Reducer};
use crate::map::{Factor, MapError, Unit};

/// Where windows begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// At multiples of their length since 1970 UTC; at the start of the process for as long as the time is not known.
    #[default]
    Utc,
    /// At multiples of their length since the start of the process.
    Boot,
}

/// The `[reduce]` table.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReduceConfig {
    /// Seconds of a window, 1 to a day [default: 60].
    pub window_s: Option<u64>,
    /// Where windows begin.
    #[serde(default)]
    pub align: Align,
    /// The reducer of a quantity, where it is not the usual one.
    #[serde(default)]
    pub quantity: BTreeMap<Quantity, ReducerConfig>,
}

/// A reducer by its name, and with its value where it needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReducerConfig {
    /// The mean.
    Mean,
    /// The lower median.
    Median,
    /// The greatest value.
    Max,
    /// The least value.
    Min,
    /// The latest value.
    Last,
    /// The latest value less the earliest.
    Delta,
    /// How many values there were, times this much, in the quantity's unit.
    Count(Factor),
    /// The first value that reaches this, in the quantity's unit.
    AtLeast(Factor),
    /// The first value at or below this, in the quantity's unit.
    AtMost(Factor),
}

impl ReduceConfig {
    /// The length of a window in ms.
    ///
    /// # Errors
    /// `EDGE-MAPPING`.
    pub fn length_ms(&self) -> Result<u64, MapError> {
        let length_ms = self.window_s.unwrap_or(60).checked_mul(1_000).filter(|ms| (1..=LENGTH_MS_MAX).contains(ms));
        length_ms.ok_or_else(|| MapError::Mapping { what: "`window_s` is 1 to 86400 seconds".to_owned() })
    }

    /// The reducers.
    ///
    /// # Errors
    /// `EDGE-MAPPING` for a reducer that makes no sense of its quantity, `EDGE-RANGE` for a value that is too large.
    pub fn recipe(&self) -> Result<Recipe, MapError> {
        let reducers = self.quantity.iter().map(|(quantity, config)| {
            let value = |factor: Factor| Unit::of(*quantity).to(*quantity)?.at(factor.0);
            let reducer = match *config {
                ReducerConfig::Mean => Reducer::Mean,
                ReducerConfig::Median => Reducer::Median,
                ReducerConfig::Max => Reducer::Max,
                ReducerConfig::Min => Reducer::Min,
                ReducerConfig::Last => Reducer::Last,
                ReducerConfig::Delta => Reducer::Delta,
                ReducerConfig::Count(step) => Reducer::Count(value(step)?),
                ReducerConfig::AtLeast(bound) => Reducer::AtLeast(value(bound)?),
                ReducerConfig::AtMost(bound) => Reducer::AtMost(value(bound)?),
            };
            if reducer.suits(*quantity) {
                return Ok((*quantity, reducer));
            }
            let what = format!("{quantity} goes round in a circle: use `last`, `max`, `min` or a threshold");
            Err(MapError::Mapping { what })
        });
        Ok(Recipe::of(reducers.collect::<Result<Vec<_>, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reducers_are_read_by_their_names() {
        let text = "window_s = 300\nalign = \"boot\"\n[quantity]\ntemperature = \"median\"\nrain = { count = \"0.2\" }\n\
            noise = { at_least = 80 }\nbattery = { at_most = 3300 }\nwind_direction = \"last\"";
        let config: ReduceConfig = toml::from_str(text).unwrap();
        let recipe = config.recipe().unwrap();
        let reducers: Vec<_> = recipe.reducers().collect();
        assert_eq!(
            reducers,
            [
                (Quantity::AirTemperature, Reducer::Median),
                (Quantity::WindDirection, Reducer::Last),
                (Quantity::Rain, Reducer::Count(20)),
                (Quantity::Battery, Reducer::AtMost(3_300)),
                (Quantity::Noise, Reducer::AtLeast(800)),
            ]
        );
        assert_eq!((config.length_ms().unwrap(), config.align), (300_000, Align::Boot));
        assert_eq!(recipe.reducer(Quantity::Co2), Reducer::Mean);
    }

    #[test]
    fn what_cannot_be_reduced_so_is_refused() {
        for (text, code) in [
            ("window_s = 0", "EDGE-MAPPING"),
            ("window_s = 86401", "EDGE-MAPPING"),
            ("[quantity]\nwind_direction = \"mean\"", "EDGE-MAPPING"),
            ("[quantity]\nrain = { count = \"1e30\" }", "EDGE-RANGE"),
        ] {
            let config: ReduceConfig = toml::from_str(text).unwrap();
            let error = config.length_ms().err().or_else(|| config.recipe().err());
            assert_eq!(error.map(|error| error.code()), Some(code), "{text}");
        }
        for text in ["[quantity]\nnonsense = \"mean\"", "[quantity]\nrain = \"average\"", "window = 60"] {
            assert!(toml::from_str::<ReduceConfig>(text).is_err(), "{text}");
        }
    }
}
