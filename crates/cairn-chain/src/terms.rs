//! What a network's contracts are told when they are deployed, and cannot be told otherwise later.
//!
//! Durations are rounded up to whole seconds: on the chain no epoch is over before it is over in the log.

use cairn_core::{Hash, NetworkId, keccak256};
use cairn_settle::EvmAddress;
use cairn_settle::abi::{Arguments, address_word, uint_word};

use crate::rlp;

/// The terms of all contracts of a network on one chain. Amounts of the token are base units, of coin wei.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The network; every signature is bound to it.
    pub network: NetworkId,
    /// Whether the contracts take less than real money needs, and say for ever that they do.
    pub rehearsal: bool,
    /// Who signs.
    pub auditors: AuditorTerms,
    /// Which epochs, and when they are final.
    pub settlement: SettlementTerms,
    /// What is paid.
    pub token: TokenTerms,
    /// How it is paid.
    pub payout: PayoutTerms,
    /// Where go the bonds of who was wrong.
    pub treasury: EvmAddress,
    /// Who may stop payments and deposits at once; zeros for nobody.
    pub guardian: EvmAddress,
    /// How long what the timelock is asked for waits, seconds.
    pub timelock_delay_s: u64,
    /// Who may ask the timelock; anybody carries out what has waited.
    pub proposers: Vec<EvmAddress>,
    /// What parts of listed assets go where, ppm; together 1,000,000.
    pub shares: Vec<(EvmAddress, u32)>,
}

/// Terms of `Auditors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditorTerms {
    /// The members, ascending.
    pub members: Vec<EvmAddress>,
    /// How many must sign.
    pub threshold: u8,
    /// What each must have at stake, wei.
    pub bond_min: u128,
    /// How long a change of the set waits, seconds.
    pub change_delay_s: u64,
    /// How long a bond answers after its owner left, seconds.
    pub unbond_delay_s: u64,
}

/// Terms of `Settlement`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementTerms {
    /// The first epoch that is settled here.
    pub first_epoch: u64,
    /// Hash of the statement before it; zeros for epoch 0.
    pub first_previous: Hash,
    /// Start of epoch 0, ms since 1970 UTC.
    pub zero_ms: u64,
    /// Length of an epoch, ms.
    pub length_ms: u64,
    /// How long an epoch may be challenged, seconds.
    pub window_s: u64,
    /// What the first halt costs, wei.
    pub halt_bond: u128,
}

/// Terms of `Token`. It has eighteen decimals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTerms {
    /// Its name.
    pub name: String,
    /// Its symbol.
    pub symbol: String,
    /// The most that is ever minted beyond what was burned for credit.
    pub cap: u128,
    /// From which epoch on how much is emitted in each, ascending.
    pub table: Vec<(u64, u128)>,
}

/// Terms of `Payout`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutTerms {
    /// Nothing below is pushed.
    pub push_min: u128,
    /// What a relayer earns for each push.
    pub relay_fee: u128,
    /// Most that is paid at once and, as it decays, in a window.
    pub breaker_limit: u128,
    /// The breaker's window, seconds.
    pub breaker_window_s: u64,
}

/// Where the contracts will be, by the deployer's next nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// `Timelock`.
    pub timelock: EvmAddress,
    /// `Auditors`.
    pub auditors: EvmAddress,
    /// `Settlement`.
    pub settlement: EvmAddress,
    /// `Token`.
    pub token: EvmAddress,
    /// `Payout`.
    pub payout: EvmAddress,
    /// `Deposits`.
    pub deposits: EvmAddress,
    /// `LogAnchor`.
    pub anchor: EvmAddress,
}

impl Addresses {
    /// The addresses of contracts that `deployer` deploys with the nonces from `first_nonce` on, in the order of
    /// [`cairn_settle::Contract::ALL`].
    #[must_use]
    pub fn foretold(deployer: EvmAddress, first_nonce: u64) -> Self {
        let after = |more| created(deployer, first_nonce + more);
        Self {
            timelock: after(0),
            auditors: after(1),
            settlement: after(2),
            token: after(3),
            payout: after(4),
            deposits: after(5),
            anchor: after(6),
        }
    }

    /// In the order of deployment.
    #[must_use]
    pub const fn in_order(&self) -> [EvmAddress; 7] {
        [self.timelock, self.auditors, self.settlement, self.token, self.payout, self.deposits, self.anchor]
    }
}

