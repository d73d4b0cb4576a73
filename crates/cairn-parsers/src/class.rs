//! What the class of sensing reads: bodies, profiles of both forms, what its judge remembers.

use cairn_classes::sensing::{self, Body};
use cairn_core::cbor::Decoder;

use crate::text;

pub fn sensing_body(bytes: &[u8]) {
    let mut input = Decoder::over(bytes);
    let Ok(value) = input.value() else { return };
    let admitted = cairn_classes::check_body(sensing::SCHEMA, &value);
    match Body::parse(&value) {
        Ok(body) => {
            assert_eq!(body.encode(), value);
            assert_eq!(admitted.ok(), body.readings().last().map(|reading| reading.after_ms));
        }
        Err(error) => assert_eq!(admitted.map_err(|refused| refused.code()), Err(error.code())),
    }
}

pub fn profile(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let revision = cairn_classes::read_by(sensing::SCHEMA, text);
    let slot_ms = cairn_classes::slot_ms(sensing::SCHEMA, text);
    match cairn_classes::check_profile(sensing::SCHEMA, text) {
        Ok(()) => {
            assert!(revision.is_ok_and(|revision| sensing::REVISIONS.contains(&revision)));
            assert!(slot_ms.is_ok_and(|slot_ms| slot_ms > 0));
        }
        Err(error) => {
            assert!(!error.code().is_empty() && !error.to_string().is_empty());
            assert!(revision.is_err() && slot_ms.is_err());
        }
    }
}

pub fn memory(bytes: &[u8]) {
    if let Ok(again) = sensing::reread_memory(bytes) {
        assert_eq!(again, bytes);
    }
}
