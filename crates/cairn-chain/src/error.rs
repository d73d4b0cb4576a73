//! What goes wrong between Cairn and a chain.

use cairn_settle::Contract;
use cairn_settle::abi::selector;
use cairn_settle::told::hex_text;
use thiserror::Error;

/// Why a chain could not be asked, or refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Nobody answers, or not in time, after every retry.
    #[error("{chain} cannot be reached: {what}")]
    Unreachable {
        /// Which chain.
        chain: String,
        /// What happened.
        what: String,
    },
    /// It answers what it should not: another form, another chain id.
    #[error("{chain} answered {what}")]
    Answer {
        /// Which chain.
        chain: String,
        /// What it answered.
        what: String,
    },
    /// The state that is asked for is not kept.
    #[error("{chain} knows the state after its last block, {last}, and not after block {block}")]
    Past {
        /// Which chain.
        chain: String,
        /// Which block was asked for.
        block: u64,
        /// The last block.
        last: u64,
    },
    /// A contract refuses the call.
    #[error("the contract refuses: {reason}")]
    Reverted {
        /// The error's name, or the data in hexadecimal.
        reason: String,
    },
    /// The chain does not take the transaction.
    #[error("{chain} does not take the transaction: {what}")]
    Refused {
        /// Which chain.
        chain: String,
        /// Why.
        what: String,
    },
    /// An account's nonce is not where the deployment left it.
    #[error("{account} has sent {nonce} transactions where the deployment needs {expected}")]
    Elsewhere {
        /// The account.
        account: String,
        /// Its nonce.
        nonce: u64,
        /// What it should be.
        expected: u64,
    },
    /// What was to be settled is not what the chain waits for.
    #[error("epoch {epoch}: {what}")]
    Claims {
        /// Which epoch.
        epoch: u64,
        /// What differs.
        what: String,
    },
    /// What was to be signed or called makes no sense.
    #[error(transparent)]
    Settle(#[from] cairn_settle::SettleError),
    /// Something that is no node's address; it is not repeated, for the secrets in it.
    #[error("the node's address is none: {what}")]
    Address {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Gas costs more than is allowed.
    #[error("gas on {chain} costs {price} wei, and {allowed} are allowed")]
    TooDear {
        /// Which chain.
        chain: String,
        /// What a unit costs, wei.
        price: u128,
        /// What it may, wei.
        allowed: u128,
    },
    /// Another transaction is under way.
    #[error("`{purpose}` is under way")]
    UnderWay {
        /// What it is for.
        purpose: String,
    },
    /// A transaction is not deep enough in the chain yet.
    #[error("`{purpose}` is not deep enough in the chain yet, as transaction {transaction}")]
    Waiting {
        /// What it is for.
        purpose: String,
        /// The hash of its newest variant.
        transaction: String,
    },
    /// A transaction was mined and failed.
    #[error("`{purpose}` failed in transaction {transaction}: {reason}")]
    Failed {
        /// What it was for.
        purpose: String,
        /// Its hash.
        transaction: String,
        /// What doing it again says.
        reason: String,
    },
    /// A transaction was replaced by one that does nothing.
    #[error("`{purpose}` was cancelled")]
    Cancelled {
        /// What it was for.
        purpose: String,
    },
    /// Somebody else used the nonce of a transaction.
    #[error("`{purpose}` did not happen: transaction {nonce} of {account} is another one")]
    NonceUsed {
        /// What it was for.
        purpose: String,
        /// The account.
        account: String,
        /// The nonce.
        nonce: u64,
    },
    /// The chain does not know what was done last.
    #[error("{chain} knows {nonce} transactions of the account, and not that `{purpose}` was done")]
    Behind {
        /// Which chain.
        chain: String,
        /// What was done last.
        purpose: String,
        /// What it says the next nonce is.
        nonce: u64,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {file}: {what}")]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        file: String,
        /// What happened.
        what: String,
    },
    /// A file holds what it should not.
    #[error("{file}: {what}")]
    Broken {
        /// Which file.
        file: String,
        /// What is wrong.
        what: String,
    },
}

impl ChainError {
    /// The refusal that a revert's data says, by the name of the error where one of our contracts has it.
    #[must_use]
    pub fn reverted(data: &[u8]) -> Self {
        Self::Reverted { reason: reason(data) }
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "STL-UNREACHABLE",
            Self::Answer { .. } => "STL-ANSWER",
            Self::Past { .. } => "STL-PAST",
            Self::Reverted { .. } => "STL-REVERTED",
            Self::Refused { .. } => "STL-REFUSED",
            Self::Elsewhere { .. } => "STL-DEPLOYER",
            Self::Claims { .. } => "STL-CLAIMS",
            Self::Settle(error) => error.code(),
            Self::Address { .. } => "STL-ADDRESS",
            Self::TooDear { .. } => "STL-FEES",
            Self::UnderWay { .. } => "STL-UNDER-WAY",
            Self::Waiting { .. } => "STL-WAITING",
            Self::Failed { .. } => "STL-FAILED",
            Self::Cancelled { .. } => "STL-CANCELLED",
            Self::NonceUsed { .. } => "STL-NONCE",
            Self::Behind { .. } => "STL-BEHIND",
            Self::File { .. } => "STL-FILE",
            Self::Broken { .. } => "STL-BROKEN",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "try again: what was begun is finished then, and nothing is sent twice",
            Self::Answer { .. } => "check that the address is the JSON-RPC endpoint of the chain that is meant",
            Self::Past { .. } => "ask about the last block",
            Self::Reverted { .. } => "`cairn chain status` shows what the contracts wait for",
            Self::Refused { .. } => {
                "check the wallet's coin and the fees that are allowed; `cairn wallet cancel` gives up what is under way"
            }
            Self::Elsewhere { .. } => "another program uses this account: deploy from one of its own",
            Self::Claims { .. } => "audit the network before anything is paid: `cairn audit`",
            Self::Settle(error) => error.hint(),
            Self::Address { .. } => "name it as http://host:port or https://host/path",
            Self::TooDear { .. } => "wait until the chain is quieter, or allow more",
            Self::UnderWay { .. } => "finish that first: what was begun is sent again, and nothing is sent twice",
            Self::Waiting { .. } => "try again: the waiting goes on where it was; allowing higher fees may shorten it",
            Self::Failed { .. } => "it cost its gas and did nothing else; do it again when the reason is gone",
            Self::Cancelled { .. } => "nothing happened but that its gas was paid; do it again if it is still wanted",
            Self::NonceUsed { .. } => "another program uses this account: give each its own, then do it again",
            Self::Behind { .. } => {
                "the node is behind, or the chain was reorganised deeper than was waited for: wait, or ask another node"
            }
            Self::File { .. } => "check the folder, its rights and the space on its disk",
            Self::Broken { .. } => "put it back from a copy",
        }
    }
}

