//! What an outbox says, and the way out that it names.

use std::time::Duration;

use cairn_chain::outbox::Options;
use cairn_chain::{Call, Chain, Fees, Outbox, SignedTransaction};
use cairn_core::wallet::WalletKey;

use crate::world::{CONTRACT, Faults, World};

/// A chain on which no block comes.
const STANDS: Faults = Faults { mine: 0, ..Faults::NONE };

fn call(data: &[u8]) -> Call {
    Call::to(CONTRACT, data.to_vec())
}

#[test]
fn while_something_is_under_way_nothing_else_is_begun() {
    let world = World::new(1, STANDS, 1);
    let outbox = world.outbox().unwrap();
    assert_eq!(outbox.execute("one", &call(b"1")).unwrap_err().code(), "STL-WAITING");
    assert_eq!(outbox.under_way().unwrap().as_deref(), Some("one"));
    for (purpose, data) in [("two", b"2"), ("one", b"2"), ("two", b"1")] {
        assert_eq!(outbox.execute(purpose, &call(data)).unwrap_err().code(), "STL-UNDER-WAY");
    }
    world.state().faults = Faults::NONE;
    assert!(outbox.execute("one", &call(b"1")).unwrap().succeeded, "asked for again it is finished");
    assert_eq!(outbox.resume().unwrap(), None);
    assert!(outbox.execute("two", &call(b"2")).unwrap().succeeded);
    assert_eq!(world.state().effects().values().sum::<u64>(), 2);
}

#[test]
fn what_is_not_mined_is_replaced_by_what_pays_an_eighth_more_until_that_is_too_much() {
    let world = World::new(1, STANDS, 0);
    world.state().base_fee = 5_000;
    let outbox = world.outbox().unwrap();
    for _ in 0..10 {
        assert_eq!(outbox.execute("one", &call(b"1")).unwrap_err().code(), "STL-WAITING");
    }
    let document: String = world.state().document("pending.json").unwrap();
    let raws: Vec<Vec<u8>> = document
        .split('"')
        .filter_map(|text| data_encoding::HEXLOWER.decode(text.strip_prefix("0x")?.as_bytes()).ok())
        .collect();
    let variants: Vec<_> = raws.iter().map(|raw| SignedTransaction::decode(raw).unwrap()).collect();
    assert!(variants.len() > 20, "{}", variants.len());
    for pair in variants.windows(2) {
        let [old, new] = [0, 1].map(|i| pair[i].transaction());
        assert_eq!((old.nonce, &old.call, old.gas_limit), (new.nonce, &new.call, new.gas_limit));
        let (Fees::Dynamic { max, priority }, Fees::Dynamic { max: new_max, priority: new_priority }) =
            (old.fees, new.fees)
        else {
            panic!("the kind of fees stays")
        };
        assert!(new_max >= max + max / 8 && new_priority >= priority + priority / 8);
    }
    let Fees::Dynamic { max, .. } = variants.last().unwrap().transaction().fees else { unreachable!() };
    assert!(max <= 1_000_000 && max + max / 8 + 1 > 1_000_000, "up to what is allowed: {max}");

    // Any of them may be the one.
    let chosen = variants[3].clone();
    let mut state = world.state();
    state.pool.retain(|one| one.hash() == chosen.hash());
    state.faults = Faults { drop: 1_000, ..Faults::NONE };
    drop(state);
    assert_eq!(outbox.resume().unwrap().unwrap().1.transaction, chosen.hash());
}

#[test]
fn a_nonce_that_somebody_else_used_is_told_and_nothing_is_lost() {
    let world = World::new(1, STANDS, 2);
    let outbox = world.outbox().unwrap();
    assert_eq!(outbox.execute("one", &call(b"1")).unwrap_err().code(), "STL-WAITING");
    world.foreign();
    world.state().faults = Faults::NONE;
    let error = outbox.resume().unwrap_err();
    assert_eq!(error.code(), "STL-NONCE");
    assert!(error.to_string().contains("`one` did not happen") && error.hint().contains("another program"), "{error}");
    assert!(world.state().document("displaced.json").is_some_and(|kept| kept.contains("\"one\"")));
    assert_eq!(outbox.resume().unwrap(), None);
    assert!(outbox.execute("one", &call(b"1")).unwrap().succeeded);
    assert_eq!(world.state().effects().values().sum::<u64>(), 1);
}

#[test]
fn a_transaction_that_failed_is_told_with_its_reason_and_may_be_done_again() {
    let world = World::new(1, Faults { fail: 1_000, ..Faults::NONE }, 2);
    let outbox = world.outbox().unwrap();
    let error = outbox.execute("one", &call(b"1")).unwrap_err();
    assert_eq!(error.code(), "STL-FAILED");
    let text = error.to_string();
    assert!(text.contains("`one` failed in transaction 0x") && text.ends_with("Simulated"), "{text}");
    assert_eq!(outbox.under_way().unwrap(), None);
    world.state().faults = Faults::NONE;
    assert!(outbox.execute("one", &call(b"1")).unwrap().succeeded);
}

