//! Texts and bytes of the log: notes, checkpoints, receipts, promises, tiles.

use cairn_core::ed25519::SigningKey;
use cairn_merkle::promise::promise_key_name;
use cairn_merkle::tile::{decode_bundle, decode_tile, encode_bundle, encode_tile, split_entry};
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::witness::{parse_history, parse_lines, parse_size, print_lines, print_size};
use cairn_merkle::{
    AddCheckpoint, Checkpoint, Note, NoteSigner, NoteVerifier, Promise, Receipt, SignedCheckpoint, TileLevel, TilePath,
    TrustPolicy,
};

use crate::text;

const ORIGIN: &str = "log.example";

fn log() -> NoteSigner {
    NoteSigner::new(ORIGIN, SigningKey::from_seed([1; 32])).expect("a plain name")
}

pub fn note(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let log = log();
    let opened = SignedCheckpoint::open(text, log.verifier(), &[]);
    if let Ok(note) = text.parse::<Note>() {
        assert_eq!(note.to_string(), text);
        if let Ok(opened) = opened {
            assert_eq!(opened.checkpoint.to_string(), note.text());
        }
    } else {
        assert!(opened.is_err(), "what is no note is no signed checkpoint");
    }
}

pub fn checkpoint(bytes: &[u8]) {
    if let Some(text) = text(bytes)
        && let Ok(checkpoint) = text.parse::<Checkpoint>()
    {
        assert_eq!(checkpoint.to_string(), text);
    }
}

pub fn receipt(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(receipt) = text.parse::<Receipt>() {
        assert_eq!(receipt.to_string().parse::<Receipt>().as_ref(), Ok(&receipt));
        let _ = receipt.verify(leaf_hash(b"some entry"), log().verifier(), &[]);
    }
}

/// Reads the text of a promise, which is what its key signs.
pub fn promise(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let key = NoteSigner::new(&promise_key_name(ORIGIN), SigningKey::from_seed([3; 32])).expect("a plain name");
    let _ = Promise::open(text, key.verifier());
    // Signed here, so that what comes after the signature is reached too.
    let Ok(note) = Note::new(text.to_owned(), vec![key.sign(text)]) else { return };
    if let Ok(promise) = Promise::open(&note.to_string(), key.verifier()) {
        assert_eq!(promise.to_string(), text);
        assert_eq!(promise.sign(&key).as_deref(), Ok(note.to_string().as_str()));
    }
}

pub fn verifier_key(bytes: &[u8]) {
    if let Some(text) = text(bytes)
        && let Ok(key) = text.parse::<NoteVerifier>()
    {
        assert_eq!(key.to_string(), text);
    }
}

/// A request to a witness; its answers are shorter texts, read here too.
pub fn add_checkpoint(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(request) = text.parse::<AddCheckpoint>() {
        assert_eq!(request.to_string(), text);
    }
    if let Ok(lines) = parse_lines(text) {
        assert_eq!(print_lines(&lines), text);
    }
    if let Ok(size) = parse_size(text) {
        assert_eq!(print_size(size), text);
    }
}

pub fn cosignature_history(bytes: &[u8]) {
    if let Some(text) = text(bytes)
        && let Ok(notes) = parse_history(text)
    {
        assert_eq!(notes.iter().map(Note::to_string).collect::<String>(), text);
    }
}

pub fn trust_policy(bytes: &[u8]) {
    if let Some(text) = text(bytes)
        && let Ok(policy) = TrustPolicy::parse(text)
    {
        let count = policy.witnesses().len();
        assert_eq!(policy.is_quorum(&vec![false; count]), !policy.needs_witnesses());
        assert!(policy.is_quorum(&vec![true; count]));
    }
}

pub fn tile_path(bytes: &[u8]) {
    if let Some(text) = text(bytes)
        && let Ok(tile) = text.parse::<TilePath>()
    {
        assert_eq!(tile.to_string(), text);
    }
}

/// The first byte is the width, the rest is the tile.
pub fn tile(bytes: &[u8]) {
    let Some((width, rest)) = bytes.split_first() else { return };
    let tile = TilePath { level: TileLevel::Hashes(0), index: 0, width: u16::from(*width) + 1 };
    if let Ok(hashes) = decode_tile(tile, rest) {
        assert_eq!(encode_tile(&hashes), rest);
        assert_eq!(hashes.len(), usize::from(tile.width));
    }
}

/// The first byte is the width, the rest is the bundle.
pub fn bundle(bytes: &[u8]) {
    let Some((width, rest)) = bytes.split_first() else { return };
    if let Some((first, after)) = split_entry(rest) {
        assert_eq!(first.len() + after.len() + 2, rest.len());
    }
    if let Ok(entries) = decode_bundle(rest, u16::from(*width) + 1) {
        assert_eq!(encode_bundle(&entries).as_deref(), Ok(rest));
    }
}
