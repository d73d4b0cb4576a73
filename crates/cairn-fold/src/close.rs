//! Closing an epoch: judge what it holds, share out the pot, and state everything in one document.
//!
//! Pure: the same state and reports give the same bytes on any machine and any number of threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_classes::{Carry, Docket, Judged as Ruling, Report, Site, compute};
use cairn_core::cbor::{Decoder, Value};
use cairn_core::epoch::{AssetBalance, ClassSummary, DomainClaims, EpochStatement, PoolSummary, SalesSummary};
use cairn_core::geo::{Cell, Position};
use cairn_core::statement::{Mobility, Role};
use cairn_core::{Account, Amount, DeviceId, Domain, Hash, PPM, Payout, Sale, Verdict};
use cairn_merkle::claim::{ClaimLeaf, ClaimTree};
use cairn_merkle::tree;
use cairn_reward::{Allocation, Outcome};
use rayon::prelude::*;
use thiserror::Error;

use crate::admit::Accepted;
use crate::carry::{self, Remembered};
use crate::market;
use crate::records::{carry_range, carry_records};
use crate::state::State;

/// The rules revision of this engine; the policy names the one it was written for.
pub const ENGINE_REVISION: u64 = cairn_reward::REVISION as u64;

/// Why an epoch cannot be closed. None of these follows from what anybody reports: admission keeps such entries out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CloseError {
    /// A judge refused its docket.
    #[error("epoch {epoch}: the judge of `{class}`: {source}")]
    Judge {
        /// The epoch.
        epoch: u64,
        /// The class.
        class: String,
        /// What it refused.
        source: cairn_classes::ClassError,
    },
    /// The money does not add up.
    #[error("epoch {epoch}: {source}")]
    Reward {
        /// The epoch.
        epoch: u64,
        /// What is wrong.
        source: cairn_reward::RewardError,
    },
    /// The claim tree cannot be built.
    #[error("epoch {epoch}: the claims: {source}")]
    Claims {
        /// The epoch.
        epoch: u64,
        /// What is wrong.
        source: cairn_merkle::MerkleError,
    },
}

impl CloseError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Judge { source, .. } => source.code(),
            Self::Reward { source, .. } => source.code(),
            Self::Claims { source, .. } => source.code(),
        }
    }
}

/// A closed epoch: the statement and everything it states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The statement.
    pub statement: EpochStatement,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of the bytes.
    pub hash: Hash,
    /// The verdicts' canonical bytes, sorted: the leaves of the verdict roots, class by class.
    pub verdicts: Vec<Vec<u8>>,
    /// The payout rows' canonical bytes, sorted: the leaves of the payout root.
    pub payouts: Vec<Vec<u8>>,
    /// The sales' canonical bytes, sorted: the leaves of the sales root; none where no job was settled.
    pub sales: Vec<Vec<u8>>,
    /// The state's records after the epoch, sorted: the snapshot.
    pub records: Vec<Vec<u8>>,
    /// What the claim roots are over, one for each settlement chain, in the statement's order.
    pub claims: Vec<Arc<ClaimTree>>,
}

impl Closed {
    /// The records among them that hold what judges remember: what one who does not judge has to be told.
    #[must_use]
    pub fn carry(&self) -> &[Vec<u8>] {
        carry_records(&self.records)
    }

    /// The same, taken out of the records, so that nobody holds them twice.
    #[must_use]
    pub fn take_carry(&mut self) -> Vec<Vec<u8>> {
        let range = carry_range(&self.records);
        self.records.drain(range).collect()
    }
}

/// What an epoch is closed from.
pub(crate) struct Closing<'a> {
    /// Reports to judge.
    pub fresh: &'a [Arc<Accepted>],
    /// Reports that epochs of the lookback judged.
    pub recent: Vec<&'a Accepted>,
    /// The first entry that is not of the epoch.
    pub to: u64,
    /// The log's root at `to`.
    pub log_root: Hash,
}

