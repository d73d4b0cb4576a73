//! The calls that a settler, a relayer, an auditor and a watcher make, as bytes for a transaction.
//!
//! They say what they are told: whether a call will be accepted is for the contract to judge.

use cairn_core::Hash;
use cairn_merkle::ClaimLeaf;

use crate::abi::{Arguments, uint_word};
use crate::{AuditorsMessage, EpochMessage, EvmAddress, ManyClaims, SettlementRow, Word};

/// Signatures of the functions called, by contract; a test holds them to the committed ABI.
pub mod signature {
    /// `Settlement`: the next epoch, or a correction of the last.
    pub const POST: &str = "post((uint64,uint32,bytes32,bytes32,uint64,bytes32,bytes32,bytes32),bytes)";
    /// `Settlement`: a watcher's halt.
    pub const HALT: &str = "halt(uint64,uint32,bytes32)";
    /// `Payout`: opens the last final epoch.
    pub const OPEN: &str = "open(bytes32,uint256,uint256,bytes32[])";
    /// `Payout`: pays one account.
    pub const CLAIM_FOR: &str = "claimFor(address,uint64,uint256,bytes32[])";
    /// `Payout`: pays many accounts.
    pub const PAY_MANY: &str = "payMany(uint64,address[],uint256[],bytes32[],bool[])";
    /// `LogAnchor`: advances to the last final epoch.
    pub const ADVANCE: &str = "advance(bytes32[])";
    /// `Auditors`: puts coin at stake for an auditor.
    pub const BOND: &str = "bond(address)";
    /// `Token`: moves tokens of the caller.
    pub const TRANSFER: &str = "transfer(address,uint256)";
    /// `Token`: moves tokens as their owner signed (EIP-3009).
    pub const TRANSFER_WITH_AUTHORIZATION: &str =
        "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)";
    /// `Auditors`: another set.
    pub const PROPOSE: &str = "propose(uint32,address[],uint8,bytes)";
    /// `Auditors`: puts the pending set in force.
    pub const ACTIVATE: &str = "activate(address[],uint8)";
    /// `Auditors`: shows two truths of one auditor.
    pub const SLASH: &str = "slash((uint64,uint32,bytes32,bytes32,uint64,bytes32,bytes32,bytes32),bytes,(uint64,uint32,bytes32,bytes32,uint64,bytes32,bytes32,bytes32),bytes)";
}

/// Posts an epoch with signatures as [`crate::message::assemble`] gives them.
#[must_use]
pub fn post(message: &EpochMessage, signatures: &[u8]) -> Vec<u8> {
    Arguments::new().fields(&message.words()).bytes(signatures).call(signature::POST)
}

/// Halts an epoch as it was posted; the bond is the call's value.
#[must_use]
pub fn halt(epoch: u64, revision: u32, statement: &Hash) -> Vec<u8> {
    Arguments::new().uint(epoch).uint(revision).word(statement.0).call(signature::HALT)
}

/// Opens an epoch by its row.
#[must_use]
pub fn open(row: &SettlementRow, proof: &[Word]) -> Vec<u8> {
    let arguments = Arguments::new().word(row.claim_root).uint(row.leaves).uint(row.cumulative);
    arguments.words(proof.iter().copied()).call(signature::OPEN)
}

/// The address in a claim's account, whose first twelve bytes are zeros on EVM chains.
#[must_use]
pub fn account_of(leaf: &ClaimLeaf) -> EvmAddress {
    let mut address = [0; 20];
    address.copy_from_slice(&leaf.account[12..]);
    address
}

/// Pays the account of one claim.
#[must_use]
pub fn claim_for(epoch: u64, leaf: &ClaimLeaf, proof: &[Word]) -> Vec<u8> {
    let arguments = Arguments::new().address(account_of(leaf)).uint(epoch).uint(leaf.cumulative);
    arguments.words(proof.iter().copied()).call(signature::CLAIM_FOR)
}

