//! SenML in JSON, numbers as they are written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{NAME_BYTES_MAX, RECORDS_MAX, Record, payload};
use crate::{BridgeError, Exact};

type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The records of a pack.
pub(super) fn records(bytes: &[u8]) -> Result<Vec<Record>, BridgeError> {
    let rows: Vec<&RawValue> = serde_json::from_slice(bytes).map_err(|error| payload(error.to_string()))?;
    if rows.is_empty() || rows.len() > RECORDS_MAX {
        return Err(payload(format!("{} records; 1 to {RECORDS_MAX} are read", rows.len())));
    }
    rows.into_iter().map(|row| record(row.get())).collect()
}

fn record(text: &str) -> Result<Record, BridgeError> {
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| payload(error.to_string()))?;
    let mut record = Record::default();
    for (label, value) in fields {
        match label.as_ref() {
            "bn" => record.base_name = Some(name(value)?),
            "bt" => record.base_time = Some(number(value)?),
            "bu" => record.base_unit = Some(name(value)?),
            "bv" => record.base_value = Some(number(value)?),
            "bver" => record.base_version = Some(number(value)?),
            "n" => record.name = Some(name(value)?),
            "u" => record.unit = Some(name(value)?),
            "v" => record.value = Some(number(value)?),
            "t" => record.time = Some(number(value)?),
            "vs" | "vb" | "vd" | "s" => record.is_other = true,
            other if other.ends_with('_') => {
                return Err(payload(format!("the label `{}` has to be understood", shown(other))));
            }
            _ => {}
        }
    }
    Ok(record)
}

fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_default).collect()
}

fn name(value: &RawValue) -> Result<String, BridgeError> {
    let text: String = serde_json::from_str(value.get()).map_err(|error| payload(error.to_string()))?;
    if text.len() > NAME_BYTES_MAX {
        return Err(payload(format!("a name of more than {NAME_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn number(value: &RawValue) -> Result<Exact, BridgeError> {
    if !value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Err(payload("a number is none".to_owned()));
    }
    Exact::parse(value.get())
}
