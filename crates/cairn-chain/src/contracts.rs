//! The contracts of a network on a chain, and what they answer.
//!
//! The address of `Payout`, which the log's `domain` statement names, leads to all others but the anchor and is trusted no
//! further than the log is: nobody has to be told where a network settles by anybody else.

use cairn_core::{Hash, NetworkId};
use cairn_settle::abi::{Arguments, uint_word};
use cairn_settle::{EvmAddress, SettlementRow, Word};

use crate::{At, Call, Chain, ChainError};

/// Signatures of the functions that are asked; a test holds them to the committed ABI.
mod signature {
    pub const SETTLEMENT: &str = "settlement()";
    pub const TOKEN: &str = "token()";
    pub const AUDITORS: &str = "auditors()";
    pub const DEPOSITOR: &str = "depositor()";
    pub const NETWORK: &str = "network()";
    pub const REHEARSAL: &str = "rehearsal()";
    pub const CURRENT: &str = "current()";
    pub const SEATS: &str = "seats(address)";
    pub const BOND_MIN: &str = "bondMin()";
    pub const NEXT: &str = "next()";
    pub const FIRST_EPOCH: &str = "firstEpoch()";
    pub const LATEST: &str = "latest()";
    pub const LATEST_FINAL: &str = "latestFinal()";
    pub const HALTED: &str = "halted()";
    pub const HALT_PRICE: &str = "haltPrice()";
    pub const OPENED: &str = "opened()";
    pub const CLAIM_ROOTS: &str = "claimRoots(uint64)";
    pub const ACCOUNTS: &str = "accounts(address)";
    pub const PUSH_MIN: &str = "pushMin()";
    pub const RELAY_FEE: &str = "relayFee()";
    pub const RELAY_POOL: &str = "relayPool()";
    pub const PROVEN: &str = "proven()";
    pub const ROOM: &str = "room()";
    pub const PAUSED: &str = "paused()";
    pub const MINTED: &str = "minted()";
    pub const MINTABLE: &str = "mintable()";
    pub const TOTAL_SUPPLY: &str = "totalSupply()";
    pub const BALANCE_OF: &str = "balanceOf(address)";
    pub const SIZE: &str = "size()";
    pub const EPOCH: &str = "epoch()";
    pub const ROOT: &str = "root()";
}

/// Where the contracts of a network are on one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contracts {
    /// Pays accounts; claims are for it.
    pub payout: EvmAddress,
    /// Takes epochs.
    pub settlement: EvmAddress,
    /// Says who signs.
    pub auditors: EvmAddress,
    /// What is paid.
    pub token: EvmAddress,
    /// Where buyers pay.
    pub deposits: EvmAddress,
}

/// An epoch as `Settlement` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub epoch: u64,
    /// Its revision.
    pub revision: u32,
    /// Entries of the log.
    pub log_size: u64,
    /// When its window is over, seconds.
    pub final_at_s: u64,
    /// Hash of its statement.
    pub statement_hash: Hash,
    /// Root of the log.
    pub log_root: Hash,
    /// Root of the state.
    pub state_root: Hash,
    /// Root of the settlement rows.
    pub settlements_root: Word,
}

/// A halt of the last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halt {
    /// Who halted it.
    pub watcher: EvmAddress,
    /// When, seconds.
    pub since_s: u64,
    /// What is lost if it was wrong, wei.
    pub bond: u128,
}

/// The set of auditors in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditorsInForce {
    /// Which set.
    pub set: u32,
    /// Members.
    pub size: u8,
    /// How many must sign.
    pub threshold: u8,
}

/// What an account was paid, and below what it wants nothing pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaidAccount {
    /// Ever paid, base units.
    pub paid: u128,
    /// Its own threshold, base units.
    pub threshold: u128,
}

/// The last opened epoch of `Payout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Its number.
    pub epoch: u64,
    /// Its revision.
    pub revision: u32,
}

/// Asks the contracts on a chain, all in the state after one block.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    chain: &'a dyn Chain,
    at: At,
    contracts: Contracts,
}

