//! What a sensor says: `sensing/1`, integers by quantity, one reading or many under one signature.
//!
//! `{quantity: value}` is one reading at the report's time; `[[ms after time, {quantity: value}], ...]` is many. Every
//! value is an integer in its quantity's unit, so not-a-number cannot exist. Whether a value is plausible is not asked
//! here: that is the profile's business.

use cairn_core::cbor::Value;

use super::quantity::Quantity;
use crate::ClassError;

/// The greatest magnitude of a value, far beyond any quantity, so that sums and products stay within integers.
pub const VALUE_MAX: i64 = 1_000_000_000_000;

/// The longest time from a report's own time to its last reading: 31 days.
pub const SPAN_MAX_MS: u64 = 31 * 86_400_000;

/// The most readings under one signature (a report of 32,000 bytes cannot hold more than 6,400).
pub const READINGS_MAX: usize = 8_192;

/// Values measured together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Milliseconds after the report's time, at most [`SPAN_MAX_MS`].
    pub after_ms: u64,
    /// At least one value, ascending by quantity, each within [`VALUE_MAX`].
    pub values: Vec<(Quantity, i64)>,
}

/// A parsed body: at least one reading, ascending in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    readings: Vec<Reading>,
}

impl Body {
    /// One reading at the report's own time.
    ///
    /// # Errors
    /// [`ClassError`] for no value, a quantity twice, or a value out of range.
    pub fn one(values: impl IntoIterator<Item = (Quantity, i64)>) -> Result<Self, ClassError> {
        Self::many([(0, values)])
    }

    /// Many readings under one signature, as (ms after the report's time, values).
    ///
    /// # Errors
    /// [`ClassError`] for no reading, readings out of order or too far apart, and for what [`Body::one`] refuses.
    pub fn many<V: IntoIterator<Item = (Quantity, i64)>>(
        readings: impl IntoIterator<Item = (u64, V)>,
    ) -> Result<Self, ClassError> {
        let sorted = |(after_ms, values): (u64, V)| {
            let mut values: Vec<_> = values.into_iter().collect();
            values.sort_unstable_by_key(|&(quantity, _)| quantity);
            Reading { after_ms, values }
        };
        Self::checked(readings.into_iter().map(sorted).collect())
    }

    fn checked(readings: Vec<Reading>) -> Result<Self, ClassError> {
        if readings.is_empty() || readings.len() > READINGS_MAX {
            return Err(ClassError::BodyShape { expected: "a list of one to 8,192 readings" });
        }
        let mut earlier = None;
        for reading in &readings {
            let refused = |what| ClassError::BodyTime { after_ms: signed(reading.after_ms), what };
            if reading.after_ms > SPAN_MAX_MS {
                return Err(refused("more than 31 days"));
            }
            if earlier.is_some_and(|earlier| earlier >= reading.after_ms) {
                return Err(refused("not later than the reading before it"));
            }
            earlier = Some(reading.after_ms);
            check_values(&reading.values)?;
        }
        Ok(Self { readings })
    }

    /// Parses the body of a report.
    ///
    /// # Errors
    /// [`ClassError`] naming the shape, quantity, value or time refused.
    pub fn parse(body: &Value) -> Result<Self, ClassError> {
        let readings = match body {
            Value::Map(_) => vec![Reading { after_ms: 0, values: parse_values(body)? }],
            Value::Array(items) => items.iter().map(parse_reading).collect::<Result<_, _>>()?,
            _ => return Err(ClassError::BodyShape { expected: "a map of values or a list of readings" }),
        };
        Self::checked(readings)
    }

    /// The body as it stands in a report: a map for one reading at the report's time, else a list.
    #[must_use]
    pub fn encode(&self) -> Value {
        let map = |reading: &Reading| {
            Value::map(reading.values.iter().map(|&(q, value)| (q.number().into(), Value::Int(value))).collect())
        };
        match self.readings.as_slice() {
            [only] if only.after_ms == 0 => map(only),
            many => Value::Array(
                many.iter()
                    .map(|reading| Value::Array(vec![Value::Int(signed(reading.after_ms)), map(reading)]))
                    .collect(),
            ),
        }
    }

    /// The readings, ascending in time.
    #[must_use]
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }
}

fn signed(after_ms: u64) -> i64 {
    i64::try_from(after_ms).unwrap_or(i64::MAX)
}

fn parse_reading(item: &Value) -> Result<Reading, ClassError> {
    let shape = ClassError::BodyShape { expected: "a list of [ms after time, values]" };
    let Value::Array(parts) = item else { return Err(shape) };
    let [Value::Int(after_ms), values @ Value::Map(_)] = parts.as_slice() else { return Err(shape) };
    let refused = |_| ClassError::BodyTime { after_ms: *after_ms, what: "before the report's time" };
    Ok(Reading { after_ms: u64::try_from(*after_ms).map_err(refused)?, values: parse_values(values)? })
}

