//! What is taken and what is not, and what it costs.

use super::*;

fn refused(result: &Result<Word, ChainError>) -> &str {
    match result {
        Err(ChainError::Refused { what, .. }) => what,
        other => panic!("was not refused: {other:?}"),
    }
}

#[test]
fn what_a_node_does_not_take_is_refused_by_name_and_changes_nothing() {
    let world = Rehearsal::new(1_000);
    let (rich, poor) = (key(1), key(2));
    world.chain.fund(address_of(&rich), COIN).unwrap();
    world.send(&rich, Call { to: Some([9; 20]), value: 1, data: vec![] });
    let before = (world.hash(), world.chain.head().unwrap());
    let fees = world.chain.fees().unwrap();
    let pay = || Call { to: Some([9; 20]), value: 1, data: vec![] };
    let fine = Transaction { chain_id: CHAIN_ID, nonce: 1, fees, gas_limit: 21_000, call: pay() };
    let of = |fees| Transaction { fees, ..fine.clone() };
    let with_gas = |gas_limit, call| Transaction { gas_limit, call, ..fine.clone() };
    let costly = Call { value: 2_000 * COIN, ..pay() };
    for (name, raw, expected) in [
        ("nothing", vec![], "the bytes end too early"),
        ("too long", vec![2; RAW_BYTES_MAX + 1], "131072 are the most"),
        ("another chain", Transaction { chain_id: 1, ..fine.clone() }.sign(&rich).raw().to_vec(), "it is for chain 1"),
        (
            "a nonce again",
            Transaction { nonce: 0, ..fine.clone() }.sign(&rich).raw().to_vec(),
            "its nonce 0 is too low: the account's next is 1",
        ),
        (
            "a nonce ahead",
            Transaction { nonce: 2, ..fine.clone() }.sign(&rich).raw().to_vec(),
            "its nonce 2 is too high: the account's next is 1",
        ),
        ("no coin", Transaction { nonce: 0, ..fine.clone() }.sign(&poor).raw().to_vec(), "lack of funds"),
        ("too little coin", Transaction { call: costly, ..fine.clone() }.sign(&rich).raw().to_vec(), "lack of funds"),
        (
            "below the base fee",
            of(Fees::Dynamic { max: 6, priority: 0 }).sign(&rich).raw().to_vec(),
            "less than basefee",
        ),
        ("below it, the older form", of(Fees::Legacy { price: 6 }).sign(&rich).raw().to_vec(), "less than basefee"),
        (
            "more for who builds than in all",
            of(Fees::Dynamic { max: 7, priority: 8 }).sign(&rich).raw().to_vec(),
            "priority fee is greater",
        ),
        ("too little gas to begin", with_gas(20_999, pay()).sign(&rich).raw().to_vec(), "exceeds the gas limit"),
        (
            "more gas than a transaction has",
            with_gas(machine::TRANSACTION_GAS_MAX + 1, pay()).sign(&rich).raw().to_vec(),
            "greater than the cap",
        ),
        ("more gas than a block has", with_gas(30_000_001, pay()).sign(&rich).raw().to_vec(), "gas limit"),
        (
            "long creation code",
            with_gas(9_000_000, Call::deploy(vec![0; 49_153])).sign(&rich).raw().to_vec(),
            "initcode size",
        ),
    ] {
        let result = world.chain.send(&raw);
        assert!(refused(&result).contains(expected), "{name}: {result:?}");
        assert_eq!((world.hash(), world.chain.head().unwrap()), before, "{name}");
    }
    world.chain.send(fine.sign(&rich).raw()).unwrap();
}

#[test]
fn what_is_known_is_no_error_and_no_other_block() {
    let world = Rehearsal::new(1_000);
    let signed = world.signed(&key(1), 21_000, Call { to: Some([9; 20]), value: 1, data: vec![] });
    assert_eq!(world.chain.receipt(&signed.hash()), Ok(None));
    for _ in 0..3 {
        assert_eq!(world.chain.send(signed.raw()), Ok(signed.hash()));
    }
    assert_eq!(world.chain.head().unwrap().number, 1);
    assert_eq!(world.chain.balance([9; 20]), Ok(1));
    let world = world.reopened();
    assert_eq!(world.chain.send(signed.raw()), Ok(signed.hash()));
    assert_eq!(world.chain.head().unwrap().number, 1);
}

