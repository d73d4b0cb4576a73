//! Packets: any bytes are read or refused, and what is read is written as a packet that reads the same.

#![allow(clippy::unwrap_used)]

use cairn_nearby::packet::{
    ADDRESS, ANSWER_FLAGS, Data, INTERNET, Message, Name, POINTER, PacketError, QUESTIONS_MAX, Question, RECORDS_MAX,
    Record, SERVICE, TEXT, TOP_BIT,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn name(labels: &[&str]) -> Name {
    Name::of(labels).unwrap()
}

/// An answer as other programs write it: compressed, with what is told besides.
const COMPRESSED: &[u8] = b"\x12\x34\x84\x00\0\x01\0\x01\0\0\0\x03\
    \x06_cairn\x04_tcp\x05local\0\0\x0c\0\x01\
    \xc0\x0c\0\x0c\0\x01\0\0\0\x0a\0\x07\x04Town\xc0\x0c\
    \xc0\x2f\0\x21\0\x01\0\0\0\x0a\0\x0c\0\0\0\0\x21\xc0\x03box\xc0\x18\
    \xc0\x2f\0\x10\0\x01\0\0\0\x0a\0\x06\x05tls=0\
    \xc0\x48\0\x01\0\x01\0\0\0\x0a\0\x04\xc0\xa8\x07\x14";

#[test]
fn a_compressed_packet_is_read_and_written_as_one_that_reads_the_same() {
    let read = Message::read(COMPRESSED).unwrap();
    let service = name(&["_cairn", "_tcp", "local"]);
    let town = name(&["Town"]).under(&service).unwrap();
    let host = name(&["box", "local"]);
    let record = |name: &Name, kind, data| Record { name: name.clone(), kind, class: INTERNET, ttl_s: 10, data };
    let expected = Message {
        id: 0x1234,
        flags: ANSWER_FLAGS,
        questions: vec![Question { name: service.clone(), kind: POINTER, class: INTERNET }],
        answers: vec![record(&service, POINTER, Data::Pointer(town.clone()))],
        others: vec![
            record(&town, SERVICE, Data::Service { priority: 0, weight: 0, port: 8_640, target: host.clone() }),
            record(&town, TEXT, Data::Text(vec![b"tls=0".to_vec()])),
            record(&host, ADDRESS, Data::Address([192, 168, 7, 20].into())),
        ],
    };
    assert_eq!(read, expected);
    assert_eq!(Message::read(&read.write()), Ok(expected));
}

#[test]
fn a_packet_that_is_cut_short_anywhere_is_refused() {
    for end in 0..COMPRESSED.len() {
        assert!(Message::read(&COMPRESSED[..end]).is_err(), "{end} bytes of {}", COMPRESSED.len());
    }
}

#[test]
fn what_is_no_packet_is_refused_for_what_is_wrong_with_it() {
    let head = |counts: [u16; 4]| {
        let mut bytes = vec![0; 4];
        counts.iter().for_each(|count| bytes.extend(count.to_be_bytes()));
        bytes
    };
    let with = |counts, rest: &[u8]| [head(counts), rest.to_vec()].concat();
    let question = |name: &[u8]| with([1, 0, 0, 0], &[name, &[0, 12, 0, 1]].concat());
    let answer = |kind: u8, length: u8, data: &[u8]| {
        with([0, 1, 0, 0], &[&[0, 0, kind, 0, 1, 0, 0, 0, 9, 0, length], data].concat())
    };
    let long_name = [[63; 64].repeat(4), vec![0]].concat();
    let many = u16::try_from(RECORDS_MAX).unwrap();
    for (what, bytes, expected) in [
        ("nothing", Vec::new(), PacketError::Short),
        ("a name that points at itself", question(&[0xc0, 12]), PacketError::Name),
        ("a name that points ahead", question(&[0xc0, 14, 0, 0]), PacketError::Name),
        ("a name in a circle", question(&[1, b'a', 0xc0, 12]), PacketError::Name),
        ("a label of a kind that is none", question(&[0x40, 0]), PacketError::Name),
        ("a name of 257 bytes", question(&long_name), PacketError::Name),
        ("more questions than are read", head([u16::try_from(QUESTIONS_MAX).unwrap() + 1, 0, 0, 0]), PacketError::Many),
        ("more records than are read", head([0, many, 1, 0]), PacketError::Many),
        ("65,535 records in each section", head([0, 0xffff, 0xffff, 0xffff]), PacketError::Many),
        ("an address of three bytes", answer(1, 3, &[1, 2, 3]), PacketError::Short),
        ("an address of five bytes", answer(1, 5, &[1, 2, 3, 4, 5]), PacketError::Length),
        ("a string beyond its record", answer(16, 2, &[2, b'a', b'b']), PacketError::Short),
        ("a name beyond its record", answer(12, 2, &[1, b'a', 0]), PacketError::Short),
    ] {
        assert_eq!(Message::read(&bytes), Err(expected), "{what}");
    }
}

#[test]
fn a_name_of_very_many_pointers_is_refused() {
    // A question of the root, then a chain of pointers as the bytes of a record, then a name that enters it at its end.
    let steps = 40u16;
    let first = 12 + 11;
    let chain: Vec<u8> = (0..steps)
        .flat_map(|step| (0xc000 | if step == 0 { 12 } else { first + 2 * (step - 1) }).to_be_bytes())
        .collect();
    let record = [&[0, 0, 99, 0, 1, 0, 0, 0, 9, 0, u8::try_from(chain.len()).unwrap()], &chain[..]].concat();
    let entered = |step: u16| {
        let enter = (0xc000 | (first + 2 * step)).to_be_bytes();
        let last = [&enter[..], &[0, 99, 0, 1, 0, 0, 0, 9, 0, 0]].concat();
        Message::read(&[&[0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0][..], &record, &last].concat()).err()
    };
    assert_eq!((entered(5), entered(steps - 1)), (None, Some(PacketError::Name)));
}

#[test]
fn names_are_compared_without_regard_to_case_and_are_never_too_long() {
    assert!(name(&["_Cairn", "_TCP", "Local"]).is(&name(&["_cairn", "_tcp", "local"])));
    for (one, two) in [(&["a", "b"][..], &["a"][..]), (&["a"], &["b"]), (&["b"], &["a", "b"])] {
        assert!(!name(one).is(&name(two)), "{one:?} {two:?}");
    }
    let long = "x".repeat(63);
    for (labels, is_name) in [
        (vec![""], false),
        (vec![long.as_str()], true),
        (vec!["y".repeat(64).leak() as &str], false),
        (vec![long.as_str(); 3], true),
        (vec![long.as_str(); 4], false),
    ] {
        assert_eq!(Name::of(&labels).is_some(), is_name, "{} labels", labels.len());
    }
}

fn names() -> impl Strategy<Value = Name> {
    vec("[a-zA-Z0-9_ -]{1,20}", 0..5)
        .prop_map(|labels| Name::of(&labels.iter().map(String::as_str).collect::<Vec<_>>()).unwrap())
}

fn records() -> impl Strategy<Value = Record> {
    let data = prop_oneof![
        any::<[u8; 4]>().prop_map(|bytes| (ADDRESS, Data::Address(bytes.into()))),
        names().prop_map(|name| (POINTER, Data::Pointer(name))),
        (any::<u16>(), names())
            .prop_map(|(port, target)| (SERVICE, Data::Service { priority: 1, weight: 2, port, target })),
        vec(vec(any::<u8>(), 0..255), 0..4).prop_map(|strings| (TEXT, Data::Text(strings))),
        vec(any::<u8>(), 0..40).prop_map(|bytes| (28, Data::Other(bytes))),
    ];
    (names(), data, any::<bool>(), any::<u32>()).prop_map(|(name, (kind, data), is_only, ttl_s)| Record {
        name,
        kind,
        class: if is_only { INTERNET | TOP_BIT } else { INTERNET },
        ttl_s,
        data,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        head in any::<(u16, u16)>(),
        asked in vec((names(), any::<u16>()), 0..4),
        answers in vec(records(), 0..6),
        others in vec(records(), 0..6),
    ) {
        let questions = asked.into_iter().map(|(name, kind)| Question { name, kind, class: INTERNET }).collect();
        let message = Message { id: head.0, flags: head.1, questions, answers, others };
        prop_assert_eq!(Message::read(&message.write()), Ok(message));
    }

    #[test]
    fn any_bytes_are_refused_or_written_as_a_packet_that_reads_the_same(
        changes in vec((0usize..COMPRESSED.len(), any::<u8>()), 0..6),
        tail in vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = COMPRESSED.to_vec();
        changes.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        bytes.extend(tail);
        if let Ok(message) = Message::read(&bytes) {
            prop_assert_eq!(Message::read(&message.write()), Ok(message));
        }
    }
}