/// The address of the contract that an account deploys with a nonce: the last 20 bytes of keccak256 over the RLP list of both.
#[must_use]
pub fn created(deployer: EvmAddress, nonce: u64) -> EvmAddress {
    let (mut items, mut encoded) = (Vec::new(), Vec::new());
    rlp::write_bytes(&mut items, &deployer);
    rlp::write_uint(&mut items, nonce);
    rlp::write_list(&mut encoded, &items);
    let hash = keccak256(&encoded);
    let mut address = [0; 20];
    address.copy_from_slice(&hash[12..]);
    address
}

/// Milliseconds as whole seconds, rounded up.
const fn seconds_up(ms: u64) -> u64 {
    ms.div_ceil(1_000)
}

impl Terms {
    /// The constructor arguments of each contract, in the order of deployment.
    #[must_use]
    pub fn arguments(&self, at: &Addresses) -> [Vec<u8>; 7] {
        [
            self.timelock_arguments(),
            self.auditors_arguments(),
            self.settlement_arguments(at),
            self.token_arguments(at),
            self.payout_arguments(at),
            self.deposits_arguments(at),
            Arguments::new().address(at.settlement),
        ]
        .map(|arguments| arguments.encode())
    }

    fn timelock_arguments(&self) -> Arguments {
        let proposers = self.proposers.iter().copied().map(address_word);
        // The zero address as executor lets anybody carry out.
        Arguments::new().uint(self.timelock_delay_s).words(proposers).words([[0; 32]])
    }

    fn auditors_arguments(&self) -> Arguments {
        let terms = &self.auditors;
        Arguments::new()
            .word(self.network.0.0)
            .uint(self.rehearsal)
            .uint(terms.bond_min)
            .uint(terms.change_delay_s)
            .uint(terms.unbond_delay_s)
            .address(self.treasury)
            .words(terms.members.iter().copied().map(address_word))
            .uint(terms.threshold)
    }

    fn settlement_arguments(&self, at: &Addresses) -> Arguments {
        let terms = &self.settlement;
        Arguments::new()
            .address(at.auditors)
            .uint(terms.first_epoch)
            .word(terms.first_previous.0)
            .uint(seconds_up(terms.zero_ms))
            .uint(seconds_up(terms.length_ms))
            .uint(terms.window_s)
            .uint(terms.halt_bond)
            .address(self.treasury)
    }

    fn token_arguments(&self, at: &Addresses) -> Arguments {
        let terms = &self.token;
        let table = terms.table.iter().map(|&(from_epoch, per_epoch)| [uint_word(from_epoch), uint_word(per_epoch)]);
        Arguments::new()
            .bytes(terms.name.as_bytes())
            .bytes(terms.symbol.as_bytes())
            .uint(terms.cap)
            .rows(table)
            .address(at.settlement)
            .address(at.payout)
            .address(at.deposits)
    }

    fn payout_arguments(&self, at: &Addresses) -> Arguments {
        let terms = &self.payout;
        Arguments::new()
            .address(at.settlement)
            .address(at.token)
            .address(at.timelock)
            .address(self.guardian)
            .uint(terms.push_min)
            .uint(terms.relay_fee)
            .uint(terms.breaker_limit)
            .uint(terms.breaker_window_s)
    }

    fn deposits_arguments(&self, at: &Addresses) -> Arguments {
        let shares = self.shares.iter().map(|&(to, ppm)| [address_word(to), uint_word(ppm)]);
        Arguments::new().address(at.token).address(at.timelock).address(self.guardian).rows(shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_settle::told::{address_text, parse_address};

    #[test]
    fn a_contract_is_where_the_deployer_and_its_nonce_say() {
        // The first contracts of 0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0: the yellow paper's rule, known from chains.
        let deployer = parse_address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0").unwrap();
        let expected = [
            (0, "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"),
            (1, "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"),
            (2, "0xf778b86fa74e846c4f0a1fbd1335fe81c00a0c91"),
            (3, "0xfffd933a0bc612844eaf0c6fe3e5b8e9b6c1d19c"),
        ];
        for (nonce, address) in expected {
            assert_eq!(address_text(&created(deployer, nonce)), address);
        }
    }
}
