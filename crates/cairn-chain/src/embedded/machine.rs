//! Runs transactions and calls on a world, by the rules of one fork.
//!
//! Promises: a transaction that is not taken changes nothing; one that is taken runs as on a public chain of that fork, with
//! its limits on gas, code and creation code. What is not simulated: blobs, withdrawals, and the contracts that a fork itself
//! calls at the start of a block (EIP-4788, EIP-2935).

use cairn_core::keccak256;
use cairn_settle::{EvmAddress, Word};
use revm::context::result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction};
use revm::context::{BlockEnv, TxEnv};
use revm::database_interface::WrapDatabaseRef;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Log, TxKind, U256};
use revm::state::EvmState;
use revm::{Context, ExecuteEvm, MainBuilder, MainContext};

use super::world::World;
use crate::{Call, ChainError, Fees, Transaction};

/// The fork whose rules hold: the strictest of those that the contracts are tested on.
const FORK: SpecId = SpecId::OSAKA;
/// Gas of a block.
pub(super) const BLOCK_GAS: u64 = 30_000_000;
/// The most gas of a transaction (EIP-7825).
pub(super) const TRANSACTION_GAS_MAX: u64 = 1 << 24;
/// What each unit of gas burns, wei: not nothing, so that whoever sends must have coin.
pub(super) const BASE_FEE: u64 = 7;
/// What it is worth to hurry, wei: the least that is anything.
pub(super) const PRIORITY_FEE: u128 = 1;

/// Where something runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// The chain's id.
    pub chain_id: u64,
    /// The block's number.
    pub number: u64,
    /// Its time, seconds since 1970 UTC.
    pub time_s: u64,
    /// Hash of the block before it.
    pub parent: Word,
}

/// An event, before it has a place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub address: EvmAddress,
    pub topics: Vec<Word>,
    pub data: Vec<u8>,
}

/// What a transaction that was taken did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub succeeded: bool,
    pub gas_used: u64,
    /// Wei for each unit of gas.
    pub gas_price: u128,
    pub created: Option<EvmAddress>,
    pub events: Vec<Event>,
}

/// Runs a transaction that `sender` signed; what it did, and what it changed. The error says why it is not taken.
pub(super) fn transact(
    world: &World,
    place: &Place,
    sender: EvmAddress,
    transaction: &Transaction,
) -> Result<(Outcome, EvmState), String> {
    let (max, priority) = match transaction.fees {
        Fees::Dynamic { max, priority } => (max, Some(priority)),
        Fees::Legacy { price } => (price, None),
    };
    let tx = TxEnv {
        tx_type: if priority.is_some() { 2 } else { 0 },
        gas_limit: transaction.gas_limit,
        gas_price: max,
        gas_priority_fee: priority,
        nonce: transaction.nonce,
        chain_id: Some(transaction.chain_id),
        ..of_call(sender, &transaction.call)
    };
    let (result, state) = run(world, place, BASE_FEE, tx, true).map_err(|error| error.to_string())?;
    let gas_price = priority.map_or(max, |priority| max.min(u128::from(BASE_FEE).saturating_add(priority)));
    let outcome = Outcome {
        succeeded: result.is_success(),
        gas_used: result.tx_gas_used(),
        gas_price,
        created: result.created_address().map(Address::into_array),
        events: if result.is_success() { result.into_logs().into_iter().map(event).collect() } else { Vec::new() },
    };
    Ok((outcome, state))
}

/// What a call answers. It pays nothing for its gas.
pub(super) fn call(world: &World, place: &Place, from: EvmAddress, call: &Call) -> Result<Vec<u8>, ChainError> {
    let result = try_call(world, place, from, call, BLOCK_GAS.min(TRANSACTION_GAS_MAX))?;
    answer(result).map(|result| result.into_output().unwrap_or_default().to_vec())
}

