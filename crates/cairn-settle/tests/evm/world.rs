//! A network on one chain: seven bonded auditors of whom five must sign, all contracts, and the epochs of a log.

use cairn_core::wallet::WalletKey;
use cairn_core::{Address, Hash, NetworkId};
use cairn_merkle::{ClaimLeaf, ClaimTree, MemoryTree, proof, tree};
use cairn_settle::abi::{Arguments, address_word, uint_word};
use cairn_settle::{
    Contract, EpochMessage, EvmAddress, ManyClaims, SettlementRow, SettlementsTree, Word, calls, message,
};
use revm::primitives::hardfork::SpecId;

use crate::chain::{Chain, DEPLOYER, Receipt, Sent, number};

/// One token, in base units.
pub const ONE: u128 = 1_000_000_000_000_000_000;
/// Emission of each epoch, until [`HALVED_FROM`].
pub const PER_EPOCH: u128 = 1_000_000 * ONE;
/// From here on, half of it.
pub const HALVED_FROM: u64 = 10;
pub const CAP: u128 = 15_000_000 * ONE;
pub const ZERO_S: u64 = 1_700_000_000;
pub const LENGTH_S: u64 = 86_400;
pub const WINDOW_S: u64 = 3_600;
pub const BOND: u128 = ONE;
pub const HALT_BOND: u128 = ONE;
pub const PUSH_MIN: u128 = ONE;
pub const RELAY_FEE: u128 = ONE / 100;
pub const BREAKER_LIMIT: u128 = 3_000_000 * ONE;
pub const BREAKER_WINDOW_S: u64 = 86_400;
pub const CHANGE_DELAY_S: u64 = 2 * 86_400;
pub const UNBOND_DELAY_S: u64 = 21 * 86_400;
pub const TIMELOCK_DELAY_S: u64 = 3 * 86_400;
pub const TREASURY: EvmAddress = [0x7e; 20];
pub const GUARDIAN: EvmAddress = [0x60; 20];
pub const WATCHER: EvmAddress = [0x3a; 20];
pub const RELAYER: EvmAddress = [0x4e; 20];
/// Who may ask the timelock for something.
pub const PROPOSER: EvmAddress = [0x99; 20];

/// The id that everything is signed for.
pub fn network() -> NetworkId {
    NetworkId(Hash::of(b"a network under test"))
}

/// Keys `from..from + count`, ascending by address.
pub fn keys(from: u8, count: u8) -> Vec<WalletKey> {
    let mut keys: Vec<WalletKey> = (from..from + count).map(|i| WalletKey::from_bytes([i; 32]).unwrap()).collect();
    keys.sort_by_key(address_of);
    keys
}

pub fn address_of(key: &WalletKey) -> EvmAddress {
    match key.address() {
        Address::Evm(address) => address,
        Address::Solana(_) => unreachable!("wallet keys are EVM accounts"),
    }
}

/// The halt of an epoch as this message says it.
pub fn halt(message: &EpochMessage) -> Vec<u8> {
    calls::halt(message.epoch, message.revision, &message.statement_hash)
}

/// Somebody.
pub fn person(i: u32) -> EvmAddress {
    let mut address = [0x11; 20];
    address[16..].copy_from_slice(&i.to_be_bytes());
    address
}

/// An epoch with its claims on the world's chain.
#[derive(Clone)]
pub struct Epoch {
    pub message: EpochMessage,
    pub leaves: Vec<ClaimLeaf>,
    pub tree: ClaimTree,
    pub row: SettlementRow,
    pub row_proof: Vec<Word>,
}

impl Epoch {
    pub fn claim(&self, place: usize) -> Vec<u8> {
        calls::claim_for(self.message.epoch, &self.leaves[place], &self.tree.proof(place).unwrap())
    }

    pub fn push(&self, places: &[usize]) -> Vec<u8> {
        calls::pay_many(self.message.epoch, &ManyClaims::of(&self.tree, &self.leaves, places).unwrap())
    }

    pub fn push_all(&self) -> Vec<u8> {
        self.push(&(0..self.leaves.len()).collect::<Vec<_>>())
    }

    pub fn open(&self) -> Vec<u8> {
        calls::open(&self.row, &self.row_proof)
    }
}

pub struct World {
    pub chain: Chain,
    pub keys: Vec<WalletKey>,
    pub timelock: EvmAddress,
    pub auditors: EvmAddress,
    pub settlement: EvmAddress,
    pub token: EvmAddress,
    pub payout: EvmAddress,
    pub deposits: EvmAddress,
    pub anchor: EvmAddress,
    /// Leaves of the log; epoch `n` closes at `3 * (n + 1)` entries.
    pub log: Vec<Vec<u8>>,
    /// Gas of each deployment, in the order of [`Contract::ALL`].
    pub deploy_gas: Vec<u64>,
}

