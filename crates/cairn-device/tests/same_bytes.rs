//! The same inputs give, byte for byte, what `cairn-core` makes of them: the released goldens, and anything random.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, missing_docs)]

use cairn_classes::sensing::{Body as SensingBody, Quantity as CoreQuantity};
use cairn_core::cbor::{Decoder, Value};
use cairn_core::key::SecretKey;
use cairn_core::report::{self as core_report, Report as CoreReport, ReportBody, ReportedPlace, sign_report};
use cairn_core::{DeviceId as CoreDeviceId, Hash, NetworkId as CoreNetworkId};
use cairn_device::size::{REPORT_BYTES_MAX, report_bytes_max, sensing_bytes_max};
use cairn_device::{
    AFTER_MAX_MS, Blob, Body, ClockSource, DeviceId, DeviceKey, Error, Measured, Name, NetworkId, Place, Quantity,
    Reading, Report, Restart, VALUE_MAX, flag,
};
use data_encoding::HEXLOWER;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use proptest::prelude::*;

#[path = "../../../examples/device-firmware/src/report.rs"]
mod firmware;

const FORMATS: &str = include_str!("../../cairn-core/goldens/formats.txt");
const TIME_MS: u64 = 1_700_000_000_000;
const SEED: [u8; 32] = [2; 32];

fn golden(name: &str) -> Vec<u8> {
    let line = FORMATS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    HEXLOWER.decode(line.as_bytes()).unwrap()
}

fn network() -> NetworkId {
    NetworkId(golden("network-id").try_into().unwrap())
}

/// The name `(boot, seq)`, as a device comes to it.
fn name(boot: u32, seq: u32) -> Name {
    Name { boot, seq }
}

/// A signer as a secure element is one: it sees a digest, and answers.
fn element(secret: [u8; 32]) -> impl Fn(&[u8; 32]) -> Option<[u8; 64]> {
    let key = p256::ecdsa::SigningKey::from_slice(&secret).unwrap();
    move |digest| {
        let signature: p256::ecdsa::Signature = key.sign_prehash(digest).ok()?;
        Some(signature.to_bytes().into())
    }
}

#[test]
fn keys_ids_and_reports_are_the_released_ones() {
    let key = DeviceKey::from_seed(&SEED);
    assert_eq!([&[0xed, 1][..], &key.public()].concat(), golden("key-ed25519"));
    assert_eq!(key.device().0[..], golden("device-id"));
    let core_id = CoreDeviceId(key.device().0);
    assert_eq!(core::str::from_utf8(&key.device().text()), Ok(core_id.to_string().as_str()));

    let mut buffer = [0; 1_000];
    let nothing = [Measured::of(Quantity::PM10, 0)];
    let nothing = Reading { after_ms: 0, values: &nothing };
    let least = Report::sensing(name(0, 0), 0, &nothing);
    assert_eq!(least.sign(&key, key.device(), &network(), &mut buffer).unwrap().bytes(), golden("report-least"));

    let values = [Measured::of(Quantity::PM10, 146), Measured::of(Quantity::AIR_TEMPERATURE, -250)];
    let reading = Reading { after_ms: 0, values: &values };
    let blobs = [Blob { hash: [4; 32], bytes: 1_000_000 }];
    let full = Report::sensing(name(3, 1_000), TIME_MS, &reading)
        .clock(ClockSource::Ntp, 20)
        .previous([7; 8])
        .flags(flag::BACKFILLED | flag::LOW_BATTERY)
        .place(Place::Exact { lat_e7: 536_705_710, lon_e7: -95_859_110, altitude_cm: Some((1_200, Some(500))) })
        .subject(DeviceId([6; 16]))
        .answers(&[[5; 32]])
        .blobs(&blobs);
    let signed = full.sign(&key, key.device(), &network(), &mut buffer).unwrap();
    assert_eq!(signed.bytes(), golden("report-full"));
    assert_eq!(signed.identity(), Hash::of(&golden("report-full-payload")).0);
    assert_eq!(signed.previous(), signed.identity()[..8]);

    let least = least.sign_p256(key.device(), &network(), &mut buffer, element([3; 32])).unwrap();
    assert_eq!(least.bytes(), golden("report-p256"));
    let compressed: [u8; 33] = golden("key-p256")[2..].try_into().unwrap();
    let core_key = SecretKey::p256([3; 32]).unwrap().public();
    assert_eq!(DeviceId::of_p256(&compressed).unwrap().0, core_key.key_id());
    assert_eq!(DeviceId::of_p256(&[4; 33]), None);
}

