//! The purse on an EVM chain: the network's own token, whose contract is ours, and the outbox of the till's wallet.
//!
//! That a nonce was used does not say for what: a payer may sign two authorizations with one nonce, to the till and to himself.
//! So what counts is the transfer that the token logs right after it used the nonce, and not one that is somewhere in the same
//! transaction.

use std::path::PathBuf;
use std::sync::Arc;

use cairn_chain::{At, Call, Chain, ChainError, LogFilter, Logged, Outbox, outbox};
use cairn_core::keccak256;
use cairn_core::wallet::WalletKey;
use cairn_settle::abi::{Arguments, address_word, uint_word};
use cairn_settle::told::hex_text;
use cairn_settle::{EvmAddress, calls};
use cairn_x402::{Signed, TokenDomain, Word, X402Error};

use crate::error::{TillError, later};
use crate::purse::{Head, Purse, Seen, Unsent};

/// Functions and events of the token; a test holds them to the committed ABI.
mod signature {
    pub const DOMAIN: &str = "eip712Domain()";
    pub const AUTHORIZATION_STATE: &str = "authorizationState(address,bytes32)";
    pub const USED: &str = "AuthorizationUsed(address,bytes32)";
    pub const CANCELED: &str = "AuthorizationCanceled(address,bytes32)";
    pub const TRANSFER: &str = "Transfer(address,address,uint256)";
}

/// The wallet that sends, and where what it has under way is kept.
#[derive(Debug, Clone)]
pub struct Wallet {
    /// Its key.
    pub key: WalletKey,
    /// The folder of its outbox.
    pub outbox: PathBuf,
    /// How it sends and waits.
    pub options: outbox::Options,
}

/// The till's account at the network's token.
pub struct EvmPurse {
    chain: Arc<dyn Chain>,
    token: EvmAddress,
    wallet: Wallet,
    account: EvmAddress,
}

impl EvmPurse {
    /// The account of a wallet at a token on a chain.
    #[must_use]
    pub fn of(chain: Arc<dyn Chain>, token: &TokenDomain, wallet: Wallet) -> Self {
        let cairn_core::Address::Evm(account) = wallet.key.address() else {
            unreachable!("a secp256k1 key has an EVM address")
        };
        Self { chain, token: token.token, wallet, account }
    }

    fn call(&self, signed: &Signed) -> Call {
        let one = &signed.authorization;
        let words = [one.value, one.valid_after, one.valid_before, one.nonce];
        Call::to(self.token, calls::transfer_with_authorization(one.from, one.to, words, &signed.signature))
    }

    fn is_used(&self, signed: &Signed) -> Result<bool, ChainError> {
        let one = &signed.authorization;
        let ask = Arguments::new().address(one.from).word(one.nonce).call(signature::AUTHORIZATION_STATE);
        let answer = self.chain.call([0; 20], &Call::to(self.token, ask), At::Latest)?;
        match answer.split_last() {
            Some((last, rest)) if rest.len() == 31 && rest.iter().all(|byte| *byte == 0) && *last <= 1 => {
                Ok(*last == 1)
            }
            _ => Err(ChainError::Answer {
                chain: self.chain.name(),
                what: "to authorizationState no truth value".into(),
            }),
        }
    }

    fn logs(&self, name: &str, from: u64, to: u64) -> Result<Vec<Logged>, ChainError> {
        self.chain.logs(&LogFilter { address: self.token, topic: keccak256(name.as_bytes()), from, to })
    }

    /// The event that an authorization's nonce was gone by.
    fn gone(&self, name: &str, signed: &Signed, from: u64, to: u64) -> Result<Option<Logged>, ChainError> {
        let one = &signed.authorization;
        let wanted = [keccak256(name.as_bytes()), address_word(one.from), one.nonce];
        Ok(self.logs(name, from, to)?.into_iter().find(|event| event.topics == wanted))
    }

    /// Whether the event is straight followed by the transfer that was authorized.
    fn moved(&self, signed: &Signed, used: &Logged) -> Result<bool, ChainError> {
        let one = &signed.authorization;
        let wanted = [keccak256(signature::TRANSFER.as_bytes()), address_word(one.from), address_word(one.to)];
        let transfers = self.logs(signature::TRANSFER, used.block, used.block)?;
        Ok(transfers.iter().any(|event| {
            event.transaction == used.transaction
                && event.index == used.index + 1
                && event.topics == wanted
                && event.data == one.value
        }))
    }
}

/// The EIP-712 domain that a token says it has (EIP-5267), held to where it is.
///
/// # Errors
/// [`ChainError::Answer`] where there is none, or it is another contract's or chain's.
pub fn token_domain(chain: &dyn Chain, token: EvmAddress) -> Result<TokenDomain, ChainError> {
    let bytes = chain.call([0; 20], &Call::to(token, Arguments::new().call(signature::DOMAIN)), At::Latest)?;
    let wrong = || ChainError::Answer { chain: chain.name(), what: "to eip712Domain() no domain of this token".into() };
    let word = |place: usize| bytes.get(32 * place..32 * (place + 1));
    let number = |start: usize| -> Option<usize> {
        let (high, low) = bytes.get(start..start.checked_add(32)?)?.split_last_chunk::<4>()?;
        high.iter().all(|byte| *byte == 0).then(|| u32::from_be_bytes(*low))?.try_into().ok()
    };
    // Words in place: fields, where the name is, where the version is, chain, contract, salt, where the extensions are.
    let text = |place: usize| -> Option<String> {
        let start = number(32 * place)?;
        let begins = start.checked_add(32)?;
        let text = bytes.get(begins..begins.checked_add(number(start)?)?)?;
        String::from_utf8(text.to_vec()).ok().filter(|text| !text.is_empty())
    };
    let is_here = word(3) == Some(&uint_word(chain.id())[..]) && word(4) == Some(&address_word(token)[..]);
    let (name, version) = text(1).zip(text(2)).filter(|_| is_here).ok_or_else(wrong)?;
    Ok(TokenDomain { name, version, chain_id: chain.id(), token })
}

