//! Named reducers, and which one each quantity has.

use std::collections::BTreeMap;

use cairn_classes::sensing::{Quantity, VALUE_MAX};
use cairn_core::cbor::{self, CborError, Decoder, Encoder};

use crate::map::nearest_even;

/// How values of one quantity in one window become one. Numbers are part of the format: added to, never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reducer {
    /// 1: the sum over the number of values, to the nearest integer, ties to the even one.
    Mean,
    /// 2: the middle value; of an even number the lower of the two.
    Median,
    /// 3: the greatest.
    Max,
    /// 4: the least.
    Min,
    /// 5: the latest.
    Last,
    /// 6: the latest less the earliest.
    Delta,
    /// 7: the number of values times this many steps, for what comes as one message for each tip or pulse.
    Count(i64),
    /// 8: the first value that reaches this bound; a window in which none does says nothing.
    AtLeast(i64),
    /// 9: the first value at or below this bound; a window in which there is none says nothing.
    AtMost(i64),
}

impl Reducer {
    /// What a quantity is reduced by unless a configuration says otherwise.
    #[must_use]
    pub const fn of(quantity: Quantity) -> Self {
        match quantity {
            Quantity::Rain | Quantity::WindDirection => Self::Last,
            Quantity::Battery => Self::Min,
            _ => Self::Mean,
        }
    }

    /// Whether it makes sense of a quantity: the mean of two directions is none.
    #[must_use]
    pub const fn suits(self, quantity: Quantity) -> bool {
        !matches!((self, quantity), (Self::Mean | Self::Median | Self::Delta, Quantity::WindDirection))
    }

    /// One value of many in order of time; `None` where there is none, or one beyond [`VALUE_MAX`].
    #[must_use]
    pub fn reduce(self, values: &[i64]) -> Option<i64> {
        let (first, last) = (*values.first()?, *values.last()?);
        let value = match self {
            Self::Mean => {
                let sum: i128 = values.iter().map(|value| i128::from(*value)).sum();
                i64::try_from(nearest_even(sum, i128::try_from(values.len()).ok()?)).ok()?
            }
            Self::Median => {
                let mut sorted = values.to_vec();
                sorted.sort_unstable();
                sorted[(sorted.len() - 1) / 2]
            }
            Self::Max => *values.iter().max()?,
            Self::Min => *values.iter().min()?,
            Self::Last => last,
            Self::Delta => last.checked_sub(first)?,
            Self::Count(step) => i64::try_from(values.len()).ok()?.checked_mul(step)?,
            Self::AtLeast(bound) => *values.iter().find(|value| **value >= bound)?,
            Self::AtMost(bound) => *values.iter().find(|value| **value <= bound)?,
        };
        (value.unsigned_abs() <= VALUE_MAX.unsigned_abs()).then_some(value)
    }

    const fn parts(self) -> (u64, Option<i64>) {
        match self {
            Self::Mean => (1, None),
            Self::Median => (2, None),
            Self::Max => (3, None),
            Self::Min => (4, None),
            Self::Last => (5, None),
            Self::Delta => (6, None),
            Self::Count(step) => (7, Some(step)),
            Self::AtLeast(bound) => (8, Some(bound)),
            Self::AtMost(bound) => (9, Some(bound)),
        }
    }

    fn encode(self, out: &mut Encoder) {
        let (number, value) = self.parts();
        out.array(1 + usize::from(value.is_some())).uint(number);
        if let Some(value) = value {
            out.int(value);
        }
    }

    fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        let at = input.position();
        let parts = input.array()?;
        let reducer = match (input.uint()?, parts) {
            (1, 1) => Self::Mean,
            (2, 1) => Self::Median,
            (3, 1) => Self::Max,
            (4, 1) => Self::Min,
            (5, 1) => Self::Last,
            (6, 1) => Self::Delta,
            (7, 2) => Self::Count(input.int()?),
            (8, 2) => Self::AtLeast(input.int()?),
            (9, 2) => Self::AtMost(input.int()?),
            _ => return Err(CborError::Range { at, what: "no reducer" }),
        };
        input.leave();
        Ok(reducer)
    }
}

/// The reducer of each quantity that has one of its own; all others have [`Reducer::of`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recipe {
    reducers: BTreeMap<Quantity, Reducer>,
}

