//! What a settler needs of a network, as its gateway serves it. What is served is held to hashes before anything is sent: a
//! statement to what the chain has, claims to the state root and the claim root of their statement.

use cairn_api::NetworkInfo;
use cairn_chain::Chain;
use cairn_chain::posting::Signature;
use cairn_client::Client;
use cairn_core::epoch::EpochStatement;
use cairn_core::{Domain, NetworkId};
use cairn_fold::Snapshot;
use cairn_merkle::ClaimLeaf;
use cairn_settle::EvmAddress;
use data_encoding::HEXLOWER_PERMISSIVE;

use crate::connect::{Connect, network_id};
use crate::failure::Failure;

/// The most signatures of an epoch: those of 64 auditors, 16 revisions each.
const SIGNATURES_MAX: usize = 64 * 16;

/// The code of a network whose log names no contract on a chain.
pub const NO_CONTRACT: &str = "STL-NO-CONTRACT";

/// A network, and the chain of it that is settled.
pub struct Network {
    client: Client,
    /// Its id.
    pub id: NetworkId,
    /// What the gateway says of it.
    pub info: NetworkInfo,
    /// The chain.
    pub domain: Domain,
}

fn answer(what: impl std::fmt::Display) -> Failure {
    Failure::failed("NET-ANSWER", what)
}

/// A network that is not marked as a rehearsal settles on nothing that pretends.
fn may_settle(rehearsed: &[String], pretends: bool, chain: &str) -> Result<(), Failure> {
    if !pretends || !rehearsed.is_empty() {
        return Ok(());
    }
    let what = format!("{chain} is a rehearsal, and nothing declares it as rehearsed");
    Err(Failure::wrong("NET-NOT-REHEARSED", what)
        .hint("name a real chain, or rehearse with a network of `cairn init --rehearsed embedded-chain`"))
}

impl Network {
    /// The network behind a gateway.
    ///
    /// # Errors
    /// When the gateway cannot be asked; `NET-NOT-REHEARSED` where the chain is a rehearsal and the network is none.
    pub fn of(connect: &Connect, chain: &dyn Chain) -> Result<Self, Failure> {
        let client = connect.client()?;
        let info = client.network()?;
        may_settle(&info.rehearsed, chain.rehearsed(), &chain.name())?;
        let domain = Domain::parse(&format!("eip155:{}", chain.id())).map_err(answer)?;
        Ok(Self { id: network_id(&info)?, client, info, domain })
    }

    /// The client of the gateway.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// A closed epoch's statement.
    ///
    /// # Errors
    /// `NET-ANSWER` for another network's, or what is none.
    pub fn statement(&self, epoch: u64) -> Result<EpochStatement, Failure> {
        let bytes = self.client.epoch_bytes(epoch)?;
        let statement = EpochStatement::decode(&bytes).map_err(|error| answer(format!("epoch {epoch}: {error}")))?;
        if statement.network != self.id || statement.number != epoch {
            return Err(answer(format!("epoch {epoch}: the gateway served the statement of another")));
        }
        Ok(statement)
    }

    /// The contract that pays on this chain, as the last closed epoch names it.
    ///
    /// # Errors
    /// `STL-NO-CONTRACT` where it names none.
    pub fn payout(&self) -> Result<EvmAddress, Failure> {
        let none = |what: String| {
            Failure::wrong(NO_CONTRACT, what).hint(
                "`cairn chain deploy` deploys the contracts and has the log name them; an epoch must close after it",
            )
        };
        let last = self.info.last_closed.as_ref().ok_or_else(|| none("no epoch is closed yet".to_owned()))?;
        let statement = self.statement(last.number)?;
        let row = statement.domains.iter().find(|row| row.domain == self.domain);
        let row = row.ok_or_else(|| none(format!("epoch {} names no contract on {}", last.number, self.domain)))?;
        let mut address = [0; 20];
        address.copy_from_slice(&row.distributor[12..]);
        if address == [0; 20] {
            return Err(none(format!("no contract is attached on {}", self.domain)));
        }
        Ok(address)
    }

    /// The claims of an epoch on this chain, those of the very statement given.
    ///
    /// # Errors
    /// `STL-CLAIMS` where the gateway serves others.
    pub fn claims(&self, statement: &EpochStatement) -> Result<Vec<ClaimLeaf>, Failure> {
        let wrong = |what: String| Failure::wrong("STL-CLAIMS", what).hint("audit the network: `cairn audit`");
        let epoch = statement.number;
        let bytes = self.client.snapshot(epoch)?;
        let snapshot = Snapshot::decode(&bytes).map_err(|error| wrong(format!("epoch {epoch}: {error}")))?;
        if snapshot.statement != *statement {
            return Err(wrong(format!("epoch {epoch}: the gateway's snapshot is of another statement")));
        }
        let claims = snapshot.claims(&self.domain).map_err(|error| wrong(error.to_string()))?;
        claims.ok_or_else(|| wrong(format!("epoch {epoch} names no contract on {}", self.domain)))
    }

    /// What auditors published of an epoch.
    ///
    /// # Errors
    /// When the gateway cannot be asked; `NET-ANSWER` for more than auditors can publish: the chain is asked about each.
    pub fn signatures(&self, epoch: u64) -> Result<Vec<Signature>, Failure> {
        let served = self.client.signatures(epoch)?;
        let count = served.signatures.len();
        if count > SIGNATURES_MAX {
            return Err(answer(format!(
                "epoch {epoch}: the gateway served {count} signatures, {SIGNATURES_MAX} are the most"
            )));
        }
        let read = |info: cairn_api::SignatureInfo| {
            let hex = info.signature.strip_prefix("0x").unwrap_or(&info.signature).as_bytes();
            let bytes = HEXLOWER_PERMISSIVE.decode(hex).ok();
            bytes.map(|bytes| Signature { revision: info.revision, bytes })
        };
        let all: Option<Vec<Signature>> = served.signatures.into_iter().map(read).collect();
        all.ok_or_else(|| answer(format!("epoch {epoch}: a signature is not hexadecimal")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_rehearses_nothing_settles_on_no_chain_that_pretends() {
        let declared = ["embedded-chain".to_owned()];
        for (rehearsed, pretends, code) in [
            (&[][..], true, Some("NET-NOT-REHEARSED")),
            (&declared, true, None),
            (&[], false, None),
            (&declared, false, None),
        ] {
            let refused = may_settle(rehearsed, pretends, "a chain").err().map(|failure| failure.code);
            assert_eq!(refused.as_deref(), code);
        }
    }
}