/// Terms of `Auditors` for the seven.
pub fn auditors_arguments(rehearsal: bool, members: &[EvmAddress], threshold: u8) -> Arguments {
    let (bond, delay, unbond) = if rehearsal { (0, 0, 0) } else { (BOND, CHANGE_DELAY_S, UNBOND_DELAY_S) };
    let terms = Arguments::new().word(network().0.0).uint(rehearsal).uint(bond).uint(delay).uint(unbond);
    terms.address(TREASURY).words(members.iter().copied().map(address_word)).uint(threshold)
}

pub fn settlement_arguments(auditors: EvmAddress, first: u64, previous: Word) -> Arguments {
    let terms = Arguments::new().address(auditors).uint(first).word(previous).uint(ZERO_S).uint(LENGTH_S);
    terms.uint(WINDOW_S).uint(HALT_BOND).address(TREASURY)
}

pub fn token_arguments(settlement: EvmAddress, minter: EvmAddress, depositor: EvmAddress) -> Arguments {
    let table = [[uint_word(0u8), uint_word(PER_EPOCH)], [uint_word(HALVED_FROM), uint_word(PER_EPOCH / 2)]];
    let arguments = Arguments::new().bytes(b"Cairn under test").bytes(b"CRN").uint(CAP).rows(table);
    arguments.address(settlement).address(minter).address(depositor)
}

pub fn payout_arguments(settlement: EvmAddress, token: EvmAddress, timelock: EvmAddress) -> Arguments {
    let terms = Arguments::new().address(settlement).address(token).address(timelock).address(GUARDIAN);
    terms.uint(PUSH_MIN).uint(RELAY_FEE).uint(BREAKER_LIMIT).uint(BREAKER_WINDOW_S)
}

impl World {
    /// On Osaka, on chain 31337.
    pub fn new() -> Self {
        Self::on(SpecId::OSAKA, 31_337)
    }

    pub fn on(fork: SpecId, chain_id: u64) -> Self {
        let mut chain = Chain::new(fork, chain_id, ZERO_S + 1_000 * LENGTH_S);
        let keys = keys(1, 7);
        let members: Vec<EvmAddress> = keys.iter().map(address_of).collect();
        let mut deploy_gas = Vec::new();
        let mut deploy = |contract: Contract, arguments: &Arguments, chain: &mut Chain| {
            let (address, gas) = chain.try_deploy(&contract.artifact(), arguments).expect("deploys");
            deploy_gas.push(gas);
            address
        };
        let proposers = Arguments::new().uint(TIMELOCK_DELAY_S).words([address_word(PROPOSER)]);
        let timelock = deploy(Contract::Timelock, &proposers.words([[0; 32]]), &mut chain);
        let auditors = deploy(Contract::Auditors, &auditors_arguments(false, &members, 5), &mut chain);
        let settlement = deploy(Contract::Settlement, &settlement_arguments(auditors, 0, [0; 32]), &mut chain);
        let (payout, depositor) = (chain.address_after(1), chain.address_after(2));
        let token = deploy(Contract::Token, &token_arguments(settlement, payout, depositor), &mut chain);
        deploy(Contract::Payout, &payout_arguments(settlement, token, timelock), &mut chain);
        let shares =
            [(TREASURY, 700_000u32), (person(9_000), 300_000)].map(|(to, ppm)| [address_word(to), uint_word(ppm)]);
        let terms = Arguments::new().address(token).address(timelock).address(GUARDIAN).rows(shares);
        let deposits = deploy(Contract::Deposits, &terms, &mut chain);
        let anchor = deploy(Contract::LogAnchor, &Arguments::new().address(settlement), &mut chain);
        assert_eq!(deposits, depositor);
        for member in members {
            let bond = Arguments::new().address(member).call("bond(address)");
            chain.pay(DEPLOYER, auditors, BOND, bond).unwrap();
        }
        for rich in [WATCHER, RELAYER, GUARDIAN, PROPOSER] {
            chain.give(rich, 1_000_000 * ONE);
        }
        let log = (0..3_000u32).map(|i| format!("entry {i}").into_bytes()).collect();
        Self { chain, keys, timelock, auditors, settlement, token, payout, deposits, anchor, log, deploy_gas }
    }

    /// The state's records after an epoch, encoded as the fold encodes them.
    pub fn state(epoch: u64) -> Vec<Vec<u8>> {
        let record = |i: u64| {
            let mut out = cairn_core::cbor::Encoder::empty();
            out.array(3).uint(i % 300).bytes(&i.to_be_bytes()).bytes(format!("value {i} of {epoch}").as_bytes());
            out.into_bytes()
        };
        let mut records: Vec<Vec<u8>> = (0..37).map(record).collect();
        records.sort();
        records
    }

    pub fn log_tree(&self, size: usize) -> MemoryTree {
        MemoryTree::new(self.log[..size].iter().map(|entry| tree::leaf_hash(entry)).collect())
    }

    /// The claim of an account on this chain.
    pub fn leaf(&self, account: EvmAddress, cumulative: u128) -> ClaimLeaf {
        ClaimLeaf {
            domain: uint_word(self.chain.id()),
            distributor: address_word(self.payout),
            account: address_word(account),
            cumulative,
        }
    }

