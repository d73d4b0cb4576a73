//! The contracts as they are committed: ABI and creation bytecode, made by `node build.js` in `contracts/evm`.
//!
//! Building this crate needs neither Node nor a Solidity compiler. That the files are what the sources compile to is held by
//! a test where Node's packages are installed, and by the hashes of the sources everywhere.

use serde_json::Value;

use crate::abi::selector;

/// One contract of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// Who signs, and with what bond.
    Auditors,
    /// Which epochs a quorum signed.
    Settlement,
    /// The network's token.
    Token,
    /// Pays what the log granted.
    Payout,
    /// Where buyers pay.
    Deposits,
    /// The log, for other contracts to ask.
    LogAnchor,
    /// Who may let go what the guardian stopped.
    Timelock,
}

/// What the compiler was and what it read, as JSON.
pub const BUILD: &str = include_str!("../../../contracts/evm/artifacts/build.json");

impl Contract {
    /// All of them, in the order in which they are deployed.
    pub const ALL: [Self; 7] =
        [Self::Timelock, Self::Auditors, Self::Settlement, Self::Token, Self::Payout, Self::Deposits, Self::LogAnchor];

    /// The name in Solidity.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auditors => "Auditors",
            Self::Settlement => "Settlement",
            Self::Token => "Token",
            Self::Payout => "Payout",
            Self::Deposits => "Deposits",
            Self::LogAnchor => "LogAnchor",
            Self::Timelock => "Timelock",
        }
    }

    /// The committed artefact, as JSON.
    #[must_use]
    pub const fn json(self) -> &'static str {
        match self {
            Self::Auditors => include_str!("../../../contracts/evm/artifacts/Auditors.json"),
            Self::Settlement => include_str!("../../../contracts/evm/artifacts/Settlement.json"),
            Self::Token => include_str!("../../../contracts/evm/artifacts/Token.json"),
            Self::Payout => include_str!("../../../contracts/evm/artifacts/Payout.json"),
            Self::Deposits => include_str!("../../../contracts/evm/artifacts/Deposits.json"),
            Self::LogAnchor => include_str!("../../../contracts/evm/artifacts/LogAnchor.json"),
            Self::Timelock => include_str!("../../../contracts/evm/artifacts/Timelock.json"),
        }
    }

    /// The artefact, read.
    #[must_use]
    pub fn artifact(self) -> Artifact {
        Artifact::parse(self.json()).expect("committed artefacts are read by a test")
    }
}

/// An artefact, read.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Creation bytecode; constructor arguments follow it.
    pub bytecode: Vec<u8>,
    abi: Vec<Value>,
}

impl Artifact {
    /// Reads an artefact. `None` for what `build.js` does not write.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(json).ok()?;
        let hex = value["bytecode"].as_str()?.strip_prefix("0x")?;
        let bytecode = data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?;
        Some(Self { bytecode, abi: value["abi"].as_array()?.clone() })
    }

    /// The signatures of what the ABI lists of a kind: `function`, `error` or `event`. Structs are tuples.
    #[must_use]
    pub fn signatures(&self, kind: &str) -> Vec<String> {
        let of_kind = self.abi.iter().filter(|entry| entry["type"] == kind);
        of_kind
            .map(|entry| format!("{}{}", entry["name"].as_str().unwrap_or_default(), types(&entry["inputs"])))
            .collect()
    }

    /// The name of the error that a revert's data is of, if it is one of this contract's.
    #[must_use]
    pub fn error_name(&self, data: &[u8]) -> Option<String> {
        let found = self.signatures("error").into_iter().find(|signature| data.starts_with(&selector(signature)))?;
        found.split('(').next().map(str::to_owned)
    }
}

/// The types of a list of inputs, in parentheses.
fn types(inputs: &Value) -> String {
    let one = |input: &Value| {
        let name = input["type"].as_str().unwrap_or_default();
        match name.strip_prefix("tuple") {
            Some(suffix) => format!("{}{suffix}", types(&input["components"])),
            None => name.to_owned(),
        }
    };
    let all: Vec<String> = inputs.as_array().into_iter().flatten().map(one).collect();
    format!("({})", all.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contract_is_there_and_fits_on_every_chain() {
        for contract in Contract::ALL {
            let artifact = contract.artifact();
            assert!(artifact.bytecode.len() > 1_000 && artifact.bytecode.len() < 49_152, "{contract:?}");
            assert!(!artifact.signatures("function").is_empty(), "{contract:?}");
        }
        let settlement = Contract::Settlement.artifact();
        assert_eq!(settlement.error_name(&selector("NothingFinal()")).as_deref(), Some("NothingFinal"));
        assert_eq!(settlement.error_name(&[1, 2, 3, 4]), None);
    }
}
