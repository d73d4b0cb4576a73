//! A wallet's key in a file that a password opens: Web3 Secret Storage, version 3, as every Ethereum wallet reads it.
//!
//! Promises: what is sealed here other wallets open, and the other way round, with scrypt or PBKDF2; a file that names a cost
//! past [`MEMORY_MAX`] or [`ROUNDS_MAX`] is refused before it costs anything; a wrong password is told from a damaged file
//! as far as the format allows, which is not far: its sum covers both. Secrets are wiped where they are ours to wipe. The
//! address in a file is what it says, until it is opened.

use aes::Aes128;
use aes::cipher::{KeyIvInit, StreamCipher};
use cairn_core::wallet::WalletKey;
use cairn_core::{Address, keccak256};
use cairn_settle::EvmAddress;
use ctr::Ctr128BE;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

/// The most bytes of a file.
pub const FILE_BYTES_MAX: usize = 16 << 10;
/// The most memory that scrypt may take, bytes: `128 * n * r`.
pub const MEMORY_MAX: u64 = 1 << 30;
/// The most rounds of PBKDF2, and the most bytes through which scrypt may go, in units of 1 KiB: `n * r * p / 8`.
pub const ROUNDS_MAX: u64 = 10_000_000;
/// Random bytes that sealing needs: for the salt, the first block of the cipher, and the file's id.
pub const RANDOM_BYTES: usize = 32 + 16 + 16;

/// What the password is stretched to: half of it is the cipher's key, half goes into the sum.
const DERIVED: usize = 32;

/// Why a key cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeystoreError {
    /// It is no such file, or of another version, cipher or derivation.
    #[error("this is no key file that can be opened here: {0}")]
    Form(String),
    /// Opening it would cost too much.
    #[error("opening this key file would cost {0}")]
    Cost(String),
    /// The password is another, or the file is damaged.
    #[error("the password does not open this key file")]
    Password,
}

impl KeystoreError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "STL-KEYSTORE",
            Self::Cost(_) => "STL-KEYSTORE-COST",
            Self::Password => "STL-PASSWORD",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Form(_) => "use a file of version 3, as wallets export it (\"JSON\" or \"UTC\" file)",
            Self::Cost(_) => "seal the key again with usual parameters: n 262144, r 8, p 1",
            Self::Password => "try the password again; if it is right, the file is damaged: take a copy",
        }
    }
}

/// What scrypt is to cost (RFC 7914).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// The logarithm of `n` to base 2: memory is `1024 * n` bytes, as `r` is 8 and `p` 1.
    pub log_n: u8,
}

impl Default for Cost {
    /// `n` is 2^17: 128 MiB, a good part of a second.
    fn default() -> Self {
        Self { log_n: 17 }
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    crypto: Crypto,
}

#[derive(Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: String,
    kdf: String,
    kdfparams: KdfParams,
    mac: String,
}

#[derive(Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

/// Those of both derivations; which are there depends on `kdf`.
#[derive(Serialize, Deserialize, Default)]
struct KdfParams {
    dklen: u64,
    salt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prf: Option<String>,
}

/// Key files.
#[derive(Debug)]
pub struct Keystore;

