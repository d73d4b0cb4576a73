//! `[till]` of `network.toml`: the wallet that sells work to whoever has no account here, by HTTP 402.
//!
//! Every value but the wallet may be left out; what it is then is said in `cairn_till::Options`, and in the guide for agents.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use cairn_chain::{Chain, Contracts, Rpc, outbox, rpc};
use cairn_core::{Amount, Domain};
use cairn_ledger::{Ledger, wall_ms};
use cairn_log::StdDisk;
use cairn_till::{EvmPurse, Keeper, Options, Price, TillError, Wallet, token_domain};
use serde::Deserialize;

use super::{Folder, bad_duration, duration_ms};
use crate::failure::Failure;
use crate::keys;
use crate::settle::place::{ENDOWMENT_WEI, RPC_VARIABLE, open_embedded, outbox_folder};

/// The till.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TillConfig {
    /// Its wallet: a key file, or a keystore. Nothing else may use it.
    pub wallet: PathBuf,
    /// A file with the keystore's password.
    pub password_file: Option<PathBuf>,
    /// The chain's JSON-RPC address; the environment's `CAIRN_RPC` where it is absent.
    pub rpc: Option<String>,
    /// The folder of an embedded chain instead: a rehearsal. No other program has that chain meanwhile.
    pub embedded: Option<PathBuf>,
    /// What it asks beyond what is locked, millionths of that.
    #[serde(default = "margin")]
    pub margin_ppm: u32,
    /// And base units for each purchase.
    #[serde(default = "nothing")]
    pub flat: String,
    /// How long a payment should be valid, such as `5m`.
    #[serde(default = "valid")]
    pub valid: String,
    /// Purchases under way at once.
    #[serde(default = "open")]
    pub open: usize,
    /// Blocks on top of a transaction before it counts.
    #[serde(default = "confirmations")]
    pub confirmations: u64,
}

fn margin() -> u32 {
    Options::default().price.margin_ppm
}

fn nothing() -> String {
    Options::default().price.flat.to_string()
}

fn valid() -> String {
    format!("{}s", Options::default().timeout_s)
}

fn open() -> usize {
    Options::default().open_max
}

const fn confirmations() -> u64 {
    2
}

fn bad(what: impl Into<String>) -> Failure {
    Failure::wrong("NET-CONFIG", format!("[till]: {}", what.into()))
}

impl From<TillError> for Failure {
    fn from(error: TillError) -> Self {
        Self::wrong(error.code(), error.to_string()).hint(error.hint())
    }
}

impl TillConfig {
    /// What the till is opened with.
    ///
    /// # Errors
    /// `NET-CONFIG`.
    pub fn options(&self) -> Result<Options, Failure> {
        let usual = Options::default();
        let flat = Amount::parse(&self.flat).map_err(|_| bad(format!("`flat` is base units, not `{}`", self.flat)))?;
        let valid_ms = duration_ms(&self.valid).ok_or_else(|| bad_duration("valid", &self.valid))?;
        let timeout_s = valid_ms / 1_000;
        if timeout_s <= usual.settle_s || timeout_s > usual.watch_s {
            return Err(bad(format!("`valid` is longer than {} s and at most {} s", usual.settle_s, usual.watch_s)));
        }
        if self.rpc.is_some() && self.embedded.is_some() {
            return Err(bad("there is one chain: `rpc` or `embedded`"));
        }
        if self.open == 0 {
            return Err(bad("`open` is at least 1"));
        }
        let price = Price { margin_ppm: self.margin_ppm, flat: flat.0 };
        let poll = if self.embedded.is_some() { Duration::from_millis(200) } else { usual.poll };
        Ok(Options { price, timeout_s, open_max: self.open, poll, ..usual })
    }