#[test]
fn a_secure_elements_point_is_compressed_as_the_network_has_it() {
    for scalar in 1..40_u8 {
        let key = p256::ecdsa::SigningKey::from_slice(&[scalar; 32]).unwrap();
        let whole = key.verifying_key().to_sec1_point(false);
        let point: [u8; 64] = whole.as_bytes()[1..].try_into().unwrap();
        let multicodec = SecretKey::p256([scalar; 32]).unwrap().public().multicodec();
        assert_eq!(cairn_device::compress_p256(&point)[..], multicodec[2..]);
    }
}

#[test]
fn each_broken_rule_is_refused_with_its_number_and_signs_nothing() {
    let key = DeviceKey::from_seed(&SEED);
    let temperature = Quantity::AIR_TEMPERATURE;
    let good = [Measured::of(temperature, 1)];
    let at = |after_ms| Reading { after_ms, values: &good };
    let (high, low) = ([Measured::of(temperature, VALUE_MAX + 1)], [Measured::of(temperature, i64::MIN)]);
    let twice = [good[0], Measured::of(Quantity::PM10, 1), good[0]];
    let of = |values| Reading { after_ms: 0, values };
    let (empty, high, low, twice) = (of(&[]), of(&high), of(&low), of(&twice));
    let late = at(AFTER_MAX_MS + 1);
    let backwards = [at(5), at(5)];
    let none: &[Reading<'_>] = &[];
    let many = vec![at(0); 8_193];
    let many = &many[..];
    let plain = at(0);
    let sensing = Report::sensing(name(1, 2), TIME_MS, &plain);
    let encoded = |schema, value| Report::of(name(0, 0), 0, Body::Encoded { schema, value });
    let exact = |lat_e7, lon_e7| Place::Exact { lat_e7, lon_e7, altitude_cm: None };
    let whole = vec![0; 32_000];
    let whole = [&[0x59, 0x7d, 0x00][..], &whole].concat();
    let bad_blob = [Blob { hash: [0; 32], bytes: 1 }, Blob { hash: [0; 32], bytes: 1 << 63 }];
    let rows = [
        (encoded("audio/1", &whole), Error::TooLarge { bytes: 32_003 + 94 + 17 }),
        (Report::sensing(name(0, 0), 1 << 63, &plain), Error::Time),
        (sensing.clock(ClockSource::Rtc, 1 << 63), Error::ClockError),
        (encoded("", &[0]), Error::Schema),
        (encoded("a\n", &[0]), Error::Schema),
        (encoded("\u{fc}", &[0]), Error::Schema),
        (encoded("a schema of thirty-three letters.", &[0]), Error::Schema),
        (sensing.flags(8), Error::Flags),
        (sensing.place(Place::Cell(0)), Error::Cell),
        (sensing.place(Place::Cell(u64::MAX)), Error::Cell),
        (sensing.place(exact(900_000_001, 0)), Error::Position),
        (sensing.place(exact(0, -1_800_000_001)), Error::Position),
        (sensing.blobs(&bad_blob), Error::BlobSize { blob: 1 }),
        (encoded("audio/1", &[]), Error::BodyForm { at: 0 }),
        (encoded("audio/1", &[0xa1, 1, 0xf5]), Error::BodyForm { at: 2 }),
        (encoded("audio/1", &[0x81; 8]), Error::BodyDepth { at: 7 }),
        (Report::sensing(name(0, 0), 0, &none), Error::ReadingCount { count: 0 }),
        (Report::sensing(name(0, 0), 0, &many), Error::ReadingCount { count: 8_193 }),
        (Report::sensing(name(0, 0), 0, &empty), Error::NoValue { reading: 0 }),
        (Report::sensing(name(0, 0), 0, &high), Error::Value { reading: 0, number: 1 }),
        (Report::sensing(name(0, 0), 0, &low), Error::Value { reading: 0, number: 1 }),
        (Report::sensing(name(0, 0), 0, &twice), Error::Twice { reading: 0, number: 1 }),
        (Report::sensing(name(0, 0), 0, &late), Error::After { reading: 0 }),
        (Report::sensing(name(0, 0), 0, &backwards), Error::After { reading: 1 }),
    ];
    for (report, error) in rows {
        let mut buffer = [0; 40_000];
        assert_eq!(report.sign(&key, key.device(), &network(), &mut buffer).err(), Some(error), "{error}");
        assert!(buffer.iter().rev().take(32_000).all(|byte| *byte == 0));
    }
    assert_eq!(sensing.sign_p256(key.device(), &network(), &mut [0; 500], |_| None).err(), Some(Error::Signer));
}

#[test]
fn every_error_has_a_number_and_a_code_of_its_own() {
    let all = [
        Error::Buffer { needed: 1 },
        Error::TooLarge { bytes: 1 },
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
    let mut codes: Vec<_> = all.iter().map(Error::code).collect();
    assert_eq!(all.iter().map(Error::number).collect::<Vec<_>>(), (1..=21).collect::<Vec<_>>());
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all.len());
    assert!(all.iter().all(|error| !error.hint().is_empty() && !error.to_string().is_empty()));
}

/// Readings that are other ones each time they are asked for.
struct Restless(core::cell::Cell<i64>);

impl cairn_device::Readings for Restless {
    fn count(&self) -> usize {
        1
    }

    fn reading(&self, _: usize) -> Option<Reading<'_>> {
        const SHORT: [Measured; 1] = [Measured::of(Quantity::PM10, 1)];
        const LONG: [Measured; 1] = [Measured::of(Quantity::PM10, 1_000)];
        self.0.set(self.0.get() + 1);
        let values = if self.0.get() > 5 { &LONG } else { &SHORT };
        Some(Reading { after_ms: 0, values })
    }
}

