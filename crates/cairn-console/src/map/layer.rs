//! The layers, and the steps that their colours stand for.

use cairn_core::{Amount, PPM};
use cairn_ledger::PlaceSum;
use serde::Serialize;

use crate::ConsoleError;
use crate::markup::link::percent;
use crate::money::Money;
use crate::words::count;

/// Steps of a legend, at most: as many as a reader tells apart.
pub(crate) const STEPS_MAX: usize = 5;

/// What a map shows of its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Layer {
    Score,
    Devices,
    Pay,
    Untested,
}

/// What a colour stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// Its number, from 0.
    pub step: usize,
    /// The least value: parts per million, devices or base units.
    pub from: String,
    /// The value that is too large; `null` for the last step.
    pub below: Option<String>,
    /// The same in words.
    pub words: String,
    /// Cells of the view that are in it.
    pub cells: u64,
}

impl Layer {
    /// All layers, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Score, Self::Devices, Self::Pay, Self::Untested];

    /// The word in addresses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Devices => "devices",
            Self::Pay => "pay",
            Self::Untested => "untested",
        }
    }

    /// What people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Score => "Score",
            Self::Devices => "Devices",
            Self::Pay => "Pay",
            Self::Untested => "Not compared",
        }
    }

    /// What it is, in a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Score => "The mean score of the devices that were scored: how much of what they delivered counted.",
            Self::Devices => "How many devices stand there, judged or not.",
            Self::Pay => "What the devices there earned together.",
            Self::Untested => {
                "The part of the judged devices that had, at least once, too few others near enough to compare them with. \
                 Nothing is lost by that."
            }
        }
    }

    /// How the cells of a table are ordered by it.
    pub const fn order(self) -> &'static str {
        match self {
            Self::Score => "lowest score first",
            Self::Devices => "most devices first",
            Self::Pay => "most pay first",
            Self::Untested => "largest part first",
        }
    }

    /// Reads the word; the first layer where there is none.
    ///
    /// # Errors
    /// `NET-QUERY`.
    pub fn read(word: Option<&str>) -> Result<Self, ConsoleError> {
        let Some(word) = word else { return Ok(Self::Score) };
        let found = Self::ALL.into_iter().find(|layer| layer.word() == word);
        let detail = || format!("there is no layer `{word}`; there are: score, devices, pay, untested");
        found.ok_or_else(|| ConsoleError::bad("NET-QUERY", detail()))
    }

    /// The value of a cell; `None` where there is nobody of whom it could be said.
    pub fn value(self, sum: &PlaceSum) -> Option<u128> {
        match self {
            Self::Score => sum.score_ppm().map(u128::from),
            Self::Devices => Some(sum.devices.into()),
            Self::Pay => Some(sum.paid.0),
            Self::Untested => sum.untested_ppm().map(u128::from),
        }
    }

    /// What is said where there is nobody of whom it could be said.
    pub const fn nobody(self) -> &'static str {
        match self {
            Self::Score => "nobody was scored",
            _ => "nobody was judged",
        }
    }

    /// A value in words.
    pub fn words(self, value: Option<u128>, money: &Money) -> String {
        let Some(value) = value else { return self.nobody().to_owned() };
        match self {
            Self::Score | Self::Untested => format!("{} %", percent(u32::try_from(value).unwrap_or(PPM))),
            Self::Devices => count(u64::try_from(value).unwrap_or(u64::MAX), "device", "devices"),
            Self::Pay => format!("{} {}", Amount(value).display(money.decimals), money.symbol),
        }
    }

    /// Where each step begins, ascending from the least value on.
    pub fn bounds(self, values: &[u128]) -> Vec<u128> {
        match self {
            Self::Score => vec![0, 500_000, 800_000, 950_000, PPM.into()],
            Self::Untested => vec![0, 1, 250_000, 500_000, 750_000],
            Self::Devices => spread(values, 1),
            Self::Pay => spread(values, 0),
        }
    }

    /// The legend: each step with how many of the values are in it.
    pub fn steps(self, bounds: &[u128], values: &[u128], money: &Money) -> Vec<Step> {
        let step = |(step, from): (usize, &u128)| {
            let below = bounds.get(step + 1);
            let is_in = |value: &&u128| *value >= from && below.is_none_or(|below| *value < below);
            Step {
                step,
                from: from.to_string(),
                below: below.map(ToString::to_string),
                words: self.range(*from, below.copied(), money),
                cells: values.iter().filter(is_in).count() as u64,
            }
        };
        bounds.iter().enumerate().map(step).collect()
    }

    /// A step in words.
    fn range(self, from: u128, below: Option<u128>, money: &Money) -> String {
        let of = |value| self.words(Some(value), money);
        match (self, from, below) {
            (Self::Devices, from, Some(below)) if below == from + 1 => of(from),
            (Self::Devices, from, Some(below)) => format!("{from} to {}", of(below - 1)),
            (Self::Score, from, None) if from == PPM.into() => of(from),
            (Self::Untested, 0, _) => of(0),
            (Self::Untested, 1, Some(below)) => format!("above 0 % to below {}", of(below)),
            (_, 0, Some(below)) => format!("below {}", of(below)),
            (_, from, Some(below)) => format!("{} to below {}", of(from), of(below)),
            (_, from, None) => format!("{} and more", of(from)),
        }
    }
}

