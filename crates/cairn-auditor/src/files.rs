//! The files beside the record: where the next look goes on, who was told how much, and a document for each epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_api::{EpochMessageInfo, SignatureInfo};
use cairn_core::wallet::recover_evm;
use cairn_core::{Hash, NetworkId};
use cairn_log::{Disk, read_whole, replace_whole};
use cairn_settle::EvmAddress;
use cairn_settle::told::{address_text, message_info, parse_signature, read_message, signature_text};
use serde::{Deserialize, Serialize};

use crate::error::failed;
use crate::{AuditorError, Signed};

const CHECKPOINT: &str = "checkpoint";
const SNAPSHOT: &str = "snapshot";
const PUBLISHED: &str = "published";
/// The most that is read of a file but the snapshot.
const SMALL_BYTES_MAX: u64 = 1 << 20;
/// The most that is read of a snapshot.
const SNAPSHOT_BYTES_MAX: u64 = 4 << 30;

/// What an auditor signed of an epoch: a document that stands for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedEpoch {
    /// The network: the salt of the message's EIP-712 domain.
    pub network_id: String,
    /// The epoch.
    pub epoch: u64,
    /// What was signed, by revision.
    pub signed: Vec<SignedRevision>,
}

/// One revision of an epoch, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRevision {
    /// What was signed.
    pub message: EpochMessageInfo,
    /// Its digest.
    pub digest: String,
    /// Who signed, and the signature.
    #[serde(flatten)]
    pub signature: SignatureInfo,
}

/// The files of an auditor's folder, but for the record.
pub(crate) struct Files {
    pub disk: Arc<dyn Disk>,
    pub documents: Arc<dyn Disk>,
}

impl Files {
    /// The note of the checkpoint that the log must continue.
    ///
    /// # Errors
    /// [`AuditorError::Damaged`], [`AuditorError::Io`].
    pub fn checkpoint(&self) -> Result<Option<String>, AuditorError> {
        let damaged = || AuditorError::Damaged {
            file: CHECKPOINT.to_owned(),
            reason: "it has another hash; without it a fork is not seen".to_owned(),
        };
        let bytes = read_whole(&*self.disk, CHECKPOINT, SMALL_BYTES_MAX).map_err(failed("read", CHECKPOINT))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let note = unsealed(&bytes).ok_or_else(damaged)?;
        String::from_utf8(note.to_vec()).map(Some).map_err(|_| damaged())
    }

    /// The snapshot that the next look starts from; `None` where there is none, or it is damaged: then everything is
    /// computed again.
    ///
    /// # Errors
    /// [`AuditorError::Io`].
    pub fn snapshot(&self) -> Result<Option<Vec<u8>>, AuditorError> {
        let bytes = read_whole(&*self.disk, SNAPSHOT, SNAPSHOT_BYTES_MAX).map_err(failed("read", SNAPSHOT))?;
        Ok(bytes.as_deref().and_then(unsealed).map(<[u8]>::to_vec))
    }

    /// Remembers where a look ended. The checkpoint first: it may be ahead of the snapshot, never behind.
    ///
    /// # Errors
    /// [`AuditorError::Io`].
    pub fn remember(&self, checkpoint: &str, snapshot: Option<&[u8]>) -> Result<(), AuditorError> {
        let replace =
            |name, bytes: &[u8]| replace_whole(&*self.disk, name, &sealed(bytes)).map_err(failed("write", name));
        replace(CHECKPOINT, checkpoint.as_bytes())?;
        snapshot.map_or(Ok(()), |snapshot| replace(SNAPSHOT, snapshot))
    }

    /// How many signatures of the record each gateway was told; those not named, none. A file that is damaged says
    /// nothing: being told again harms nobody.
    pub fn published(&self) -> BTreeMap<String, u64> {
        let bytes = read_whole(&*self.disk, PUBLISHED, SMALL_BYTES_MAX).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Remembers how many signatures each gateway was told.
    ///
    /// # Errors
    /// [`AuditorError::Io`].
    pub fn remember_published(&self, counts: &BTreeMap<String, u64>) -> Result<(), AuditorError> {
        let bytes = serde_json::to_vec(counts).expect("texts and numbers");
        replace_whole(&*self.disk, PUBLISHED, &bytes).map_err(failed("write", PUBLISHED))
    }

    /// What the document of an epoch says that this auditor signed; the record may have lost it.
    ///
    /// # Errors
    /// [`AuditorError::Io`].
    pub fn documented(
        &self,
        network: &NetworkId,
        auditor: EvmAddress,
        epoch: u64,
    ) -> Result<Vec<Signed>, AuditorError> {
        let name = document_name(epoch);
        let bytes = read_whole(&*self.documents, &name, SMALL_BYTES_MAX).map_err(failed("read", &name))?;
        let document = bytes.and_then(|bytes| serde_json::from_slice::<SignedEpoch>(&bytes).ok());
        let all = document.map_or(Vec::new(), |document| document.signed);
        // Only what its key did sign counts: whoever else wrote there forbids nothing.
        let read = |one: SignedRevision| {
            let message = read_message(&one.message).filter(|message| message.epoch == epoch)?;
            let signature = parse_signature(&one.signature.signature)?;
            let signer = recover_evm(&message.digest(network), &signature);
            (signer == Some(auditor)).then_some(Signed { message, signature })
        };
        Ok(all.into_iter().filter_map(read).collect())
    }

    /// Writes the document of an epoch: what is recorded of it, by revision.
    ///
    /// # Errors
    /// [`AuditorError::Io`].
    pub fn document(
        &self,
        network: &NetworkId,
        auditor: EvmAddress,
        epoch: u64,
        signed: &[Signed],
    ) -> Result<(), AuditorError> {
        let tell = |one: &Signed| SignedRevision {
            message: message_info(&one.message),
            digest: Hash(one.message.digest(network)).to_hex(),
            signature: SignatureInfo {
                auditor: address_text(&auditor),
                revision: one.message.revision,
                signature: signature_text(&one.signature),
            },
        };
        let signed = signed.iter().map(tell).collect();
        let document = SignedEpoch { network_id: network.to_string(), epoch, signed };
        let bytes = serde_json::to_vec_pretty(&document).expect("texts and numbers");
        let name = document_name(epoch);
        if read_whole(&*self.documents, &name, SMALL_BYTES_MAX).is_ok_and(|there| there.as_ref() == Some(&bytes)) {
            return Ok(());
        }
        replace_whole(&*self.documents, &name, &bytes).map_err(failed("write", &name))
    }
}

fn document_name(epoch: u64) -> String {
    format!("{epoch}.json")
}

/// Content behind its SHA-256, in hexadecimal on a line of its own.
fn sealed(content: &[u8]) -> Vec<u8> {
    [Hash::of(content).to_hex().as_bytes(), b"\n", content].concat()
}

fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (hash, content) = bytes.split_at_checked(64)?;
    let content = content.strip_prefix(b"\n")?;
    (Hash::of(content).to_hex().as_bytes() == hash).then_some(content)
}
