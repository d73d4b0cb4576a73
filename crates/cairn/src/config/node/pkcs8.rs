//! Keys as other tools write them: PKCS#8 in PEM (RFC 5208, RFC 5958, RFC 8410, RFC 5915), Ed25519 and P-256.
//!
//! Only what `openssl genpkey` and the like write is read, without a password; anything else is refused by what it is.

use std::path::Path;

use cairn_core::key::SecretKey;
use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::keys::only_for_its_owner;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;

/// Reads a PKCS#8 file that its owner alone can read.
///
/// # Errors
/// `NET-KEY`.
pub fn read(path: &Path) -> Result<SecretKey, Failure> {
    only_for_its_owner(path)?;
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| Failure::io("read", path, &error))?;
    parse(&text).map_err(|what| {
        Failure::wrong("NET-KEY", format!("{}: {what}", path.display()))
            .hint("make one with `openssl genpkey -algorithm ed25519`, or a key file with `cairn keygen`")
    })
}

/// Reads the text of a PKCS#8 file.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<SecretKey, &'static str> {
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return Err("its key is under a password; take it off with `openssl pkcs8 -topk8 -nocrypt`");
    }
    let (_, rest) = text.split_once(BEGIN).ok_or("it is no PKCS#8 file: -----BEGIN PRIVATE KEY-----")?;
    let (base64, _) = rest.split_once(END).ok_or("it has no end")?;
    let base64: Zeroizing<String> = Zeroizing::new(base64.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    let der = BASE64.decode(base64.as_bytes()).map(Zeroizing::new).map_err(|_| "it is no base64")?;
    of_der(&der).ok_or("its key is neither Ed25519 nor P-256")
}

fn of_der(der: &[u8]) -> Option<SecretKey> {
    let mut info = Der(Der(der).value(SEQUENCE)?);
    info.value(INTEGER)?;
    let mut algorithm = Der(info.value(SEQUENCE)?);
    let key = info.value(OCTETS)?;
    match algorithm.value(OBJECT)? {
        ED25519 => Some(SecretKey::ed25519(Der(key).value(OCTETS)?.try_into().ok()?)),
        EC if algorithm.value(OBJECT)? == P256 => {
            let mut own = Der(Der(key).value(SEQUENCE)?);
            own.value(INTEGER)?;
            SecretKey::p256(own.value(OCTETS)?.try_into().ok()?)
        }
        _ => None,
    }
}

/// What is left of some DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The value of the next element, if it has this tag; short lengths, and long ones of up to two bytes.
    fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&[own, first], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => rest.split_first().map(|(byte, rest)| (usize::from(*byte), rest))?,
            0x82 => {
                rest.split_first_chunk::<2>().map(|(bytes, rest)| (usize::from(u16::from_be_bytes(*bytes)), rest))?
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (own == tag).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by OpenSSL 3 for these tests; the public halves are what it says too.
    const ED: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJJLVHewXWNL555dDSfMmBQJMO5Yp14EEbnjFEK5I6/1\n\
        -----END PRIVATE KEY-----";
    const EC_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJ5ln0Uat9hQI09QR\n\
        h5MmruPD8Bkc55jS+/FzV1cjDB+hRANCAAQaUrQuwj4USifDe447HyzNXaooOoYn\n\
        p7r7cPUmd1JF/dT/u3W7aiqx6vnusCfCcSTIO9oHDA8N5y1Tw2biT5+C\n\
        -----END PRIVATE KEY-----";

    #[test]
    fn keys_of_openssl_are_the_keys_that_they_are() {
        let of = |text| parse(text).unwrap().public().multicodec();
        assert_eq!(
            data_encoding::HEXLOWER.encode(&of(ED)),
            "ed01fa44a4231b3069139e0c2f81b3a9b4727bacc90ae127ae7e404d2ae48cda7835"
        );
        assert_eq!(
            data_encoding::HEXLOWER.encode(&of(EC_KEY)),
            "8024021a52b42ec23e144a27c37b8e3b1f2ccd5daa283a8627a7bafb70f526775245fd"
        );
    }

    #[test]
    fn what_is_cut_or_changed_is_refused_or_another_key() {
        for text in [ED, EC_KEY] {
            for cut in 0..text.len() {
                let is_whole = text[..cut].contains(END);
                assert_eq!(parse(&text[..cut]).is_ok(), is_whole, "cut at {cut}");
            }
        }
        for text in [
            "",
            BEGIN,
            "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