impl Recipe {
    /// Of these reducers, the last for each quantity.
    #[must_use]
    pub fn of(reducers: impl IntoIterator<Item = (Quantity, Reducer)>) -> Self {
        Self { reducers: reducers.into_iter().collect() }
    }

    /// The reducer of a quantity.
    #[must_use]
    pub fn reducer(&self, quantity: Quantity) -> Reducer {
        self.reducers.get(&quantity).copied().unwrap_or(Reducer::of(quantity))
    }

    /// The same for these quantities alone, each with its reducer written out: what a raw input holds.
    #[must_use]
    pub fn only(&self, quantities: impl IntoIterator<Item = Quantity>) -> Self {
        Self::of(quantities.into_iter().map(|quantity| (quantity, self.reducer(quantity))))
    }

    /// Every quantity that has a reducer of its own, ascending.
    pub fn reducers(&self) -> impl Iterator<Item = (Quantity, Reducer)> + '_ {
        self.reducers.iter().map(|(quantity, reducer)| (*quantity, *reducer))
    }

    pub(super) fn encode(&self, out: &mut Encoder) {
        out.map(self.reducers.len());
        for (quantity, reducer) in &self.reducers {
            out.int(quantity.number().into());
            reducer.encode(out);
        }
    }

    pub(super) fn decode(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        let mut keys = input.map()?;
        let mut reducers = BTreeMap::new();
        loop {
            let at = input.position();
            let Some(key) = keys.next_key(input)? else { break };
            let quantity = Quantity::of_number(key).ok_or(CborError::Range { at, what: "no quantity" })?;
            reducers.insert(quantity, Reducer::decode(input)?);
        }
        input.leave();
        Ok(Self { reducers })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_reducer_gives_what_its_name_says() {
        use Reducer as R;
        let cases: &[(Reducer, &[i64], Option<i64>)] = &[
            (R::Mean, &[1, 2], Some(2)),
            (R::Mean, &[2, 3], Some(2)),
            (R::Mean, &[-1, -2], Some(-2)),
            (R::Mean, &[1, 1, 2], Some(1)),
            (R::Mean, &[VALUE_MAX, VALUE_MAX], Some(VALUE_MAX)),
            (R::Mean, &[], None),
            (R::Median, &[3, 1, 2], Some(2)),
            (R::Median, &[4, 1, 3, 2], Some(2)),
            (R::Max, &[3, 7, -9], Some(7)),
            (R::Min, &[3, 7, -9], Some(-9)),
            (R::Last, &[3, 7], Some(7)),
            (R::Delta, &[3, 9, 7], Some(4)),
            (R::Delta, &[5], Some(0)),
            (R::Delta, &[-VALUE_MAX, VALUE_MAX], None),
            (R::Count(20), &[0, 0, 0], Some(60)),
            (R::Count(i64::MAX), &[0, 0], None),
            (R::Count(1), &[], None),
            (R::AtLeast(5), &[3, 6, 9], Some(6)),
            (R::AtLeast(5), &[3, 4], None),
            (R::AtMost(5), &[9, 5, 1], Some(5)),
            (R::AtMost(0), &[9, 5, 1], None),
            (R::Last, &[], None),
        ];
        for (reducer, values, expected) in cases {
            assert_eq!(reducer.reduce(values), *expected, "{reducer:?} {values:?}");
        }
        for quantity in Quantity::all() {
            assert!(Reducer::of(quantity).suits(quantity), "{quantity}");
        }
    }

    proptest! {
        #[test]
        fn what_is_reduced_is_between_the_least_and_the_greatest(
            values in proptest::collection::vec(-VALUE_MAX..=VALUE_MAX, 1..50),
        ) {
            let (least, greatest) = (values.iter().min().unwrap(), values.iter().max().unwrap());
            for reducer in [Reducer::Mean, Reducer::Median, Reducer::Max, Reducer::Min, Reducer::Last] {
                let value = reducer.reduce(&values).unwrap();
                prop_assert!(value >= *least && value <= *greatest);
            }
            let below = values.iter().filter(|value| **value < Reducer::Median.reduce(&values).unwrap()).count();
            prop_assert!(below * 2 < values.len());
        }
    }
}
