use super::*;

const NOW_CLOCK: SenderClock = SenderClock { source: ClockSource::Rtc, error_ms: 60_000 };

fn device_of(name: &str) -> Option<usize> {
    let known = ["urn:dev:ow:10e2073a01080063", "urn:dev:mac:0024befffe804ff1", "house"];
    known.iter().filter(|device| name.starts_with(**device)).map(|device| device.len()).max()
}

fn pack(form: Form, bytes: &[u8]) -> Result<Pack, BridgeError> {
    read(form, bytes, &[], NOW_CLOCK, &device_of)
}

type Row<D = &'static str> = (D, Measured, Vec<(Quantity, i64)>);

fn rows(form: Form, bytes: &[u8]) -> Result<Vec<Row<String>>, &'static str> {
    let pack = pack(form, bytes).map_err(|error| error.code())?;
    let row = |said: Said| {
        let values = said.readings.into_iter().map(|reading| (reading.quantity, reading.value)).collect();
        (said.device, said.measured, values)
    };
    Ok(pack.said.into_iter().map(row).collect())
}

const fn at(time_ms: u64) -> Measured {
    Measured::At { time_ms, source: ClockSource::Rtc, error_ms: 60_000 }
}

const fn before(before_ms: u64) -> Measured {
    Measured::OnArrival { before_ms }
}

#[test]
fn packs_in_json_are_resolved_as_the_rfc_says() {
    use Quantity as Q;
    const OW: &str = "urn:dev:ow:10e2073a01080063";
    let cases: Vec<(&str, &str, Vec<Row>)> = vec![
        (
            "one data point, RFC 8428 section 5.1.1, with no time",
            r#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#,
            vec![(OW, before(0), vec![(Q::AirTemperature, 2310)])],
        ),
        (
            "base name, time and version; names and units that are known",
            r#"[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1.795167255001e+09,"bu":"Cel","bver":5,"n":"temp","v":20.1},
                {"n":"humidity","u":"%RH","t":-5,"v":67.25},{"n":"door","vb":true},{"n":"label","vs":"roof"},{"n":"energy","s":1250},
                {"n":"current","u":"A","v":1.2}]"#,
            vec![
                (OW, at(1_795_167_255_001), vec![(Q::AirTemperature, 2010)]),
                (OW, at(1_795_167_250_001), vec![(Q::RelativeHumidity, 6725)]),
            ],
        ),
        (
            "relative times, section 4.5.3",
            r#"[{"bn":"house/","n":"pm10","u":"ug/m3","v":18.26,"t":-60.5},{"n":"pm25","u":"ug/m3","v":"0"}]"#,
            vec![],
        ),
        (
            "two times of one device, and two devices",
            r#"[{"bn":"house/","bt":-120,"n":"pm10","u":"ug/m3","v":18.26},{"n":"pm2_5","u":"ug/m3","v":9},{"bt":-60,"n":"pm10","u":"ug/m3","v":19},
                {"bn":"urn:dev:mac:0024befffe804ff1/","bt":0,"n":"t","u":"K","v":293.15}]"#,
            vec![
                ("house", before(120_000), vec![(Q::Pm10, 183), (Q::Pm25, 90)]),
                ("house", before(60_000), vec![(Q::Pm10, 190)]),
                ("urn:dev:mac:0024befffe804ff1", before(0), vec![(Q::AirTemperature, 2000)]),
            ],
        ),
        (
            "a base value is added, exactly",
            r#"[{"bn":"house:","bv":100000,"bu":"Pa","n":"p","v":1325.4},{"n":"p","v":-0.5,"t":-1}]"#,
            vec![
                ("house", before(0), vec![(Q::Pressure, 101_325)]),
                ("house", before(1_000), vec![(Q::Pressure, 100_000)]),
            ],
        ),
    ];
    for (what, text, expected) in cases {
        let found = rows(Form::Json, text.as_bytes());
        if expected.is_empty() {
            assert_eq!(found, Err("BRG-PAYLOAD"), "{what}: a value that is text is no number");
            continue;
        }
        let expected: Vec<_> =
            expected.into_iter().map(|(device, when, values)| (device.to_owned(), when, values)).collect();
        assert_eq!(found.unwrap(), expected, "{what}");
    }
}

