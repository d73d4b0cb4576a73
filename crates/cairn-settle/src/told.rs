//! Messages, addresses and signatures as the HTTP API and files tell them.
//!
//! Each has one form on the way out. On the way in `0x` may be left out of a signature, digits may be upper-case.

use cairn_api::EpochMessageInfo;
use cairn_core::Hash;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::{EpochMessage, EvmAddress};

/// Bytes of a signature: `r || s || v`.
pub const SIGNATURE_BYTES: usize = 65;

/// Bytes: `0x` and lower-case digits.
#[must_use]
pub fn hex_text(bytes: &[u8]) -> String {
    format!("0x{}", HEXLOWER.encode(bytes))
}

/// An address: `0x` and 40 lower-case digits.
#[must_use]
pub fn address_text(address: &EvmAddress) -> String {
    hex_text(address)
}

/// An address from `0x` and 40 digits of any case; checksums of mixed case are not checked.
#[must_use]
pub fn parse_address(text: &str) -> Option<EvmAddress> {
    bytes(text.strip_prefix("0x")?)
}

/// A signature: `0x` and 130 lower-case digits.
#[must_use]
pub fn signature_text(signature: &[u8; SIGNATURE_BYTES]) -> String {
    hex_text(signature)
}

/// A signature from 130 digits, with or without `0x` before them. Nothing about it is verified.
#[must_use]
pub fn parse_signature(text: &str) -> Option<[u8; SIGNATURE_BYTES]> {
    bytes(text.strip_prefix("0x").unwrap_or(text))
}

fn bytes<const N: usize>(digits: &str) -> Option<[u8; N]> {
    if digits.len() != 2 * N {
        return None;
    }
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?.try_into().ok()
}

/// A message as the API tells it.
#[must_use]
pub fn message_info(message: &EpochMessage) -> EpochMessageInfo {
    EpochMessageInfo {
        epoch: message.epoch,
        revision: message.revision,
        statement_hash: message.statement_hash.to_hex(),
        previous_hash: message.previous.to_hex(),
        log_size: message.log_size,
        log_root: message.log_root.to_hex(),
        state_root: message.state_root.to_hex(),
        settlements_root: Hash(message.settlements_root).to_hex(),
    }
}

/// A message that somebody told; `None` where a field is no hash.
#[must_use]
pub fn read_message(told: &EpochMessageInfo) -> Option<EpochMessage> {
    Some(EpochMessage {
        epoch: told.epoch,
        revision: told.revision,
        statement_hash: Hash::from_hex(&told.statement_hash)?,
        previous: Hash::from_hex(&told.previous_hash)?,
        log_size: told.log_size,
        log_root: Hash::from_hex(&told.log_root)?,
        state_root: Hash::from_hex(&told.state_root)?,
        settlements_root: Hash::from_hex(&told.settlements_root)?.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_back_as_it_was() {
        let hash = |byte| Hash([byte; 32]);
        let message = EpochMessage {
            epoch: u64::MAX,
            revision: u32::MAX,
            statement_hash: hash(1),
            previous: hash(2),
            log_size: 3,
            log_root: hash(4),
            state_root: hash(5),
            settlements_root: [6; 32],
        };
        assert_eq!(read_message(&message_info(&message)), Some(message.clone()));
        let mut told = message_info(&message);
        told.log_root.pop();
        assert_eq!(read_message(&told), None);
        let signature = core::array::from_fn(|n| n as u8);
        assert_eq!(parse_signature(&signature_text(&signature)), Some(signature));
        assert_eq!(
            parse_signature(signature_text(&signature).to_uppercase().strip_prefix("0X").unwrap()),
            Some(signature)
        );
        assert_eq!(parse_address(&address_text(&[0xab; 20])), Some([0xab; 20]));
        for bad in ["", "0x", "0x00", &"z".repeat(130), &"0".repeat(129), &format!("0x{}", "0".repeat(132)), "é"] {
            assert_eq!(parse_signature(bad), None, "{bad}");
            assert_eq!(parse_address(bad), None, "{bad}");
        }
    }
}
