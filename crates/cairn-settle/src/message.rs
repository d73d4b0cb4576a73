//! What auditors sign for a settlement chain: EIP-712 in the domain `{name: "Cairn", version: "1", salt: <network>}`.
//!
//! No chain id and no contract: what is signed is one truth for every chain, and each contract proves its own row of it.
//! Two messages of one auditor for one epoch and revision cost its bond wherever it has one, so an auditor keeps what it
//! signed; keeping it is not done here.

use cairn_core::epoch::EpochStatement;
use cairn_core::wallet::{WalletKey, recover_evm};
use cairn_core::{Hash, NetworkId, keccak256};

use crate::abi::{address_word, uint_word};
use crate::{EvmAddress, SettleError, SettlementsTree, Word};

const DOMAIN_TYPE: &[u8] = b"EIP712Domain(string name,string version,bytes32 salt)";
const EPOCH_TYPE: &[u8] = b"CairnEpoch(uint64 epoch,uint32 revision,bytes32 statementHash,bytes32 previousHash,uint64 logSize,bytes32 logRoot,bytes32 stateRoot,bytes32 settlementsRoot)";
const AUDITORS_TYPE: &[u8] = b"CairnAuditors(uint32 set,uint32 revision,address[] members,uint8 threshold)";

/// The domain separator of a network.
#[must_use]
pub fn domain_separator(network: &NetworkId) -> Word {
    keccak256(&[keccak256(DOMAIN_TYPE), keccak256(b"Cairn"), keccak256(b"1"), network.0.0].concat())
}

fn digest(network: &NetworkId, type_name: &[u8], fields: &[Word]) -> Word {
    let hash = keccak256(&[&keccak256(type_name)[..], &fields.concat()].concat());
    keccak256(&[&[0x19, 0x01][..], &domain_separator(network), &hash].concat())
}

/// An epoch, as auditors vouch for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochMessage {
    /// The epoch's number.
    pub epoch: u64,
    /// 0; higher where auditors correct what they signed.
    pub revision: u32,
    /// Hash of the epoch statement.
    pub statement_hash: Hash,
    /// Hash of the statement before it; zeros for epoch 0.
    pub previous: Hash,
    /// Entries of the log that the epoch closes at.
    pub log_size: u64,
    /// Root of the log at that size.
    pub log_root: Hash,
    /// Root of the state after the epoch.
    pub state_root: Hash,
    /// Root of the settlement rows, see [`SettlementsTree`].
    pub settlements_root: Word,
}

impl EpochMessage {
    /// The message that an epoch statement implies.
    ///
    /// # Errors
    /// [`SettleError::RepeatedRow`] where the statement names one contract twice.
    pub fn of(statement: &EpochStatement, revision: u32) -> Result<Self, SettleError> {
        Ok(Self {
            epoch: statement.number,
            revision,
            statement_hash: statement.hash(),
            previous: statement.previous,
            log_size: statement.to,
            log_root: statement.log_root,
            state_root: statement.state_root,
            settlements_root: SettlementsTree::of(statement)?.root(),
        })
    }

    /// The fields in order, each as a word.
    #[must_use]
    pub fn words(&self) -> [Word; 8] {
        [
            uint_word(self.epoch),
            uint_word(self.revision),
            self.statement_hash.0,
            self.previous.0,
            uint_word(self.log_size),
            self.log_root.0,
            self.state_root.0,
            self.settlements_root,
        ]
    }

    /// What is signed.
    #[must_use]
    pub fn digest(&self, network: &NetworkId) -> Word {
        digest(network, EPOCH_TYPE, &self.words())
    }
}

/// A change of the set of auditors, as the set before it wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditorsMessage {
    /// Which set it makes: one more than the set in force.
    pub set: u32,
    /// A higher revision takes the place of a lower one.
    pub revision: u32,
    /// The members, ascending.
    pub members: Vec<EvmAddress>,
    /// How many must sign.
    pub threshold: u8,
}

impl AuditorsMessage {
    /// What is signed.
    #[must_use]
    pub fn digest(&self, network: &NetworkId) -> Word {
        let members: Vec<Word> = self.members.iter().copied().map(address_word).collect();
        let members = keccak256(&members.concat());
        digest(
            network,
            AUDITORS_TYPE,
            &[uint_word(self.set), uint_word(self.revision), members, uint_word(self.threshold)],
        )
    }
}

/// Signs a digest as one of the signatures of [`assemble`]: `r || s || v`.
#[must_use]
pub fn sign(key: &WalletKey, digest: &Word) -> [u8; 65] {
    key.sign_digest(digest)
}

/// Puts signatures in the form and order that contracts take: by ascending signer, each auditor once.
///
/// # Errors
/// [`SettleError::Signature`] for what is none, [`SettleError::NotAnAuditor`] for a stranger's, and
/// [`SettleError::NoQuorum`] where too few different auditors signed: what this gives is never refused for its signatures by
/// a contract whose set in force is `members`, all bonded.
pub fn assemble(
    digest: &Word,
    signatures: &[Vec<u8>],
    members: &[EvmAddress],
    threshold: usize,
) -> Result<Vec<u8>, SettleError> {
    let mut by_signer = std::collections::BTreeMap::new();
    for (place, signature) in signatures.iter().enumerate() {
        let refused = || SettleError::Signature { place, digest: Hash(*digest) };
        let signer = recover_evm(digest, signature).ok_or_else(refused)?;
        if !members.contains(&signer) {
            let signer = data_encoding::HEXLOWER.encode(&signer);
            return Err(SettleError::NotAnAuditor { signer, members: members.len() });
        }
        by_signer.insert(signer, signature.as_slice());
    }
    if by_signer.len() < threshold {
        return Err(SettleError::NoQuorum { signed: by_signer.len(), threshold });
    }
    Ok(by_signer.into_values().collect::<Vec<_>>().concat())
}