#[test]
fn what_no_node_takes_is_told_at_once_and_can_be_cancelled() {
    let world = World::new(1, Faults { refuse: 1_000, ..STANDS }, 1);
    let outbox = world.outbox().unwrap();
    assert_eq!(outbox.cancel().unwrap(), None, "nothing is under way");
    for _ in 0..2 {
        assert_eq!(outbox.execute("one", &call(b"1")).unwrap_err().code(), "STL-REFUSED");
    }
    assert_eq!(world.state().now_ms, 0, "nobody waited");
    world.state().faults = Faults::NONE;
    assert_eq!(outbox.cancel().unwrap(), None);
    assert!(world.state().effects().is_empty());
    assert_eq!(outbox.under_way().unwrap(), None);
    assert!(outbox.execute("one", &call(b"1")).unwrap().succeeded, "it was not done, so it may be");
}

#[test]
fn what_was_quicker_than_its_cancelling_is_done() {
    let world = World::new(1, STANDS, 1);
    let outbox = world.outbox().unwrap();
    assert_eq!(outbox.execute("one", &call(b"1")).unwrap_err().code(), "STL-WAITING");
    world.state().faults = Faults { drop: 1_000, ..Faults::NONE };
    let (purpose, receipt) = outbox.cancel().unwrap().unwrap();
    assert!(purpose == "one" && receipt.succeeded);
}

#[test]
fn what_was_done_last_is_not_done_again_and_what_the_chain_does_not_know_is_told() {
    let world = World::new(1, Faults::NONE, 2);
    let outbox = world.outbox().unwrap();
    let receipt = outbox.execute("one", &call(b"1")).unwrap();
    assert_eq!(outbox.execute("one", &call(b"1")).unwrap(), receipt);
    assert_eq!(world.state().effects().values().sum::<u64>(), 1);
    assert!(outbox.execute("two", &call(b"1")).unwrap().succeeded, "another purpose is another effect");
    drop(outbox);

    let kept = world.state().document("ended.json").unwrap();
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("ended.json"), &kept).unwrap();
    let behind = World::new(2, Faults::NONE, 2);
    let outbox = Outbox::open(place.path(), &*behind, behind.key.clone(), behind.options()).unwrap();
    for purpose in ["two", "three"] {
        assert_eq!(outbox.execute(purpose, &call(b"1")).unwrap_err().code(), "STL-BEHIND", "{purpose}");
    }
    drop(outbox);
    let stranger = WalletKey::from_bytes([9; 32]).unwrap();
    let Err(error) = Outbox::open(place.path(), &*behind, stranger, behind.options()) else {
        panic!("another's folder")
    };
    assert_eq!(error.code(), "STL-BROKEN");
}

#[test]
fn gas_that_costs_more_than_is_allowed_is_not_paid() {
    let world = World::new(1, Faults::NONE, 0);
    let place = tempfile::tempdir().unwrap();
    let options = Options { max_fee_wei: 109, ..world.options() };
    let outbox = Outbox::open(place.path(), &*world, world.key.clone(), options).unwrap();
    let error = outbox.execute("one", &call(b"1")).unwrap_err();
    assert_eq!(error.code(), "STL-FEES");
    assert!(error.to_string().contains("costs 110 wei, and 109 are allowed"), "{error}");
    assert_eq!((outbox.under_way().unwrap(), world.nonce(world.account).unwrap()), (None, 0));
}

#[test]
fn over_a_real_folder_a_beginning_takes_up_what_the_last_one_left() {
    let place = tempfile::tempdir().unwrap();
    let world = World::new(1, STANDS, 0);
    let begin = || {
        let options = Options { poll: Duration::from_millis(1), give_up: Duration::ZERO, ..world.options() };
        Outbox::open(place.path(), &*world, world.key.clone(), options).unwrap()
    };
    // The simulated chain's `send` holds what is handed over to its simulated disk, so the first word is put there too.
    let document = {
        let simulated = world.outbox().unwrap();
        assert_eq!(simulated.execute("one", &call(b"1")).unwrap_err().code(), "STL-WAITING");
        world.state().document("pending.json").unwrap()
    };
    std::fs::write(place.path().join("pending.json"), &document).unwrap();
    assert_eq!(begin().resume().unwrap_err().code(), "STL-WAITING");
    world.state().faults = Faults::NONE;
    world.pass(Duration::from_secs(1));
    // Receipts may come late; then the waiting, which has no time here, ends, and the next beginning goes on with it.
    let finished = (0..20).find_map(|_| match begin().resume() {
        Ok(finished) => Some(finished),
        Err(error) => {
            assert_eq!(error.code(), "STL-WAITING", "{error}");
            None
        }
    });
    assert_eq!(finished.unwrap().unwrap().0, "one");
    assert_eq!(begin().resume().unwrap(), None);
}