#[test]
fn what_changes_while_it_is_written_is_not_signed() {
    let key = DeviceKey::from_seed(&SEED);
    let outcomes: Vec<_> = (-4..8)
        .map(|before| {
            let restless = Restless(core::cell::Cell::new(before));
            let report = Report::sensing(name(0, 0), 0, &restless);
            let mut buffer = [0; 500];
            let signed = report.sign(&key, key.device(), &network(), &mut buffer);
            signed.map(|signed| CoreReport::parse(signed.bytes()).is_ok())
        })
        .collect();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(true) | Err(Error::Changed))), "{outcomes:?}");
    assert!(outcomes.contains(&Ok(true)) && outcomes.contains(&Err(Error::Changed)));
}

/// Room for everything that a random report points to.
#[derive(Debug, Clone)]
struct Drawn {
    core: ReportBody,
    cell_ok: bool,
}

fn any_uint() -> impl Strategy<Value = u64> {
    // Every length of a head, and the edges between them.
    prop_oneof![0..300_u64, 65_000..66_000_u64, (1_u64 << 32) - 3..(1_u64 << 32) + 3, 0..=i64::MAX as u64]
}

fn any_place() -> impl Strategy<Value = (ReportedPlace, bool)> {
    let altitude = proptest::option::of((any::<i32>(), proptest::option::of(any::<u32>())));
    let exact = (-900_000_000..=900_000_000_i64, -1_800_000_000..=1_800_000_000_i64, altitude).prop_map(
        |(lat_e7, lon_e7, altitude)| ReportedPlace::Exact {
            lat_e7,
            lon_e7,
            altitude: altitude.map(|(altitude, error)| (altitude.into(), error.map(i64::from))),
        },
    );
    let cell =
        (0..122_u64, 0..=15_u64, proptest::collection::vec(0..7_u64, 15)).prop_map(|(base, resolution, digits)| {
            let start = (1 << 59) | (resolution << 52) | (base << 45);
            let cell = (1..=15)
                .zip(digits)
                .fold(start, |cell, (at, digit)| cell | ((if at <= resolution { digit } else { 7 }) << (45 - 3 * at)));
            ReportedPlace::Cell(cell)
        });
    let wrong = any::<u64>().prop_map(|cell| ReportedPlace::Cell((cell >> 1) | 1 << 62));
    prop_oneof![3 => exact.prop_map(|place| (place, true)), 3 => cell.prop_map(|place| (place, true)), 1 => wrong.prop_map(|place| (place, false))]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
        "[ -~]{0,40}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(6, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            proptest::collection::btree_map(any::<i64>(), inner, 0..6)
                .prop_map(|map| Value::map(map.into_iter().collect())),
        ]
    })
}