fn parse_values(map: &Value) -> Result<Vec<(Quantity, i64)>, ClassError> {
    let Value::Map(pairs) = map else { return Err(ClassError::BodyShape { expected: "a map of values" }) };
    let parse = |(number, value): &(i64, Value)| {
        let quantity = Quantity::of_number(*number).ok_or(ClassError::BodyQuantity { number: *number })?;
        let value = value.as_int().ok_or(ClassError::BodyShape { expected: "a map of integer values" })?;
        Ok((quantity, value))
    };
    pairs.iter().map(parse).collect()
}

fn check_values(values: &[(Quantity, i64)]) -> Result<(), ClassError> {
    if values.is_empty() {
        return Err(ClassError::BodyShape { expected: "a map of at least one value" });
    }
    if values.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(ClassError::BodyShape { expected: "a map with each quantity once" });
    }
    match values.iter().find(|(_, value)| value.unsigned_abs() > VALUE_MAX.unsigned_abs()) {
        Some(&(quantity, value)) => Err(ClassError::BodyValue { quantity: quantity.key(), value }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::cbor::Decoder;
    use proptest::prelude::*;

    use super::*;

    fn int(value: i64) -> Value {
        Value::Int(value)
    }

    fn reading(after_ms: i64, values: Vec<(i64, Value)>) -> Value {
        Value::Array(vec![int(after_ms), Value::map(values)])
    }

    #[test]
    fn bodies_have_a_fixed_encoding() {
        let one = Body::one([(Quantity::Pm25, 31), (Quantity::AirTemperature, -512)]).unwrap();
        assert_eq!(data(&one), "a2013901ff05181f");
        let many = Body::many([(0, [(Quantity::Pm10, 182)]), (60_000, [(Quantity::Pm10, 190)])]).unwrap();
        assert_eq!(data(&many), "828200a10418b68219ea60a10418be");
        let late = Body::many([(5, [(Quantity::Battery, 3300)])]).unwrap();
        assert_eq!(data(&late), "818205a10a190ce4");
    }

    fn data(body: &Body) -> String {
        body.encode().encode().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn what_is_not_sensing_is_refused_with_a_code() {
        let pm10 = |value| vec![(4, int(value))];
        let cases = [
            (int(1), "CLS-BODY"),
            (Value::Text("20.5".into()), "CLS-BODY"),
            (Value::Array(vec![]), "CLS-BODY"),
            (Value::map(vec![]), "CLS-BODY"),
            (Value::map(vec![(4, Value::Text("1".into()))]), "CLS-BODY"),
            (Value::map(vec![(0, int(1))]), "CLS-QUANTITY"),
            (Value::map(vec![(16, int(1))]), "CLS-QUANTITY"),
            (Value::map(vec![(-4, int(1))]), "CLS-QUANTITY"),
            (Value::map(pm10(VALUE_MAX + 1)), "CLS-VALUE"),
            (Value::map(pm10(i64::MIN)), "CLS-VALUE"),
            (Value::Array(vec![int(0), Value::map(pm10(1))]), "CLS-BODY"),
            (Value::Array(vec![Value::Array(vec![int(0)])]), "CLS-BODY"),
            (Value::Array(vec![reading(0, vec![])]), "CLS-BODY"),
            (Value::Array(vec![reading(-1, pm10(1))]), "CLS-TIME"),
            (Value::Array(vec![reading(1, pm10(1)), reading(1, pm10(1))]), "CLS-TIME"),
            (Value::Array(vec![reading(31 * 86_400_000 + 1, pm10(1))]), "CLS-TIME"),
            (Value::Array(vec![reading(i64::MAX, pm10(1))]), "CLS-TIME"),
        ];
        for (body, code) in cases {
            assert_eq!(Body::parse(&body).map_err(|error| error.code()), Err(code), "{body:?}");
        }
        assert!(Body::one([(Quantity::Pm10, 1), (Quantity::Pm10, 2)]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_parsed_back(
            times in proptest::collection::btree_set(0..=SPAN_MAX_MS, 1..20),
            values in proptest::collection::btree_map(1i64..=15, -VALUE_MAX..=VALUE_MAX, 1..6),
        ) {
            let values: Vec<_> = values.into_iter().map(|(n, v)| (Quantity::of_number(n).unwrap(), v)).collect();
            let body = Body::many(times.into_iter().map(|at| (at, values.clone()))).unwrap();
            let bytes = body.encode().encode();
            let value = Decoder::over(&bytes).value().unwrap();
            prop_assert_eq!(Body::parse(&value), Ok(body));
        }
    }
}
