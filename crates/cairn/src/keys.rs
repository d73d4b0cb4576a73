//! Key files: one secret each, readable by its owner alone.
//!
//! A key file is text: comment lines with `#`, and one line `<algorithm> <64 hexadecimal digits>`, the algorithm being
//! `ed25519`, `p256` or `secp256k1`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use cairn_chain::Keystore;
use cairn_core::key::SecretKey;
use cairn_core::wallet::WalletKey;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// A secret of any kind that Cairn signs with.
#[derive(Debug, Clone)]
pub enum Key {
    /// Devices, operators, observers, logs: Ed25519 or P-256.
    Signing(SecretKey),
    /// Accounts: secp256k1.
    Wallet(WalletKey),
}

/// The algorithms a key can be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Algorithm {
    /// For devices and operators.
    Ed25519,
    /// For devices with secure elements.
    P256,
    /// For the accounts of EVM chains.
    Secp256k1,
}

impl Key {
    /// A fresh key from the system's randomness.
    ///
    /// # Errors
    /// When the system has none.
    pub fn generate(algorithm: Algorithm) -> Result<Self, Failure> {
        loop {
            if let Some(key) = Self::from_secret(algorithm, random()?) {
                return Ok(key);
            }
        }
    }

    fn from_secret(algorithm: Algorithm, secret: [u8; 32]) -> Option<Self> {
        match algorithm {
            Algorithm::Ed25519 => Some(Self::Signing(SecretKey::ed25519(secret))),
            Algorithm::P256 => SecretKey::p256(secret).map(Self::Signing),
            Algorithm::Secp256k1 => WalletKey::from_bytes(secret).map(Self::Wallet),
        }
    }

    /// The public name: `did:key:…`, or the account's address.
    #[must_use]
    pub fn public_name(&self) -> String {
        match self {
            Self::Signing(key) => key.public().did(),
            Self::Wallet(key) => match key.address() {
                cairn_core::Address::Evm(address) => format!("0x{}", HEXLOWER.encode(&address)),
                cairn_core::Address::Solana(_) => unreachable!("a secp256k1 key has an EVM address"),
            },
        }
    }

    /// The text of a key file.
    #[must_use]
    pub fn text(&self, purpose: &str) -> String {
        let (algorithm, secret) = match self {
            Self::Signing(key @ SecretKey::Ed25519(_)) => ("ed25519", key.secret_bytes()),
            Self::Signing(key @ SecretKey::P256(_)) => ("p256", key.secret_bytes()),
            Self::Wallet(key) => ("secp256k1", key.secret_bytes()),
        };
        let public = self.public_name();
        let secret = HEXLOWER.encode(&secret);
        format!("# Cairn key: {purpose}\n# {public}\n# Whoever has this file can sign with it.\n{algorithm} {secret}\n")
    }

