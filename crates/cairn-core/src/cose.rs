//! COSE_Sign1 (RFC 9052, tag 18) as Cairn uses it: deterministic, with an algorithm and a 16-byte key id in the protected
//! header, an empty unprotected header, and every signature bound to its purpose and network through `external_aad`.

use thiserror::Error;

use crate::NetworkId;
use crate::cbor::{CborError, Decoder, Encoder};
use crate::ed25519::Signature;
use crate::key::{Algorithm, SecretKey};

/// What a signature is for; the first half of `external_aad`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A device's report.
    Report,
    /// A statement by somebody with rights.
    Statement,
    /// A named observer's observation.
    Observation,
}

impl Purpose {
    const fn context(self) -> &'static str {
        match self {
            Self::Report => "cairn/report/1",
            Self::Statement => "cairn/statement/1",
            Self::Observation => "cairn/observation/1",
        }
    }
}

/// Why bytes are not a COSE_Sign1 that Cairn reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CoseError {
    /// Not the deterministic CBOR of the structure.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// An algorithm that is not read here.
    #[error("cose algorithm {id} is not Ed25519 (-19, -8) or P-256 (-9, -7)")]
    Algorithm {
        /// The id found.
        id: i64,
    },
}

/// A parsed COSE_Sign1, borrowing from the received bytes.
#[derive(Debug, Clone)]
pub struct Sign1<'a> {
    /// The protected header's bytes, as signed.
    pub protected: &'a [u8],
    /// The algorithm it names.
    pub algorithm: Algorithm,
    /// The key id: a device id, or an observer's key id.
    pub key_id: [u8; 16],
    /// The payload's bytes, as signed.
    pub payload: &'a [u8],
    /// The signature.
    pub signature: Signature,
}

impl<'a> Sign1<'a> {
    /// Parses one tagged COSE_Sign1 that fills `bytes`.
    ///
    /// # Errors
    /// [`CoseError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CoseError> {
        let mut input = Decoder::over(bytes);
        let parsed = Self::read(&mut input)?;
        input.end()?;
        Ok(parsed)
    }

    /// Reads one tagged COSE_Sign1 of a sequence.
    ///
    /// # Errors
    /// [`CoseError`].
    pub fn read(input: &mut Decoder<'a>) -> Result<Self, CoseError> {
        input.tag(18, "a COSE_Sign1 (tag 18)")?;
        input.array_exact(4)?;
        let protected = input.bytes()?;
        let unprotected = input.map()?;
        let at = input.position();
        if { unprotected }.next_key(input)?.is_some() {
            return Err(CborError::Unexpected { at, expected: "an empty unprotected header" }.into());
        }
        input.leave();
        let payload = input.bytes()?;
        let signature = input.bytes_exact()?;
        input.leave();
        let (algorithm, key_id) = parse_protected(protected)?;
        Ok(Self { protected, algorithm, key_id, payload, signature })
    }

    /// The bytes that the signature covers.
    #[must_use]
    pub fn to_be_signed(&self, purpose: Purpose, network: Option<&NetworkId>) -> Vec<u8> {
        sig_structure(self.protected, purpose, network, self.payload)
    }
}

fn parse_protected(bytes: &[u8]) -> Result<(Algorithm, [u8; 16]), CoseError> {
    let mut input = Decoder::over(bytes);
    let mut keys = input.map()?;
    let (mut algorithm, mut key_id) = (None, None);
    while let Some(key) = keys.next_key(&mut input)? {
        match key {
            1 => algorithm = Some(input.int()?),
            4 => key_id = Some(input.bytes_exact()?),
            _ => keys.unknown(&input, key)?,
        }
    }
    input.leave();
    input.end()?;
    let id = keys.required(1, algorithm)?;
    let key_id = keys.required(4, key_id)?;
    Ok((Algorithm::from_cose(id).ok_or(CoseError::Algorithm { id })?, key_id))
}

/// The protected header `{1: alg, ?4: key id}`.
#[must_use]
pub fn protected_header(algorithm: Algorithm, key_id: Option<&[u8; 16]>) -> Vec<u8> {
    let mut out = Encoder::empty();
    out.map(1 + usize::from(key_id.is_some())).int(1).int(algorithm.cose_id());
    if let Some(key_id) = key_id {
        out.int(4).bytes(key_id);
    }
    out.into_bytes()
}

/// `Sig_structure` of RFC 9052, section 4.4: `["Signature1", protected, external_aad, payload]`, where `external_aad` is
/// the deterministic CBOR `[context, NetworkId]`; the id is empty in the genesis statement, which makes it.
#[must_use]
pub fn sig_structure(protected: &[u8], purpose: Purpose, network: Option<&NetworkId>, payload: &[u8]) -> Vec<u8> {
    let network: &[u8] = network.map_or(&[], |id| &id.0.0);
    let aad = Encoder::with_room(64).array(2).text(purpose.context()).bytes(network).take();
    let mut out = Encoder::with_room(protected.len() + aad.len() + payload.len() + 32);
    out.array(4).text("Signature1").bytes(protected).bytes(&aad).bytes(payload);
    out.into_bytes()
}

/// Signs `payload` into a tagged COSE_Sign1.
#[must_use]
pub fn sign1(key: &SecretKey, key_id: &[u8; 16], purpose: Purpose, network: &NetworkId, payload: &[u8]) -> Vec<u8> {
    let protected = protected_header(key.public().algorithm(), Some(key_id));
    let signature = key.sign(&sig_structure(&protected, purpose, Some(network), payload));
    let mut out = Encoder::empty();
    out.tag(18).array(4).bytes(&protected).map(0).bytes(payload).bytes(&signature);
    out.into_bytes()
}

/// The payload of a COSE_Sign1, for bytes that are known to be one.
#[must_use]
pub fn payload_of(bytes: &[u8]) -> Option<&[u8]> {
    Sign1::parse(bytes).ok().map(|parsed| parsed.payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hash;

    #[test]
    fn signed_bytes_parse_back_and_are_bound_to_purpose_and_network() {
        let key = SecretKey::ed25519([1; 32]);
        let network = NetworkId(Hash::of(b"network"));
        let bytes = sign1(&key, &key.public().key_id(), Purpose::Report, &network, b"payload");
        let parsed = Sign1::parse(&bytes).unwrap();
        assert_eq!((parsed.payload, parsed.key_id), (&b"payload"[..], key.public().key_id()));
        let verifies = |purpose, network: &NetworkId| {
            key.public().verify(&parsed.to_be_signed(purpose, Some(network)), &parsed.signature)
        };
        assert!(verifies(Purpose::Report, &network));
        assert!(!verifies(Purpose::Observation, &network));
        assert!(!verifies(Purpose::Report, &NetworkId(Hash::of(b"another"))));
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_refused_or_fails_to_verify() {
        let key = SecretKey::ed25519([2; 32]);
        let network = NetworkId(Hash::of(b"network"));
        let bytes = sign1(&key, &[9; 16], Purpose::Report, &network, b"payload");
        for cut in 0..bytes.len() {
            assert!(Sign1::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let accepted = Sign1::parse(&changed).is_ok_and(|parsed| {
                key.public().verify(&parsed.to_be_signed(Purpose::Report, Some(&network)), &parsed.signature)
            });
            assert!(!accepted, "byte {at}");
        }
    }
}