fn any_sensing() -> impl Strategy<Value = SensingBody> {
    let values = proptest::collection::btree_map(1..=15_i64, prop_oneof![-300..300_i64, -VALUE_MAX..=VALUE_MAX], 1..16);
    let after = prop_oneof![0..3_u64, 0..=AFTER_MAX_MS];
    proptest::collection::btree_map(after, values, 1..30).prop_map(|readings| {
        let typed = |values: std::collections::BTreeMap<i64, i64>| {
            values
                .into_iter()
                .map(|(number, value)| (CoreQuantity::of_number(number).unwrap(), value))
                .collect::<Vec<_>>()
        };
        SensingBody::many(readings.into_iter().map(|(after_ms, values)| (after_ms, typed(values)))).unwrap()
    })
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let clock = proptest::option::of((0..5_u8, any_uint()));
    let blobs = proptest::collection::vec((any::<[u8; 32]>().prop_map(Hash), any_uint()), 0..30);
    let answers = proptest::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..30);
    let optional =
        (clock, any::<Option<[u8; 8]>>(), 0..8_u64, proptest::option::of(any_place()), any::<Option<[u8; 16]>>());
    (any::<u32>(), any::<u32>(), any_uint(), "[ -~]{1,32}", any_value(), optional, answers, blobs).prop_map(
        |(boot, seq, time_ms, schema, value, (clock, previous, flags, place, subject), answers, blobs)| {
            let core = ReportBody {
                clock: clock.map(|(source, error_ms)| (core_clock(source), error_ms)),
                previous,
                flags,
                place: place.as_ref().map(|(place, _)| place.clone()),
                subject,
                answers,
                blobs,
                ..ReportBody::of(boot, seq, time_ms, &schema, value)
            };
            Drawn { core, cell_ok: place.is_none_or(|(_, ok)| ok) }
        },
    )
}

const fn core_clock(source: u8) -> core_report::ClockSource {
    match source {
        0 => core_report::ClockSource::None,
        1 => core_report::ClockSource::Rtc,
        2 => core_report::ClockSource::Network,
        3 => core_report::ClockSource::Ntp,
        _ => core_report::ClockSource::Gnss,
    }
}

/// Says with the device's crate what a core body says, and hands it to `then`.
fn with_report<T>(core: &ReportBody, body: Body<'_>, then: impl FnOnce(&Report<'_>) -> T) -> T {
    let answers: Vec<[u8; 32]> = core.answers.iter().map(|hash| hash.0).collect();
    let blobs: Vec<Blob> = core.blobs.iter().map(|&(hash, bytes)| Blob { hash: hash.0, bytes }).collect();
    let mut report = Report::of(name(core.boot, core.seq), core.time_ms, body)
        .flags(core.flags as u8)
        .answers(&answers)
        .blobs(&blobs);
    if let Some((source, error_ms)) = core.clock {
        report = report.clock(ClockSource::of_number(source.number() as u8).unwrap(), error_ms);
    }
    if let Some(previous) = core.previous {
        report = report.previous(previous);
    }
    if let Some(subject) = core.subject {
        report = report.subject(DeviceId(subject));
    }
    match &core.place {
        None => {}
        Some(ReportedPlace::Cell(cell)) => report = report.place(Place::Cell(*cell)),
        Some(ReportedPlace::Exact { lat_e7, lon_e7, altitude }) => {
            let altitude_cm = altitude.map(|(cm, error)| (cm as i32, error.map(|error| error as u32)));
            report = report.place(Place::Exact { lat_e7: *lat_e7 as i32, lon_e7: *lon_e7 as i32, altitude_cm });
        }
    }
    then(&report)
}

/// Signs in a buffer of exactly the size needed, and says how much that was.
fn signed_in_what_it_needs(report: &Report<'_>, key: &DeviceKey, network: &NetworkId) -> Result<Vec<u8>, Error> {
    let needed = report.bytes_needed()?;
    let mut small = vec![0; needed - 1];
    assert_eq!(report.sign(key, key.device(), network, &mut small).err(), Some(Error::Buffer { needed }));
    assert!(small.iter().all(|byte| *byte == 0), "nothing is written where not everything fits");
    let mut buffer = vec![0; needed];
    let signed = report.sign(key, key.device(), network, &mut buffer)?.bytes().to_vec();
    assert_eq!(signed.len(), needed);
    Ok(signed)
}

