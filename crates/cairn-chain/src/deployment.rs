//! Deploying the contracts of a network: written down before the first transaction, finished whatever happens in between.
//!
//! Each contract's address follows from the deployer and its nonces, so what is there already can be told from the chain
//! alone: whoever begins again goes on where the chain is. Nothing else may be sent from the deployer's account meanwhile.

use cairn_core::Hash;
use cairn_settle::told::{address_text, parse_address};
use cairn_settle::{Contract, EvmAddress};
use serde::{Deserialize, Serialize};

use crate::terms::{Addresses, Terms};
use crate::{Call, Chain, ChainError};

/// A deployment, as it is kept in a file: enough to find the contracts, and to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The chain id.
    pub chain_id: u64,
    /// The network, hexadecimal.
    pub network_id: String,
    /// Who deploys: `0x` and 40 hexadecimal digits, as all addresses here.
    pub deployer: String,
    /// The nonce of the first contract.
    pub first_nonce: u64,
    /// The first epoch that is settled there.
    pub first_epoch: u64,
    /// Hash of the statement before it, hexadecimal.
    pub first_previous: String,
    /// Creation code and arguments of each contract, hashed: the same terms go on, others are refused.
    pub creation_hash: String,
    /// Before which block nothing of this network is on the chain.
    pub from_block: u64,
    /// Each contract's address, by its name in Solidity.
    pub contracts: std::collections::BTreeMap<String, String>,
}

/// One contract that is yet to be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub contract: Contract,
    /// The transaction.
    pub call: Call,
    /// Where it will be.
    pub address: EvmAddress,
}

impl Step {
    /// What the transaction is for, in words that are the same on every attempt.
    #[must_use]
    pub fn purpose(&self) -> String {
        format!("deploy {}", self.contract.name())
    }
}

/// A deployment with what it deploys.
#[derive(Debug, Clone)]
pub struct Plan {
    deployer: EvmAddress,
    first_nonce: u64,
    terms: Terms,
    addresses: Addresses,
    creations: [Vec<u8>; 7],
}

impl Plan {
    /// What `deployer` deploys under terms, with the nonces from `first_nonce` on.
    #[must_use]
    pub fn of(terms: &Terms, deployer: EvmAddress, first_nonce: u64) -> Self {
        let addresses = Addresses::foretold(deployer, first_nonce);
        let mut creations = terms.arguments(&addresses);
        for (contract, arguments) in Contract::ALL.into_iter().zip(&mut creations) {
            let mut code = contract.artifact().bytecode;
            code.append(arguments);
            *arguments = code;
        }
        Self { deployer, first_nonce, terms: terms.clone(), addresses, creations }
    }

    /// Where the contracts will be.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What is to be kept before the first transaction is sent.
    #[must_use]
    pub fn record(&self, chain_id: u64, from_block: u64) -> Deployment {
        let named = Contract::ALL.into_iter().zip(self.addresses.in_order());
        Deployment {
            chain_id,
            network_id: self.terms.network.0.to_hex(),
            deployer: address_text(&self.deployer),
            first_nonce: self.first_nonce,
            first_epoch: self.terms.settlement.first_epoch,
            first_previous: self.terms.settlement.first_previous.to_hex(),
            creation_hash: Hash::of(&self.creations.concat()).to_hex(),
            from_block,
            contracts: named.map(|(contract, address)| (contract.name().to_owned(), address_text(&address))).collect(),
        }
    }

    /// Every contract, in the order of deployment.
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        let named = Contract::ALL.into_iter().zip(self.addresses.in_order()).zip(&self.creations);
        named.map(|((contract, address), creation)| Step { contract, call: Call::deploy(creation.clone()), address })
    }

    /// The next contract that is not on the chain yet; `None` when all are.
    ///
    /// # Errors
    /// [`ChainError::Elsewhere`] when the deployer's account was used for something else meanwhile.
    pub fn next(&self, chain: &dyn Chain) -> Result<Option<Step>, ChainError> {
        for (nonce, step) in (self.first_nonce..).zip(self.steps()) {
            if chain.has_code(step.address)? {
                continue;
            }
            let used = chain.nonce(self.deployer)?;
            if used != nonce {
                let account = address_text(&self.deployer);
                return Err(ChainError::Elsewhere { account, nonce: used, expected: nonce });
            }
            return Ok(Some(step));
        }
        Ok(None)
    }
}

impl Deployment {
    /// Whether another record is of the very same deployment, wherever the chain stood when it was written.
    #[must_use]
    pub fn is_of(&self, other: &Self) -> bool {
        Self { from_block: other.from_block, ..self.clone() } == *other
    }

    /// The address of a contract.
    ///
    /// # Errors
    /// [`ChainError::Broken`] where the record does not name it.
    pub fn address(&self, contract: Contract) -> Result<EvmAddress, ChainError> {
        let named = self.contracts.get(contract.name()).and_then(|text| parse_address(text));
        named.ok_or_else(|| ChainError::Broken {
            file: "the record of the deployment".to_owned(),
            what: format!("it names no address of {}", contract.name()),
        })
    }
}
