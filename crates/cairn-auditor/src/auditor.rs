//! Deciding what may be signed, and signing it: record first, then the document, then the caller.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_core::wallet::WalletKey;
use cairn_core::{Address, NetworkId};
use cairn_log::{Disk, WriterLock};
use cairn_settle::message::sign;
use cairn_settle::{EpochMessage, EvmAddress};

use crate::error::failed;
use crate::files::Files;
use crate::record::Record;
use crate::{AuditorError, Signed};

/// An auditor at work in its folder, which nobody else works in meanwhile.
pub struct Auditor {
    pub(crate) files: Files,
    key: WalletKey,
    address: EvmAddress,
    record: Option<Record>,
    _lock: Box<dyn WriterLock>,
}

impl Auditor {
    /// Opens an auditor's folder; `documents` is the folder of its signatures, one document for each epoch.
    ///
    /// # Errors
    /// [`AuditorError::Locked`], [`AuditorError::OtherKey`], [`AuditorError::Damaged`], [`AuditorError::Io`].
    pub fn open(disk: Arc<dyn Disk>, documents: Arc<dyn Disk>, key: WalletKey) -> Result<Self, AuditorError> {
        let lock = disk.lock_writer().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => AuditorError::Locked,
            _ => failed("lock", "writer.lock")(error),
        })?;
        let Address::Evm(address) = key.address() else { unreachable!("a secp256k1 key has an EVM address") };
        let record = Record::open(&*disk, address)?;
        Ok(Self { files: Files { disk, documents }, key, address, record, _lock: lock })
    }

    /// Who signs.
    #[must_use]
    pub const fn address(&self) -> EvmAddress {
        self.address
    }

    /// The network that this folder is of, once something was signed.
    #[must_use]
    pub fn network(&self) -> Option<NetworkId> {
        self.record.as_ref().map(Record::network)
    }

    /// Everything signed, in the order of signing.
    #[must_use]
    pub fn signed(&self) -> &[Signed] {
        self.record.as_ref().map_or(&[], Record::all)
    }

    /// Signs a message that this auditor recomputed, or hands out what it signed for that epoch and revision; whether it
    /// had signed before. The signature is durable when this returns.
    ///
    /// # Errors
    /// [`AuditorError::SignedOther`] where it signed another message, [`AuditorError::OtherNetwork`], [`AuditorError::Io`]
    /// and [`AuditorError::Stopped`]. No signature leaves this function then.
    pub fn vouch(&mut self, network: NetworkId, message: &EpochMessage) -> Result<(Signed, bool), AuditorError> {
        if self.record.is_none() {
            self.record = Some(Record::begin(&*self.files.disk, network, self.address)?);
        }
        let record = self.record.as_mut().expect("it was just begun");
        if record.network() != network {
            return Err(AuditorError::OtherNetwork { own: record.network(), other: network });
        }
        let documented = self.files.documented(&network, self.address, message.epoch)?;
        let before = record
            .find(message.epoch, message.revision)
            .or_else(|| documented.iter().find(|signed| signed.message.revision == message.revision))
            .cloned();
        if let Some(before) = before.as_ref().filter(|before| before.message != *message) {
            return Err(AuditorError::SignedOther {
                epoch: message.epoch,
                revision: message.revision,
                signed: before.message.statement_hash,
                found: message.statement_hash,
            });
        }
        let known = before.is_some();
        let signed = before.unwrap_or_else(|| Signed {
            message: message.clone(),
            signature: sign(&self.key, &message.digest(&network)),
        });
        if record.find(message.epoch, message.revision).is_none() {
            record.append(signed.clone())?;
        }
        self.write_document(network, message.epoch, documented)?;
        Ok((signed, known))
    }

    /// Says of an epoch what was said, under another revision: the answer to a halt. Whether it was said before.
    ///
    /// # Errors
    /// [`AuditorError::NotSigned`] where nothing was said, and those of [`Auditor::vouch`].
    pub fn answer(&mut self, epoch: u64, revision: u32) -> Result<(Signed, bool), AuditorError> {
        let said = self.signed().iter().rfind(|signed| signed.message.epoch == epoch);
        let said = said.map(|signed| signed.message.clone()).ok_or(AuditorError::NotSigned { epoch })?;
        let network = self.network().ok_or(AuditorError::NotSigned { epoch })?;
        self.vouch(network, &EpochMessage { revision, ..said })
    }

    fn write_document(&self, network: NetworkId, epoch: u64, also: Vec<Signed>) -> Result<(), AuditorError> {
        let recorded = self.signed().iter().filter(|signed| signed.message.epoch == epoch).cloned();
        let all: BTreeMap<u32, Signed> =
            also.into_iter().chain(recorded).map(|signed| (signed.message.revision, signed)).collect();
        self.files.document(&network, self.address, epoch, &all.into_values().collect::<Vec<_>>())
    }

    /// How many signatures, in the order of signing, each gateway was told.
    #[must_use]
    pub fn published(&self) -> BTreeMap<String, u64> {
        self.files.published()
    }

    /// Remembers that.
    ///
    /// # Errors
    /// [`AuditorError::Io`].
    pub fn remember_published(&self, counts: &BTreeMap<String, u64>) -> Result<(), AuditorError> {
        self.files.remember_published(counts)
    }
}