#[test]
fn coin_goes_where_the_receipt_says() {
    let world = Rehearsal::new(1_000);
    let (rich, to) = (key(1), [9; 20]);
    let balance = |account| world.chain.balance(account).unwrap();
    for (fees, gas_price) in [
        (Fees::Dynamic { max: 100, priority: 3 }, 10),
        (Fees::Dynamic { max: 9, priority: 9 }, 9),
        (Fees::Dynamic { max: 7, priority: 0 }, 7),
        (Fees::Legacy { price: 50 }, 50),
    ] {
        let before = (balance(address_of(&rich)), balance(to));
        let nonce = world.chain.nonce(address_of(&rich)).unwrap();
        let call = Call { to: Some(to), value: 5, data: vec![] };
        let signed = Transaction { chain_id: CHAIN_ID, nonce, fees, gas_limit: 40_000, call }.sign(&rich);
        let hash = world.chain.send(signed.raw()).unwrap();
        let receipt = world.chain.receipt(&hash).unwrap().unwrap();
        assert_eq!((receipt.gas_price, receipt.gas_used, receipt.succeeded), (gas_price, 21_000, true), "{fees:?}");
        assert_eq!(before.0 - balance(address_of(&rich)), 5 + 21_000 * gas_price, "{fees:?}");
        assert_eq!(balance(to) - before.1, 5);
    }
    assert_eq!(world.chain.fund([8; 20], u128::MAX).unwrap().number, 5);
    world.chain.fund([8; 20], 1).unwrap();
    assert_eq!(balance([8; 20]), u128::MAX, "the largest number where it is more");
}

#[test]
fn what_fails_is_in_a_block_costs_its_gas_and_does_nothing_else() {
    let world = Rehearsal::new(1_000);
    let rich = key(1);
    let refuser = world.deploy(&rich, &REFUSER);
    assert!(world.chain.has_code(refuser).unwrap() && !world.chain.has_code([9; 20]).unwrap());
    let call = Call { to: Some(refuser), value: 0, data: vec![1] };
    let no = ChainError::Reverted { reason: "without a reason".to_owned() };
    assert_eq!(world.try_send(&rich, call.clone()).unwrap_err(), no);
    assert_eq!(world.chain.call([1; 20], &call, At::Latest), Err(no));
    let before = world.chain.balance(address_of(&rich)).unwrap();
    let failed = world.send_with(&rich, 50_000, Call { value: COIN, ..call }).unwrap();
    assert!(!failed.succeeded && failed.logs.is_empty() && failed.created.is_none() && failed.gas_used > 21_000);
    let paid = u128::from(failed.gas_used) * failed.gas_price;
    assert_eq!(world.chain.balance(address_of(&rich)).unwrap(), before - paid);
    // Code of 24,577 bytes is one too many (EIP-170); that takes 24,577 bytes of memory and all the gas.
    let large = Call::deploy(vec![0x61, 0x60, 0x01, 0x5f, 0xf3]);
    assert!(matches!(world.chain.estimate(address_of(&rich), &large), Err(ChainError::Reverted { .. })));
    let failed = world.send_with(&rich, 9_000_000, large).unwrap();
    assert!(!failed.succeeded && failed.created.is_none() && failed.gas_used == 9_000_000);
}