/// Closes the state's open epoch and moves the state past it.
pub(crate) fn close(state: &mut State, closing: &Closing<'_>) -> Result<Closed, CloseError> {
    let epoch = state.epoch.number;
    carry::forget_unreadable(state);
    let opening_escrow = state.opening_escrow();
    let market = market::Closed::ripen(state, closing.log_root);
    let Judged { mut classes, verdicts, rows: verdict_rows, remembered } = judge_all(state, closing, &market)?;
    let sales = market.settle(state, &verdicts);
    book_revenue(&mut classes, &sales);
    let outcome = allocate(state, opening_escrow, &verdicts, &sales)?;
    settle(state, closing, outcome.as_ref())?;
    carry::remember(state, remembered);
    let (domains, claims) = claims(state)?;
    let payout_rows = outcome.as_ref().map_or_else(Vec::new, |outcome| payout_rows(&outcome.payouts));
    let sales = sale_rows(&sales);
    let network = state.network.clone().expect("an epoch closes in a network that exists");
    let previous = state.epoch.previous;
    let from = core::mem::replace(&mut state.epoch.from, closing.to);
    state.epoch.number = epoch + 1;
    let records = state.records();
    let statement = EpochStatement {
        network: network.id,
        number: epoch,
        from,
        to: closing.to,
        log_root: closing.log_root,
        previous,
        policy_hash: state.policy_for(epoch).map_or(Hash::ZERO, |policy| policy.read.hash()),
        engine_revision: ENGINE_REVISION,
        classes,
        pools: outcome.as_ref().map_or_else(Vec::new, pool_summaries),
        payout_root: root_of(&payout_rows),
        asset: asset(state, epoch, outcome.as_ref()),
        domains,
        state_root: root_of(&records),
        rehearsed: network.genesis.rehearsed,
        sales: (!sales.is_empty()).then(|| SalesSummary { count: sales.len() as u64, root: root_of(&sales) }),
    };
    let bytes = statement.encode();
    let hash = Hash::of(&bytes);
    state.follow(epoch, hash);
    Ok(Closed { statement, bytes, hash, verdicts: verdict_rows, payouts: payout_rows, sales, records, claims })
}

impl State {
    /// What no state root can hold: the hash of the statement that carries it.
    pub(crate) fn follow(&mut self, epoch: u64, hash: Hash) {
        self.epoch.previous = hash;
        self.unlogged.insert(epoch, hash);
    }
}

/// RFC 6962 root over rows in the order given.
#[must_use]
pub fn root_of(rows: &[Vec<u8>]) -> Hash {
    root_of_each(rows)
}

/// As [`root_of`], wherever the rows lie: a snapshot is not copied for its root.
pub(crate) fn root_of_each<R: AsRef<[u8]> + Sync>(rows: &[R]) -> Hash {
    let leaves: Vec<Hash> = rows.par_iter().map(|row| tree::leaf_hash(row.as_ref())).collect();
    tree::root_parallel(&leaves)
}

fn payout_rows(payouts: &[Payout]) -> Vec<Vec<u8>> {
    let mut rows: Vec<Vec<u8>> = payouts.par_iter().map(Payout::encode).collect();
    rows.par_sort_unstable();
    rows
}

fn sale_rows(sales: &[Sale]) -> Vec<Vec<u8>> {
    let mut rows: Vec<Vec<u8>> = sales.par_iter().map(Sale::encode).collect();
    rows.par_sort_unstable();
    rows
}

/// Writes down what the work of a class was sold for, fees and licences included.
fn book_revenue(classes: &mut [ClassSummary], sales: &[Sale]) {
    let revenue = sales.iter().map(|sale| sale.revenue().expect("a sale is within what was locked"));
    let revenue = Amount::checked_sum(revenue).expect("all sales together are within what was locked");
    if let Some(class) = classes.iter_mut().find(|class| class.class == compute::SCHEMA) {
        class.revenue = revenue;
    }
}

/// What the judges said: per class, verdict by verdict, the verdicts' rows in order, and what to remember.
#[derive(Default)]
struct Judged {
    classes: Vec<ClassSummary>,
    verdicts: Vec<Verdict>,
    rows: Vec<Vec<u8>>,
    remembered: Vec<Remembered>,
}

fn judge_all(state: &State, closing: &Closing<'_>, market: &market::Closed) -> Result<Judged, CloseError> {
    let epoch = state.epoch.number;
    let mut judged = Judged::default();
    let Some(policy) = state.policy() else { return Ok(judged) };
    for (class, &revision) in &policy.read.classes {
        let Some(profile) = state.profile_for(class, epoch) else { continue };
        let Ruling { verdicts, carry: changes } = judge_class(state, closing, market, class, revision, profile)?;
        judged.remembered.push(Remembered { class: class.clone(), revision, changes });
        let mut rows: Vec<Vec<u8>> = verdicts.par_iter().map(Verdict::encode).collect();
        rows.par_sort_unstable();
        judged.classes.push(ClassSummary {
            class: class.clone(),
            revision: revision.into(),
            profile_hash: Hash::of(profile.as_bytes()),
            subjects: verdicts.len() as u64,
            passed: verdicts.iter().filter(|verdict| verdict.amount > 0 && verdict.score.get() == PPM).count() as u64,
            verdict_root: root_of(&rows),
            revenue: Amount::ZERO,
        });
        judged.verdicts.extend(verdicts);
        judged.rows.extend(rows);
    }
    judged.rows.par_sort_unstable();
    Ok(judged)
}

