//! The names of those who sign statements, as the state keeps their last nonces: as many bytes as a name can have, in place.

use cairn_core::statement::Signer;

/// The most bytes of a signer's name: a P-256 key in its multicodec form.
const BYTES_MAX: usize = 35;

/// A signer's name: multicodec key, address or wallet key, at most 35 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SignerName {
    bytes: [u8; BYTES_MAX],
    len: u8,
}

impl SignerName {
    /// The name in these bytes; `None` when no signer has so long a name.
    #[must_use]
    pub fn from_bytes(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; BYTES_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self { bytes, len: u8::try_from(name.len()).ok()? })
    }

    /// The name's bytes, as a record is kept under.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl From<&Signer> for SignerName {
    fn from(signer: &Signer) -> Self {
        Self::from_bytes(&signer.bytes()).expect("no signer has a longer name")
    }
}
