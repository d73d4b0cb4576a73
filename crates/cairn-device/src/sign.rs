//! COSE_Sign1 around a report: what is signed, and the bytes that are sent.
//!
//! ```text
//! report        = 18([ protected, {}, payload, signature ])
//! what is signed = [ "Signature1", protected, external_aad, payload ]      external_aad = [ "cairn/report/1", network ]
//! ```
//!
//! Only the beginning of what is signed, up to the payload, is made beside the report: it has at most
//! [`PREFIX_BYTES_MAX`] bytes. The payload is hashed where it stands.

use sha2::{Digest, Sha256};

use crate::Error;
use crate::key::{DeviceId, DeviceKey, NetworkId};
use crate::report::Report;
use crate::size::REPORT_BYTES_MAX;
use crate::writer::Writer;

/// A signature: Ed25519's `R || s`, or P-256's `r || s`.
pub type Signature = [u8; 64];

const CONTEXT: &str = "cairn/report/1";
/// The protected header `{1: alg, 4: device}`.
const PROTECTED_BYTES: usize = 21;
/// `[context, network]`.
const AAD_BYTES: usize = 1 + 1 + CONTEXT.len() + 2 + 32;
/// What is signed before the payload: array, "Signature1", header, external data, the payload's head.
const PREFIX_BYTES_MAX: usize = 1 + 11 + 1 + PROTECTED_BYTES + 2 + AAD_BYTES + 3;
/// Tag, array, header, empty map; and the signature with its head.
const AROUND_BYTES: usize = 1 + 1 + 1 + PROTECTED_BYTES + 1 + 2 + 64;

/// How a report is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// Ed25519: COSE -19.
    Ed25519,
    /// ECDSA with P-256 and SHA-256: COSE -9.
    P256,
}

impl Algorithm {
    const fn cose(self) -> i64 {
        match self {
            Self::Ed25519 => -19,
            Self::P256 => -9,
        }
    }
}

impl Report<'_> {
    /// The bytes of the signed report, exactly: what a buffer needs.
    ///
    /// # Errors
    /// Whatever makes the report one that is not signed; see [`Error`].
    pub fn bytes_needed(&self) -> Result<usize, Error> {
        let payload = self.payload_bytes()?;
        let mut head = Writer::over(&mut []);
        head.bytes_head(payload);
        let bytes = payload.saturating_add(head.position()).saturating_add(AROUND_BYTES);
        if bytes > REPORT_BYTES_MAX { Err(Error::TooLarge { bytes }) } else { Ok(bytes) }
    }

    /// Signs with a key in memory, into the beginning of `buffer`. `device` is the key's own ([`DeviceKey::device`]) unless
    /// the device was rotated to it, and then the device's first key's.
    ///
    /// # Errors
    /// [`Error::Buffer`] with the size needed, or whatever is wrong with the report. Then nothing is signed.
    pub fn sign<'b>(
        &self,
        key: &DeviceKey,
        device: DeviceId,
        network: &NetworkId,
        buffer: &'b mut [u8],
    ) -> Result<Signed<'b>, Error> {
        let unsigned = self.write(Algorithm::Ed25519, device, network, buffer)?;
        let signature = key.sign(unsigned.pieces())?;
        Ok(unsigned.finish(&signature))
    }

    /// Has a secure element sign: `sign` is given the SHA-256 digest of what is to be signed, and answers ECDSA's `r || s` over
    /// that digest (as it is, not hashed again), or `None`.
    ///
    /// # Errors
    /// As [`Report::sign`], and [`Error::Signer`] when there was no answer.
    pub fn sign_p256<'b>(
        &self,
        device: DeviceId,
        network: &NetworkId,
        buffer: &'b mut [u8],
        sign: impl FnOnce(&[u8; 32]) -> Option<Signature>,
    ) -> Result<Signed<'b>, Error> {
        let unsigned = self.write(Algorithm::P256, device, network, buffer)?;
        let signature = sign(&unsigned.digest()).ok_or(Error::Signer)?;
        Ok(unsigned.finish(&signature))
    }

    /// Writes everything but the signature, for signers that answer later or want the whole message.
    ///
    /// # Errors
    /// As [`Report::sign`].
    pub fn write<'b>(
        &self,
        algorithm: Algorithm,
        device: DeviceId,
        network: &NetworkId,
        buffer: &'b mut [u8],
    ) -> Result<Unsigned<'b>, Error> {
        let payload = self.payload_bytes()?;
        let needed = self.bytes_needed()?;
        let report = buffer.get_mut(..needed).ok_or(Error::Buffer { needed })?;

        let mut protected = [0; PROTECTED_BYTES];
        Writer::over(&mut protected).map(2).uint(1).int(algorithm.cose()).uint(4).bytes(&device.0);
        let mut aad = [0; AAD_BYTES];
        Writer::over(&mut aad).array(2).text(CONTEXT).bytes(&network.0);
        let mut prefix = [0; PREFIX_BYTES_MAX];
        let mut out = Writer::over(&mut prefix);
        out.array(4).text("Signature1").bytes(&protected).bytes(&aad).bytes_head(payload);
        let prefix_len = out.position();

        let mut out = Writer::over(report);
        out.raw(&[0xd2]).array(4).bytes(&protected).map(0).bytes_head(payload);
        let start = out.position();
        self.write_payload(&mut out)?;
        let end = out.position();
        // The head was written for the payload as it was measured.
        if end.checked_sub(start) != Some(payload) {
            return Err(Error::Changed);
        }
        out.bytes(&[0; 64]);
        Ok(Unsigned { report, payload: (start, end), prefix, prefix_len })
    }
}