fn judge_class(
    state: &State,
    closing: &Closing<'_>,
    market: &market::Closed,
    class: &str,
    revision: u32,
    profile: &str,
) -> Result<Ruling, CloseError> {
    let clock = state.clock().expect("an epoch closes in a network that exists");
    let number = state.epoch.number;
    let start_ms = clock.start_ms(number);
    let fresh: Vec<&Accepted> =
        closing.fresh.iter().map(AsRef::as_ref).filter(|held: &&Accepted| held.class.schema() == class).collect();
    // Where nothing came late, only those readings of earlier reports matter that waited for this epoch: slots do not
    // straddle epochs.
    let since_ms = if fresh.iter().any(|held| held.time_ms < start_ms) { 0 } else { start_ms };
    let context =
        closing.recent.iter().copied().filter(|held| held.class.schema() == class && held.last_ms >= since_ms);
    let context: Vec<&Accepted> = context.collect();
    let (fresh_bodies, context_bodies) = (bodies(&fresh), bodies(&context));
    let report = |(held, body)| report(state, held, body);
    let fresh: Vec<Report<'_>> = fresh.into_iter().zip(&fresh_bodies).map(report).collect();
    let context: Vec<Report<'_>> = context.into_iter().zip(&context_bodies).map(report).collect();
    let nothing = Carry::new();
    let sites = sites(state, fresh.iter().chain(&context).map(|report| report.device));
    let docket = Docket {
        network_epoch: number,
        start_ms,
        end_ms: clock.end_ms(number),
        sites: &sites,
        fresh: &fresh,
        context: &context,
        carry: state.carry_of(class, revision).unwrap_or(&nothing),
        jobs: &market.ripe(class),
        salt: state.epoch.previous,
    };
    cairn_classes::judge(class, revision, profile, &docket).map_err(|source| CloseError::Judge {
        epoch: number,
        class: class.to_owned(),
        source,
    })
}

/// Bodies are held as bytes and read when they are judged: read, they take many times their size.
fn bodies(held: &[&Accepted]) -> Vec<Value> {
    let read = |held: &&Accepted| Decoder::over(&held.body).value().expect("admission read the body");
    held.par_iter().map(read).collect()
}

fn report<'a>(state: &State, held: &Accepted, body: &'a Value) -> Report<'a> {
    Report {
        index: held.index,
        device: held.device,
        bridge: (held.device != held.name.device).then_some(held.name.device),
        boot: held.name.boot,
        seq: held.name.seq,
        clock: held.clock,
        account: Account::clone(&held.pending.account),
        time_ms: held.time_ms,
        received_ms: held.received_ms,
        flags: u32::try_from(held.flags).expect("defined flags are three bits"),
        body,
        denied: held.pending.denied,
        conflict: state.conflicts.get(&held.name).copied(),
    }
}

fn sites(state: &State, devices: impl Iterator<Item = DeviceId>) -> BTreeMap<DeviceId, Site> {
    let mut sites = BTreeMap::new();
    for id in devices {
        if sites.contains_key(&id) {
            continue;
        }
        let device = state.devices.get(&id).expect("a report was admitted for a device of the state");
        let exact = device.exact.and_then(|(lat_e7, lon_e7)| Position::of(lat_e7, lon_e7));
        let position =
            exact.unwrap_or_else(|| Cell::of(device.cell).expect("enrolment was admitted with a cell").center());
        let site = Site {
            owner: Account::clone(&device.owner),
            position,
            altitude_cm: device.altitude_cm,
            enrolled_index: device.enrolled_index,
            mobile: device.kind.mobility == Mobility::Mobile,
            anchor: device.kind.role == Role::Anchor,
        };
        sites.insert(id, site);
    }
    sites
}

fn allocate(
    state: &State,
    opening_escrow: Amount,
    verdicts: &[Verdict],
    sales: &[Sale],
) -> Result<Option<Outcome>, CloseError> {
    let (Some(policy), Some(clock)) = (state.policy(), state.clock()) else { return Ok(None) };
    let epoch = state.epoch.number;
    let allocation = Allocation {
        epoch,
        policy: &policy.read,
        epoch_start_ms: clock.start_ms(epoch),
        opening_unallocated: state.unallocated,
        opening_escrow,
        deposited: state.deposited,
        minted_before: state.minted,
        verdicts,
        sales,
    };
    cairn_reward::allocate(&allocation).map(Some).map_err(|source| CloseError::Reward { epoch, source })
}

