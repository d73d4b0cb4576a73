//! Keys, and the names that come from them.

use ed25519_dalek::SigningKey;
use ed25519_dalek::ed25519::signature::MultipartSigner;
use sha2::{Digest, Sha256};

use crate::Error;
use crate::sign::Signature;

/// SHA-256 of the network's first statement, which every signature is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetworkId(pub [u8; 32]);

/// A device: the first 16 bytes of SHA-256 over the multicodec form of its first key. It stays when the key is rotated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceId(pub [u8; 16]);

impl DeviceId {
    /// The id that an Ed25519 key gives, from its 32 bytes.
    #[must_use]
    pub fn of_ed25519(public: &[u8; 32]) -> Self {
        Self::of(&[0xed, 0x01], public)
    }

    /// The id that a P-256 key gives, from its 33 bytes as [`compress_p256`] makes them; `None` when the first is not 2 or 3.
    #[must_use]
    pub fn of_p256(compressed: &[u8; 33]) -> Option<Self> {
        let [2 | 3, ..] = compressed else { return None };
        Some(Self::of(&[0x80, 0x24], compressed))
    }

    fn of(codec: &[u8; 2], key: &[u8]) -> Self {
        let hash: [u8; 32] = Sha256::new().chain_update(codec).chain_update(key).finalize().into();
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(hash) {
            *to = from;
        }
        Self(id)
    }

    /// The id as people read it, ASCII: `dev1` and 26 letters of lower-case base32.
    #[must_use]
    pub fn text(&self) -> [u8; 30] {
        // 128 bits and two of nothing, from the highest five down.
        let number = u128::from_be_bytes(self.0);
        let mut text = *b"dev1aaaaaaaaaaaaaaaaaaaaaaaaaa";
        for (place, letter) in text.iter_mut().skip(4).enumerate() {
            let from_top = number.checked_shl(u32::try_from(place).unwrap_or(0).saturating_mul(5)).unwrap_or(0);
            let [top, ..] = from_top.to_be_bytes();
            *letter = match top >> 3 {
                digit @ 0..=25 => b'a'.saturating_add(digit),
                digit => b'2'.saturating_add(digit.saturating_sub(26)),
            };
        }
        text
    }
}

/// The compressed form of a P-256 key from its coordinates `x || y`, as secure elements give them (after the byte 4,
/// where they give 65).
#[must_use]
pub fn compress_p256(point: &[u8; 64]) -> [u8; 33] {
    let [.., last] = point;
    let mut compressed = [0; 33];
    let sign = [2 | (last & 1)];
    for (to, from) in compressed.iter_mut().zip(sign.iter().chain(point)) {
        *to = *from;
    }
    compressed
}

/// An Ed25519 key in the device's memory. It is wiped when dropped, as far as a compiler lets anything be wiped.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

impl DeviceKey {
    /// The key of a 32-byte seed (RFC 8032, section 5.1.5), which is what a device's key file holds.
    ///
    /// The seed must come from true randomness: whoever guesses it is the device.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The device that this is the first key of.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        DeviceId::of_ed25519(&self.public())
    }

    /// Signs a message that stands in two pieces (RFC 8032): nowhere in one.
    pub(crate) fn sign(&self, message: [&[u8]; 2]) -> Result<Signature, Error> {
        self.0.try_multipart_sign(&message).map(|signature| signature.to_bytes()).map_err(|_| Error::Signer)
    }
}

impl core::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("DeviceKey(secret)")
    }
}
