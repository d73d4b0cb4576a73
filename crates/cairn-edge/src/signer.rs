//! Who signs: a key in memory, or one in a token that answers.

use cairn_core::cbor::Encoder;
use cairn_core::cose::{Purpose, protected_header, sig_structure};
use cairn_core::ed25519::Signature;
use cairn_core::key::{PublicKey, SecretKey};
use cairn_core::{DeviceId, NetworkId};

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signer did not sign: {reason}")]
pub struct SignError {
    /// What the signer said.
    pub reason: String,
    /// Whether it may do so later: a token that was pulled out, not one that refuses the key.
    pub may_pass: bool,
}

impl SignError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "EDGE-SIGN"
    }
}

/// A key that signs and need not be in this process.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public(&self) -> PublicKey;

    /// Signs a message: Ed25519 over it, or ECDSA over its SHA-256 as `r || s`.
    ///
    /// # Errors
    /// [`SignError`]; a key in memory never fails.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError>;
}

impl Signer for SecretKey {
    fn public(&self) -> PublicKey {
        Self::public(self)
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Ok(Self::sign(self, message))
    }
}

/// Signs the payload of a report: the bytes that [`cairn_core::report::sign_report`] makes of the same payload.
///
/// # Errors
/// [`SignError`].
pub fn sign_payload(
    signer: &dyn Signer,
    device: DeviceId,
    network: &NetworkId,
    payload: &[u8],
) -> Result<Vec<u8>, SignError> {
    let protected = protected_header(signer.public().algorithm(), Some(&device.0));
    let signature = signer.sign(&sig_structure(&protected, Purpose::Report, Some(network), payload))?;
    let mut out = Encoder::empty();
    out.tag(18).array(4).bytes(&protected).map(0).bytes(payload).bytes(&signature);
    Ok(out.into_bytes())
}

#[cfg(test)]
mod tests {
    use cairn_core::Hash;
    use cairn_core::cbor::Value;
    use cairn_core::report::{ReportBody, sign_report};

    use super::*;

    #[test]
    fn a_report_has_the_bytes_that_the_core_gives_it() {
        let network = NetworkId(Hash::of(b"network"));
        let body = ReportBody::of(1, 2, 3, "sensing/1", Value::map(vec![(4, Value::Int(5))]));
        for key in [SecretKey::ed25519([7; 32]), SecretKey::p256([7; 32]).unwrap()] {
            let device = DeviceId::of_key(&key.public().multicodec());
            let signed = sign_payload(&key, device, &network, &body.encode()).unwrap();
            assert_eq!(signed, sign_report(&key, device, &network, &body));
        }
    }
}
