//! Tables: recordings, readings from a pipe, bodies of several items, rows of views.

use std::collections::BTreeMap;

use cairn::dataset::Dataset;
use cairn_classes::sensing::{Quantity, VALUE_MAX};
use cairn_gateway::split_sequence;
use cairn_ledger::split_rows;

fn in_range(values: &BTreeMap<Quantity, i64>) -> bool {
    !values.is_empty() && values.values().all(|value| value.unsigned_abs() <= VALUE_MAX.unsigned_abs())
}

/// CSV, plain or gzipped, with places of its own.
pub fn dataset(bytes: &[u8]) {
    let Ok(dataset) = Dataset::read(bytes, "the corpus", &BTreeMap::new()) else { return };
    let mut last = 1;
    for row in &dataset.readings {
        assert!(row.line > last, "line {} after {last}", row.line);
        last = row.line;
        assert!(row.station < dataset.stations.len() && in_range(&row.values), "line {}", row.line);
    }
    for station in &dataset.stations {
        assert!(station.position.is_on_earth(), "{}", station.name);
    }
}

pub fn readings(bytes: &[u8]) {
    let Ok(rows) = cairn::parse::readings(bytes) else { return };
    let mut last = 0;
    for (line, _, values) in rows.into_iter().flatten() {
        assert!(line > last && in_range(&values), "line {line} after {last}: {values:?}");
        last = line;
    }
}

/// A body with several reports or statements; and, as views read it, a sequence of rows.
pub fn submission(bytes: &[u8]) {
    if let Some(split) = split_sequence(bytes, 1_000) {
        let mut whole = split.items.concat();
        assert_eq!(split.rest.as_ref().map_or(bytes.len(), |rest| rest.at), whole.len());
        if let Some(rest) = &split.rest {
            whole.extend_from_slice(&bytes[rest.at..rest.at + rest.bytes]);
        }
        assert_eq!(whole, bytes);
    }
    if let Ok(rows) = split_rows(bytes) {
        assert_eq!(rows.concat(), bytes);
    }
}