impl Contracts {
    /// Those that belong to a `Payout`.
    ///
    /// # Errors
    /// [`ChainError::Answer`] where there is no such contract, or it belongs to another network.
    pub fn of(chain: &dyn Chain, payout: EvmAddress, network: &NetworkId) -> Result<Self, ChainError> {
        let wrong = |what: &str| ChainError::Answer { chain: chain.name(), what: what.to_owned() };
        if !chain.has_code(payout)? {
            return Err(wrong(&format!("that there is no contract at 0x{}", data_encoding::HEXLOWER.encode(&payout))));
        }
        let ask = |contract, name: &str| Answer::of(chain, At::Latest, contract, Arguments::new(), name)?.address(0);
        let (settlement, token) = (ask(payout, signature::SETTLEMENT)?, ask(payout, signature::TOKEN)?);
        let auditors = ask(settlement, signature::AUDITORS)?;
        let deposits = ask(token, signature::DEPOSITOR)?;
        let of = Answer::of(chain, At::Latest, auditors, Arguments::new(), signature::NETWORK)?.word(0)?;
        if of != network.0.0 {
            return Err(wrong(&format!("with contracts of network {}", Hash(of).to_hex())));
        }
        Ok(Self { payout, settlement, auditors, token, deposits })
    }

    /// Asks them in the state after one block, so that all answers fit together.
    #[must_use]
    pub const fn reader_at<'a>(&self, chain: &'a dyn Chain, block: u64) -> Reader<'a> {
        Reader { chain, at: At::Block(block), contracts: *self }
    }

    /// Asks them in the state after the last block.
    #[must_use]
    pub const fn reader<'a>(&self, chain: &'a dyn Chain) -> Reader<'a> {
        Reader { chain, at: At::Latest, contracts: *self }
    }
}