#[cfg(test)]
mod tests {
    use cairn_core::epoch::{AssetBalance, DomainClaims};
    use cairn_core::{Address, Amount, Domain};

    use super::*;
    use crate::SettlementRow;

    fn message() -> EpochMessage {
        let hash = |byte| Hash([byte; 32]);
        EpochMessage {
            epoch: 7,
            revision: 1,
            statement_hash: hash(1),
            previous: hash(2),
            log_size: 20,
            log_root: hash(3),
            state_root: hash(4),
            settlements_root: [5; 32],
        }
    }

    fn statement() -> EpochStatement {
        let claims = |chain: &str| DomainClaims {
            domain: Domain::parse(chain).unwrap(),
            distributor: [7; 32],
            claim_root: [8; 32],
            leaves: 2,
            cumulative: Amount(999),
        };
        EpochStatement {
            network: NetworkId(Hash([9; 32])),
            number: 7,
            from: 10,
            to: 20,
            log_root: Hash([2; 32]),
            previous: Hash([3; 32]),
            policy_hash: Hash([4; 32]),
            engine_revision: 1,
            classes: vec![],
            pools: vec![],
            payout_root: Hash([5; 32]),
            asset: ("CRN".into(), AssetBalance::default()),
            domains: vec![claims("eip155:1"), claims("eip155:10")],
            state_root: Hash([6; 32]),
            rehearsed: vec![],
            sales: None,
        }
    }

    #[test]
    fn a_message_says_what_the_epoch_statement_says() {
        let statement = statement();
        let message = EpochMessage::of(&statement, 3).unwrap();
        assert_eq!((message.epoch, message.revision, message.log_size), (7, 3, 20));
        assert_eq!((message.statement_hash, message.previous), (statement.hash(), statement.previous));
        assert_eq!((message.log_root, message.state_root), (statement.log_root, statement.state_root));
        let rows: Vec<SettlementRow> = statement.domains.iter().map(SettlementRow::of).collect();
        assert_eq!(message.settlements_root, SettlementsTree::new(&rows).unwrap().root());
        let mut twice = statement;
        twice.domains[1] = twice.domains[0].clone();
        assert_eq!(EpochMessage::of(&twice, 0).unwrap_err().code(), "STL-ROW-REPEATED");
    }

    #[test]
    fn every_field_and_the_network_is_signed() {
        let network = NetworkId(Hash([9; 32]));
        let first = message().digest(&network);
        let changes: [fn(&mut EpochMessage); 8] = [
            |m| m.epoch += 1,
            |m| m.revision += 1,
            |m| m.statement_hash.0[0] ^= 1,
            |m| m.previous.0[0] ^= 1,
            |m| m.log_size += 1,
            |m| m.log_root.0[0] ^= 1,
            |m| m.state_root.0[0] ^= 1,
            |m| m.settlements_root[0] ^= 1,
        ];
        for (field, change) in changes.iter().enumerate() {
            let mut other = message();
            change(&mut other);
            assert_ne!(other.digest(&network), first, "field {field}");
        }
        assert_ne!(message().digest(&NetworkId(Hash([8; 32]))), first);
    }

    #[test]
    fn only_a_quorum_of_different_auditors_is_assembled_and_in_their_order() {
        let keys: Vec<WalletKey> = (1..=5).map(|byte| WalletKey::from_bytes([byte; 32]).unwrap()).collect();
        let address = |key: &WalletKey| match key.address() {
            Address::Evm(address) => address,
            Address::Solana(_) => unreachable!("wallet keys are EVM accounts"),
        };
        let members: Vec<EvmAddress> = keys[..4].iter().map(address).collect();
        let digest = [7; 32];
        let signed = |who: &[usize]| who.iter().map(|i| sign(&keys[*i], &digest).to_vec()).collect::<Vec<_>>();
        let assembled = assemble(&digest, &signed(&[3, 0, 2, 0]), &members, 3).unwrap();
        let signers: Vec<_> = assembled.chunks(65).map(|one| recover_evm(&digest, one).unwrap()).collect();
        assert_eq!(signers.len(), 3);
        assert!(signers.is_sorted());
        let code = |signatures: &[Vec<u8>]| assemble(&digest, signatures, &members, 3).unwrap_err().code();
        assert_eq!(code(&signed(&[3, 0, 0])), "STL-NO-QUORUM");
        assert_eq!(code(&signed(&[0, 1, 4])), "STL-NOT-AN-AUDITOR");
        assert_eq!(code(&[vec![0; 65]]), "STL-SIGNATURE");
        assert_eq!(code(&[vec![]]), "STL-SIGNATURE");
    }
}
