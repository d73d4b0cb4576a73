//! The chain that the tests of the contracts run on, with the surface of the one in `cairn-settle`, and a real node behind it.
//!
//! Everything is asked over JSON-RPC. What is to be refused is sent all the same, mined, and has to have failed.

use cairn_chain::{At, Call, Chain as _, ChainError, Rpc};
use cairn_settle::abi::Arguments;
use cairn_settle::artifacts::Artifact;
use cairn_settle::{EvmAddress, Word};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use revm::primitives::hardfork::SpecId;
use serde_json::json;

use crate::anvil::Anvil;
use crate::contracts::FOR_TESTS;
pub use crate::contracts::{DEPLOYER, FORKS, Receipt, Sent, for_tests, number};

/// The most gas of a transaction.
const GAS_MAX: u64 = 16_000_000;

/// A chain of a real node, on which time stands still unless it is passed.
pub struct Chain {
    pub node: Anvil,
    rpc: Rpc,
    now_s: u64,
}

fn shown(bytes: &[u8]) -> String {
    format!("0x{}", HEXLOWER.encode(bytes))
}

/// The name of the error, wherever it was said.
fn named(error: ChainError) -> String {
    let ChainError::Reverted { reason } = error else { return error.to_string() };
    let data = reason.strip_prefix("0x").and_then(|data| HEXLOWER_PERMISSIVE.decode(data.as_bytes()).ok());
    let known = FOR_TESTS.iter().map(|json| Artifact::parse(json).unwrap());
    data.and_then(|data| known.into_iter().find_map(|artifact| artifact.error_name(&data))).unwrap_or(reason)
}

impl Chain {
    pub fn new(fork: SpecId, id: u64, time_s: u64) -> Self {
        let (name, _) = FORKS.iter().find(|(_, known)| *known == fork).expect("a fork that is listed");
        let node = Anvil::for_contracts(&name.to_lowercase(), id, time_s);
        let rpc = node.rpc();
        let mut chain = Self { node, rpc, now_s: time_s };
        chain.give(DEPLOYER, u128::MAX >> 8);
        chain
    }

    /// Gives an account coin.
    pub fn give(&mut self, account: EvmAddress, wei: u128) {
        let balance = self.coin(account) + wei;
        self.node.ask("anvil_setBalance", json!([shown(&account), format!("{balance:#x}")]));
    }

    /// An account's coin, wei.
    pub fn coin(&mut self, account: EvmAddress) -> u128 {
        self.rpc.balance(account).unwrap()
    }

    pub fn id(&self) -> u64 {
        self.rpc.id()
    }

    pub fn now_s(&self) -> u64 {
        assert_eq!(self.rpc.head().unwrap().time_s, self.now_s, "time stands still");
        self.now_s
    }

    pub fn pass(&mut self, seconds: u64) {
        self.now_s += seconds;
        self.node.ask("evm_setNextBlockTimestamp", json!([self.now_s]));
        self.node.ask("evm_mine", json!([]));
    }

    /// The address of the contract that is deployed after `more` others.
    pub fn address_after(&mut self, more: u64) -> EvmAddress {
        cairn_chain::terms::created(DEPLOYER, self.rpc.nonce(DEPLOYER).unwrap() + more)
    }

    /// Deploys, or says why not.
    pub fn try_deploy(&mut self, artifact: &Artifact, arguments: &Arguments) -> Result<(EvmAddress, u64), String> {
        let expected = self.address_after(0);
        let data = [&artifact.bytecode[..], &arguments.encode()].concat();
        let receipt = self.transact(DEPLOYER, &Call::deploy(data))?;
        assert!(self.rpc.has_code(expected).unwrap(), "deployed elsewhere than foretold");
        Ok((expected, receipt.gas))
    }

    pub fn deploy(&mut self, artifact: &Artifact, arguments: &Arguments) -> EvmAddress {
        self.try_deploy(artifact, arguments).expect("deploys").0
    }

    pub fn send(&mut self, from: EvmAddress, to: EvmAddress, data: Vec<u8>) -> Sent {
        self.pay(from, to, 0, data)
    }

    /// Sends with coin.
    pub fn pay(&mut self, from: EvmAddress, to: EvmAddress, wei: u128, data: Vec<u8>) -> Sent {
        self.transact(from, &Call { to: Some(to), value: wei, data })
    }

    /// Calls, then sends, and holds both to one outcome.
    fn transact(&mut self, from: EvmAddress, call: &Call) -> Sent {
        let called = self.rpc.call(from, call, At::Latest);
        let mut transaction = json!({
            "from": shown(&from), "data": shown(&call.data), "value": format!("{:#x}", call.value),
            "gas": format!("{GAS_MAX:#x}"), "gasPrice": "0x0",
        });
        if let Some(to) = call.to {
            transaction["to"] = shown(&to).into();
        }
        let hash = self.node.try_ask("eth_sendTransaction", json!([transaction]))?;
        let hash: Word =
            HEXLOWER.decode(&hash.as_str().unwrap().as_bytes()[2..]).unwrap().try_into().expect("32 bytes");
        let receipt = loop {
            match self.rpc.receipt(&hash).unwrap() {
                Some(receipt) => break receipt,
                None => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
        };
        assert_eq!(receipt.succeeded, called.is_ok(), "a call foretells its transaction: {called:?}");
        let output = called.map_err(named)?;
        let logs = receipt.logs.into_iter().map(|log| (log.address, log.topics, log.data)).collect();
        Ok(Receipt { gas: receipt.gas_used, output, logs })
    }

    /// Reads without leaving anything behind.
    pub fn try_view(&mut self, to: EvmAddress, data: Vec<u8>) -> Result<Vec<u8>, String> {
        self.rpc.call(DEPLOYER, &Call::to(to, data), At::Latest).map_err(named)
    }

    /// Reads words.
    pub fn view(&mut self, to: EvmAddress, signature: &str, arguments: Arguments) -> Vec<Word> {
        let output = self.try_view(to, arguments.call(signature)).expect(signature);
        output.chunks_exact(32).map(|word| word.try_into().unwrap()).collect()
    }

    /// Reads one number of up to 128 bits.
    pub fn number(&mut self, to: EvmAddress, signature: &str, arguments: Arguments) -> u128 {
        number(&self.view(to, signature, arguments)[0])
    }
}
