//! Orders, cancels and policies that race each other.

use std::collections::BTreeSet;

use cairn_core::statement::{Body, PolicyDocument};
use cairn_core::{Amount, Hash, Sale};
use cairn_fold::CREDIT_MAX;
use cairn_merkle::tree::leaf_hash;
use cairn_testkit::fair::{Fair, result};
use cairn_testkit::network::{DAY_MS, SeededDevice, chain, policy, with_credit};

use cairn_testkit::fair::month::{FEE_PPM, terms};

const BUYER: u8 = 200;

fn fair(credit: u128) -> (Fair, Vec<SeededDevice>, SeededDevice) {
    let mut fair = Fair::open(terms(), FEE_PPM, 3, 2);
    let (workers, buyer) = (fair.hire(1..=5), SeededDevice::of(BUYER));
    assert_eq!(fair.pay_in(&buyer.account, credit).1, None);
    fair.network.pass_to(terms().zero_ms + DAY_MS + DAY_MS / 2);
    (fair, workers, buyer)
}

fn worker(fair: &Fair, workers: &[SeededDevice], job: cairn_core::JobId, at: usize) -> SeededDevice {
    let id = fair.assigned(job)[at];
    workers.iter().find(|worker| worker.id == id).unwrap().clone()
}

#[test]
fn whichever_of_a_commit_and_a_cancel_is_first_the_other_is_void() {
    let (fair, workers, buyer) = fair(1_000_000);
    for commit_first in [true, false] {
        let mut fair = fair.clone();
        let order = fair.an_order(&buyer, "input");
        let (job, _) = fair.order(&buyer.wallet, &order);
        let first = worker(&fair, &workers, job, 0);
        let mut said = Vec::new();
        for turn in [commit_first, !commit_first] {
            let logged = if turn { fair.commit(&first, job, &result(1, "x")) } else { fair.cancel(&buyer.wallet, job) };
            said.push(logged.1.map(|refusal| refusal.code));
        }
        let loser = if commit_first { "CMP-CANCEL" } else { "CMP-JOB" };
        assert_eq!(said, [None, Some(loser)]);
        let state = fair.network.fold.state();
        let locked = state.market.locked_by(&buyer.account);
        assert_eq!(locked > Amount::ZERO, commit_first);
        assert_eq!(state.escrow(), Amount(1_000_000));
    }
}

#[test]
fn credit_is_locked_once_however_often_it_is_ordered_with() {
    let (mut fair, _, buyer) = fair(50_000);
    let order = fair.an_order(&buyer, "input");
    let mut locked = Amount::ZERO;
    let accepted = (0..20).filter(|_| fair.order(&buyer.wallet, &order).1.1.is_none()).count();
    assert!(accepted > 0 && accepted < 20, "{accepted}");
    let state = fair.network.fold.state();
    for (_, job) in state.market.jobs() {
        locked = locked.checked_add(job.locked().unwrap()).unwrap();
    }
    assert_eq!(
        (state.market.locked_by(&buyer.account), locked.0 + state.credit_of(&buyer.account).0),
        (locked, 50_000)
    );
    // What nobody does is given back when its time is over.
    fair.network.pass_to(terms().zero_ms + 4 * DAY_MS);
    assert_eq!(fair.network.fold.state().credit_of(&buyer.account), Amount(50_000));
    let sold: Vec<Sale> =
        fair.network.closed.iter().flat_map(|closed| &closed.sales).map(|row| Sale::decode(row).unwrap()).collect();
    assert_eq!(sold.len(), accepted);
    assert!(sold.iter().all(|sale| sale.work.is_empty() && sale.returned == sale.locked));
}

#[test]
fn what_is_locked_counts_where_credit_ends() {
    let (mut fair, _, buyer) = fair(CREDIT_MAX.0);
    let order = fair.an_order(&buyer, "input");
    assert_eq!(fair.order(&buyer.wallet, &order).1.1, None);
    assert!(fair.network.fold.state().credit_of(&buyer.account) < CREDIT_MAX);
    let refused = fair.pay_in(&buyer.account, 1).1.map(|refusal| refusal.code);
    assert_eq!(refused, Some("OBS-CREDIT"), "what is locked may come back");
    fair.network.pass_to(terms().zero_ms + 4 * DAY_MS);
    assert!(fair.network.closed.iter().all(|closed| closed.statement.asset.1.balances()));
    assert_eq!(fair.network.fold.state().credit_of(&buyer.account), CREDIT_MAX);
}