    /// Opens the till of a network.
    ///
    /// # Errors
    /// When the wallet cannot be read, the chain cannot be asked, no contract of the network is on it, or another process has the
    /// till; `NET-NOT-REHEARSED` where the chain is a rehearsal and the network is none.
    pub fn open(&self, folder: &Folder, ledger: &RwLock<Ledger>) -> Result<Keeper, Failure> {
        let wallet = folder.root().join(&self.wallet);
        let password = self.password_file.as_ref().map(|file| folder.root().join(file));
        let key = keys::wallet_from(&wallet, password.as_deref())?;
        let chain = self.chain(folder)?;
        let token = token_domain(chain.as_ref(), contracts(ledger, chain.as_ref())?.token)?;
        let usual = outbox::Options::default();
        let options = if chain.rehearsed() {
            outbox::Options { confirmations: 0, poll: Duration::from_millis(100), ..usual }
        } else {
            outbox::Options { confirmations: self.confirmations, ..usual }
        };
        let sending = Wallet { key: key.clone(), outbox: outbox_folder(&wallet, chain.id()), options };
        let purse = EvmPurse::of(chain, &token, sending);
        let disk = StdDisk::create(folder.till()).map_err(|error| Failure::io("make", &folder.till(), &error))?;
        Ok(Keeper::open(key, token, Arc::new(disk), Box::new(purse), self.options()?, Box::new(wall_ms))?)
    }

    fn chain(&self, folder: &Folder) -> Result<Arc<dyn Chain>, Failure> {
        if let Some(embedded) = &self.embedded {
            let chain = open_embedded(&folder.root().join(embedded))?;
            let key = keys::wallet_from(
                &folder.root().join(&self.wallet),
                self.password_file.as_ref().map(|file| folder.root().join(file)).as_deref(),
            )?;
            let account = crate::settle::place::address_of(&key);
            if chain.balance(account)? < ENDOWMENT_WEI {
                chain.endow(account, ENDOWMENT_WEI)?;
            }
            return Ok(Arc::new(chain));
        }
        let of_environment = || std::env::var(RPC_VARIABLE).ok().filter(|address| !address.is_empty());
        let Some(url) = self.rpc.clone().or_else(of_environment) else {
            return Err(bad("no chain is named").hint(format!("name one by `rpc`, {RPC_VARIABLE}, or `embedded`")));
        };
        Ok(Arc::new(Rpc::open(&url, rpc::Options::default())?))
    }
}

/// The contracts of the network on a chain, as its log names them.
fn contracts(ledger: &RwLock<Ledger>, chain: &dyn Chain) -> Result<Contracts, Failure> {
    let ledger = ledger.read().map_err(|_| Failure::wrong("NET-STOPPED", "the writer failed as it began"))?;
    let state = ledger.state();
    let network =
        state.network.as_ref().ok_or_else(|| Failure::wrong("NET-GENESIS", "the log has no genesis statement"))?;
    if chain.rehearsed() && network.genesis.rehearsed.is_empty() {
        let what = format!("[till]: {} is a rehearsal, and nothing declares it as rehearsed", chain.name());
        return Err(Failure::wrong("NET-NOT-REHEARSED", what).hint("name a real chain"));
    }
    let domain = Domain::parse(&format!("eip155:{}", chain.id())).map_err(|error| bad(error.to_string()))?;
    let named = state.domains.get(&domain).map(|terms| terms.distributor).filter(|distributor| *distributor != [0; 32]);
    let none = || {
        Failure::wrong("NET-TILL", format!("[till]: the log names no contract on {domain}"))
            .hint("`cairn chain deploy` deploys the contracts; take [till] out until it has")
    };
    let mut payout = [0; 20];
    payout.copy_from_slice(&named.ok_or_else(none)?[12..]);
    Ok(Contracts::of(chain, payout, &network.id)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Result<Options, String> {
        let read: TillConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        read.options().map_err(|failure| failure.code)
    }

    #[test]
    fn a_till_that_names_its_wallet_alone_has_every_default() {
        assert_eq!(options("wallet = \"till.key\""), Ok(Options::default()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "valid = \"30s\"",
            "valid = \"2h\"",
            "valid = \"soon\"",
            "flat = \"1.5\"",
            "open = 0",
            "rpc = \"a\"\nembedded = \"b\"",
        ] {
            assert_eq!(options(&format!("wallet = \"till.key\"\n{text}")), Err("NET-CONFIG".to_owned()), "{text}");
        }
        assert!(options("wallet = \"till.key\"\nmargin = 1").is_err());
        assert!(options("").is_err());
    }
}
