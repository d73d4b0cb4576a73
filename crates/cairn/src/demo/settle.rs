//! The demo's end: auditors sign what they recomputed, contracts take it, and what the log granted is on its accounts.
//!
//! Everything here is what the commands do (`cairn auditor run`, `cairn chain deploy`, `post` and `pay`), against the gateway
//! over HTTP and a chain in the network's folder. Three auditors of one operator are a rehearsal, and so is the chain.

mod on_chain;
mod rounds;

use std::collections::BTreeMap;

use cairn_audit::{HttpSource, Source, SourceError};
use cairn_auditor::{Auditor, LookOptions, Standing};
use cairn_chain::deployment::Plan;
use cairn_chain::terms::Addresses;
use cairn_chain::{At, Call, Chain, ChainError, Contracts, Outbox};
use cairn_client::Client;
use cairn_core::epoch::EpochStatement;
use cairn_core::statement::{AuditorSet, Body, DomainTerms};
use cairn_core::wallet::WalletKey;
use cairn_core::{Amount, Domain, Hash};
use cairn_merkle::TilePath;
use cairn_reward::Policy;
use cairn_settle::abi::address_word;
use cairn_settle::told::address_text;
use cairn_settle::{EpochMessage, EvmAddress, calls};
use serde::Serialize;

use self::rounds::Rounds;
use crate::command::auditor::{self, post_of};
use crate::command::chain::{deploy_all, keep_record};
use crate::config::Folder;
use crate::connect::Connect;
use crate::failure::Failure;
use crate::keys::{Algorithm, Key};
use crate::output::Output;
use crate::propose::by_operator;
use crate::settle::network::Network;
use crate::settle::place::{Sender, address_of, open_embedded, outbox_folder};
use crate::settle::terms::{Document, OfNetwork, template};

pub use self::on_chain::OnChain;

/// How many auditors the demo plays.
const AUDITORS: u64 = 3;

/// Coin that those who send on the demo's chain are given, wei.
const COIN_WEI: u128 = 1_000_000_000_000_000_000_000;

/// Who plays what at the end.
pub struct Parts {
    settler: WalletKey,
    auditors: Vec<WalletKey>,
}

/// What became of it.
#[derive(Debug, Serialize)]
pub struct Settled {
    /// The chain, in words.
    pub chain: String,
    /// Auditors, all of whom signed.
    pub auditors: u64,
    /// Signatures that the gateway keeps.
    pub signatures: u64,
    /// The contract that pays.
    pub payout: String,
    /// The token.
    pub token: String,
    /// Epochs that the contract took.
    pub posted: usize,
    /// The last of them.
    pub epoch: u64,
    /// Accounts that were pushed to.
    pub accounts: usize,
    /// Base units pushed.
    pub paid: String,
    /// Accounts below the threshold of pushing, which may claim.
    pub below: usize,
    /// Base units that they may claim.
    pub left: String,
    /// Base units that buyers burned for credit in the log.
    pub burned: String,
    /// Base units on the accounts, read back from the token.
    pub balances: String,
    /// Whether every account holds what it was pushed less what it burned, to the base unit, and the token's supply is what was
    /// granted less what was burned.
    pub agrees: bool,
    /// Gas of the last epoch's posting, and of all pushes for each account.
    pub gas: Gas,
    /// A statement that was changed, and who refused it.
    pub tampered: TamperedStatement,
}

/// What it costs.
#[derive(Debug, Serialize)]
pub struct Gas {
    /// Posting an epoch.
    pub post: u64,
    /// Paying an account, by a push.
    pub push: u64,
}

/// A statement that grants one token more than the log does, and who refused it.
#[derive(Debug, Serialize)]
pub struct TamperedStatement {
    /// The epoch.
    pub epoch: u64,
    /// What an auditor found, by its code; it signed nothing.
    pub auditor: String,
    /// What the contract answered to it with the auditors' signatures over the true one.
    pub contract: String,
}