impl Keystore {
    /// Seals a key. `random` must never be used twice.
    ///
    /// # Errors
    /// [`KeystoreError::Cost`] where sealing would cost more than opening may.
    pub fn seal(
        key: &WalletKey,
        password: &str,
        cost: Cost,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<String, KeystoreError> {
        let address = Some(HEXLOWER.encode(&address_of(key)));
        Self::seal_bytes(&Zeroizing::new(key.secret_bytes()), address, password, cost, random)
    }

    /// Seals a secret that is no wallet's, in the same form without an address. `random` must never be used twice.
    ///
    /// # Errors
    /// As [`Keystore::seal`].
    pub fn seal_secret(
        secret: &[u8; 32],
        password: &str,
        cost: Cost,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<String, KeystoreError> {
        Self::seal_bytes(secret, None, password, cost, random)
    }

    fn seal_bytes(
        secret: &[u8; 32],
        address: Option<String>,
        password: &str,
        cost: Cost,
        random: &[u8; RANDOM_BYTES],
    ) -> Result<String, KeystoreError> {
        let (salt, rest) = random.split_at(32);
        let (iv, id) = rest.split_at(16);
        let n = 1_u64.checked_shl(cost.log_n.into()).unwrap_or(1 << 63);
        let salt = HEXLOWER.encode(salt);
        let kdfparams =
            KdfParams { dklen: DERIVED as u64, salt, n: Some(n), r: Some(8), p: Some(1), ..KdfParams::default() };
        let derived = derive("scrypt", &kdfparams, password)?;
        let iv: [u8; 16] = iv.try_into().map_err(|_| KeystoreError::Form("iv".to_owned()))?;
        let mut text = Zeroizing::new(*secret);
        apply(&derived, &iv, &mut text);
        let file = File {
            version: 3,
            id: Some(uuid(id)),
            address,
            crypto: Crypto {
                cipher: "aes-128-ctr".to_owned(),
                cipherparams: CipherParams { iv: HEXLOWER.encode(&iv) },
                ciphertext: HEXLOWER.encode(&*text),
                kdf: "scrypt".to_owned(),
                kdfparams,
                mac: HEXLOWER.encode(&sum(&derived, &text)),
            },
        };
        serde_json::to_string_pretty(&file).map_err(|error| KeystoreError::Form(error.to_string()))
    }

    /// Opens a key file.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn open(json: &str, password: &str) -> Result<WalletKey, KeystoreError> {
        let said = Self::address(json)?;
        let secret = Self::open_secret(json, password)?;
        let key = WalletKey::from_bytes(*secret).ok_or_else(|| KeystoreError::Form("it holds no key".to_owned()))?;
        match said {
            Some(said) if said != address_of(&key) => {
                Err(KeystoreError::Form("it holds another account's key".to_owned()))
            }
            _ => Ok(key),
        }
    }

    /// Opens a file of [`Keystore::seal_secret`]; of a wallet's it is the key, without a look at the address.
    ///
    /// # Errors
    /// [`KeystoreError`].
    pub fn open_secret(json: &str, password: &str) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        let file = read(json)?;
        let crypto = &file.crypto;
        if crypto.cipher != "aes-128-ctr" {
            return Err(KeystoreError::Form(format!("its cipher is `{}`", printable(&crypto.cipher))));
        }
        let iv: [u8; 16] = bytes("iv", &crypto.cipherparams.iv)?;
        let mac: [u8; 32] = bytes("mac", &crypto.mac)?;
        let mut text = Zeroizing::new(bytes::<32>("ciphertext", &crypto.ciphertext)?);
        let derived = derive(&crypto.kdf, &crypto.kdfparams, password)?;
        // Whoever can time this has the file, and could try passwords himself.
        if sum(&derived, &text) != mac {
            return Err(KeystoreError::Password);
        }
        apply(&derived, &iv, &mut text);
        Ok(text)
    }

    /// The address that a key file says it is of, if it says so. Nothing proves it before the file is opened.
    ///
    /// # Errors
    /// [`KeystoreError::Form`].
    pub fn address(json: &str) -> Result<Option<EvmAddress>, KeystoreError> {
        parse_address(read(json)?.address.as_deref())
    }
}

fn read(json: &str) -> Result<File, KeystoreError> {
    if json.len() > FILE_BYTES_MAX {
        return Err(KeystoreError::Form(format!("it has {} bytes, and {FILE_BYTES_MAX} are the most", json.len())));
    }
    let file: File = serde_json::from_str(json).map_err(|error| KeystoreError::Form(error.to_string()))?;
    match file.version {
        3 => Ok(file),
        version => Err(KeystoreError::Form(format!("it is of version {version}"))),
    }
}

fn parse_address(text: Option<&str>) -> Result<Option<EvmAddress>, KeystoreError> {
    text.map(|text| bytes("address", text.strip_prefix("0x").unwrap_or(text))).transpose()
}

