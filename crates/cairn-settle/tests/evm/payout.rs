//! What is paid: once, to whom the log names, and no more than is proven.

use cairn_core::Hash;
use cairn_merkle::{ClaimLeaf, ClaimTree};
use cairn_settle::abi::{Arguments, address_word, uint_word};
use cairn_settle::{Contract, EpochMessage, SettlementRow, calls};

use crate::chain::{FORKS, for_tests};
use crate::world::{
    BREAKER_LIMIT, BREAKER_WINDOW_S, CAP, GUARDIAN, HALVED_FROM, ONE, PER_EPOCH, WINDOW_S, World, payout_arguments,
    person,
};

#[test]
fn what_the_log_grants_is_paid_once_to_whom_it_names() {
    let mut world = World::new();
    let zero = world.epoch(0, &[(person(1), 500), (person(2), 300), (person(3), 7)]);
    assert_eq!(world.call_payout(zero.claim(0)).unwrap_err(), "NotOpen");
    world.post(&zero.message).unwrap();
    assert_eq!(world.call_payout(zero.open()).unwrap_err(), "NothingFinal");
    world.chain.pass(WINDOW_S);
    world.call_payout(zero.open()).unwrap();
    assert_eq!(world.call_payout(zero.open()).unwrap_err(), "NothingToDo");
    assert_eq!(world.supply(), 807);
    world.call_payout(zero.claim(0)).unwrap();
    assert_eq!(world.call_payout(zero.claim(0)).unwrap_err(), "NothingDue");
    // The account's own call and anybody's pay the same, to the same.
    let own = Arguments::new().uint(0u64).uint(300u64).words(zero.tree.proof(1).unwrap());
    let own = own.call("claim(uint64,uint256,bytes32[])");
    assert_eq!(world.chain.send(person(9), world.payout, own.clone()).unwrap_err(), "NotProven", "another's claim");
    world.chain.send(person(2), world.payout, own).unwrap();
    let one = world.epoch(1, &[(person(1), 650), (person(2), 300), (person(3), 7)]);
    world.settle(&one);
    assert_eq!(world.call_payout(one.claim(1)).unwrap_err(), "NothingDue", "nothing more since epoch 0");
    world.call_payout(one.claim(0)).unwrap();
    world.call_payout(zero.claim(2)).expect("an older open epoch pays what it proves");
    assert_eq!(world.call_payout(one.claim(2)).unwrap_err(), "NothingDue");
    assert_eq!(world.call_payout(zero.claim(0)).unwrap_err(), "NothingDue");
    assert_eq!([1, 2, 3].map(|i| world.balance(person(i))), [650, 300, 7]);
    assert_eq!(world.balance(world.payout), 0);
}

#[test]
fn every_claim_of_a_tree_of_any_shape_is_paid_and_no_inner_node_is() {
    for count in [1usize, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33] {
        let mut world = World::new();
        let claims: Vec<_> = (0..count as u32).map(|i| (person(i), ONE * u128::from(i + 1))).collect();
        let epoch = world.epoch(0, &claims);
        world.settle(&epoch);
        for place in 0..count {
            // A node one level up, its proof one shorter: its preimage would have to be an account and a sum.
            let proof = epoch.tree.proof(place).unwrap();
            if let Some((sibling, above)) = proof.split_first() {
                let leaf = epoch.leaves[place].hash();
                for (account, sum) in [(leaf, *sibling), (*sibling, leaf)] {
                    let forged = ClaimLeaf { account, ..epoch.leaves[place] };
                    let data = Arguments::new().address(calls::account_of(&forged)).uint(0u8).word(sum);
                    let data = data.words(above.iter().copied()).call(calls::signature::CLAIM_FOR);
                    assert_eq!(world.call_payout(data).unwrap_err(), "NotProven");
                }
                let short = calls::claim_for(0, &epoch.leaves[place], &proof[..proof.len() - 1]);
                assert_eq!(world.call_payout(short).unwrap_err(), "NotProven");
            }
            let long = calls::claim_for(0, &epoch.leaves[place], &[&proof[..], &[[0; 32]]].concat());
            assert_eq!(world.call_payout(long).unwrap_err(), "NotProven");
            let more = ClaimLeaf { cumulative: epoch.leaves[place].cumulative + 1, ..epoch.leaves[place] };
            assert_eq!(world.call_payout(calls::claim_for(0, &more, &proof)).unwrap_err(), "NotProven");
            if place % 2 == 0 {
                world.call_payout(epoch.claim(place)).unwrap();
            }
        }
        world.call_payout(epoch.push_all()).unwrap();
        for (account, sum) in claims {
            assert_eq!(world.balance(account), sum, "{count}");
        }
    }
}