/// A gas limit with which a call succeeds as a transaction, now: no more than a 64th above the least such limit.
///
/// What is used says too little: a call gives at most 63 of 64 parts of its gas away (EIP-150), and what is paid back for
/// cleared storage is paid back at the end. So limits are tried: first what was spent at its dearest with its 64th part
/// on top, then halves of what is between a limit that was too low and one that was enough.
pub(super) fn estimate(world: &World, place: &Place, from: EvmAddress, call: &Call) -> Result<u64, ChainError> {
    let enough_at = |limit: u64| try_call(world, place, from, call, limit).is_ok_and(|result| result.is_success());
    let most = BLOCK_GAS.min(TRANSACTION_GAS_MAX);
    let result = answer(try_call(world, place, from, call, most)?)?;
    let spent = result.gas().total_gas_spent().max(result.tx_gas_used());
    let (mut too_low, mut enough) = (spent.saturating_sub(1), most);
    let guess = spent.saturating_add(spent / 63 + STIPEND);
    if guess < most {
        if enough_at(guess) {
            enough = guess;
        } else {
            too_low = guess;
        }
    }
    while enough - too_low > enough / 64 {
        let middle = too_low + (enough - too_low) / 2;
        if enough_at(middle) {
            enough = middle;
        } else {
            too_low = middle;
        }
    }
    Ok(enough)
}

/// What a call with coin must be able to give away beside its own needs.
const STIPEND: u64 = 2_300;

fn answer(result: ExecutionResult) -> Result<ExecutionResult, ChainError> {
    match result {
        ExecutionResult::Success { .. } => Ok(result),
        ExecutionResult::Revert { output, .. } => Err(ChainError::reverted(&output)),
        ExecutionResult::Halt { reason, .. } => Err(ChainError::Reverted { reason: halted(&reason) }),
    }
}

fn halted(reason: &HaltReason) -> String {
    match reason {
        HaltReason::OutOfGas(_) => format!("out of gas, of which a transaction has at most {TRANSACTION_GAS_MAX}"),
        other => other.to_string(),
    }
}

fn try_call(
    world: &World,
    place: &Place,
    from: EvmAddress,
    call: &Call,
    gas_limit: u64,
) -> Result<ExecutionResult, ChainError> {
    let tx = TxEnv { gas_limit, gas_price: 0, chain_id: None, ..of_call(from, call) };
    let refused = |error: EVMError<_, InvalidTransaction>| ChainError::Reverted { reason: error.to_string() };
    run(world, place, 0, tx, false).map(|(result, _)| result).map_err(refused)
}

fn of_call(from: EvmAddress, call: &Call) -> TxEnv {
    TxEnv {
        caller: Address::from(from),
        kind: call.to.map_or(TxKind::Create, |to| TxKind::Call(Address::from(to))),
        value: U256::from(call.value),
        data: call.data.clone().into(),
        ..TxEnv::default()
    }
}

type Ran = Result<(ExecutionResult, EvmState), EVMError<std::convert::Infallible, InvalidTransaction>>;

/// Runs on a copy of nothing: what is changed is handed back. `signed` is for what somebody signed, whose nonce counts, and who
/// is no contract (EIP-3607).
fn run(world: &World, place: &Place, base_fee: u64, tx: TxEnv, signed: bool) -> Ran {
    let block = BlockEnv {
        number: U256::from(place.number),
        timestamp: U256::from(place.time_s),
        gas_limit: BLOCK_GAS,
        basefee: base_fee,
        difficulty: U256::ZERO,
        // Known to everybody beforehand, as nothing here is worth a die.
        prevrandao: Some(keccak256(&place.parent).into()),
        ..BlockEnv::default()
    };
    let mut evm = Context::mainnet()
        .with_db(WrapDatabaseRef(world))
        .with_block(block)
        .modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(FORK);
            cfg.chain_id = place.chain_id;
            cfg.tx_gas_limit_cap = Some(TRANSACTION_GAS_MAX);
            cfg.disable_nonce_check = !signed;
            cfg.disable_eip3607 = !signed;
        })
        .build_mainnet();
    let ran = evm.transact(tx)?;
    Ok((ran.result, ran.state))
}

fn event(log: Log) -> Event {
    let topics = log.topics().iter().map(|topic| topic.0).collect();
    Event { address: log.address.into_array(), topics, data: log.data.data.to_vec() }
}
