//! Reading the maps that bodies are.

use crate::cbor::{self, CborError, Decoder};
use crate::key::PublicKey;

/// Reads one map: every key once, none unknown, the required ones present.
macro_rules! read_map {
    ($input:ident, $keys:ident, { $($key:literal => $field:ident = $read:expr,)+ }) => {
        let mut $keys = $input.map()?;
        $(let mut $field = None;)+
        while let Some(key) = $keys.next_key($input)? {
            match key {
                $($key => $field = Some($read),)+
                _ => $keys.unknown($input, key)?,
            }
        }
        $input.leave();
    };
}

pub(super) use read_map;

pub(super) fn public_key(input: &mut Decoder<'_>) -> cbor::Result<PublicKey> {
    let at = input.position();
    PublicKey::from_multicodec(input.bytes()?).ok_or(CborError::Range { at, what: "not an Ed25519 or P-256 key" })
}

pub(super) fn text_within(input: &mut Decoder<'_>, max: usize) -> cbor::Result<String> {
    let at = input.position();
    let text = input.text()?;
    let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if text.len() > max || !printable {
        return Err(CborError::Range { at, what: "text is too long or not printable" });
    }
    Ok(text.to_owned())
}
