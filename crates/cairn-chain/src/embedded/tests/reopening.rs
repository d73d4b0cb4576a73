//! What is there when the chain is opened again.

use proptest::prelude::*;

use super::*;

/// What somebody does.
#[derive(Debug, Clone)]
enum Move {
    Fund(u8, u128),
    Pay(u8, u128),
    Keep(usize),
    Witness,
    Fail,
    Deploy,
    Pass(u64),
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        (any::<u8>(), any::<u128>()).prop_map(|(to, wei)| Move::Fund(to, wei)),
        (any::<u8>(), 0..COIN).prop_map(|(to, wei)| Move::Pay(to, wei)),
        (0_usize..3).prop_map(Move::Keep),
        Just(Move::Witness),
        Just(Move::Fail),
        Just(Move::Deploy),
        (0_u64..100).prop_map(Move::Pass),
    ]
}

/// The contracts that are called, deployed by the first three transactions.
fn begin(world: &Rehearsal) -> [EvmAddress; 3] {
    [&KEEPER[..], &WITNESS, &REFUSER].map(|code| world.deploy(&key(1), code))
}

fn play(world: &Rehearsal, contracts: [EvmAddress; 3], step: &Move) {
    let rich = key(1);
    let [keeper, witness, refuser] = contracts;
    match step {
        Move::Fund(to, wei) => drop(world.chain.fund([*to; 20], *wei).unwrap()),
        Move::Pay(to, wei) => drop(world.send(&rich, Call { to: Some([*to; 20]), value: *wei, data: vec![] })),
        Move::Keep(bytes) => drop(world.send(&rich, Call::to(keeper, vec![0; *bytes]))),
        Move::Witness => drop(world.send(&rich, Call::to(witness, vec![]))),
        Move::Fail => drop(world.send_with(&rich, 40_000, Call::to(refuser, vec![])).unwrap()),
        Move::Deploy => drop(world.deploy(&rich, &KEEPER)),
        Move::Pass(seconds) => world.pass(*seconds),
    }
}

/// All that is told of every block.
fn told(world: &Rehearsal) -> Vec<(Block, Option<Receipt>)> {
    let chain = &world.chain;
    let one = |number| {
        let block = chain.block(number).unwrap().unwrap();
        let transaction = chain.state().record(number).unwrap().transaction();
        (block, transaction.and_then(|hash| chain.receipt(&hash).unwrap()))
    };
    (0..=chain.head().unwrap().number).map(one).collect()
}

proptest! {
    #[test]
    fn opened_again_with_or_without_its_snapshot_it_is_the_chain_that_never_stopped(
        moves in prop::collection::vec(any_move(), 0..25), every in 1_u64..9, stops in prop::collection::vec(0_usize..25, 0..3),
    ) {
        let (steady, mut stopped) = (Rehearsal::new(1_000_000), Rehearsal::new(every));
        let contracts = begin(&steady);
        prop_assert_eq!(begin(&stopped), contracts);
        for (place, step) in moves.iter().enumerate() {
            play(&steady, contracts, step);
            if stops.contains(&place) {
                let now_s = stopped.time_s.load(Ordering::Relaxed);
                stopped = stopped.reopened();
                stopped.time_s.store(now_s, Ordering::Relaxed);
            }
            play(&stopped, contracts, step);
        }
        let expected = (steady.hash(), told(&steady));
        prop_assert_eq!(&(stopped.hash(), told(&stopped)), &expected);
        let with = stopped.reopened();
        prop_assert_eq!(&(with.hash(), told(&with)), &expected);
        let _ = with.disk.remove("state");
        let without = with.reopened();
        prop_assert_eq!(&(without.hash(), told(&without)), &expected);
    }
}