/// The step that a value is in.
pub(crate) fn step_of(bounds: &[u128], value: u128) -> usize {
    bounds.partition_point(|from| *from <= value).saturating_sub(1)
}

/// Bounds between which values are about as many, each 1, 2 or 5 times a power of ten, so that they are read at a glance.
fn spread(values: &[u128], least: u128) -> Vec<u128> {
    let mut sorted: Vec<u128> = values.to_vec();
    sorted.sort_unstable();
    let mut bounds = vec![least];
    for part in 1..STEPS_MAX {
        let Some(value) = sorted.get(sorted.len() * part / STEPS_MAX) else { break };
        let bound = at_a_glance(*value);
        if bounds.last().is_some_and(|last| bound > *last) {
            bounds.push(bound);
        }
    }
    bounds
}

/// The largest 1, 2 or 5 times a power of ten that is not above a value; 0 for 0.
fn at_a_glance(value: u128) -> u128 {
    let Some(digits) = value.checked_ilog10() else { return 0 };
    let power = 10u128.pow(digits);
    match value / power {
        1 => power,
        2..=4 => 2 * power,
        _ => 5 * power,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MONEY: fn() -> Money = || Money { symbol: "T".into(), decimals: 2 };

    #[test]
    fn bounds_are_read_at_a_glance() {
        for (value, bound) in
            [(0, 0), (1, 1), (4, 2), (9, 5), (10, 10), (49, 20), (50, 50), (u128::MAX, 2 * 10u128.pow(38))]
        {
            assert_eq!(at_a_glance(value), bound, "{value}");
        }
        assert_eq!(Layer::Devices.bounds(&[1, 1, 1, 3, 7, 30, 30, 30, 30, 120]), [1, 5, 20]);
        assert_eq!(Layer::Devices.bounds(&[]), [1]);
    }

    #[test]
    fn who_was_judged_and_not_scored_has_no_value_where_it_is_about_scores() {
        let unscored = PlaceSum { devices: 2, judged: 2, untested: 1, ..PlaceSum::default() };
        let zero = PlaceSum { scored: 1, ..unscored };
        let told = |layer: Layer, sum: &PlaceSum| layer.words(layer.value(sum), &MONEY());
        assert_eq!(told(Layer::Score, &unscored), "nobody was scored");
        assert_eq!((told(Layer::Score, &zero), told(Layer::Untested, &unscored)), ("0 %".into(), "50 %".into()));
        assert_eq!(told(Layer::Untested, &PlaceSum::default()), "nobody was judged");
    }

    #[test]
    fn legends_say_their_ranges() {
        let words = |layer: Layer, bounds: &[u128]| {
            layer.steps(bounds, &[], &MONEY()).into_iter().map(|step| step.words).collect::<Vec<_>>()
        };
        assert_eq!(words(Layer::Devices, &[1, 2, 20]), ["1 device", "2 to 19 devices", "20 devices and more"]);
        assert_eq!(words(Layer::Pay, &[0, 5_000, 20_000]), ["below 50 T", "50 T to below 200 T", "200 T and more"]);
        assert_eq!(
            words(Layer::Score, &Layer::Score.bounds(&[])),
            ["below 50 %", "50 % to below 80 %", "80 % to below 95 %", "95 % to below 100 %", "100 %"]
        );
        assert_eq!(
            words(Layer::Untested, &Layer::Untested.bounds(&[])),
            ["0 %", "above 0 % to below 25 %", "25 % to below 50 %", "50 % to below 75 %", "75 % and more"]
        );
    }

    proptest! {
        #[test]
        fn every_value_is_in_one_step(values in proptest::collection::vec(1u128..1_000_000, 0..60)) {
            for layer in Layer::ALL {
                let bounds = layer.bounds(&values);
                prop_assert!(bounds.is_sorted_by(|a, b| a < b) && bounds.len() <= STEPS_MAX);
                let steps = layer.steps(&bounds, &values, &MONEY());
                prop_assert_eq!(steps.iter().map(|step| step.cells).sum::<u64>(), values.len() as u64);
                for (number, step) in steps.iter().enumerate() {
                    let own = values.iter().filter(|value| step_of(&bounds, **value) == number).count();
                    prop_assert_eq!(own as u64, step.cells);
                }
            }
        }
    }
}