fn readings_of(body: &SensingBody) -> Vec<(u64, Vec<Measured>)> {
    let measured =
        |&(quantity, value): &(CoreQuantity, i64)| Measured::of(Quantity::of_number(quantity.number()).unwrap(), value);
    body.readings().iter().map(|reading| (reading.after_ms, reading.values.iter().map(measured).collect())).collect()
}

proptest! {
    #[test]
    fn any_report_has_the_bytes_that_the_core_gives_it(
        drawn in drawn(), seed in any::<[u8; 32]>(), network in any::<[u8; 32]>(),
    ) {
        let key = DeviceKey::from_seed(&seed);
        let core_key = SecretKey::ed25519(seed);
        let core_network = CoreNetworkId(Hash(network));
        let expected = sign_report(&core_key, CoreDeviceId(key.device().0), &core_network, &drawn.core);
        let value = drawn.core.body.encode();
        let body = Body::Encoded { schema: &drawn.core.schema, value: &value };
        let made = with_report(&drawn.core, body, |report| signed_in_what_it_needs(report, &key, &NetworkId(network)));
        if !drawn.cell_ok {
            prop_assert_eq!(made, Err(Error::Cell));
        } else {
            prop_assert_eq!(made.as_ref(), Ok(&expected));
            let most = report_bytes_max(value.len(), drawn.core.answers.len(), drawn.core.blobs.len());
            prop_assert!(expected.len() <= most);
            let parsed = CoreReport::parse(&expected).unwrap();
            prop_assert_eq!(&parsed.body, &drawn.core);
            prop_assert!(core_key.public().verify(&parsed.to_be_signed(&core_network), &parsed.sign1.signature));
        }
    }

    #[test]
    fn any_readings_have_the_bytes_that_the_class_gives_them(
        body in any_sensing(), rotation in 0..15_usize, time_ms in any_uint(), boot in any::<u32>(), seq in any::<u32>(),
    ) {
        let core = ReportBody::of(boot, seq, time_ms, "sensing/1", body.encode());
        let mut readings = readings_of(&body);
        for (_, values) in &mut readings {
            let by = rotation % values.len();
            values.rotate_left(by);
        }
        let most = readings.iter().map(|(_, values)| values.len()).max().unwrap();
        let readings: Vec<_> = readings.iter().map(|(after_ms, values)| Reading { after_ms: *after_ms, values }).collect();
        let slice = readings.as_slice();
        let key = DeviceKey::from_seed(&SEED);
        let made = with_report(&core, Body::Sensing(&slice), |report| signed_in_what_it_needs(report, &key, &network()));
        let made = made.unwrap();
        let parsed = CoreReport::parse(&made).unwrap();
        prop_assert_eq!(parsed.sign1.payload, core.encode());
        prop_assert_eq!(SensingBody::parse(&parsed.body.body).unwrap(), body);
        prop_assert!(made.len() <= report_bytes_max(sensing_bytes_max(slice.len(), most), 0, 0));
    }

    #[test]
    fn a_body_is_let_through_exactly_where_the_core_reads_it(
        mut bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            any_value().prop_map(|value| value.encode()),
            // Deep ones: heads of small arrays and maps.
            proptest::collection::vec(prop_oneof![Just(0x80_u8), Just(0x81), Just(0xa1), Just(0xa0), 0..3_u8, Just(0x20), Just(0x82)], 1..24),
        ],
        turned in proptest::option::of((any::<usize>(), any::<u8>())),
    ) {
        if let (Some((at, by)), false) = (turned, bytes.is_empty()) {
            let at = at % bytes.len();
            bytes[at] = by;
        }
        let payload = [&[0xa5, 1, 0, 2, 0, 3, 0, 6, 0x61, b'x', 7][..], &bytes].concat();
        let report = Report::of(name(0, 0), 0, Body::Encoded { schema: "x", value: &bytes });
        prop_assert_eq!(report.bytes_needed().is_ok(), ReportBody::decode(&payload).is_ok(), "{:02x?}", bytes);
        if report.bytes_needed().is_ok() {
            let mut decoder = Decoder::over(&bytes);
            prop_assert_eq!(decoder.value().unwrap().encode(), bytes);
        }
    }

    #[test]
    fn a_secure_elements_report_verifies(scalar in 1..255_u8, drawn in drawn()) {
        let core_key = SecretKey::p256([scalar; 32]).unwrap();
        let value = drawn.core.body.encode();
        let body = Body::Encoded { schema: &drawn.core.schema, value: &value };
        let device = DeviceId(core_key.public().key_id());
        let core_network = CoreNetworkId(Hash(network().0));
        let mut buffer = vec![0; REPORT_BYTES_MAX];
        let made = with_report(&drawn.core, body, |report| {
            report.sign_p256(device, &network(), &mut buffer, element([scalar; 32])).map(|signed| signed.bytes().to_vec())
        });
        if drawn.cell_ok {
            let expected = sign_report(&core_key, CoreDeviceId(device.0), &core_network, &drawn.core);
            prop_assert_eq!(made, Ok(expected));
        } else {
            prop_assert_eq!(made, Err(Error::Cell));
        }
    }
}

