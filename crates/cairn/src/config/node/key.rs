//! `[key]` of `node.toml`: the device's key in a file of ours, in a PKCS#8 file, or on a token.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_core::cose::{Purpose, protected_header, sig_structure};
use cairn_core::statement::{Signed, Signer as Of, Statement};
use cairn_core::{DeviceId, NetworkId};
use cairn_edge::{SignError, Signer};
use serde::Deserialize;

use super::{NodeFolder, pkcs8};
use crate::failure::Failure;
use crate::keys::Key;

/// The key file that `setup` makes.
const DEFAULT: &str = "device.key";

/// Where the device's key is; files are beside `node.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// A key file as `cairn keygen` writes it [default: device.key].
    file: Option<PathBuf>,
    /// A PKCS#8 file (`-----BEGIN PRIVATE KEY-----`) with an Ed25519 or P-256 key.
    pem: Option<PathBuf>,
    /// A key on a PKCS#11 token.
    pkcs11: Option<TokenConfig>,
    /// The device's id, where its key is not its first one.
    device: Option<String>,
}

/// A key on a PKCS#11 token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    not(feature = "pkcs11"),
    allow(dead_code, reason = "read, so that a build without tokens can say what it lacks")
)]
pub struct TokenConfig {
    /// The token's module, a shared library.
    pub module: PathBuf,
    /// The token's label; one token alone need not be named.
    pub token: Option<String>,
    /// The key's label.
    pub label: String,
    /// The file that holds the PIN on its first line.
    pub pin_file: PathBuf,
}

/// The key that a node signs with, and whose it is.
#[derive(Clone)]
pub struct DeviceKey {
    /// Who signs.
    pub signer: Arc<dyn Signer>,
    /// For which device.
    pub device: DeviceId,
}

impl KeyConfig {
    /// That of a PKCS#8 file.
    #[must_use]
    pub fn of_pem(path: &Path) -> Self {
        Self { pem: Some(path.to_owned()), ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let named = [self.file.is_some(), self.pem.is_some(), self.pkcs11.is_some()];
        if named.iter().filter(|is_named| **is_named).count() > 1 {
            return Err("[key] is one of `file`, `pem` and `pkcs11`".to_owned());
        }
        self.device_id().map(drop).map_err(|failure| failure.message)
    }

    /// The key file of ours, unless the key is elsewhere.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        let is_elsewhere = self.pem.is_some() || self.pkcs11.is_some();
        (!is_elsewhere).then(|| self.file.as_deref().unwrap_or(Path::new(DEFAULT)))
    }

    pub(super) fn device_id(&self) -> Result<Option<DeviceId>, Failure> {
        let parse = |text: &String| DeviceId::parse(text);
        let id = self.device.as_ref().map(parse).transpose();
        id.map_err(|error| Failure::wrong("NODE-CONFIG", format!("[key] device: {error}")))
    }

    /// Opens it.
    ///
    /// # Errors
    /// `NET-KEY`, those of the disk, and those of the token.
    pub fn open(&self, folder: &NodeFolder) -> Result<DeviceKey, Failure> {
        let signer: Arc<dyn Signer> = match (&self.pem, &self.pkcs11) {
            (Some(pem), _) => Arc::new(pkcs8::read(&folder.at(pem))?),
            (None, Some(token)) => open_token(token, folder)?,
            (None, None) => {
                let file = self.file.as_deref().unwrap_or(Path::new(DEFAULT));
                Arc::new(Key::read(&folder.at(file))?.signing()?)
            }
        };
        let first = DeviceId::of_key(&signer.public().multicodec());
        Ok(DeviceKey { device: self.device_id()?.unwrap_or(first), signer })
    }
}

#[cfg(feature = "pkcs11")]
fn open_token(token: &TokenConfig, folder: &NodeFolder) -> Result<Arc<dyn Signer>, Failure> {
    use cairn_edge::token::{PinSource, TokenKey, TokenSigner};
    let key = TokenKey {
        module: token.module.clone(),
        token: token.token.clone(),
        label: token.label.clone(),
        pin: PinSource::File(folder.at(&token.pin_file)),
    };
    let signer = TokenSigner::open(key).map_err(|error| Failure::failed(error.code(), &error).hint(error.hint()))?;
    Ok(Arc::new(signer))
}

#[cfg(not(feature = "pkcs11"))]
fn open_token(token: &TokenConfig, _: &NodeFolder) -> Result<Arc<dyn Signer>, Failure> {
    let what = format!("this cairn was built without tokens, and {} is asked for", token.label);
    Err(Failure::usage("NODE-TOKEN", what).hint("build it with `--features pkcs11`, or keep the key in a file"))
}

impl DeviceKey {
    /// Adds the device key's signature to a statement.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, statement: &mut Statement, network: &NetworkId) -> Result<(), SignError> {
        let public = self.signer.public();
        let protected = protected_header(public.algorithm(), None);
        let message = sig_structure(&protected, Purpose::Statement, Some(network), &statement.payload);
        let signature = self.signer.sign(&message)?.to_vec();
        statement.signed.push(Signed { signer: Of::Key(public), signature });
        Ok(())
    }
}
