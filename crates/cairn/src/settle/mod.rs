//! Settling from the command line: which chain, whose wallet, what the network says, and the steps between them.

pub mod network;
pub mod place;
pub mod record;
pub mod steps;
pub mod terms;

use cairn_settle::EvmAddress;
use cairn_settle::told::parse_address;

use crate::failure::Failure;

/// Reads an address that somebody typed.
///
/// # Errors
/// `STL-ADDRESS`.
pub fn address(text: &str) -> Result<EvmAddress, Failure> {
    parse_address(text).ok_or_else(|| {
        Failure::usage("STL-ADDRESS", format!("`{text}` is no address"))
            .hint("an address is 0x and 40 hexadecimal digits")
    })
}