#[test]
fn a_policy_that_judges_no_work_gives_back_everything_that_is_locked() {
    let (mut fair, workers, buyer) = fair(1_000_000);
    let order = fair.an_order(&buyer, "input");
    let (job, _) = fair.order(&buyer.wallet, &order);
    let document = with_credit(&policy(2), &[chain()], core::slice::from_ref(&fair.observer)).into();
    assert_eq!(fair.network.operate(Body::Policy(PolicyDocument { first_epoch: 3, document })).1, None);
    let first = worker(&fair, &workers, job, 0);
    assert_eq!(fair.commit(&first, job, &result(1, "x")).1, None);
    let long = cairn_core::statement::Order { commit_ms: 80_000_000, ..fair.an_order(&buyer, "later") };
    fair.network.pass_to(terms().zero_ms + 2 * DAY_MS + DAY_MS - 10_000_000);
    let (waiting, logged) = fair.order(&buyer.wallet, &long);
    assert_eq!(logged.1, None);
    assert!(fair.network.fold.state().market.locked_by(&buyer.account) > Amount::ZERO);
    fair.network.pass_to(terms().zero_ms + 5 * DAY_MS);
    let state = fair.network.fold.state();
    assert!(state.market.is_empty());
    assert_eq!(state.credit_of(&buyer.account), Amount(1_000_000));
    let closed = &fair.network.closed[3];
    let sold: Vec<Sale> = closed.sales.iter().map(|row| Sale::decode(row).unwrap()).collect();
    assert_eq!(sold.iter().map(|sale| sale.job).collect::<Vec<_>>(), [waiting]);
    assert!(fair.network.closed.iter().all(|closed| closed.statement.asset.1.balances()));
    let logged = fair.order(&buyer.wallet, &order).1;
    assert_eq!(logged.1.map(|refusal| refusal.code), Some("CMP-CLOSED"));
}

/// Who is assigned when this is ordered next, after so many entries that have nothing to do with it.
fn assigned_after(fair: &Fair, unrelated: u32) -> Vec<cairn_core::DeviceId> {
    let (mut fair, buyer) = (fair.clone(), SeededDevice::of(BUYER));
    let stranger = SeededDevice::of(99);
    let quoted = |fair: &Fair| {
        let desk = fair.network.fold.state().desk(fair.network.now_ms).unwrap();
        desk.quote(&fair.an_order(&buyer, "input")).unwrap()
    };
    let before = quoted(&fair);
    for n in 0..unrelated {
        // Void, as most of what strangers say.
        assert!(fair.network.send(&stranger, n, fair.network.now_ms, 1).1.is_some());
    }
    assert_eq!(quoted(&fair), before);
    let (order, fold) = (fair.an_order(&buyer, "input"), fair.network.fold.clone());
    let (job, (index, refused)) = fair.order(&buyer.wallet, &order);
    assert_eq!(refused, None);
    let leaf = leaf_hash(&fair.network.entries[usize::try_from(index).unwrap()]);
    let seed = Hash::of_parts(&[&fold.log_root().0, &leaf.0]);
    let desk = fold.state().desk(fair.network.now_ms).unwrap();
    let mut market = desk.market().clone();
    market.apply_order(job, &order, index, &seed, desk.now());
    assert_eq!(market.job(&job), fair.network.fold.state().market.job(&job), "the seed is all that the log gives");
    let ids = fair.assigned(job);
    assert!(ids.iter().all(|id| before.workers.iter().any(|(device, _)| device == id)));
    ids
}

#[test]
fn what_others_say_in_between_changes_no_assignment_but_through_the_seed() {
    let (fair, ..) = fair(1_000_000);
    let assigned: BTreeSet<_> = (0..12).map(|unrelated| assigned_after(&fair, unrelated)).collect();
    assert!(assigned.len() > 1, "the lottery picks anew");
}