#[test]
fn a_row_or_a_claim_holds_for_one_contract_of_one_chain() {
    let mut world = World::new();
    let right = world.epoch(0, &[(person(1), 500)]);
    let wrong = [
        ("another chain", SettlementRow { domain: uint_word(1u8), ..right.row }),
        ("another contract", SettlementRow { distributor: address_word(person(5)), ..right.row }),
        ("an address not padded with zeros", SettlementRow { distributor: [0xff; 32], ..right.row }),
    ];
    for (number, (what, row)) in (0..).zip(wrong) {
        let epoch = world.epoch_of(number, right.leaves.clone(), right.tree.clone(), &[row]);
        world.post(&epoch.message).unwrap();
        world.chain.pass(WINDOW_S);
        assert_eq!(world.call_payout(epoch.open()).unwrap_err(), "NotProven", "{what}");
    }
    // A row that proves a tree whose claims are for others opens, and pays nobody.
    for (number, leaf) in (3..).zip([
        ClaimLeaf { domain: uint_word(1u8), ..right.leaves[0] },
        ClaimLeaf { distributor: address_word(person(5)), ..right.leaves[0] },
        ClaimLeaf { account: [0xee; 32], ..right.leaves[0] },
    ]) {
        let tree = ClaimTree::new(&[leaf]).unwrap();
        let row = SettlementRow { claim_root: tree.root(), ..right.row };
        let epoch = world.epoch_of(number, vec![leaf], tree, &[row]);
        world.settle(&epoch);
        assert_eq!(world.call_payout(epoch.claim(0)).unwrap_err(), "NotProven");
    }
    assert_eq!(world.balance(person(1)), 0);
}

#[test]
fn a_root_of_zeros_opens_nothing_that_can_be_claimed() {
    let mut world = World::new();
    let tree = ClaimTree::new(&[]).unwrap();
    let row =
        SettlementRow { claim_root: tree.root(), leaves: 0, cumulative: 0, ..world.epoch(0, &[(person(1), 1)]).row };
    let empty = world.epoch_of(0, vec![], tree, &[row]);
    world.settle(&empty);
    let leaf = world.leaf(person(1), 1);
    assert_eq!(world.call_payout(calls::claim_for(0, &leaf, &[])).unwrap_err(), "NotOpen");
    let nobody = Arguments::new().uint(0u8).words([]).words([]).words([[0; 32]]).words([]);
    assert_eq!(world.call_payout(nobody.call(calls::signature::PAY_MANY)).unwrap_err(), "NotOpen");
}

#[test]
fn no_more_is_paid_than_the_row_states_whatever_the_tree_says() {
    let mut world = World::new();
    let greedy = world.epoch(0, &[(person(1), 600), (person(2), 600)]);
    let row = SettlementRow { cumulative: 1_000, ..greedy.row };
    let epoch = world.epoch_of(0, greedy.leaves, greedy.tree, &[row]);
    world.settle(&epoch);
    world.call_payout(epoch.claim(0)).unwrap();
    world.call_payout(epoch.claim(1)).unwrap();
    assert_eq!((world.balance(person(1)), world.balance(person(2))), (600, 400));
    assert_eq!(world.call_payout(epoch.claim(1)).unwrap_err(), "NothingDue");
    // A claim past 128 bits is only ever paid what there is.
    let leaf = world.leaf(person(3), u128::MAX);
    let tree = ClaimTree::new(&[leaf]).unwrap();
    let row = SettlementRow { claim_root: tree.root(), cumulative: 1_003, ..row };
    let huge = world.epoch_of(1, vec![leaf], tree, &[row]);
    world.settle(&huge);
    world.call_payout(huge.claim(0)).unwrap();
    assert_eq!(world.balance(person(3)), 3);
}

