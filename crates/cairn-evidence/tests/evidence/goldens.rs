//! The bytes of every kind, as the first release wrote them; and what is not the format.

use std::fs;
use std::path::Path;

use cairn_core::cbor::Encoder;
use cairn_evidence::{EVIDENCE_BYTES_MAX, Evidence, FORMAT, Kind};

use crate::samples::samples;

#[test]
fn every_kind_has_the_bytes_it_was_released_with() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens");
    for (name, kind, evidence) in samples() {
        let path = folder.join(format!("{name}.evidence"));
        let bytes = evidence.encode();
        if std::env::var_os("CAIRN_BLESS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &bytes).unwrap();
        }
        let golden = fs::read(&path).unwrap();
        assert!(golden == bytes, "{name} is not what was committed");
        let read = Evidence::decode(&golden).unwrap();
        assert_eq!(read, evidence, "{name}");
        assert_eq!(read.check().unwrap().kind, kind, "{name}");
    }
    assert_eq!(Kind::ALL.map(Kind::number), [1, 2, 3, 4, 5, 6], "numbers are law");
}

#[test]
fn what_is_not_the_format_is_refused_by_its_own_code() {
    let head = |text: &str, kind| {
        let mut out = Encoder::empty();
        out.array(4).text(text).uint(kind).bytes(b"");
        out.into_bytes()
    };
    let (_, _, good) = &samples()[0];
    let good = good.encode();
    for (what, bytes, code) in [
        ("nothing", vec![], "EVD-FORMAT"),
        ("a text", b"not evidence".to_vec(), "EVD-FORMAT"),
        ("another version", head("cairn/evidence/2", 1), "EVD-FORMAT"),
        ("a kind to come", head(FORMAT, 7), "EVD-KIND"),
        ("no kind", head(FORMAT, 0), "EVD-KIND"),
        ("nothing behind the head", head(FORMAT, 1), "EVD-CBOR"),
        ("bytes behind it", [&good[..], &[0]].concat(), "EVD-CBOR"),
        ("too much", vec![0; EVIDENCE_BYTES_MAX + 1], "EVD-TOO-LARGE"),
    ] {
        assert_eq!(Evidence::decode(&bytes).expect_err(what).code(), code, "{what}");
    }
}