/// Moves money and reports past the epoch.
fn settle(state: &mut State, closing: &Closing<'_>, outcome: Option<&Outcome>) -> Result<(), CloseError> {
    let epoch = state.epoch.number;
    let reward = |source| CloseError::Reward { epoch, source };
    if let Some(outcome) = outcome {
        outcome.balance.check(epoch).map_err(reward)?;
        assert_eq!(
            outcome.balance.closing.escrow,
            state.escrow(),
            "what is in escrow is what buyers have and have locked"
        );
        cairn_reward::add_totals(&mut state.cumulative, &outcome.totals).map_err(reward)?;
        state.minted = state
            .minted
            .checked_add(outcome.balance.minted)
            .ok_or_else(|| reward(cairn_reward::RewardError::Overflow { what: "everything minted" }))?;
        state.unallocated = outcome.balance.closing.unallocated;
        state.deposited = Amount::ZERO;
    }
    let oldest = (epoch + 1).saturating_sub(lookback(state, epoch + 1));
    // Those denied are remembered as long as they may stand as context, where they vouch for nobody.
    state.pending.retain(|&(judged_in, _), held| judged_in > epoch || (held.denied.is_some() && judged_in >= oldest));
    // A report may hold readings of the next epoch, which pays them as they would have been paid now.
    let ends_ms = state.clock().map_or(u64::MAX, |clock| clock.end_ms(epoch));
    let fresh = || closing.fresh.iter().map(AsRef::as_ref);
    for held in fresh().chain(closing.recent.iter().copied()).filter(|held| held.last_ms >= ends_ms) {
        state.pending.insert((epoch + 1, held.index), held.pending.clone());
    }
    state.judged.insert(epoch, runs(fresh().map(|held| held.index)));
    state.judged.retain(|&judged_in, _| judged_in >= oldest);
    Ok(())
}

/// How many closed epochs the judge of an epoch may look back on: one more than a report may be late, since a report may
/// hold readings of the epoch after its own.
fn lookback(state: &State, epoch: u64) -> u64 {
    state.policy_for(epoch).map_or(1, |policy| u64::from(policy.read.epochs.late_epochs) + 1)
}

fn runs(indices: impl Iterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for index in indices {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == index => *count += 1,
            _ => runs.push((index, 1)),
        }
    }
    runs
}

/// The claims of every settlement chain, and the tree over them.
fn claims(state: &State) -> Result<(Vec<DomainClaims>, Vec<Arc<ClaimTree>>), CloseError> {
    let mut by_domain: BTreeMap<&Domain, Vec<(&Account, Amount)>> = BTreeMap::new();
    for (account, amount) in &state.cumulative {
        by_domain.entry(account.domain()).or_default().push((account, *amount));
    }
    let fail = |source| CloseError::Claims { epoch: state.epoch.number, source };
    let (mut all, mut trees) = (Vec::new(), Vec::new());
    for (domain, terms) in &state.domains {
        let accounts = by_domain.remove(domain).unwrap_or_default();
        let leaves =
            claim_leaves(domain, &terms.distributor, accounts.iter().map(|(account, amount)| (*account, *amount)));
        let sum = Amount::checked_sum(accounts.iter().map(|(_, amount)| *amount));
        let overflow = || cairn_reward::RewardError::Overflow { what: "a domain's cumulative total" };
        let tree = ClaimTree::new(&leaves).map_err(fail)?;
        all.push(DomainClaims {
            domain: domain.clone(),
            distributor: terms.distributor,
            claim_root: tree.root(),
            leaves: leaves.len() as u64,
            cumulative: sum.ok_or_else(|| CloseError::Reward { epoch: state.epoch.number, source: overflow() })?,
        });
        trees.push(Arc::new(tree));
    }
    Ok((all, trees))
}

/// The claim leaves of a domain, in the order of its accounts.
pub fn claim_leaves<'a>(
    domain: &Domain,
    distributor: &[u8; 32],
    accounts: impl Iterator<Item = (&'a Account, Amount)>,
) -> Vec<ClaimLeaf> {
    accounts
        .map(|(account, amount)| ClaimLeaf {
            domain: domain.claim_word(),
            distributor: *distributor,
            account: account.address().claim_word(),
            cumulative: amount.0,
        })
        .collect()
}

fn pool_summaries(outcome: &Outcome) -> Vec<PoolSummary> {
    let summary = |pool: &cairn_reward::PoolResult| PoolSummary {
        name: pool.name.clone(),
        size: pool.size,
        weight: pool.weight_total,
        devices: pool.devices,
        paid: pool.paid,
        recipients: pool.recipients,
    };
    outcome.pools.iter().map(summary).collect()
}

fn asset(state: &State, epoch: u64, outcome: Option<&Outcome>) -> (String, AssetBalance) {
    let symbol = state.policy_for(epoch).map_or_else(String::new, |policy| policy.read.asset.symbol.clone());
    let balance = outcome.map_or_else(AssetBalance::default, |outcome| {
        let balance = &outcome.balance;
        AssetBalance {
            opening: balance.opening,
            minted: balance.minted,
            deposited: balance.deposited,
            paid: balance.paid,
            refunded: balance.refunded,
            burned: balance.burned,
            escrow: balance.closing.escrow,
            vesting: balance.closing.vesting,
            unallocated: balance.closing.unallocated,
        }
    });
    (symbol, balance)
}