    /// Writes the key to a file that must not exist yet, readable by its owner alone.
    ///
    /// # Errors
    /// `NET-KEY-EXISTS`, or when the file cannot be written.
    pub fn write(&self, path: &Path, purpose: &str) -> Result<(), Failure> {
        let text = self.text(purpose);
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = opened.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                Failure::wrong("NET-KEY-EXISTS", format!("{} exists; keys are never overwritten", path.display()))
                    .hint("choose another file, or move the old key away")
            }
            _ => Failure::io("write", path, &error),
        })?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| Failure::io("write", path, &error))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// `NET-KEY` for another form, and for a file that others can read.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bad = |what: &str| {
            Failure::wrong("NET-KEY", format!("{}: {what}", path.display())).hint("make keys with `cairn keygen`")
        };
        let text = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
        only_for_its_owner(path)?;
        Self::parse(&text).map_err(bad)
    }

    /// Reads the text of a key file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let line = lines.next().ok_or("no key in it")?;
        let (algorithm, secret) = line.split_once(' ').ok_or("not `<algorithm> <hex>`")?;
        let algorithm = match algorithm {
            "ed25519" => Algorithm::Ed25519,
            "p256" => Algorithm::P256,
            "secp256k1" => Algorithm::Secp256k1,
            _ => return Err("the algorithm is not ed25519, p256 or secp256k1"),
        };
        let secret = HEXLOWER_PERMISSIVE.decode(secret.trim().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        secret.and_then(|secret| Self::from_secret(algorithm, secret)).ok_or("not 32 bytes of a key")
    }

    /// The key as one that signs reports and statements.
    ///
    /// # Errors
    /// `NET-KEY` for a wallet's key.
    pub fn signing(self) -> Result<SecretKey, Failure> {
        match self {
            Self::Signing(key) => Ok(key),
            Self::Wallet(_) => Err(Failure::wrong("NET-KEY", "an ed25519 or p256 key is needed, this is a wallet's")),
        }
    }

    /// The key as one that signs for an account.
    ///
    /// # Errors
    /// `NET-KEY` for a device's or operator's key.
    pub fn wallet(self) -> Result<WalletKey, Failure> {
        match self {
            Self::Wallet(key) => Ok(key),
            Self::Signing(_) => Err(Failure::wrong("NET-KEY", "a secp256k1 key is needed, this is not a wallet's")),
        }
    }
}

/// The key of a wallet: from a key file, or from a keystore (Web3 Secret Storage 3) that the password in a file opens.
///
/// # Errors
/// `NET-KEY` for what is neither, `STL-PASSWORD` for another password, and when a file cannot be read.
pub fn wallet_from(path: &Path, password_file: Option<&Path>) -> Result<WalletKey, Failure> {
    let read = || std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| Failure::io("read", path, &error));
    let Some(password_file) = password_file else {
        if read()?.trim_start().starts_with('{') {
            return Err(Failure::usage(
                "STL-PASSWORD",
                format!("{} is a keystore, and no password is given", path.display()),
            )
            .hint("name the file that holds it: --password-file FILE"));
        }
        return Key::read(path)?.wallet();
    };
    let text = read()?;
    Ok(Keystore::open(&text, &password(password_file)?)?)
}

/// The password in a file: all of it but the end of its line.
///
/// # Errors
/// `NET-KEY` for an empty one, and for a file that others can read.
pub fn password(path: &Path) -> Result<Zeroizing<String>, Failure> {
    only_for_its_owner(path)?;
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|error| Failure::io("read", path, &error))?;
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        return Err(Failure::wrong("NET-KEY", format!("{}: no password in it", path.display())));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// Whether a file of secrets is readable by its owner alone.
pub fn only_for_its_owner(path: &Path) -> Result<(), Failure> {
    let metadata = std::fs::metadata(path).map_err(|error| Failure::io("read", path, &error))?;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Failure::wrong("NET-KEY", format!("{} can be read by others", path.display()))
        .hint(format!("chmod 600 {}", path.display())))
}

/// Bytes from the system's randomness.
///
/// # Errors
/// When the system has none.
pub fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0u8; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::failed("NET-RANDOM", format!("the system gives no randomness: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip_through_files_that_only_their_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        for (at, algorithm) in [Algorithm::Ed25519, Algorithm::P256, Algorithm::Secp256k1].into_iter().enumerate() {
            let path = folder.path().join(at.to_string());
            let key = Key::generate(algorithm).unwrap();
            key.write(&path, "test").unwrap();
            assert_eq!(Key::read(&path).unwrap().public_name(), key.public_name());
            assert_eq!(key.write(&path, "test").unwrap_err().code, "NET-KEY-EXISTS");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(Key::read(&path).unwrap_err().code, "NET-KEY");
        }
    }

    #[test]
    fn files_that_hold_no_key_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for text in ["", "ed25519", "ed25519 00", "rsa 00", &format!("p256 {}", "0".repeat(64))] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert_eq!(Key::read(&path).unwrap_err().code, "NET-KEY", "{text}");
        }
    }
}
