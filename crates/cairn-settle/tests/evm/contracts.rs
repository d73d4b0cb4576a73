//! What every chain under test has in common: the forks, the contracts that are there for tests only, and what a transaction
//! leaves behind.

use cairn_settle::artifacts::Artifact;
use cairn_settle::{EvmAddress, Word};
use revm::primitives::hardfork::SpecId;

/// The forks on which the contracts are to work.
pub const FORKS: [(&str, SpecId); 4] =
    [("Shanghai", SpecId::SHANGHAI), ("Cancun", SpecId::CANCUN), ("Prague", SpecId::PRAGUE), ("Osaka", SpecId::OSAKA)];

/// Contracts that are there for tests only.
pub const FOR_TESTS: [&str; 7] = [
    include_str!("../../../../contracts/evm/artifacts/test/CallingAsset.json"),
    include_str!("../../../../contracts/evm/artifacts/test/CallingToken.json"),
    include_str!("../../../../contracts/evm/artifacts/test/Greedy.json"),
    include_str!("../../../../contracts/evm/artifacts/test/Proofs.json"),
    include_str!("../../../../contracts/evm/artifacts/test/RefusingAsset.json"),
    include_str!("../../../../contracts/evm/artifacts/test/Table.json"),
    include_str!("../../../../contracts/evm/artifacts/test/TakingAsset.json"),
];

/// The contract for tests of this name.
pub fn for_tests(name: &str) -> Artifact {
    let named = format!("\"contract\": \"{name}\"");
    Artifact::parse(FOR_TESTS.iter().find(|json| json.contains(&named)).expect("listed above")).unwrap()
}

/// Who deploys; it has no power afterwards.
pub const DEPLOYER: EvmAddress = [0xde; 20];

/// What a transaction left behind.
#[derive(Debug)]
pub struct Receipt {
    pub gas: u64,
    pub output: Vec<u8>,
    /// Topics and data, with the contract that said it.
    pub logs: Vec<(EvmAddress, Vec<Word>, Vec<u8>)>,
}

impl Receipt {
    /// The log of this event, with its data.
    pub fn event(&self, signature: &str) -> Option<&(EvmAddress, Vec<Word>, Vec<u8>)> {
        let topic = cairn_core::keccak256(signature.as_bytes());
        self.logs.iter().find(|(_, topics, _)| topics.first() == Some(&topic))
    }
}

/// A transaction that was refused: the name of the error, or what the chain said.
pub type Sent = Result<Receipt, String>;

/// A word as a number; it must fit.
pub fn number(word: &Word) -> u128 {
    assert_eq!(word[..16], [0; 16], "more than 128 bits");
    u128::from_be_bytes(word[16..].try_into().unwrap())
}