#[test]
fn what_the_emission_table_does_not_allow_cannot_be_opened_whoever_signed() {
    let mut world = World::new();
    let over = world.epoch(0, &[(person(1), PER_EPOCH + 1)]);
    world.post(&over.message).unwrap();
    world.chain.pass(WINDOW_S);
    assert_eq!(world.call_payout(over.open()).unwrap_err(), "BeyondEmission");
    let mut emitted = PER_EPOCH;
    for number in 1..=HALVED_FROM + 12 {
        emitted += if number < HALVED_FROM { PER_EPOCH } else { PER_EPOCH / 2 };
        let allowed = emitted.min(CAP);
        let over = world.epoch(number, &[(person(1), allowed + 1)]);
        world.post(&over.message).unwrap();
        world.chain.pass(WINDOW_S);
        assert_eq!(world.call_payout(over.open()).unwrap_err(), "BeyondEmission", "{number}");
        if number % 3 == 0 {
            let revision = 1;
            let fits = world.epoch(number, &[(person(1), allowed)]);
            world.post(&EpochMessage { revision, ..fits.message.clone() }).unwrap();
            world.chain.pass(WINDOW_S);
            world.call_payout(fits.open()).unwrap();
            assert_eq!(world.supply(), allowed);
        }
    }
    assert_eq!(emitted, CAP + 1_500_000 * ONE, "the cap is reached before the end");
    assert_eq!(world.supply(), CAP);
}

#[test]
fn the_breaker_lets_no_more_through_than_its_limit_and_pays_the_rest_as_it_recovers() {
    let mut world = World::new();
    for number in 0..9 {
        world.settle(&world.epoch(number, &[(person(1), PER_EPOCH * u128::from(number + 1))]));
    }
    let total = 9 * PER_EPOCH;
    let last = world.epoch(8, &[(person(1), total)]);
    assert!(total > 2 * BREAKER_LIMIT);
    let pushed = world.call_payout(last.push_all()).unwrap();
    assert_eq!(pushed.output[31], 0, "only whole increases are pushed");
    world.call_payout(last.claim(0)).unwrap();
    assert_eq!(world.balance(person(1)), BREAKER_LIMIT);
    assert_eq!(world.call_payout(last.claim(0)).unwrap_err(), "NothingDue", "not now");
    world.chain.pass(BREAKER_WINDOW_S / 4);
    world.call_payout(last.claim(0)).unwrap();
    assert_eq!(world.balance(person(1)), BREAKER_LIMIT + BREAKER_LIMIT / 4);
    world.chain.pass(10 * BREAKER_WINDOW_S);
    world.call_payout(last.claim(0)).unwrap();
    assert_eq!(world.balance(person(1)), 2 * BREAKER_LIMIT + BREAKER_LIMIT / 4, "never more than the limit at once");
    world.chain.pass(BREAKER_WINDOW_S);
    world.call_payout(last.claim(0)).unwrap();
    assert_eq!(world.balance(person(1)), total);
}

#[test]
fn the_guardian_stops_and_only_the_timelock_lets_go() {
    let mut world = World::new();
    let epoch = world.epoch(0, &[(person(1), 5 * ONE)]);
    world.settle(&epoch);
    let call = |name: &str| Arguments::new().call(name);
    assert_eq!(world.call_payout(call("pause()")).unwrap_err(), "NotGuardian");
    world.chain.send(GUARDIAN, world.payout, call("pause()")).unwrap();
    assert_eq!(world.call_payout(epoch.claim(0)).unwrap_err(), "IsPaused");
    assert_eq!(world.call_payout(epoch.push_all()).unwrap_err(), "IsPaused");
    assert_eq!(world.chain.send(GUARDIAN, world.payout, call("unpause()")).unwrap_err(), "NotTimelock");
    let payout = world.payout;
    world.by_timelock(payout, &call("unpause()")).unwrap();
    world.call_payout(epoch.claim(0)).unwrap();
    let name = Arguments::new().address(person(5)).call("setGuardian(address)");
    assert_eq!(world.chain.send(GUARDIAN, world.payout, name.clone()).unwrap_err(), "NotTimelock");
    world.by_timelock(payout, &name).unwrap();
    assert_eq!(world.chain.send(GUARDIAN, world.payout, call("pause()")).unwrap_err(), "NotGuardian");
    world.chain.send(person(5), world.payout, call("pause()")).unwrap();
}