#[test]
fn a_contract_may_be_asked_by_anybody_about_now() {
    let world = Rehearsal::new(1_000);
    let teller = world.deploy(&key(1), &TELLER);
    let ask = || world.chain.call(teller, &Call::to(teller, vec![]), At::Latest).unwrap();
    world.pass(100);
    assert_eq!(ask(), cairn_settle::abi::uint_word(START_S + 100), "the present time, not that of the last block");
    world.chain.fund([9; 20], 1).unwrap();
    world.time_s.store(5, Ordering::Relaxed);
    assert_eq!(ask(), cairn_settle::abi::uint_word(START_S + 100), "time does not fall");
    assert_eq!(world.chain.fund([9; 20], 1).unwrap().time_s, START_S + 100);
    let head = world.chain.head().unwrap().number;
    let at = |number| world.chain.call([1; 20], &Call::to(teller, vec![]), At::Block(number));
    assert_eq!(at(head), Ok(ask()));
    for number in [0, head - 1, head + 1, u64::MAX] {
        let chain = "chain".to_owned();
        assert_eq!(at(number), Err(ChainError::Past { chain, block: number, last: head }));
    }
}

#[test]
fn gas_that_is_estimated_is_enough_and_what_is_used_is_not_always() {
    // Without data it goes round ten thousand times; with data it calls itself without, and fails where that fails: a call
    // keeps a 64th of the gas back, which here is more than what is left over.
    let rounds = [
        0x36, 0x15, 0x60, 21, 0x57, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x30, 0x5a, 0xf1, 0x60, 19, 0x57, 0x5f, 0x5f, 0xfd,
        0x5b, 0x00, 0x5b, 0x61, 0x27, 0x10, 0x5b, 0x60, 1, 0x90, 0x03, 0x80, 0x60, 25, 0x57, 0x00,
    ];
    let rich = key(1);
    let world = || {
        let world = Rehearsal::new(1_000);
        let (rounds, keeper) = (world.deploy(&rich, &rounds), world.deploy(&rich, &KEEPER));
        world.send(&rich, Call::to(keeper, vec![1]));
        (world, Call::to(rounds, vec![1]), Call::to(keeper, vec![]))
    };
    // Clearing a slot pays gas back, after it was needed.
    for (name, is_refund) in [("a call in a call", false), ("a refund", true)] {
        let choose = |(world, call, refund): (Rehearsal, Call, Call)| (world, if is_refund { refund } else { call });
        let (first, call) = choose(world());
        let limit = first.chain.estimate(address_of(&rich), &call).unwrap();
        let receipt = first.send_with(&rich, limit, call.clone()).unwrap();
        assert!(receipt.succeeded && receipt.gas_used < limit, "{name}: {limit}, {receipt:?}");
        let (second, call) = choose(world());
        assert!(!second.send_with(&rich, receipt.gas_used, call).unwrap().succeeded, "{name}: what is used is enough");
        let (third, call) = choose(world());
        assert!(
            !third.send_with(&rich, limit - limit / 64 - 1, call).unwrap().succeeded,
            "{name}: {limit} is too much"
        );
    }
}

#[test]
fn events_are_found_by_contract_and_kind_in_any_range() {
    let world = Rehearsal::new(4);
    let rich = key(1);
    let (one, two) = (world.deploy(&rich, &KEEPER), world.deploy(&rich, &KEEPER));
    let mut all = Vec::new();
    for number in 3..15 {
        let to = if number % 3 == 0 { one } else { two };
        let receipt = world.send(&rich, Call::to(to, vec![0; number]));
        assert_eq!((receipt.block, receipt.logs.len()), (number as u64, 1));
        all.extend(receipt.logs);
    }
    let check = |world: &Rehearsal| {
        for (from, to) in [(0, u64::MAX), (0, 2), (3, 3), (5, 9), (9, 5), (14, 14), (15, 20)] {
            for address in [one, two, [9; 20]] {
                let within = |log: &&Logged| log.address == address && (from..=to).contains(&log.block);
                let expected: Vec<Logged> = all.iter().filter(within).cloned().collect();
                let filter = LogFilter { address, topic: kind_7(), from, to };
                assert_eq!(world.chain.logs(&filter).unwrap(), expected, "{from}..={to}");
                // A kind that shares its bit with ours is not taken for it.
                let same_bit = [&[64][..], &kind_7()[1..]].concat().try_into().unwrap();
                assert_eq!(world.chain.logs(&LogFilter { topic: same_bit, ..filter }), Ok(vec![]));
            }
        }
    };
    check(&world);
    check(&world.reopened());
}