#[test]
fn packs_in_cbor_are_read_in_any_form_that_devices_write() {
    use Quantity as Q;
    const TEMP: &[u8] = &[0x00, 0x64, b't', b'e', b'm', b'p', 0x01, 0x63, b'C', b'e', b'l'];
    let house = [&[0x21, 0x66][..], b"house/"].concat();
    let record = |head: u8, parts: &[&[u8]]| [&[0x81, head][..], &parts.concat()].concat();
    let cases: [(&str, Vec<u8>, i64); 6] = [
        ("a single", record(0xa4, &[&house, TEMP, &[0x02, 0xfa, 0x41, 0xaa, 0x66, 0x66]]), 2130),
        (
            "a double",
            record(0xa4, &[&house, TEMP, &[0x02, 0xfb, 0x40, 0x35, 0x4c, 0xcc, 0xcc, 0xcc, 0xcc, 0xcd]]),
            2130,
        ),
        ("a half", record(0xa4, &[&house, TEMP, &[0x02, 0xf9, 0xcd, 0x40]]), -2100),
        ("a whole number", record(0xa4, &[&house, TEMP, &[0x02, 0x38, 0x27]]), -4000),
        ("a decimal fraction", record(0xa4, &[&house, TEMP, &[0x02, 0xc4, 0x82, 0x21, 0x19, 0x08, 0x52]]), 2130),
        (
            "without lengths, with text in pieces and something else",
            [
                &[0x9f, 0xbf][..],
                &house,
                &[0x00, 0x7f, 0x62, b't', b'e', 0x62, b'm', b'p', 0xff],
                &[0x01, 0x63, b'C', b'e', b'l'],
                &[0x02, 0x15],
                &[0x63, b'x', b'y', b'z', 0x9f, 0x01, 0xa1, 0x02, 0x03, 0xff],
                &[0xff, 0xff],
            ]
            .concat(),
            2100,
        ),
    ];
    for (what, bytes, value) in cases {
        let expected = vec![("house".to_owned(), before(0), vec![(Q::AirTemperature, value)])];
        assert_eq!(rows(Form::Cbor, &bytes).unwrap(), expected, "{what}");
        for len in 0..bytes.len() {
            assert!(rows(Form::Cbor, &bytes[..len]).is_err(), "{what}, cut to {len}");
        }
        assert!(rows(Form::Cbor, &[&bytes[..], &[0]].concat()).is_err(), "{what}, with something behind");
    }
}

#[test]
fn what_is_no_pack_is_refused_with_its_code() {
    let many = format!("[{}]", vec![r#"{"n":"house/temp","v":1}"#; 1_025].join(","));
    let json = [
        ("BRG-PAYLOAD", ""),
        ("BRG-PAYLOAD", "{}"),
        ("BRG-PAYLOAD", "[]"),
        ("BRG-PAYLOAD", r#"[{"n":"house/temp","v":1}] x"#),
        ("BRG-PAYLOAD", r#"[{"bver":11,"n":"house/temp","v":1}]"#),
        ("BRG-PAYLOAD", r#"[{"n":"house/temp","v":1,"what_":2}]"#),
        ("BRG-PAYLOAD", r#"[{"n":"","v":1}]"#),
        ("BRG-PAYLOAD", r#"[{"n":"house temp","v":1}]"#),
        ("BRG-PAYLOAD", r#"[{"n":"-house","v":1}]"#),
        ("BRG-PAYLOAD", r#"[{"n":"house/temp","v":1,"t":60}]"#),
        ("BRG-PAYLOAD", r#"[{"n":"house/temp","v":1,"t":1e17}]"#),
        ("BRG-PAYLOAD", r#"[{"n":"house/temp","v":true}]"#),
        ("BRG-PAYLOAD", r#"[{"n":"house/temp","u":"Pa","v":1}]"#),
        ("BRG-PAYLOAD", &many),
        ("BRG-NOTHING", r#"[{"n":"house/door","vb":true}]"#),
        ("BRG-NOTHING", r#"[{"n":"house/amps","u":"A","v":3}]"#),
        ("BRG-UNKNOWN-DEVICE", r#"[{"n":"shed/temp","u":"Cel","v":3}]"#),
    ];
    for (code, text) in json {
        assert_eq!(rows(Form::Json, text.as_bytes()), Err(code), "{}", &text[..text.len().min(80)]);
    }
    let deep = [&[0x81, 0xa1, 0x63, b'x', b'y', b'z'][..], &[0x81; 40], &[0x01]].concat();
    let cbor: [&[u8]; 7] = [
        &[0x80],
        &[0xa0],
        &[0x81, 0x01],
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x81, 0xa2, 2, 1, 2, 1],
        &[0x1c],
        &deep,
    ];
    for bytes in cbor {
        assert_eq!(rows(Form::Cbor, bytes), Err("BRG-PAYLOAD"), "{bytes:02x?}");
    }
}

#[test]
fn a_pack_with_its_own_times_is_known_for_ever_and_one_without_for_a_moment() {
    let replay = |text: &str| pack(Form::Json, text.as_bytes()).unwrap().replay;
    assert!(matches!(replay(r#"[{"n":"house/temp","v":1}]"#), Replay::Within { ms: AGAIN_MS, .. }));
    assert!(matches!(replay(r#"[{"bt":1795167255,"n":"house/temp","v":1}]"#), Replay::Named(keys) if keys.len() == 1));
}

#[test]
fn a_table_of_names_says_what_a_name_is() {
    let rules = [NameRule { name: "ch3".into(), quantity: Quantity::Co2, unit: Some("ppm".into()) }];
    let text = r#"[{"bn":"house/","n":"ch3","v":415},{"n":"ch4","v":1}]"#;
    let pack = read(Form::Json, text.as_bytes(), &rules, NOW_CLOCK, &device_of).unwrap();
    assert_eq!((pack.said[0].readings[0].value, pack.passed_over), (415, 1));
    // A sender whose clock is not trusted dates nothing.
    let none = SenderClock { source: ClockSource::None, error_ms: 0 };
    let timed = r#"[{"bn":"house/","bt":1795167255,"n":"temp","v":4}]"#;
    let pack = read(Form::Json, timed.as_bytes(), &rules, none, &device_of).unwrap();
    assert_eq!(pack.said[0].measured, Measured::Unknown);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let _ = pack(Form::Cbor, &bytes);
        let _ = pack(Form::Json, &bytes);
    }

    #[test]
    fn bytes_that_begin_like_a_pack_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
        let _ = pack(Form::Cbor, &[&[0x81, 0xa5, 0x21, 0x66][..], b"house/", &bytes].concat());
    }
}