#[test]
fn the_bounds_of_sizes_are_reached() {
    let widest: Vec<Measured> =
        (1..=15).map(|number| Measured::of(Quantity::of_number(number).unwrap(), -VALUE_MAX)).collect();
    let readings: Vec<_> = (0..150).map(|at| Reading { after_ms: AFTER_MAX_MS - 150 + at, values: &widest }).collect();
    let slice = readings.as_slice();
    let key = DeviceKey::from_seed(&SEED);
    let mut buffer = vec![0; REPORT_BYTES_MAX];
    let hash = [0; 32];
    let blobs = [Blob { hash, bytes: i64::MAX as u64 }; 40];
    let report = |body| {
        Report::of(name(u32::MAX, u32::MAX), i64::MAX as u64, body)
            .clock(ClockSource::Gnss, i64::MAX as u64)
            .previous([0; 8])
            .flags(flag::ALL)
            .place(Place::Exact {
                lat_e7: -900_000_000,
                lon_e7: -1_800_000_000,
                altitude_cm: Some((i32::MIN, Some(u32::MAX))),
            })
            .subject(DeviceId([0; 16]))
            .answers(&[[0; 32]; 30])
            .blobs(&blobs)
    };
    let sensing = report(Body::Sensing(&slice)).sign(&key, key.device(), &network(), &mut buffer).unwrap();
    let bound = report_bytes_max(sensing_bytes_max(150, 15), 30, 40);
    // A schema of 32 letters is 24 bytes longer than "sensing/1" with its head; lists of few items have shorter heads.
    assert_eq!(bound - sensing.bytes().len(), 24 + 1 + 1 + 1);
    let (schema, value) = ("x".repeat(32), vec![0x81, 0]);
    let encoded = report(Body::Encoded { schema: &schema, value: &value });
    assert_eq!(report_bytes_max(2, 30, 40) - encoded.bytes_needed().unwrap(), 1 + 1);
}

#[test]
fn what_the_firmware_has_to_sign_is_what_the_core_signs() {
    let mut buffer = [0; firmware::BUFFER_BYTES];
    let signed = firmware::sign(&mut buffer).unwrap();
    assert_eq!(HEXLOWER.encode(signed.bytes()), include_str!("../../../examples/device-firmware/report.hex").trim());
    let parsed = CoreReport::parse(signed.bytes()).unwrap();
    let (key, network) = (SecretKey::ed25519([7; 32]), CoreNetworkId(Hash([9; 32])));
    assert_eq!(sign_report(&key, parsed.device(), &network, &parsed.body), signed.bytes());
    let body = SensingBody::parse(&parsed.body.body).unwrap();
    assert_eq!((parsed.body.boot, parsed.body.seq, body.readings().len()), (42, 0, 2));
}

#[test]
fn names_come_from_a_sequence() {
    let mut sequence = Restart::after(6).unwrap().stored();
    assert_eq!((sequence.take(), sequence.take()), (Ok(name(7, 0)), Ok(name(7, 1))));
}