#[test]
fn a_correction_closes_what_it_corrects_and_what_was_paid_too_much_is_made_up_for_first() {
    let mut world = World::new();
    let wrong = world.epoch(0, &[(person(1), 900), (person(2), 300)]);
    world.settle(&wrong);
    world.call_payout(wrong.claim(0)).unwrap();
    let retract = || Arguments::new().call("retract()");
    assert_eq!(world.call_payout(retract()).unwrap_err(), "NothingToDo", "nothing is being corrected");
    let right = world.epoch(0, &[(person(1), 100), (person(2), 500)]);
    let message = EpochMessage { revision: 1, statement_hash: Hash([3; 32]), ..right.message.clone() };
    world.post(&message).unwrap();
    world.call_payout(retract()).unwrap();
    assert_eq!(world.call_payout(wrong.claim(1)).unwrap_err(), "NotOpen");
    assert_eq!(world.call_payout(retract()).unwrap_err(), "NothingToDo");
    assert_eq!(world.call_payout(wrong.open()).unwrap_err(), "NothingFinal");
    world.chain.pass(WINDOW_S);
    world.call_payout(right.open()).unwrap();
    // 600 were granted and 900 are paid: nobody is paid until the total has passed that.
    assert_eq!(world.call_payout(right.claim(1)).unwrap_err(), "NothingDue");
    let next = world.epoch(1, &[(person(1), 150), (person(2), 900)]);
    let message = EpochMessage { previous: Hash([3; 32]), ..next.message.clone() };
    world.post(&message).unwrap();
    world.chain.pass(WINDOW_S);
    world.call_payout(next.open()).unwrap();
    assert_eq!(world.call_payout(next.claim(0)).unwrap_err(), "NothingDue", "paid 900 and granted 150");
    world.call_payout(next.claim(1)).unwrap();
    assert_eq!(world.balance(person(2)), 150, "1050 granted in all, of which 900 went to another");
    assert!(world.supply() <= 1_200, "nothing is minted twice");
}

#[test]
fn a_token_that_calls_back_is_paid_no_more_than_one_that_does_not() {
    for (fork, spec) in FORKS {
        let mut world = World::on(spec, 31_337);
        let payout = world.chain.address_after(1);
        let arguments = Arguments::new().address(payout).address(world.settlement);
        let token = world.chain.deploy(&for_tests("CallingToken"), &arguments);
        let terms = payout_arguments(world.settlement, token, world.timelock);
        world.chain.deploy(&Contract::Payout.artifact(), &terms);
        world.payout = payout;
        let epoch = world.epoch(0, &[(person(1), 5 * ONE), (person(2), 3 * ONE), (payout, ONE)]);
        world.settle(&epoch);
        world.call_payout(epoch.claim(2)).unwrap();
        let arm = |data: &[u8]| Arguments::new().address(payout).bytes(data).call("arm(address,bytes)");
        for (data, again) in [(epoch.claim(0), epoch.claim(0)), (epoch.push_all(), epoch.push_all())] {
            world.chain.send(person(5), token, arm(&again)).unwrap();
            world.call_payout(data).unwrap();
        }
        let balance =
            |world: &mut World, i| world.chain.number(token, "balanceOf(address)", Arguments::new().address(person(i)));
        assert_eq!((balance(&mut world, 1), balance(&mut world, 2)), (5 * ONE, 3 * ONE), "{fork}");
    }
}

#[test]
fn contracts_that_do_not_know_each_other_are_not_deployed() {
    let mut world = World::new();
    let terms = payout_arguments(world.settlement, world.token, world.timelock);
    let refused = world.chain.try_deploy(&Contract::Payout.artifact(), &terms).unwrap_err();
    assert_eq!(refused, "BadTerms", "the token mints for another");
}