/// What a token's refusal is in the protocol's words.
fn refusal(reason: &str) -> X402Error {
    let names = |name: &str| reason.contains(name);
    if names("AuthorizationUsedUp") {
        X402Error::Nonce
    } else if names("AuthorizationTime") {
        X402Error::Expired
    } else if names("AuthorizationSigner") || names("ECDSAInvalid") {
        X402Error::Signature
    } else if names("ERC20InsufficientBalance") {
        X402Error::Funds
    } else {
        X402Error::Refused { what: reason.to_owned() }
    }
}

fn unsent(error: ChainError) -> Unsent {
    match error {
        ChainError::Reverted { reason } | ChainError::Failed { reason, .. } => Unsent::Refused(refusal(&reason)),
        other => Unsent::Unknown(other.to_string()),
    }
}

impl Purse for EvmPurse {
    fn head(&self) -> Result<Head, TillError> {
        let head = self.chain.head()?;
        let number = head.number.saturating_sub(self.wallet.options.confirmations);
        let last =
            self.chain.block(number)?.ok_or_else(|| later(format!("{} has no block {number}", self.chain.name())))?;
        Ok(Head { final_number: last.number, final_time_s: last.time_s })
    }

    fn seen(&self, signed: &Signed, from_block: u64) -> Result<Seen, TillError> {
        if !self.is_used(signed)? {
            return Ok(Seen::Nowhere);
        }
        let to = self.chain.head()?.number;
        if let Some(used) = self.gone(signature::USED, signed, from_block, to)? {
            let (block, transaction) = (used.block, used.transaction);
            let moved = self.moved(signed, &used)?;
            return Ok(if moved { Seen::Moved { transaction, block } } else { Seen::Elsewhere { block } });
        }
        if let Some(canceled) = self.gone(signature::CANCELED, signed, from_block, to)? {
            return Ok(Seen::Elsewhere { block: canceled.block });
        }
        let nonce = hex_text(&signed.authorization.nonce);
        Err(later(format!("{} says that nonce {nonce} was used, and not where", self.chain.name())))
    }

    fn probe(&self, signed: &Signed) -> Result<(), Unsent> {
        self.chain.call(self.account, &self.call(signed), At::Latest).map(|_| ()).map_err(unsent)
    }

    fn send(&self, purpose: &str, signed: &Signed) -> Result<Word, Unsent> {
        let Wallet { key, outbox, options } = self.wallet.clone();
        let outbox = Outbox::open(&outbox, self.chain.as_ref(), key, options).map_err(unsent)?;
        if outbox.under_way().map_err(unsent)?.is_some_and(|name| name != purpose)
            && let Err(error) = outbox.resume()
        {
            // What became of that is seen on the chain by whoever began it.
            let is_over = matches!(
                error,
                ChainError::Failed { .. } | ChainError::Cancelled { .. } | ChainError::NonceUsed { .. }
            );
            if !is_over {
                return Err(Unsent::Unknown(error.to_string()));
            }
        }
        outbox.execute(purpose, &self.call(signed)).map(|receipt| receipt.transaction).map_err(unsent)
    }
}

#[cfg(test)]
mod tests {
    use cairn_settle::Contract;

    use super::*;

    #[test]
    fn what_is_asked_and_looked_for_is_what_the_token_has() {
        let artifact = Contract::Token.artifact();
        for function in [signature::AUTHORIZATION_STATE, signature::DOMAIN] {
            assert!(artifact.signatures("function").iter().any(|one| one == function), "{function}");
        }
        for event in [signature::USED, signature::CANCELED, signature::TRANSFER] {
            assert!(artifact.signatures("event").iter().any(|one| one == event), "{event}");
        }
        for (name, code) in [
            ("AuthorizationUsedUp(bytes32)", "X402-NONCE"),
            ("AuthorizationTime(uint256,uint256)", "X402-EXPIRED"),
            ("AuthorizationSigner(address,address)", "X402-SIGNATURE"),
            ("ECDSAInvalidSignatureS(bytes32)", "X402-SIGNATURE"),
            ("ERC20InsufficientBalance(address,uint256,uint256)", "X402-FUNDS"),
        ] {
            assert!(artifact.signatures("error").iter().any(|one| one == name), "{name}");
            let (reason, _) = name.split_once('(').unwrap();
            assert_eq!(refusal(reason).code(), code);
        }
        assert_eq!(refusal("panic 0x11").code(), "X402-REFUSED");
    }
}