/// A report without its signature.
#[derive(Debug)]
#[must_use = "an unsigned report is refused everywhere"]
pub struct Unsigned<'b> {
    report: &'b mut [u8],
    payload: (usize, usize),
    prefix: [u8; PREFIX_BYTES_MAX],
    prefix_len: usize,
}

impl<'b> Unsigned<'b> {
    /// What is to be signed, in two pieces that follow each other.
    #[must_use]
    pub fn pieces(&self) -> [&[u8]; 2] {
        let (start, end) = self.payload;
        // Both ranges are those just written; an empty piece in place of one would be a signature that nobody accepts.
        [self.prefix.get(..self.prefix_len).unwrap_or_default(), self.report.get(start..end).unwrap_or_default()]
    }

    /// SHA-256 of what is to be signed: what P-256 signs.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let [prefix, payload] = self.pieces();
        Sha256::new().chain_update(prefix).chain_update(payload).finalize().into()
    }

    /// The report with its signature.
    pub fn finish(self, signature: &Signature) -> Signed<'b> {
        if let Some(room) = self.report.last_chunk_mut() {
            *room = *signature;
        }
        Signed { report: self.report, payload: self.payload }
    }
}

/// A signed report, in the caller's buffer.
#[derive(Clone, Copy, Debug)]
#[must_use = "a report is signed to be sent or kept"]
pub struct Signed<'b> {
    report: &'b [u8],
    payload: (usize, usize),
}

impl<'b> Signed<'b> {
    /// The bytes to send or to keep: POST them to `/v1/reports` as `application/cose`.
    #[must_use]
    pub const fn bytes(&self) -> &'b [u8] {
        self.report
    }

    /// SHA-256 of the payload: the report's identity.
    #[must_use]
    pub fn identity(&self) -> [u8; 32] {
        let (start, end) = self.payload;
        Sha256::digest(self.report.get(start..end).unwrap_or_default()).into()
    }

    /// What the next report may say of this one in [`Report::previous`]: the first 8 bytes of the identity.
    #[must_use]
    pub fn previous(&self) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = self.identity();
        [a, b, c, d, e, f, g, h]
    }
}