fn bytes<const N: usize>(field: &str, text: &str) -> Result<[u8; N], KeystoreError> {
    let decoded = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    let fixed = decoded.and_then(|bytes| bytes.try_into().ok());
    fixed.ok_or_else(|| KeystoreError::Form(format!("`{field}` is not {N} bytes in hexadecimal")))
}

/// Stretches the password.
fn derive(kdf: &str, params: &KdfParams, password: &str) -> Result<Zeroizing<[u8; DERIVED]>, KeystoreError> {
    let wrong = |what: &str| KeystoreError::Form(format!("`{what}` is missing or out of range"));
    if params.dklen != DERIVED as u64 {
        return Err(wrong("dklen"));
    }
    let salt = HEXLOWER_PERMISSIVE.decode(params.salt.as_bytes()).map_err(|_| wrong("salt"))?;
    let mut derived = Zeroizing::new([0; DERIVED]);
    match kdf {
        "scrypt" => {
            let n = params.n.filter(|n| *n > 1 && n.is_power_of_two()).ok_or_else(|| wrong("n"))?;
            let r = params.r.filter(|r| *r > 0).ok_or_else(|| wrong("r"))?;
            let p = params.p.filter(|p| *p > 0).ok_or_else(|| wrong("p"))?;
            let memory = n.saturating_mul(r).saturating_mul(128);
            let work = n.saturating_mul(r).saturating_mul(p) / 8;
            // Within these limits, which are far below those of the function itself, every product fits; `p` needs memory, too.
            if memory > MEMORY_MAX || work > ROUNDS_MAX || p.saturating_mul(r).saturating_mul(128) > MEMORY_MAX {
                return Err(KeystoreError::Cost(format!("{memory} bytes of memory, {p} times (n {n}, r {r}, p {p})")));
            }
            let small = |value: u64, name| u32::try_from(value).map_err(|_| wrong(name));
            let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| wrong("n"))?;
            let cost = scrypt::Params::new(log_n, small(r, "r")?, small(p, "p")?).map_err(|_| wrong("n"))?;
            scrypt::scrypt(password.as_bytes(), &salt, &cost, &mut *derived).map_err(|_| wrong("dklen"))?;
        }
        "pbkdf2" => {
            if params.prf.as_deref() != Some("hmac-sha256") {
                return Err(wrong("prf"));
            }
            let rounds = params.c.filter(|c| *c > 0).ok_or_else(|| wrong("c"))?;
            let allowed = u32::try_from(rounds).ok().filter(|_| rounds <= ROUNDS_MAX);
            let rounds = allowed.ok_or_else(|| KeystoreError::Cost(format!("{rounds} rounds")))?;
            pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, rounds, &mut *derived);
        }
        other => return Err(KeystoreError::Form(format!("its kdf is `{}`", printable(other)))),
    }
    Ok(derived)
}

/// The sum that tells whether the password is right: keccak256 over the second half of what was derived, and the ciphertext.
fn sum(derived: &[u8; DERIVED], text: &[u8; 32]) -> [u8; 32] {
    keccak256(&Zeroizing::new([&derived[16..], text].concat()))
}

/// Encrypts, or decrypts.
fn apply(derived: &[u8; DERIVED], iv: &[u8; 16], text: &mut [u8; 32]) {
    let mut key = Zeroizing::new([0; 16]);
    key.copy_from_slice(&derived[..16]);
    Ctr128BE::<Aes128>::new((&*key).into(), iv.into()).apply_keystream(text);
}

fn address_of(key: &WalletKey) -> EvmAddress {
    match key.address() {
        Address::Evm(address) => address,
        Address::Solana(_) => unreachable!("the key of an EVM wallet has an EVM address"),
    }
}

/// A random UUID (RFC 9562, version 4).
fn uuid(random: &[u8]) -> String {
    let mut id = random.to_vec();
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    let parts = [&id[..4], &id[4..6], &id[6..8], &id[8..10], &id[10..]];
    parts.map(|part| HEXLOWER.encode(part)).join("-")
}

/// What a stranger's file says, fit for a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(32).collect()
}

#[cfg(test)]
mod tests;