#[test]
fn hashes_of_blocks_are_known_as_far_back_as_ever_after_a_snapshot() {
    // A contract that stores the hash of the block 250 before.
    let long_ago = [0x60, 250, 0x43, 0x03, 0x40, 0x5f, 0x55, 0x00];
    let [steady, stopped] = [1_000_000, 300].map(|every| {
        let world = Rehearsal::new(every);
        let contract = world.deploy(&key(1), &long_ago);
        for _ in 0..310 {
            world.chain.fund([9; 20], 1).unwrap();
        }
        (world, contract)
    });
    let stopped = (stopped.0.reopened(), stopped.1);
    let [kept, again] = [steady, stopped].map(|(world, contract)| {
        world.send(&key(1), Call::to(contract, vec![]));
        let number = world.chain.head().unwrap().number - 250;
        let hash = world.chain.block(number).unwrap().unwrap().hash;
        let key = revm::primitives::U256::ZERO;
        let stored = revm::DatabaseRef::storage_ref(&world.chain.state().world, contract.into(), key).unwrap();
        assert_eq!(stored.to_be_bytes(), hash);
        world.hash()
    });
    assert_eq!(kept, again);
}

#[test]
fn a_snapshot_that_is_not_this_chains_is_as_good_as_none() {
    let chain = |extra: u128| {
        let world = Rehearsal::new(4);
        let contracts = begin(&world);
        world.chain.fund([9; 20], extra).unwrap();
        (0..3).for_each(|bytes| play(&world, contracts, &Move::Keep(bytes)));
        world
    };
    let (world, other) = (chain(1), chain(2));
    let (expected, blocks) = (world.hash(), world.chain.head().unwrap().number);
    let read = |world: &Rehearsal| world.disk.files().into_iter().find(|(name, _)| name == "state").unwrap().1;
    let (own, others) = (read(&world), read(&other));
    let nothing = snapshot::Snapshot { world: world::World::default(), ..world.chain.state().snapshot() };
    let early = world.chain.block(2).unwrap().unwrap().hash;
    let early = snapshot::Snapshot { number: 2, hash: early, ..nothing };
    drop(world.chain);
    let reopen = |state: &[u8]| {
        let disk = world.disk.twin(1);
        disk.kill(Faults::default());
        disk.create("state").unwrap().write_at(0, state).unwrap();
        Rehearsal::on(&disk, 1_000).unwrap()
    };
    for (name, state) in [("own", &own[..]), ("another chain's", &others), ("none", &[])] {
        assert_eq!(reopen(state).hash(), expected, "{name}");
    }
    for end in 0..own.len() {
        assert_eq!(reopen(&own[..end]).hash(), expected, "cut at {end}");
    }
    for place in 0..own.len() {
        let mut state = own.clone();
        state[place] ^= 1 << (place % 8);
        assert_eq!(reopen(&state).hash(), expected, "turned at {place}");
    }
    // One whose sum is right and whose content is not: the blocks after it tell.
    let disk = world.disk.twin(2);
    disk.kill(Faults::default());
    early.write(&disk).unwrap();
    assert_eq!(Rehearsal::on(&disk, 1_000).unwrap().hash(), expected);
    // One of a block that was cut off.
    let disk = world.disk.twin(3);
    disk.kill(Faults::default());
    let length = disk.open("blocks").unwrap().size().unwrap();
    assert!(disk.cut("blocks", usize::try_from(length).unwrap() - 1));
    disk.create("state").unwrap().write_at(0, &own).unwrap();
    assert_eq!(Rehearsal::on(&disk, 1_000).unwrap().chain.head().unwrap().number, blocks - 1);
}

#[test]
fn a_folder_has_one_chain_and_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let time_s = Arc::new(AtomicU64::new(START_S));
    let place = folder.path().join("chain");
    let open = |chain_id| Embedded::open(&place, Options { chain_id, ..options(&time_s, 2) });
    let chain = open(7).unwrap();
    let error = open(7).unwrap_err();
    assert!(error.to_string().ends_with("another process has it open"), "{error}");
    for wei in 1..=5 {
        chain.fund([9; 20], wei).unwrap();
    }
    drop(chain);
    let error = open(8).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().ends_with("it is the chain 7, not 8")),
        ("STL-BROKEN", true),
        "{error}"
    );
    let chain = open(7).unwrap();
    assert_eq!((chain.balance([9; 20]), chain.balance(address_of(&key(1)))), (Ok(15), Ok(1_000 * COIN)));
    assert_eq!((chain.id(), chain.head().unwrap().number), (7, 5));
    assert!(place.join("state").is_file(), "a snapshot after every two blocks");
}