/// Pays the accounts of many claims.
#[must_use]
pub fn pay_many(epoch: u64, many: &ManyClaims) -> Vec<u8> {
    Arguments::new()
        .uint(epoch)
        .words(many.claims.iter().map(|leaf| leaf.account))
        .words(many.claims.iter().map(|leaf| uint_word(leaf.cumulative)))
        .words(many.proof.iter().copied())
        .words(many.flags.iter().map(|&flag| uint_word(flag)))
        .call(signature::PAY_MANY)
}

/// Advances the anchor by a consistency proof from its size to the settlement's.
#[must_use]
pub fn advance(proof: &[Hash]) -> Vec<u8> {
    Arguments::new().words(proof.iter().map(|hash| hash.0)).call(signature::ADVANCE)
}

/// Puts coin at stake for an auditor; the bond is the call's value.
#[must_use]
pub fn bond(auditor: EvmAddress) -> Vec<u8> {
    Arguments::new().address(auditor).call(signature::BOND)
}

/// Moves tokens of the caller.
#[must_use]
pub fn transfer(to: EvmAddress, amount: u128) -> Vec<u8> {
    Arguments::new().address(to).uint(amount).call(signature::TRANSFER)
}

/// Proposes a set of auditors.
#[must_use]
pub fn propose(message: &AuditorsMessage, signatures: &[u8]) -> Vec<u8> {
    let members = message.members.iter().copied().map(crate::abi::address_word);
    let arguments = Arguments::new().uint(message.revision).words(members);
    arguments.uint(message.threshold).bytes(signatures).call(signature::PROPOSE)
}

/// Moves tokens as their owner signed: from whom, to whom, how much, after and before when (seconds), and the nonce, with
/// `r || s || v`.
#[must_use]
pub fn transfer_with_authorization(
    from: EvmAddress,
    to: EvmAddress,
    [value, after, before, nonce]: [Word; 4],
    signature: &[u8; 65],
) -> Vec<u8> {
    let (rs, v) = signature.split_first_chunk::<64>().expect("65 bytes");
    let ([r, s], _) = rs.as_chunks::<32>() else { unreachable!("64 bytes are two words") };
    let arguments = Arguments::new().address(from).address(to).fields(&[value, after, before, nonce]);
    arguments.uint(v[0]).word(*r).word(*s).call(signature::TRANSFER_WITH_AUTHORIZATION)
}

/// Puts a proposed set in force.
#[must_use]
pub fn activate(message: &AuditorsMessage) -> Vec<u8> {
    let members = message.members.iter().copied().map(crate::abi::address_word);
    Arguments::new().words(members).uint(message.threshold).call(signature::ACTIVATE)
}

/// Shows two messages that one auditor signed.
#[must_use]
pub fn slash(one: (&EpochMessage, &[u8]), other: (&EpochMessage, &[u8])) -> Vec<u8> {
    Arguments::new().fields(&one.0.words()).bytes(one.1).fields(&other.0.words()).bytes(other.1).call(signature::SLASH)
}

#[cfg(test)]
mod tests {
    use super::signature::*;
    use crate::Contract;

    #[test]
    fn every_call_is_one_that_its_contract_has() {
        let calls = [
            (Contract::Settlement, vec![POST, HALT]),
            (Contract::Payout, vec![OPEN, CLAIM_FOR, PAY_MANY]),
            (Contract::LogAnchor, vec![ADVANCE]),
            (Contract::Token, vec![TRANSFER, TRANSFER_WITH_AUTHORIZATION]),
            (Contract::Auditors, vec![BOND, PROPOSE, ACTIVATE, SLASH]),
        ];
        for (contract, signatures) in calls {
            let has = contract.artifact().signatures("function");
            for signature in signatures {
                assert!(has.iter().any(|one| one == signature), "{contract:?} has no {signature}: {has:?}");
            }
        }
    }
}
