//! The header says what the code says: numbers, sizes, and where each field lies.

use core::mem::{align_of, offset_of, size_of};
use std::fmt::Write as _;

use cairn_device::size::{REPORT_BYTES_MAX, report_bytes_max, sensing_bytes_max};
use cairn_device::{Blob, ClockSource, Error, Measured, Quantity, flag};
use cairn_device_c::{ARGUMENT, CReading, CReport, CSigned, NO_RECORD, NULL, OK, has};

use crate::c::{compiled, compiler};
use crate::{printed, root};

fn header() -> String {
    std::fs::read_to_string(root().join("crates/cairn-device-c/include/cairn_device.h")).unwrap()
}

/// The number that a name stands for.
fn defined(header: &str, name: &str) -> i64 {
    let line = header.lines().find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn the_numbers_of_errors_are_those_of_the_code() {
    let header = header();
    let errors = [
        Error::Buffer { needed: 0 },
        Error::TooLarge { bytes: 0 },
        Error::Time,
        Error::ClockError,
        Error::Schema,
        Error::Flags,
        Error::Cell,
        Error::Position,
        Error::BlobSize { blob: 0 },
        Error::BodyForm { at: 0 },
        Error::BodyDepth { at: 0 },
        Error::ReadingCount { count: 0 },
        Error::NoValue { reading: 0 },
        Error::Quantity { reading: 0, number: 0 },
        Error::Twice { reading: 0, number: 0 },
        Error::Value { reading: 0, number: 0 },
        Error::After { reading: 0 },
        Error::Changed,
        Error::BootsSpent,
        Error::SequenceSpent,
        Error::Signer,
    ];
    for error in errors {
        let name = error.code().replace("DEV-", "CAIRN_").replace('-', "_");
        assert_eq!(defined(&header, &name), i64::from(error.number()), "{name}");
    }
    for (name, number) in [("OK", OK), ("NULL", NULL), ("ARGUMENT", ARGUMENT), ("NO_RECORD", NO_RECORD)] {
        assert_eq!(defined(&header, &format!("CAIRN_{name}")), i64::from(number), "{name}");
    }
}

#[test]
fn the_numbers_of_fields_are_those_of_the_code() {
    let header = header();
    let quantities = [
        ("AIR_TEMPERATURE", Quantity::AIR_TEMPERATURE),
        ("RELATIVE_HUMIDITY", Quantity::RELATIVE_HUMIDITY),
        ("PRESSURE", Quantity::PRESSURE),
        ("PM10", Quantity::PM10),
        ("PM25", Quantity::PM25),
        ("WIND_SPEED", Quantity::WIND_SPEED),
        ("WIND_DIRECTION", Quantity::WIND_DIRECTION),
        ("RAIN", Quantity::RAIN),
        ("ILLUMINANCE", Quantity::ILLUMINANCE),
        ("BATTERY", Quantity::BATTERY),
        ("IRRADIANCE", Quantity::IRRADIANCE),
        ("NOISE", Quantity::NOISE),
        ("CO2", Quantity::CO2),
        ("HOST_TEMPERATURE", Quantity::HOST_TEMPERATURE),
        ("HOST_LOAD", Quantity::HOST_LOAD),
    ]
    .map(|(name, quantity)| (name, u32::from(quantity.number())));
    let others = [
        ("MAINTENANCE", u32::from(flag::MAINTENANCE)),
        ("BACKFILLED", u32::from(flag::BACKFILLED)),
        ("LOW_BATTERY", u32::from(flag::LOW_BATTERY)),
        ("CLOCK_NONE", ClockSource::None as u32),
        ("CLOCK_RTC", ClockSource::Rtc as u32),
        ("CLOCK_NETWORK", ClockSource::Network as u32),
        ("CLOCK_NTP", ClockSource::Ntp as u32),
        ("CLOCK_GNSS", ClockSource::Gnss as u32),
        ("HAS_CLOCK", has::CLOCK),
        ("HAS_PREVIOUS", has::PREVIOUS),
        ("HAS_CELL", has::CELL),
        ("HAS_POSITION", has::POSITION),
        ("HAS_ALTITUDE", has::ALTITUDE),
        ("HAS_ERROR", has::ERROR),
        ("HAS_SUBJECT", has::SUBJECT),
        ("REPORT_BYTES_MAX", u32::try_from(REPORT_BYTES_MAX).unwrap()),
    ];
    for (name, number) in quantities.into_iter().chain(others) {
        assert_eq!(defined(&header, &format!("CAIRN_{name}")), i64::from(number), "{name}");
    }
}

macro_rules! fields {
    ($checks:ident, $type:ty, $name:literal, $($field:ident as $c:literal),+) => {
        writeln!($checks, "_Static_assert(sizeof({}) == {}, \"size\");", $name, size_of::<$type>()).unwrap();
        writeln!($checks, "_Static_assert(_Alignof({}) == {}, \"alignment\");", $name, align_of::<$type>()).unwrap();
        $(writeln!($checks, "_Static_assert(offsetof({}, {}) == {}, \"{}\");", $name, $c, offset_of!($type, $field), $c).unwrap();)+
    };
}

#[test]
fn every_field_lies_where_the_header_puts_it() {
    let mut checks = String::from("#include \"cairn_device.h\"\n");
    fields!(checks, Measured, "cairn_measured", value as "value", quantity as "quantity");
    fields!(checks, CReading, "cairn_reading", after_ms as "after_ms", values as "values", values_len as "values_len");
    fields!(checks, Blob, "cairn_blob", hash as "hash", bytes as "bytes");
    fields!(checks, CSigned, "cairn_signed", len as "len", identity as "identity");
    fields!(
        checks, CReport, "cairn_report", boot as "boot", seq as "seq", time_ms as "time_ms", has as "has",
        clock_source as "clock_source", flags as "flags", previous as "previous", subject as "subject",
        clock_error_ms as "clock_error_ms", cell as "cell", lat_e7 as "lat_e7", lon_e7 as "lon_e7",
        altitude_cm as "altitude_cm", error_cm as "error_cm", readings as "readings", readings_len as "readings_len",
        schema as "schema", schema_len as "schema_len", body as "body", body_len as "body_len", answers as "answers",
        answers_len as "answers_len", blobs as "blobs", blobs_len as "blobs_len"
    );
    for (readings, values) in [(1, 1), (1, 15), (12, 3), (600, 4)] {
        let bytes = report_bytes_max(sensing_bytes_max(readings, values), 0, 0);
        writeln!(checks, "_Static_assert(CAIRN_SENSING_REPORT_BYTES_MAX({readings}, {values}) == {bytes}, \"bytes\");")
            .unwrap();
    }
    checks.push_str("int main(void) { return 0; }\n");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("layout.c");
    std::fs::write(&source, checks).unwrap();
    let Some(mut cc) = compiler() else { return };
    // _Static_assert and _Alignof are C11's.
    let program = compiled(cc.arg("-std=gnu11"), &source, folder.path());
    assert_eq!(printed(&mut std::process::Command::new(program)), "");
}
