//! What auditors read: the record of what they signed, documents of signatures, and what a gateway is sent and answers.

use cairn_api::{EpochMessageInfo, EpochSignatures, SignatureKept, SignaturePost};
use cairn_auditor::{Auditor, SignedEpoch};
use cairn_core::wallet::recover_evm;
use cairn_core::{Hash, NetworkId};
use cairn_settle::EpochMessage;
use cairn_settle::told::{address_text, message_info, parse_address, parse_signature, read_message, signature_text};

use crate::answers::read_as;
use crate::chain_files::{content, disk_with, wallet};
use crate::text;

const SIGNED: &str = "signed";
/// Bytes of a record's header and of each record, the four of the checksum included.
const HEADER_BYTES: usize = 72;
const RECORD_BYTES: usize = 249;

/// First byte: 0, the rest is the record; 1, it is the record, and every checksum in it is made right; 2, it is the document
/// of what was signed for epoch 0 before the record was lost.
pub fn auditor_record(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => record(rest),
        1 => record(&with_checksums(rest)),
        _ => document(rest),
    }
}

fn record(file: &[u8]) {
    let (disk, documents) = (disk_with(&[(SIGNED, file)]), disk_with(&[]));
    let auditor = match Auditor::open(disk.clone(), documents.clone(), wallet()) {
        Ok(auditor) => auditor,
        Err(error) => {
            assert!(!error.code().is_empty() && !error.to_string().is_empty());
            return assert_eq!(content(&disk, SIGNED), file, "what is refused is left alone");
        }
    };
    let signed = auditor.signed().to_vec();
    drop(auditor);
    let kept = content(&disk, SIGNED);
    assert!(file.starts_with(&kept), "opening takes off a torn end, and changes nothing else");
    assert!(file.len() - kept.len() <= RECORD_BYTES, "only the last record can be torn");
    assert_eq!(kept.len(), HEADER_BYTES + signed.len() * RECORD_BYTES);
    let again = Auditor::open(disk, documents, wallet()).expect("what opened once opens again");
    assert_eq!(again.signed(), signed);
}

fn with_checksums(file: &[u8]) -> Vec<u8> {
    let (head, records) = file.split_at(file.len().min(HEADER_BYTES));
    let mut out = Vec::new();
    for part in std::iter::once(head).chain(records.chunks(RECORD_BYTES)) {
        let bytes = &part[..part.len().saturating_sub(4)];
        out.extend_from_slice(bytes);
        out.extend_from_slice(&crc32c::crc32c(bytes).to_be_bytes());
    }
    out
}

/// An auditor who lost the record, and finds this document where those of what it signed are kept.
fn document(bytes: &[u8]) {
    let network = NetworkId(Hash::of(b"a network of parsers"));
    let hash = |byte| Hash([byte; 32]);
    let message = EpochMessage {
        epoch: 0,
        revision: 0,
        statement_hash: hash(1),
        previous: hash(2),
        log_size: 3,
        log_root: hash(4),
        state_root: hash(5),
        settlements_root: [6; 32],
    };
    let documents = disk_with(&[("0.json", bytes)]);
    let mut auditor = Auditor::open(disk_with(&[]), documents, wallet()).expect("an empty folder opens");
    match auditor.vouch(network, &message) {
        Ok((signed, _)) => {
            assert_eq!(signed.message, message);
            let signer = recover_evm(&message.digest(&network), &signed.signature);
            assert_eq!(signer, Some(auditor.address()), "a document names a signature that is nobody's");
        }
        Err(error) => assert_eq!(error.code(), "STL-SIGNED-OTHER", "{error}"),
    }
}

/// JSON that a gateway is sent, that it answers, and that auditors keep; addresses and signatures as text.
pub fn signatures(bytes: &[u8]) {
    read_as::<SignaturePost>(bytes);
    read_as::<SignatureKept>(bytes);
    read_as::<EpochSignatures>(bytes);
    read_as::<SignedEpoch>(bytes);
    if let Ok(told) = serde_json::from_slice::<EpochMessageInfo>(bytes)
        && let Some(message) = read_message(&told)
    {
        assert_eq!(read_message(&message_info(&message)), Some(message));
    }
    let Some(text) = text(bytes) else { return };
    if let Some(address) = parse_address(text) {
        assert_eq!(address_text(&address), text.to_lowercase());
    }
    if let Some(signature) = parse_signature(text) {
        assert_eq!(signature_text(&signature).trim_start_matches("0x"), text.to_lowercase().trim_start_matches("0x"));
    }
}