/// What is played live while the chain is there.
pub trait Live {
    /// Everybody has on the chain what was earned so far.
    ///
    /// # Errors
    /// When it cannot be played.
    fn earned(&mut self, on_chain: &mut OnChain<'_>) -> Result<(), Failure>;

    /// What came of it is settled too.
    ///
    /// # Errors
    /// What the chain answers.
    fn settled(&mut self, on_chain: &OnChain<'_>) -> Result<(), Failure>;
}

impl Parts {
    /// Makes the keys, and has the log name auditors and contract before epoch 0 begins.
    ///
    /// # Errors
    /// When a key cannot be written, or the gateway refuses a statement.
    pub fn cast(folder: &Folder, client: &Client, chain: &Domain) -> Result<Self, Failure> {
        let settler = make(folder, "settler", "deploys, posts and pays on the demo's chain")?;
        let auditors = (1..=AUDITORS).map(|n| make(folder, &format!("auditor-{n}"), "an auditor's signatures"));
        let parts = Self { settler, auditors: auditors.collect::<Result<_, _>>()? };
        let at = Addresses::foretold(address_of(&parts.settler), 0);
        let terms = DomainTerms {
            domain: chain.clone(),
            distributor: address_word(at.payout),
            token: format!("{chain}/erc20:{}", address_text(&at.token)),
            finality_blocks: 0,
        };
        let set = AuditorSet { first_epoch: 0, quorum: AUDITORS, auditors: parts.members() };
        by_operator(folder, client, &client.network()?, vec![Body::Domain(terms), Body::AuditorSet(set)])?;
        Ok(parts)
    }

    fn members(&self) -> Vec<EvmAddress> {
        let mut members: Vec<EvmAddress> = self.auditors.iter().map(address_of).collect();
        members.sort_unstable();
        members
    }

    /// Has the auditors sign, and settles what they signed; where `live` is to be played, when everybody has what was earned, also
    /// what came of that.
    ///
    /// # Errors
    /// When an auditor refuses the log as it is, or the chain refuses what a quorum signed; what `live` says.
    pub fn settle(
        &self,
        folder: &Folder,
        url: &str,
        output: Output,
        live: Option<&mut dyn Live>,
    ) -> Result<Settled, Failure> {
        let chain = open_embedded(&folder.root().join("chain"))?;
        let connect = Connect::to(Some(url.to_owned()));
        let network = Network::of(&connect, &chain)?;
        let last = network.info.last_closed.as_ref().map_or(0, |last| last.number);
        let refusal = self.tempt(folder, &network, last)?;
        let signatures = self.sign(folder, &network, output)?;

        let key = folder.key("settler");
        let account = address_of(&self.settler);
        chain.fund(account, COIN_WEI)?;
        let options = cairn_chain::outbox::Options { confirmations: 0, ..cairn_chain::outbox::Options::default() };
        let outbox = Outbox::open(&outbox_folder(&key, chain.id()), &chain, self.settler.clone(), options)?;
        let mut sender = Sender::by(outbox, &chain);
        let plan = self.plan(folder, &network)?;
        keep_record(folder, &plan, &chain)?;
        deploy_all(&plan, &chain, &mut sender, output)?;
        let contracts = Contracts::of(&chain, plan.addresses().payout, &network.id)?;
        let contract = tempt_contract(&network, &chain, &contracts, account)?;

        let mut settled = Rounds::default();
        settled.signatures = signatures;
        settled.round(&network, &chain, contracts, account, &mut sender, output)?;
        let mut on_chain = OnChain { folder, chain: &chain, contracts: &contracts, burned: BTreeMap::new() };
        let mut network = network;
        if let Some(live) = live {
            live.earned(&mut on_chain)?;
            network = Network::of(&connect, &chain)?;
            settled.signatures += self.sign(folder, &network, output)?;
            settled.round(&network, &chain, contracts, account, &mut sender, output)?;
            live.settled(&on_chain)?;
        }
        crate::settle::record::record(&folder.settled(), &network, &chain, &contracts)?;
        let tampered = TamperedStatement { epoch: last, auditor: refusal, contract };
        settled.told(&network, &chain, &contracts, &on_chain.burned, tampered)
    }

    /// The auditors' wallets.
    #[must_use]
    pub fn auditors(&self) -> &[WalletKey] {
        &self.auditors
    }

    /// Shows an auditor the last epoch's statement with one token more in it; what it finds.
    fn tempt(&self, folder: &Folder, network: &Network, last: u64) -> Result<String, Failure> {
        let source = HttpSource::of(network.client().clone());
        let forged = Forged { source, epoch: last, bytes: one_token_more(network.statement(last)?).encode() };
        let mut auditor = self.auditor(folder, 0)?;
        let options = LookOptions { network: Some(network.id), ..LookOptions::default() };
        let mut signed = false;
        let look = auditor.look(&forged, &options, &mut |vouched| signed |= vouched.epoch == last, &mut |_| {})?;
        match look.report.difference() {
            Some(difference) if !signed => Ok(difference.code.clone()),
            _ => Err(Failure::failed("NET-DEMO", "an auditor signed a statement that was changed")
                .hint("keep the folder, and report this")),
        }
    }

    /// Every auditor recomputes the network and publishes what it signs; how many signatures.
    fn sign(&self, folder: &Folder, network: &Network, output: Output) -> Result<u64, Failure> {
        let source = HttpSource::of(network.client().clone());
        let mut signatures = 0;
        let bar = output.progress("signing", AUDITORS);
        for place in 0..self.auditors.len() {
            let mut auditor = self.auditor(folder, place)?;
            let options = LookOptions { network: Some(network.id), ..LookOptions::default() };
            let mut vouched = Vec::new();
            let look = auditor.look(&source, &options, &mut |one| vouched.push(one.clone()), &mut |_| {})?;
            if let Some(difference) = look.report.difference() {
                return Err(Failure::wrong("AUD-FAIL", format!("an auditor refuses to sign: {difference}"))
                    .hint("keep the folder, and report this"));
            }
            for one in vouched {
                let Standing::Signed { signed, .. } = one.standing else { continue };
                network.client().submit_signature(one.epoch, &post_of(&signed))?;
                signatures += 1;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(signatures)
    }

    fn auditor(&self, folder: &Folder, place: usize) -> Result<Auditor, Failure> {
        let own = folder.root().join("auditors").join((place + 1).to_string());
        auditor::open(&own, self.auditors[place].clone())
    }

    fn plan(&self, folder: &Folder, network: &Network) -> Result<Plan, Failure> {
        let account = address_of(&self.settler);
        let text = template(true, &self.members(), &account);
        let path = folder.root().join("chain.toml");
        std::fs::write(&path, &text).map_err(|error| Failure::io("write", &path, &error))?;
        let policy = Policy::parse(network.client().policy(None)?.as_bytes())?;
        let of = OfNetwork {
            network: network.id,
            info: &network.info,
            policy: &policy,
            first_epoch: 0,
            first_previous: Hash::ZERO,
        };
        Ok(Plan::of(&Document::parse(&text)?.terms(&of)?, account, 0))
    }
}

fn make(folder: &Folder, name: &str, purpose: &str) -> Result<WalletKey, Failure> {
    let key = Key::generate(Algorithm::Secp256k1)?;
    key.write(&folder.key(name), purpose)?;
    key.wallet()
}

/// The statement with one token more in the first chain's total.
fn one_token_more(mut statement: EpochStatement) -> EpochStatement {
    if let Some(row) = statement.domains.first_mut() {
        row.cumulative = Amount(row.cumulative.0.saturating_add(1_000_000_000_000_000_000));
    }
    statement
}

/// Shows the contract the changed statement of the first epoch with the auditors' signatures over the true one; what it
/// answers. The chain takes epochs in order, so it is the first that it would take.
fn tempt_contract(
    network: &Network,
    chain: &dyn Chain,
    contracts: &Contracts,
    account: EvmAddress,
) -> Result<String, Failure> {
    let message = EpochMessage::of(&one_token_more(network.statement(0)?), 0).map_err(ChainError::from)?;
    let signatures: Vec<Vec<u8>> = network.signatures(0)?.into_iter().map(|signature| signature.bytes).collect();
    let call = Call::to(contracts.settlement, calls::post(&message, &signatures.concat()));
    match chain.call(account, &call, At::Latest) {
        Err(ChainError::Reverted { reason }) => Ok(reason),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Failure::failed("NET-DEMO", "the contract took a statement that was changed")
            .hint("keep the folder, and report this")),
    }
}

/// A source that serves one epoch's statement otherwise.
struct Forged {
    source: HttpSource,
    epoch: u64,
    bytes: Vec<u8>,
}

impl Source for Forged {
    fn name(&self) -> String {
        self.source.name()
    }
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError> {
        self.source.checkpoint()
    }
    fn tile(&self, tile: TilePath) -> Result<Option<Vec<u8>>, SourceError> {
        self.source.tile(tile)
    }
    fn statement(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        if epoch == self.epoch { Ok(Some(self.bytes.clone())) } else { self.source.statement(epoch) }
    }
    fn verdicts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.source.verdicts(epoch)
    }
    fn payouts(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.source.payouts(epoch)
    }
    fn sales(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.source.sales(epoch)
    }
    fn carry(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.source.carry(epoch)
    }
    fn snapshot(&self, epoch: u64) -> Result<Option<Vec<u8>>, SourceError> {
        self.source.snapshot(epoch)
    }
}
