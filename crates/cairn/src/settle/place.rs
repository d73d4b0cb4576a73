//! Which chain, and whose wallet pays there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cairn_chain::{Call, Chain, Contracts, Fees, Receipt};
use cairn_chain::{Embedded, Outbox, Rpc, embedded, outbox, rpc};
use cairn_core::Address;
use cairn_core::wallet::WalletKey;
use cairn_settle::EvmAddress;
use cairn_settle::told::{address_text, hex_text};

use super::address;
use super::network::Network;
use super::steps::{Sent, Settler, Unsigned};
use crate::connect::Connect;
use crate::failure::Failure;
use crate::keys;

/// The environment variable that names the chain's JSON-RPC address: one with a secret in it does not belong on a command
/// line.
pub const RPC_VARIABLE: &str = "CAIRN_RPC";

/// The code of a command that was told no chain.
const NO_CHAIN: &str = "STL-CHAIN";

/// Coin that a wallet is given on a chain where coin comes out of nothing, wei; and below how much it is given more.
pub const ENDOWMENT_WEI: u128 = 1_000_000_000_000_000_000_000;

/// Which chain.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Place {
    /// The chain's JSON-RPC address [default: the environment's CAIRN_RPC]
    #[arg(long, value_name = "URL", conflicts_with = "embedded")]
    rpc: Option<String>,
    /// The folder of an embedded chain instead: a rehearsal, with the contracts' own bytecode
    #[arg(long, value_name = "DIR")]
    embedded: Option<PathBuf>,
    /// The contract that pays, where you know it: a gateway that names another is refused
    #[arg(long, value_name = "ADDRESS")]
    payout: Option<String>,
}

impl Place {
    /// The contracts of a network on this chain: those that its log names, held to the one that is known.
    ///
    /// # Errors
    /// `STL-OTHER-CONTRACT` where the gateway names another, and what the chain answers.
    pub fn contracts(&self, network: &Network, chain: &dyn Chain) -> Result<Contracts, Failure> {
        let known = self.payout.as_deref().map(address).transpose()?;
        let named = network.payout()?;
        if known.is_some_and(|known| known != named) {
            let what = format!("the gateway names {} as the contract that pays", address_text(&named));
            return Err(Failure::wrong("STL-OTHER-CONTRACT", what)
                .hint("ask others for the network's contract, and audit before anything is sent"));
        }
        Ok(Contracts::of(chain, named, &network.id)?)
    }

    /// The same for calls with coin, which goes where those contracts lead: no gateway's word is enough for that.
    ///
    /// # Errors
    /// `STL-PAYOUT` where no contract is known.
    pub fn known_contracts(&self, network: &Network, chain: &dyn Chain) -> Result<Contracts, Failure> {
        if self.payout.is_none() {
            return Err(Failure::usage("STL-PAYOUT", "coin goes along, and the gateway alone says where")
                .hint("name the contract that pays, by --payout ADDRESS, from a source that you trust"));
        }
        self.contracts(network, chain)
    }

    /// Opens the chain, or the embedded one in `folder` where none is named.
    ///
    /// # Errors
    /// What the chain answers.
    pub fn open_or(&self, folder: &Path) -> Result<Box<dyn Chain>, Failure> {
        match self.open() {
            Err(failure) if failure.code == NO_CHAIN => Ok(Box::new(open_embedded(folder)?)),
            opened => opened,
        }
    }

    /// Opens the chain.
    ///
    /// # Errors
    /// `STL-CHAIN` where none is named, and what the chain answers.
    pub fn open(&self) -> Result<Box<dyn Chain>, Failure> {
        let of_environment = || std::env::var(RPC_VARIABLE).ok().filter(|address| !address.is_empty());
        if let Some(folder) = &self.embedded {
            return Ok(Box::new(open_embedded(folder)?));
        }
        let Some(url) = self.rpc.clone().or_else(of_environment) else {
            return Err(Failure::usage(NO_CHAIN, "no chain is named")
                .hint(format!("name one by --rpc URL, {RPC_VARIABLE}, or --embedded DIR")));
        };
        Ok(Box::new(Rpc::open(&url, rpc::Options::default())?))
    }
}