/// What a revert says: the name of an error, the text of `require`, the number of a panic, else the data.
fn reason(data: &[u8]) -> String {
    let known = Contract::ALL.iter().find_map(|contract| contract.artifact().error_name(data));
    if let Some(name) = known {
        return name;
    }
    if data.starts_with(&selector("Panic(uint256)")) {
        return format!("panic {:#04x}", data.last().copied().unwrap_or_default());
    }
    if data.is_empty() {
        return "without a reason".to_owned();
    }
    let text = data.starts_with(&selector("Error(string)")).then(|| data.get(68..)).flatten();
    let text = text.map(|text| text.iter().copied().filter(|byte| (32..127).contains(byte)).map(char::from).collect());
    text.unwrap_or_else(|| hex_text(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_its_name() {
        let word = |byte: u8| [[0; 31].as_slice(), &[byte]].concat();
        let text = [&selector("Error(string)")[..], &word(32), &word(5), b"no\nway", &[0; 26]].concat();
        for (data, expected) in [
            ([&selector("NotNext(uint64,uint64)")[..], &word(1), &word(2)].concat(), "NotNext"),
            ([&selector("Panic(uint256)")[..], &word(0x11)].concat(), "panic 0x11"),
            (text, "noway"),
            (vec![], "without a reason"),
            (vec![1, 2, 3, 4], "0x01020304"),
        ] {
            assert_eq!(ChainError::reverted(&data).to_string(), format!("the contract refuses: {expected}"));
        }
    }
}