impl Reader<'_> {
    fn ask(&self, contract: EvmAddress, arguments: Arguments, name: &str) -> Result<Answer, ChainError> {
        Answer::of(self.chain, self.at, contract, arguments, name)
    }

    fn number(&self, contract: EvmAddress, name: &str) -> Result<u128, ChainError> {
        self.ask(contract, Arguments::new(), name)?.number(0)
    }

    /// The chain that is asked.
    #[must_use]
    pub fn chain(&self) -> &dyn Chain {
        self.chain
    }

    /// The epoch that comes next.
    ///
    /// # Errors
    /// [`ChainError`]; so for all that follow.
    pub fn next(&self) -> Result<u64, ChainError> {
        self.ask(self.contracts.settlement, Arguments::new(), signature::NEXT)?.small(0)
    }

    /// The first epoch that is settled here.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn first_epoch(&self) -> Result<u64, ChainError> {
        self.ask(self.contracts.settlement, Arguments::new(), signature::FIRST_EPOCH)?.small(0)
    }

    /// The last epoch that was posted.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn latest(&self) -> Result<Option<Head>, ChainError> {
        self.head(signature::LATEST)
    }

    /// The last final epoch.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn latest_final(&self) -> Result<Option<Head>, ChainError> {
        self.head(signature::LATEST_FINAL)
    }

    fn head(&self, name: &str) -> Result<Option<Head>, ChainError> {
        match self.ask(self.contracts.settlement, Arguments::new(), name) {
            Ok(answer) => Ok(Some(Head {
                epoch: answer.small(0)?,
                revision: answer.small(1)?,
                log_size: answer.small(2)?,
                final_at_s: answer.small(3)?,
                statement_hash: Hash(answer.word(4)?),
                log_root: Hash(answer.word(5)?),
                state_root: Hash(answer.word(6)?),
                settlements_root: answer.word(7)?,
            })),
            Err(ChainError::Reverted { reason }) if reason == "NothingFinal" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The halt of the last epoch, if there is one.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn halted(&self) -> Result<Option<Halt>, ChainError> {
        let answer = self.ask(self.contracts.settlement, Arguments::new(), signature::HALTED)?;
        let halt = Halt { watcher: answer.address(0)?, since_s: answer.small(1)?, bond: answer.number(2)? };
        Ok((halt.watcher != [0; 20]).then_some(halt))
    }

    /// What the next halt costs, wei.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn halt_price(&self) -> Result<u128, ChainError> {
        self.number(self.contracts.settlement, signature::HALT_PRICE)
    }

    /// Whether the contracts say for ever that they are a rehearsal.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn is_rehearsal(&self) -> Result<bool, ChainError> {
        Ok(self.number(self.contracts.auditors, signature::REHEARSAL)? != 0)
    }

    /// The set of auditors in force.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn auditors(&self) -> Result<AuditorsInForce, ChainError> {
        let answer = self.ask(self.contracts.auditors, Arguments::new(), signature::CURRENT)?;
        Ok(AuditorsInForce { set: answer.small(0)?, size: answer.small(1)?, threshold: answer.small(2)? })
    }

    /// What a signature must have behind it to count now: asked once, then for each auditor.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn seats(&self) -> Result<Seats<'_>, ChainError> {
        let bond_min = self.number(self.contracts.auditors, signature::BOND_MIN)?;
        Ok(Seats { reader: self, in_force: self.auditors()?, bond_min })
    }

    /// The last epoch that was opened for payment.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn opened(&self) -> Result<Option<Opened>, ChainError> {
        let answer = self.ask(self.contracts.payout, Arguments::new(), signature::OPENED)?;
        let opened = Opened { epoch: answer.small(0)?, revision: answer.small(1)? };
        Ok((answer.number(2)? != 0).then_some(opened))
    }

    /// The root that an epoch's claims are proven against; `None` while it is not open.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn claim_root(&self, epoch: u64) -> Result<Option<Word>, ChainError> {
        let arguments = Arguments::new().word(uint_word(epoch));
        let root = self.ask(self.contracts.payout, arguments, signature::CLAIM_ROOTS)?.word(0)?;
        Ok((root != [0; 32]).then_some(root))
    }

    /// What an account was paid.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn account(&self, account: EvmAddress) -> Result<PaidAccount, ChainError> {
        let answer = self.ask(self.contracts.payout, Arguments::new().address(account), signature::ACCOUNTS)?;
        Ok(PaidAccount { paid: answer.number(0)?, threshold: answer.number(1)? })
    }

    /// Below what nothing is pushed to anybody, base units.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn push_min(&self) -> Result<u128, ChainError> {
        self.number(self.contracts.payout, signature::PUSH_MIN)
    }

    /// What a relayer earns for each push while the pool lasts, base units.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn relay_fee(&self) -> Result<u128, ChainError> {
        self.number(self.contracts.payout, signature::RELAY_FEE)
    }

    /// What is left for relayers, base units.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn relay_pool(&self) -> Result<u128, ChainError> {
        self.number(self.contracts.payout, signature::RELAY_POOL)
    }

    /// What the last opened row proves in all, base units.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn proven(&self) -> Result<u128, ChainError> {
        self.number(self.contracts.payout, signature::PROVEN)
    }

    /// What the breaker and the proven total let through now, base units.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn room(&self) -> Result<u128, ChainError> {
        self.number(self.contracts.payout, signature::ROOM)
    }

    /// Whether the guardian stopped payments.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn is_paused(&self) -> Result<bool, ChainError> {
        Ok(self.number(self.contracts.payout, signature::PAUSED)? != 0)
    }

    /// Ever minted, base units.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn minted(&self) -> Result<u128, ChainError> {
        self.number(self.contracts.token, signature::MINTED)
    }

    /// What may have been minted by the last final epoch, base units.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn mintable(&self) -> Result<u128, ChainError> {
        self.number(self.contracts.token, signature::MINTABLE)
    }

    /// Tokens there are, base units.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn supply(&self) -> Result<u128, ChainError> {
        self.number(self.contracts.token, signature::TOTAL_SUPPLY)
    }

    /// Tokens of an account, base units.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn balance(&self, account: EvmAddress) -> Result<u128, ChainError> {
        self.ask(self.contracts.token, Arguments::new().address(account), signature::BALANCE_OF)?.number(0)
    }

    /// The row of an epoch's statement that these contracts open, with its place among the rows.
    #[must_use]
    pub fn row(&self, rows: &[SettlementRow]) -> Option<(usize, SettlementRow)> {
        let (domain, distributor) =
            (uint_word(self.chain.id()), cairn_settle::abi::address_word(self.contracts.payout));
        let mine = |row: &SettlementRow| row.domain == domain && row.distributor == distributor;
        rows.iter().copied().enumerate().find(|(_, row)| mine(row))
    }
}

/// The seats of the set in force.
pub struct Seats<'a> {
    reader: &'a Reader<'a>,
    in_force: AuditorsInForce,
    bond_min: u128,
}