/// The embedded chain in a folder, by the system's clock.
///
/// # Errors
/// When the folder cannot be used, or another process does.
pub fn open_embedded(folder: &Path) -> Result<Embedded, Failure> {
    let clock = Arc::new(|| cairn_ledger::wall_ms() / 1_000);
    Ok(Embedded::open(folder, embedded::Options::new(clock))?)
}

/// Whose wallet pays.
#[derive(Debug, Clone, clap::Args)]
pub struct Purse {
    /// The wallet that sends and pays the gas: a key file, or a keystore
    #[arg(long, value_name = "FILE")]
    wallet: PathBuf,
    /// A file with the keystore's password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Send nothing; print what would be sent
    #[arg(long)]
    dry_run: bool,
    /// The most that a unit of gas may cost, in wei
    #[arg(long, value_name = "WEI")]
    max_fee: Option<u128>,
    /// Blocks on top of a transaction before it counts
    #[arg(long, value_name = "N", default_value_t = 2)]
    confirmations: u64,
}

/// What is settled, where, and who pays for it: what every command takes that sends.
#[derive(Debug, Clone, clap::Args)]
pub struct Site {
    /// The network's gateway.
    #[command(flatten)]
    pub connect: Connect,
    /// The chain.
    #[command(flatten)]
    pub place: Place,
    /// The wallet.
    #[command(flatten)]
    pub purse: Purse,
}

impl Site {
    /// Settles a network from this wallet, `batch` accounts in a transaction.
    ///
    /// # Errors
    /// When gateway or chain cannot be asked, and those of `run`.
    pub fn settle<T>(
        &self,
        chain: &dyn Chain,
        batch: usize,
        run: impl FnOnce(&mut Settler<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let network = Network::of(&self.connect, chain)?;
        let mut sender = self.purse.at(chain)?;
        let (contracts, account) = (self.place.contracts(&network, chain)?, sender.account);
        let mut send = |purpose: &str, call: &Call| sender.send(purpose, call);
        run(&mut Settler { chain, network: &network, contracts, account, batch, send: &mut send })
    }
}

/// A wallet at a chain: who sends, and how.
pub struct Sender<'a> {
    /// The account.
    pub account: EvmAddress,
    chain: &'a dyn Chain,
    outbox: Option<Outbox<'a>>,
    /// What an earlier run left under way and this one finished, by its name: asked for now, it is not done once more.
    resumed: Option<String>,
    /// Transactions shown on a dry run.
    shown: u64,
}

impl Purse {
    /// The wallet at a chain. What an earlier run left under way is finished first.
    ///
    /// # Errors
    /// When the wallet cannot be read, or what was under way cannot be finished.
    pub fn at<'a>(&self, chain: &'a dyn Chain) -> Result<Sender<'a>, Failure> {
        let key = keys::wallet_from(&self.wallet, self.password_file.as_deref())?;
        let account = address_of(&key);
        if self.dry_run {
            return Ok(Sender { account, chain, outbox: None, resumed: None, shown: 0 });
        }
        if chain.rehearsed() && chain.balance(account)? < ENDOWMENT_WEI {
            chain.endow(account, ENDOWMENT_WEI)?;
        }
        let outbox = self.outbox(chain, key)?;
        let resumed = outbox.resume()?.map(|(name, _)| name);
        Ok(Sender { resumed, ..Sender::by(outbox, chain) })
    }
}

impl Purse {
    /// Has what an earlier run left under way not happen; see [`Outbox::cancel`]. What it was for, and the transaction by which
    /// it happened all the same; `None` where nothing was under way. On a dry run it is only looked at.
    ///
    /// # Errors
    /// When the wallet cannot be read, or the chain cannot be asked or refuses.
    pub fn cancel(&self, chain: &dyn Chain) -> Result<Option<(String, Option<Receipt>)>, Failure> {
        let outbox = self.outbox(chain, keys::wallet_from(&self.wallet, self.password_file.as_deref())?)?;
        let Some(name) = outbox.under_way()? else { return Ok(None) };
        let happened = if self.dry_run { None } else { outbox.cancel()?.map(|(_, receipt)| receipt) };
        Ok(Some((name, happened)))
    }

    /// Whether anything is sent: not on a dry run.
    #[must_use]
    pub const fn sends(&self) -> bool {
        !self.dry_run
    }

