//! Which code each malformed report is refused with, and that it stays so.
//!
//! A void entry's code is part of what every reader of a log recomputes, so where several rules are broken at once all
//! readers have to name the same one. A report is read from front to back, and the first rule that it breaks names the code:
//! what follows a sealed body, or an algorithm that is not read, is not looked at. `goldens/refused-reports.txt` holds the
//! cases for other languages, one a line:
//!
//! * `case NAME CODE HEX`: a report and its code, `-` where it is read;
//! * `cuts NAME HEX LETTERS`: a report, and a letter for each number of its first bytes, from none to all but one;
//! * `flips NAME HEX LETTERS`: a report, and a letter for each of its bits turned, the least of the first byte first.
//!
//! The letters: `-` it is read, `T` RPT-TOO-LARGE, `C` RPT-COSE, `A` RPT-ALGORITHM, `P` RPT-PAYLOAD, `S` RPT-SEALED.
//! `CAIRN_BLESS=1` writes the file anew. Signatures are not looked at here, and are zeros.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;

use cairn_core::cbor::Encoder;
use cairn_core::report::{REPORT_BYTES_MAX, Report};
use data_encoding::HEXLOWER;

const SEALED: &str = "RPT-SEALED";
const PAYLOAD: &str = "RPT-PAYLOAD";
const COSE: &str = "RPT-COSE";
const ALGORITHM: &str = "RPT-ALGORITHM";
const READ: &str = "-";

