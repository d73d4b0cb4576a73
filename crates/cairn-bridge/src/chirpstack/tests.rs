use cairn_classes::sensing::Quantity;
use cairn_edge::map::MappingConfig;

use super::*;

fn usual() -> Mapping {
    Mapping::of(&toml::from_str::<MappingConfig>(USUAL_FIELDS).unwrap()).unwrap()
}

/// An uplink as ChirpStack 4 posts it, with `rx` as what its gateways said.
fn uplink(rx: &str, rest: &str) -> String {
    format!(
        r#"{{"deduplicationId":"57433366-50a6-4dc2-8145-2df1bbc70d9e","time":"2026-11-20T09:34:15.775+00:00",
        "deviceInfo":{{"tenantId":"52f14cd4-c6f1-4fbd-8f87-4025e1d49242","tenantName":"ChirpStack","applicationId":"ca739e26-7b67-4f14-b69e-d568c22a5a75",
        "applicationName":"air","deviceProfileId":"605d08d4-65f5-4d2c-8a5a-3d2457662f79","deviceProfileName":"AM319","deviceName":"roof",
        "devEui":"24E124136B502217","tags":{{}}}},"devAddr":"00189440","adr":true,"dr":1,"fCnt":7,"fPort":85,"confirmed":false,"data":"A2cgAQRoYA==",
        {rest}"rxInfo":[{rx}],"txInfo":{{"frequency":868100000}}}}"#
    )
}

const OBJECT: &str = r#""object":{"temperature":28.8,"humidity":48.0,"pm2_5":12.25,"pressure":1012.4,"tvoc":0.9},"#;

fn time_of(body: &str) -> Measured {
    read(body.as_bytes(), &usual()).unwrap().0.measured
}

#[test]
fn an_uplink_is_read_with_what_its_codec_decoded() {
    let rx = r#"{"gatewayId":"0016c001f153a14c","uplinkId":4217106255,"gwTime":"2026-11-20T09:34:15.250Z","nsTime":"2026-11-20T09:34:15.7Z","rssi":-36,"snr":10.5}"#;
    let (said, _) = read(uplink(rx, OBJECT).as_bytes(), &usual()).unwrap();
    assert_eq!(said.device, "24e124136b502217");
    let readings: Vec<_> = said.readings.iter().map(|reading| (reading.quantity, reading.value)).collect();
    use Quantity as Q;
    let expected = [(Q::AirTemperature, 2880), (Q::RelativeHumidity, 4800), (Q::Pressure, 101_240), (Q::Pm25, 122)];
    assert_eq!(readings, expected);
    let mapping: MappingConfig = toml::from_str(
        "format = \"json\"\n[[field]]\nquantity = \"temperature\"\nat = \"/object/t10\"\nscale = \"0.1\"\nunit = \"degC\"\n",
    )
    .unwrap();
    let body = uplink("", r#""object":{"t10":-53},"#);
    let (said, _) = read(body.as_bytes(), &Mapping::of(&mapping).unwrap()).unwrap();
    assert_eq!(said.readings, [cairn_edge::Reading { quantity: Q::AirTemperature, value: -530 }]);
}

#[test]
fn times_are_the_networks_and_never_made_up() {
    const T: u64 = 1_795_167_255_000;
    let at = |time_ms, error_ms| Measured::At { time_ms, source: ClockSource::Network, error_ms };
    let two = r#"{"gwTime":"2026-11-20T09:34:16Z"},{"gwTime":"2026-11-20T09:34:15.100Z"}"#;
    for (what, rx, expected) in [
        ("the first gateway's", two, at(T + 100, GATEWAY_ERROR_MS)),
        (
            "the server's where gateways have none",
            r#"{"rssi":-36},{"nsTime":"2026-11-20T09:34:15.5+00:00"}"#,
            at(T + 500, SERVER_ERROR_MS),
        ),
        ("the event's where nothing else is said", "", at(T + 775, SERVER_ERROR_MS)),
        (
            "not a gateway's that began in 2012",
            r#"{"gwTime":"2012-01-01T00:00:00Z","nsTime":"2026-11-20T09:34:15Z"}"#,
            at(T, SERVER_ERROR_MS),
        ),
    ] {
        assert_eq!(time_of(&uplink(rx, OBJECT)), expected, "{what}");
    }
    let without = uplink(r#"{"gwTime":"yesterday"}"#, OBJECT).replace(r#""time":"2026-11-20T09:34:15.775+00:00","#, "");
    assert_eq!(time_of(&without), Measured::Unknown);
}

#[test]
fn an_uplink_is_known_again_by_its_id_and_a_frame_counter_that_begins_again_hides_nothing() {
    let keys = |body: &str| match read(body.as_bytes(), &usual()).unwrap().1 {
        Replay::Named(keys) => keys,
        Replay::Within { key, .. } => vec![key],
    };
    let meets = |one: &str, other: &str| keys(one).iter().any(|key| keys(other).contains(key));
    let edit =
        |body: &str, edits: &[(&str, &str)]| edits.iter().fold(body.to_owned(), |body, (a, b)| body.replace(a, b));
    const ID: &str = r#""deduplicationId":"57433366-50a6-4dc2-8145-2df1bbc70d9e","#;
    let (other_id, other_frame) = (("50a6", "50a7"), ("\"fCnt\":7", "\"fCnt\":8"));
    let (another_day, other_session) = (("2026-11-20", "2026-11-21"), ("00189440", "00189441"));
    let with = uplink("", OBJECT);
    for (what, edits, is_same) in [
        ("the same event", vec![], true),
        ("the same event, told otherwise", vec![other_frame, ("48.0", "48.00")], true),
        ("the next uplink", vec![other_id, other_frame, another_day], false),
        ("the same frame after a loss of power", vec![other_id, another_day], false),
        ("the same frame and the same values within the same second", vec![other_id], false),
        ("the same id of another device", vec![("24E1", "24E2")], false),
    ] {
        assert_eq!(meets(&with, &edit(&with, &edits)), is_same, "{what}");
    }
    for without in [with.replace(ID, ""), with.replace("57433366-50a6-4dc2-8145-2df1bbc70d9e", "")] {
        for (what, edits, is_same) in [
            ("the same frame", vec![("48.0", "48.00")], true),
            ("the same frame after a loss of power", vec![another_day], false),
            ("the next frame", vec![other_frame], false),
            ("the same number after another join", vec![other_session], false),
            ("another device", vec![("24E1", "24E2")], false),
        ] {
            assert_eq!(meets(&without, &edit(&without, &edits)), is_same, "without an id: {what}");
        }
        let timeless = without.replace(r#""time":"2026-11-20T09:34:15.775+00:00","#, "");
        let (_, replay) = read(timeless.as_bytes(), &usual()).unwrap();
        assert!(matches!(replay, Replay::Within { ms: AGAIN_MS, .. }), "nothing names it but a moment: {replay:?}");
    }
}

#[test]
fn what_is_no_uplink_is_refused() {
    for (code, body) in [
        ("BRG-PAYLOAD", String::new()),
        ("BRG-PAYLOAD", "{}".to_owned()),
        ("BRG-PAYLOAD", uplink("", OBJECT).replace("24E124136B502217", "24E1")),
        ("BRG-PAYLOAD", uplink("", OBJECT).replace("\"fCnt\":7", "\"fCnt\":-7")),
        ("EDGE-NOTHING", uplink("", "")),
        ("EDGE-NOTHING", uplink("", r#""object":{"tvoc":1},"#)),
    ] {
        assert_eq!(read(body.as_bytes(), &usual()).unwrap_err().code(), code, "{body}");
    }
}
