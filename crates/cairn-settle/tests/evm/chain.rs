//! A chain in memory: deploys, sends, reads, and lets time pass.

use cairn_settle::abi::{Arguments, selector};
use cairn_settle::artifacts::Artifact;
use cairn_settle::{Contract, EvmAddress, Word};
use revm::context::result::{ExecutionResult, Output};
use revm::context::{TxEnv, block::BlockEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::handler::{MainnetContext, MainnetEvm};
use revm::primitives::{Address, TxKind, U256, hardfork::SpecId};
use revm::state::AccountInfo;
use revm::{Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext};

use crate::contracts::FOR_TESTS;
pub use crate::contracts::{DEPLOYER, FORKS, Receipt, Sent, for_tests, number};

/// A chain in memory.
pub struct Chain {
    evm: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
    known: Vec<Artifact>,
}

impl Chain {
    pub fn new(fork: SpecId, id: u64, time_s: u64) -> Self {
        let evm = Context::mainnet()
            .with_db(CacheDB::<EmptyDB>::default())
            .with_block(BlockEnv { timestamp: U256::from(time_s), gas_limit: u64::MAX, ..BlockEnv::default() })
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(fork);
                cfg.chain_id = id;
                cfg.disable_nonce_check = true;
            })
            .build_mainnet();
        let mut known: Vec<Artifact> = Contract::ALL.map(Contract::artifact).into();
        known.extend(FOR_TESTS.iter().map(|json| Artifact::parse(json).unwrap()));
        let mut chain = Self { evm, known };
        chain.give(DEPLOYER, u128::MAX >> 8);
        chain
    }

    /// Gives an account coin.
    pub fn give(&mut self, account: EvmAddress, wei: u128) {
        let balance = U256::from(self.coin(account)) + U256::from(wei);
        let nonce = self.info(account).nonce;
        let code = self.info(account).code;
        let code_hash = self.info(account).code_hash;
        let info = AccountInfo { balance, nonce, code, code_hash, ..AccountInfo::default() };
        self.evm.ctx.journaled_state.database.insert_account_info(Address::from(account), info);
    }

    fn info(&mut self, account: EvmAddress) -> AccountInfo {
        let known = self.evm.ctx.journaled_state.database.load_account(Address::from(account)).unwrap();
        known.info.clone()
    }

    /// An account's coin, wei.
    pub fn coin(&mut self, account: EvmAddress) -> u128 {
        self.info(account).balance.to()
    }

    pub fn id(&self) -> u64 {
        self.evm.ctx.cfg.chain_id
    }

    pub fn now_s(&self) -> u64 {
        self.evm.ctx.block.timestamp.to()
    }

    pub fn pass(&mut self, seconds: u64) {
        self.evm.ctx.block.timestamp += U256::from(seconds);
    }

    /// The address of the contract that is deployed after `more` others.
    pub fn address_after(&mut self, more: u64) -> EvmAddress {
        let nonce = self.info(DEPLOYER).nonce;
        Address::from(DEPLOYER).create(nonce + more).into()
    }

    /// Deploys, or says why not.
    pub fn try_deploy(&mut self, artifact: &Artifact, arguments: &Arguments) -> Result<(EvmAddress, u64), String> {
        let expected = self.address_after(0);
        let data = [&artifact.bytecode[..], &arguments.encode()].concat();
        let receipt = self.transact(DEPLOYER, TxKind::Create, 0, data)?;
        let code = self.info(expected).code_hash;
        assert_ne!(code, AccountInfo::default().code_hash, "deployed elsewhere than foretold");
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
        self.transact(from, TxKind::Call(Address::from(to)), wei, data)
    }

    fn tx(from: EvmAddress, kind: TxKind, wei: u128, data: Vec<u8>) -> TxEnv {
        let built = TxEnv::builder().caller(Address::from(from)).kind(kind).value(U256::from(wei)).data(data.into());
        built.gas_limit(16_000_000).gas_price(0).chain_id(None).build().unwrap()
    }

    fn transact(&mut self, from: EvmAddress, kind: TxKind, wei: u128, data: Vec<u8>) -> Sent {
        let result = self.evm.transact_commit(Self::tx(from, kind, wei, data)).map_err(|error| error.to_string())?;
        self.read(result)
    }

    fn read(&self, result: ExecutionResult) -> Sent {
        let gas = result.tx_gas_used();
        match result {
            ExecutionResult::Success { output, logs, .. } => {
                let output = match output {
                    Output::Call(data) => data.to_vec(),
                    Output::Create(..) => Vec::new(),
                };
                let log = |log: revm::primitives::Log| {
                    let topics = log.topics().iter().map(|topic| topic.0).collect();
                    (log.address.into(), topics, log.data.data.to_vec())
                };
                Ok(Receipt { gas, output, logs: logs.into_iter().map(log).collect() })
            }
            ExecutionResult::Revert { output, .. } => Err(self.name(&output)),
            ExecutionResult::Halt { reason, .. } => Err(format!("halt: {reason:?}")),
        }
    }

    /// The name of what a revert's data says, wherever it was said.
    fn name(&self, data: &[u8]) -> String {
        let panic = data.starts_with(&selector("Panic(uint256)")).then(|| format!("panic {:#x}", data[35]));
        let known = || self.known.iter().find_map(|artifact| artifact.error_name(data));
        panic.or_else(known).unwrap_or_else(|| format!("revert {}", data_encoding::HEXLOWER.encode(data)))
    }

    /// Reads without leaving anything behind.
    pub fn try_view(&mut self, to: EvmAddress, data: Vec<u8>) -> Result<Vec<u8>, String> {
        let tx = Self::tx(DEPLOYER, TxKind::Call(Address::from(to)), 0, data);
        let result = self.evm.transact(tx).map_err(|error| error.to_string())?;
        self.read(result.result).map(|receipt| receipt.output)
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