/// The fields of the least report, `sensing/1` shortened to `s`.
const SEQ: &[u8] = &[1, 0];
const BOOT: &[u8] = &[2, 0];
const TIME: &[u8] = &[3, 0];
const SCHEMA: &[u8] = &[6, 0x61, b's'];
const BODY: &[u8] = &[7, 0xa0];
/// A sealed body in its right form, and a key alone: its value is never read.
const SEAL: &[u8] =
    &[13, 0x58, 32, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
const SEAL_KEY: &[u8] = &[13];

fn map(pairs: u8, fields: &[&[u8]]) -> Vec<u8> {
    [&[0xa0 + pairs][..], &fields.concat()].concat()
}

/// A payload whose fields 1, 2, 3 and 6 are right.
fn named(more: u8, fields: &[&[u8]]) -> Vec<u8> {
    map(4 + more, &[&[SEQ, BOOT, TIME, SCHEMA][..], fields].concat())
}

/// Arrays within arrays, the innermost empty.
fn nested(depth: usize) -> Vec<u8> {
    [&[7][..], &vec![0x81; depth - 1], &[0x80]].concat()
}

fn header(algorithm: i64) -> Vec<u8> {
    Encoder::empty().map(2).int(1).int(algorithm).int(4).bytes(&[9; 16]).take()
}

fn enveloped(header: &[u8], payload: &[u8]) -> Vec<u8> {
    Encoder::empty().tag(18).array(4).bytes(header).map(0).bytes(payload).bytes(&[0; 64]).take()
}

fn report(payload: &[u8]) -> Vec<u8> {
    enveloped(&header(-19), payload)
}

/// Payloads, by what is wrong with them.
fn payloads() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    vec![
        ("least", named(1, &[BODY]), READ),
        ("deepest", named(1, &[&nested(7)]), READ),
        ("empty", vec![], PAYLOAD),
        ("no-fields", map(0, &[]), PAYLOAD),
        ("no-map", vec![13], PAYLOAD),
        ("neither-body-nor-seal", named(0, &[]), PAYLOAD),
        ("too-deep", named(1, &[&nested(8)]), PAYLOAD),
        // Sealed, whatever else is missing or follows.
        ("sealed", named(1, &[SEAL]), SEALED),
        ("body-and-seal", named(2, &[BODY, SEAL]), SEALED),
        ("seal-alone", map(1, &[SEAL]), SEALED),
        ("seal-key-alone", map(1, &[SEAL_KEY]), SEALED),
        ("seal-of-no-hash", map(1, &[SEAL_KEY, &[0x40]]), SEALED),
        ("seal-of-a-float", map(1, &[SEAL_KEY, &[0xf9, 0, 0]]), SEALED),
        ("seal-of-a-tag", map(1, &[SEAL_KEY, &[0xc1, 0]]), SEALED),
        ("seal-cut", map(1, &[SEAL_KEY, &[0x58, 32, 7]]), SEALED),
        ("seal-then-trailing", [map(1, &[SEAL]), vec![0]].concat(), SEALED),
        ("seal-then-unknown", map(2, &[SEAL, &[14, 0]]), SEALED),
        ("seal-then-misordered", map(2, &[SEAL, SEQ]), SEALED),
        ("seal-twice", map(2, &[SEAL, SEAL]), SEALED),
        ("seal-then-nothing-of-two", map(2, &[SEAL]), SEALED),
        ("map-as-long-as-the-bytes-left", map(1, &[SEAL_KEY]), SEALED),
        ("seal-after-optional", map(3, &[SEQ, &[8, 1], SEAL_KEY]), SEALED),
        // Not sealed: something before it is refused first.
        ("map-longer-than-the-bytes-left", map(2, &[SEAL_KEY]), PAYLOAD),
        ("seal-behind-the-map", [map(0, &[]), SEAL.to_vec()].concat(), PAYLOAD),
        ("seal-in-a-longer-map-head", [&[0xb8, 1][..], SEAL].concat(), PAYLOAD),
        ("seal-in-an-endless-map", [&[0xbf][..], SEAL, &[0xff]].concat(), PAYLOAD),
        ("seal-in-an-array", [&[0x82][..], SEAL].concat(), PAYLOAD),
        ("seal-in-a-tagged-map", [&[0xc1, 0xa1][..], SEAL].concat(), PAYLOAD),
        ("seal-key-in-a-longer-head", map(1, &[&[0x18], SEAL]), PAYLOAD),
        ("seal-key-as-text", map(1, &[&[0x61], SEAL]), PAYLOAD),
        ("key-as-array-then-seal", map(2, &[&[0x80, 0], SEAL]), PAYLOAD),
        ("unknown-zero-then-seal", map(2, &[&[0, 0], SEAL]), PAYLOAD),
        ("unknown-after-then-seal", map(2, &[&[14, 0], SEAL]), PAYLOAD),
        ("unknown-negative-then-seal", map(2, &[&[0x20, 0], SEAL]), PAYLOAD),
        ("misordered-then-seal", map(3, &[BOOT, SEQ, SEAL]), PAYLOAD),
        ("repeated-then-seal", map(3, &[SEQ, SEQ, SEAL]), PAYLOAD),
        ("large-seq-then-seal", map(2, &[&[1, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0], SEAL]), PAYLOAD),
        ("longer-seq-then-seal", map(2, &[&[1, 0x18, 0], SEAL]), PAYLOAD),
        ("negative-time-then-seal", map(2, &[&[3, 0x20], SEAL]), PAYLOAD),
        ("time-past-63-bits-then-seal", map(2, &[&[3, 0x1b, 255, 0, 0, 0, 0, 0, 0, 0], SEAL]), PAYLOAD),
        ("clock-5-then-seal", map(2, &[&[4, 0x82, 5, 0], SEAL]), PAYLOAD),
        ("short-previous-then-seal", map(2, &[&[5, 0x41, 0], SEAL]), PAYLOAD),
        ("schema-of-bytes-then-seal", map(2, &[&[6, 0x41, b's'], SEAL]), PAYLOAD),
        ("schema-past-ascii-then-seal", map(2, &[&[6, 0x62, 0xc3, 0xa9], SEAL]), PAYLOAD),
        ("schema-not-utf-8-then-seal", map(2, &[&[6, 0x61, 0xff], SEAL]), PAYLOAD),
        ("tag-in-body-then-seal", map(2, &[&[7, 0xc1, 0], SEAL]), PAYLOAD),
        ("deep-tag-in-body-then-seal", map(2, &[&[7, 0x81, 0xc2, 0x41, 1], SEAL]), PAYLOAD),
        ("true-in-body-then-seal", map(2, &[&[7, 0xf5], SEAL]), PAYLOAD),
        ("text-key-in-body-then-seal", map(2, &[&[7, 0xa1, 0x61, b'k', 0], SEAL]), PAYLOAD),
        ("misordered-body-then-seal", map(2, &[&[7, 0xa2, 2, 0, 1, 0], SEAL]), PAYLOAD),
        ("deepest-body-then-seal", map(2, &[&nested(7), SEAL]), SEALED),
        ("deeper-body-then-seal", map(2, &[&nested(8), SEAL]), PAYLOAD),
        ("flags-0-then-seal", map(2, &[&[8, 0], SEAL]), PAYLOAD),
        ("flags-8-then-seal", map(2, &[&[8, 8], SEAL]), PAYLOAD),
        ("negative-cell-then-seal", map(2, &[&[9, 0x20], SEAL]), PAYLOAD),
        ("place-of-one-part-then-seal", map(2, &[&[9, 0x81, 0], SEAL]), PAYLOAD),
        ("short-subject-then-seal", map(2, &[&[10, 0x40], SEAL]), PAYLOAD),
        ("no-answers-then-seal", map(2, &[&[11, 0x80], SEAL]), PAYLOAD),
        ("answers-that-take-the-seal", map(2, &[&[11, 0x82, 0x40], SEAL]), PAYLOAD),
        ("no-blobs-then-seal", map(2, &[&[12, 0x80], SEAL]), PAYLOAD),
        ("body-that-takes-the-seal", map(2, &[&[7, 0x58, 40], SEAL]), PAYLOAD),
    ]
}