impl Seats<'_> {
    /// How many must sign.
    #[must_use]
    pub const fn threshold(&self) -> u8 {
        self.in_force.threshold
    }

    /// Whether an auditor's signature counts: it is in the set in force, bonded and not slashed.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn counts(&self, auditor: EvmAddress) -> Result<bool, ChainError> {
        let contract = self.reader.contracts.auditors;
        let seat = self.reader.ask(contract, Arguments::new().address(auditor), signature::SEATS)?;
        Ok(seat.number(0)? >= self.bond_min && seat.small::<u32>(1)? == self.in_force.set && seat.number(2)? == 0)
    }
}

/// The log as an anchor has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchored {
    /// Epoch.
    pub epoch: u64,
    /// Entries.
    pub size: u64,
    /// Root.
    pub root: Hash,
}

/// What a `LogAnchor` says of the log.
///
/// # Errors
/// [`ChainError`].
pub fn anchored(chain: &dyn Chain, anchor: EvmAddress) -> Result<Anchored, ChainError> {
    let ask = |name: &str| Answer::of(chain, At::Latest, anchor, Arguments::new(), name);
    let (epoch, size) = (ask(signature::EPOCH)?.small(0)?, ask(signature::SIZE)?.small(0)?);
    Ok(Anchored { epoch, size, root: Hash(ask(signature::ROOT)?.word(0)?) })
}

/// Words that a contract answered.
struct Answer {
    chain: String,
    bytes: Vec<u8>,
    function: String,
}

impl Answer {
    fn of(chain: &dyn Chain, at: At, to: EvmAddress, arguments: Arguments, name: &str) -> Result<Self, ChainError> {
        let bytes = chain.call([0; 20], &Call::to(to, arguments.call(name)), at)?;
        Ok(Self { chain: chain.name(), bytes, function: name.to_owned() })
    }

    fn wrong(&self, what: &str) -> ChainError {
        ChainError::Answer { chain: self.chain.clone(), what: format!("to {} {what}", self.function) }
    }

    fn word(&self, place: usize) -> Result<Word, ChainError> {
        let word = self.bytes.get(32 * place..32 * (place + 1)).and_then(|word| word.try_into().ok());
        word.ok_or_else(|| self.wrong("with too few bytes"))
    }

    fn number(&self, place: usize) -> Result<u128, ChainError> {
        let word = self.word(place)?;
        let (high, low) = word.split_first_chunk::<16>().expect("a word has 32 bytes");
        if *high != [0; 16] {
            return Err(self.wrong("with more than 128 bits"));
        }
        Ok(u128::from_be_bytes(low.try_into().expect("16 bytes are left")))
    }

    fn small<T: TryFrom<u128>>(&self, place: usize) -> Result<T, ChainError> {
        T::try_from(self.number(place)?).map_err(|_| self.wrong("with a number that is too large"))
    }

    fn address(&self, place: usize) -> Result<EvmAddress, ChainError> {
        let word = self.word(place)?;
        if word[..12] != [0; 12] {
            return Err(self.wrong("with what is no address"));
        }
        let mut address = [0; 20];
        address.copy_from_slice(&word[12..]);
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use cairn_settle::Contract;

    use super::signature::*;

    #[test]
    fn every_question_is_one_that_its_contract_answers() {
        let questions = [
            (Contract::Auditors, vec![NETWORK, REHEARSAL, CURRENT, SEATS, BOND_MIN]),
            (Contract::Settlement, vec![AUDITORS, NEXT, FIRST_EPOCH, LATEST, LATEST_FINAL, HALTED, HALT_PRICE]),
            (
                Contract::Payout,
                vec![
                    SETTLEMENT,
                    TOKEN,
                    OPENED,
                    CLAIM_ROOTS,
                    ACCOUNTS,
                    PUSH_MIN,
                    RELAY_FEE,
                    RELAY_POOL,
                    PROVEN,
                    ROOM,
                    PAUSED,
                ],
            ),
            (Contract::Token, vec![DEPOSITOR, MINTED, MINTABLE, TOTAL_SUPPLY, BALANCE_OF]),
            (Contract::LogAnchor, vec![EPOCH, SIZE, ROOT]),
        ];
        for (contract, signatures) in questions {
            let has = contract.artifact().signatures("function");
            for signature in signatures {
                assert!(has.iter().any(|one| one == signature), "{contract:?} has no {signature}: {has:?}");
            }
        }
    }
}