    /// Epoch `number` after the one before it, with these cumulative claims.
    pub fn epoch(&self, number: u64, claims: &[(EvmAddress, u128)]) -> Epoch {
        let leaves: Vec<ClaimLeaf> = claims.iter().map(|(account, total)| self.leaf(*account, *total)).collect();
        let tree = ClaimTree::new(&leaves).unwrap();
        let row = SettlementRow {
            domain: uint_word(self.chain.id()),
            distributor: address_word(self.payout),
            claim_root: tree.root(),
            leaves: leaves.len() as u64,
            cumulative: leaves.iter().map(|leaf| leaf.cumulative).sum(),
        };
        self.epoch_of(number, leaves, tree, &[row, SettlementRow { domain: uint_word(1_000_001u64), ..row }])
    }

    /// As above, with rows of one's own; the first is that of this chain.
    pub fn epoch_of(&self, number: u64, leaves: Vec<ClaimLeaf>, tree: ClaimTree, rows: &[SettlementRow]) -> Epoch {
        let rows_tree = SettlementsTree::new(rows).unwrap();
        let size = 3 * (number as usize + 1);
        let statement = |n: u64| Hash::of(format!("statement {n}").as_bytes());
        let state: Vec<Hash> = Self::state(number).iter().map(|record| tree::leaf_hash(record)).collect();
        let message = EpochMessage {
            epoch: number,
            revision: 0,
            statement_hash: statement(number),
            previous: number.checked_sub(1).map_or(Hash::ZERO, statement),
            log_size: size as u64,
            log_root: self.log_tree(size).root(),
            state_root: tree::root(&state),
            settlements_root: rows_tree.root(),
        };
        Epoch { message, leaves, tree, row: rows[0], row_proof: rows_tree.proof(0).unwrap() }
    }

    /// Signatures of these auditors, in the order named, over a digest.
    pub fn signed(&self, digest: &Word, who: &[usize]) -> Vec<u8> {
        who.iter().flat_map(|i| message::sign(&self.keys[*i], digest)).collect()
    }

    /// A quorum's signatures.
    pub fn quorum(&self, message: &EpochMessage) -> Vec<u8> {
        self.signed(&message.digest(&network()), &[0, 2, 3, 5, 6])
    }

    pub fn post(&mut self, message: &EpochMessage) -> Sent {
        let data = calls::post(message, &self.quorum(message));
        self.chain.send(RELAYER, self.settlement, data)
    }

    /// Posts, lets the window pass, opens.
    pub fn settle(&mut self, epoch: &Epoch) -> Receipt {
        self.post(&epoch.message).unwrap();
        self.chain.pass(WINDOW_S);
        self.chain.send(RELAYER, self.payout, epoch.open()).unwrap()
    }

    pub fn call_payout(&mut self, data: Vec<u8>) -> Sent {
        self.chain.send(RELAYER, self.payout, data)
    }

    pub fn balance(&mut self, account: EvmAddress) -> u128 {
        self.chain.number(self.token, "balanceOf(address)", Arguments::new().address(account))
    }

    pub fn supply(&mut self) -> u128 {
        self.chain.number(self.token, "totalSupply()", Arguments::new())
    }

    /// What an account was ever paid.
    pub fn paid(&mut self, account: EvmAddress) -> u128 {
        self.chain.number(self.payout, "accounts(address)", Arguments::new().address(account))
    }

    /// The last final epoch and its revision, if there is one.
    pub fn final_epoch(&mut self) -> Option<(u64, u32)> {
        let output = self.chain.try_view(self.settlement, Arguments::new().call("latestFinal()")).ok()?;
        let word = |i: usize| number(&output[32 * i..32 * (i + 1)].try_into().unwrap());
        Some((word(0) as u64, word(1) as u32))
    }

    /// Has the timelock do something, by the one who may ask, after its delay.
    pub fn by_timelock(&mut self, target: EvmAddress, data: &[u8]) -> Sent {
        // The call's own bytes come last among what is dynamic; all else are words.
        let call = |delay: Option<u64>| {
            let base = Arguments::new().address(target).uint(0u8).bytes(data).word([0; 32]).word([0; 32]);
            match delay {
                Some(delay) => base.uint(delay).call("schedule(address,uint256,bytes,bytes32,bytes32,uint256)"),
                None => base.call("execute(address,uint256,bytes,bytes32,bytes32)"),
            }
        };
        self.chain.send(PROPOSER, self.timelock, call(Some(TIMELOCK_DELAY_S)))?;
        self.chain.pass(TIMELOCK_DELAY_S);
        self.chain.send(RELAYER, self.timelock, call(None))
    }

    pub fn consistency(&self, from: usize, to: usize) -> Vec<Hash> {
        proof::consistency_proof(&self.log_tree(to), from as u64, to as u64).unwrap()
    }
}