/// Reports, by what is wrong with the structure around the payload.
fn structures() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let (least, sealed) = (named(1, &[BODY]), named(1, &[SEAL]));
    let with = |algorithm| enveloped(&header(algorithm), &least);
    let unsigned = Encoder::empty().tag(18).array(4).bytes(&header(-19)).map(0).bytes(&least).bytes(&[0; 63]).take();
    let untagged = report(&least)[1..].to_vec();
    let with_unprotected =
        Encoder::empty().tag(18).array(4).bytes(&header(-19)).map(1).int(4).int(0).bytes(&least).bytes(&[0; 64]).take();
    let no_key = Encoder::empty().map(1).int(1).int(-19).take();
    let two_keys = Encoder::empty().map(3).int(1).int(5).int(4).bytes(&[9; 16]).int(5).int(0).take();
    vec![
        ("eddsa", with(-8), READ),
        ("esp256", with(-9), READ),
        ("es256", with(-7), READ),
        ("algorithm-5", with(5), ALGORITHM),
        ("algorithm-5-and-a-bad-payload", enveloped(&header(5), &[]), ALGORITHM),
        ("algorithm-5-and-sealed", enveloped(&header(5), &sealed), ALGORITHM),
        ("algorithm-5-and-trailing", [with(5), vec![0]].concat(), ALGORITHM),
        ("algorithm-5-and-trailing-float", [with(5), vec![0xf9]].concat(), ALGORITHM),
        ("algorithm-5-and-an-unknown-header", enveloped(&two_keys, &least), COSE),
        ("algorithm-5-and-trailing-in-the-header", enveloped(&[header(5), vec![0]].concat(), &least), COSE),
        ("trailing", [report(&least), vec![0]].concat(), COSE),
        ("trailing-and-sealed", [report(&sealed), vec![0]].concat(), COSE),
        ("trailing-and-no-payload", [report(&[]), vec![0]].concat(), COSE),
        ("twice", [report(&least), report(&least)].concat(), COSE),
        ("no-bytes", vec![], COSE),
        ("untagged", untagged, COSE),
        ("another-tag", [vec![0xd1], report(&least)[1..].to_vec()].concat(), COSE),
        ("longer-tag", [vec![0xd8, 18], report(&least)[1..].to_vec()].concat(), COSE),
        ("signature-of-63-bytes", unsigned, COSE),
        ("unprotected-header", with_unprotected, COSE),
        ("no-key-id", enveloped(&no_key, &least), COSE),
        ("no-header", enveloped(&[], &least), COSE),
    ]
}

fn code_of(bytes: &[u8]) -> &'static str {
    Report::parse(bytes).map_or_else(|error| error.code(), |_| READ)
}

fn letter_of(bytes: &[u8]) -> char {
    match code_of(bytes) {
        "RPT-TOO-LARGE" => 'T',
        COSE => 'C',
        ALGORITHM => 'A',
        PAYLOAD => 'P',
        SEALED => 'S',
        code => code.chars().next().unwrap(),
    }
}

/// The least report, one that is sealed as well, and one that is sealed behind many other fields.
fn swept() -> [(&'static str, Vec<u8>); 3] {
    let (clock, flags, place): (&[u8], &[u8], &[u8]) = (&[4, 0x82, 1, 0], &[8, 1], &[9, 0x82, 0, 0]);
    let fields = [SEQ, BOOT, TIME, clock, SCHEMA, BODY, flags, place, SEAL];
    [
        ("least", report(&named(1, &[BODY]))),
        ("sealed", report(&named(1, &[SEAL]))),
        ("sealed-behind-many", report(&map(9, &fields))),
    ]
}

fn lines() -> String {
    let mut text = String::new();
    let structures = structures().into_iter();
    let payloads = payloads().into_iter().map(|(name, payload, code)| (name, report(&payload), code));
    for (name, bytes, _) in structures.chain(payloads) {
        writeln!(text, "case {name} {} {}", code_of(&bytes), HEXLOWER.encode(&bytes)).unwrap();
    }
    for (name, bytes) in swept() {
        let cuts: String = (0..bytes.len()).map(|end| letter_of(&bytes[..end])).collect();
        let flip = |bit: usize| {
            let mut turned = bytes.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            letter_of(&turned)
        };
        let flips: String = (0..8 * bytes.len()).map(flip).collect();
        let hex = HEXLOWER.encode(&bytes);
        writeln!(text, "cuts {name} {hex} {cuts}\nflips {name} {hex} {flips}").unwrap();
    }
    text
}

#[test]
fn the_first_rule_that_a_report_breaks_names_its_code() {
    let payloads = payloads().into_iter().map(|(name, payload, code)| (name, report(&payload), code));
    for (name, bytes, code) in structures().into_iter().chain(payloads) {
        assert_eq!(code_of(&bytes), code, "{name}");
    }
    let long = vec![0; REPORT_BYTES_MAX];
    assert_eq!(code_of(&long), COSE, "bytes that are no report, as many as are read");
    assert_eq!(code_of(&[long, vec![0]].concat()), "RPT-TOO-LARGE", "one more");
}

#[test]
fn the_codes_of_malformed_reports_are_those_that_were_released() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/refused-reports.txt");
    let made = lines();
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let released = std::fs::read_to_string(&path).unwrap();
    for (made, released) in made.lines().zip(released.lines()) {
        assert_eq!(made, released, "a malformed report is refused otherwise");
    }
    assert_eq!(made.lines().count(), released.lines().count());
}