    fn outbox<'a>(&self, chain: &'a dyn Chain, key: WalletKey) -> Result<Outbox<'a>, Failure> {
        Ok(Outbox::open(&outbox_folder(&self.wallet, chain.id()), chain, key, self.options(chain))?)
    }

    /// How it is waited: a rehearsal's blocks come with what is sent, and none after it.
    fn options(&self, chain: &dyn Chain) -> outbox::Options {
        let usual = outbox::Options::default();
        let poll = if chain.rehearsed() { Duration::from_millis(100) } else { usual.poll };
        let max_fee_wei = self.max_fee.unwrap_or(usual.max_fee_wei);
        let confirmations = if chain.rehearsed() { 0 } else { self.confirmations };
        outbox::Options { confirmations, poll, max_fee_wei, ..usual }
    }
}

impl<'a> Sender<'a> {
    /// Sends by an outbox.
    #[must_use]
    pub fn by(outbox: Outbox<'a>, chain: &'a dyn Chain) -> Self {
        Self { account: outbox.account(), chain, outbox: Some(outbox), resumed: None, shown: 0 }
    }
}

impl Sender<'_> {
    /// Whether anything is sent: not on a dry run.
    #[must_use]
    pub const fn sends(&self) -> bool {
        self.outbox.is_some()
    }

    /// Sends a call and waits until it counts; on a dry run says what would be sent. Each time it is asked for is another effect,
    /// such as a payment, but for what an earlier run had begun: that is finished, and no second one is sent.
    ///
    /// # Errors
    /// When the chain refuses it, or cannot be asked.
    pub fn send(&mut self, purpose: &str, call: &Call) -> Result<Sent, Failure> {
        let resumed = self.resumed.take().filter(|name| is_of(name, purpose));
        let Some(outbox) = &self.outbox else { return self.show(purpose, call) };
        // An outbox does once what has one name. The same again is another effect, unless it is what was just finished.
        let name = match resumed {
            Some(name) => name,
            None => name_of(purpose, self.chain.nonce(self.account)?),
        };
        Ok(Sent::of(purpose, call, &outbox.execute(&name, call)?))
    }

    fn show(&mut self, purpose: &str, call: &Call) -> Result<Sent, Failure> {
        // What stands on a transaction that is not sent either cannot be tried.
        let gas = self.chain.estimate(self.account, call).ok().filter(|_| self.shown == 0);
        let nonce = self.chain.nonce(self.account)? + self.shown;
        let max_fee = match self.chain.fees()? {
            Fees::Dynamic { max, .. } => max,
            Fees::Legacy { price } => price,
        };
        self.shown += 1;
        let unsigned = Unsigned {
            chain_id: self.chain.id(),
            from: address_text(&self.account),
            nonce,
            value_wei: call.value.to_string(),
            data: hex_text(&call.data),
            gas_limit: gas,
            max_fee_wei: max_fee.to_string(),
        };
        Ok(Sent::shown(purpose, call, unsigned))
    }
}

/// What a purpose is called in an outbox: what is wanted twice has two names.
fn name_of(purpose: &str, nonce: u64) -> String {
    format!("{purpose} (nonce {nonce})")
}

/// Whether that is the name of a purpose.
fn is_of(name: &str, purpose: &str) -> bool {
    let nonce = name.strip_prefix(purpose).and_then(|rest| rest.strip_prefix(" (nonce ")?.strip_suffix(')'));
    nonce.is_some_and(|nonce| nonce.parse::<u64>().is_ok())
}

/// What a wallet has under way on a chain lies beside it: its nonces are used by one program at a time.
#[must_use]
pub fn outbox_folder(wallet: &Path, chain_id: u64) -> PathBuf {
    let mut name = wallet.file_name().unwrap_or_default().to_owned();
    name.push(format!(".sent-{chain_id}"));
    wallet.with_file_name(name)
}

/// The EVM account of a wallet's key.
#[must_use]
pub fn address_of(key: &WalletKey) -> EvmAddress {
    match key.address() {
        Address::Evm(address) => address,
        Address::Solana(_) => unreachable!("a secp256k1 key has an EVM address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_purpose_is_of_no_other() {
        let name = name_of("send 1 to a", 7);
        assert!(is_of(&name, "send 1 to a"));
        for other in ["send 1 to b", "send 1", "send 1 to a (nonce 7)", ""] {
            assert!(!is_of(&name, other), "{other}");
        }
        assert_ne!(name, name_of("send 1 to a", 8));
    }
}
