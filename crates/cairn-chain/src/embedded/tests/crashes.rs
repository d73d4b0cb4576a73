//! Crashes, damage, and full disks.

use super::*;

/// Every way in which a chain grows, in few bytes; the world after each block.
fn grown() -> (Rehearsal, Vec<Word>) {
    let world = Rehearsal::new(1_000_000);
    let rich = key(1);
    let mut hashes = vec![world.hash()];
    world.chain.fund([9; 20], 7).unwrap();
    hashes.push(world.hash());
    let keeper = world.deploy(&rich, &KEEPER);
    hashes.push(world.hash());
    world.send(&rich, Call::to(keeper, vec![0; 300]));
    hashes.push(world.hash());
    world.send(&rich, Call { to: Some([9; 20]), value: 1, data: vec![] });
    hashes.push(world.hash());
    (world, hashes)
}

/// Where each block ends in the file.
fn ends_of(world: &Rehearsal) -> Vec<usize> {
    let sizes = (0..=world.chain.head().unwrap().number)
        .map(|number| 12 + world.chain.state().record(number).unwrap().encode().len());
    sizes.scan(0, |end, size| Some(std::mem::replace(end, *end + size) + size)).collect()
}

/// Opens a copy of the disk that something happened to.
fn opened_after(world: &Rehearsal, happens: impl FnOnce(&FaultyDisk)) -> Result<Rehearsal, ChainError> {
    let disk = world.disk.twin(1);
    disk.kill(Faults::default());
    happens(&disk);
    Rehearsal::on(&disk, 1_000_000)
}

#[test]
fn cut_anywhere_it_opens_with_the_blocks_that_are_whole_and_goes_on() {
    let (world, hashes) = grown();
    let ends = ends_of(&world);
    let size = *ends.last().unwrap();
    for cut in 0..size {
        let opened = opened_after(&world, |disk| assert!(disk.cut("blocks", cut)));
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        if whole == 0 {
            assert_eq!(
                opened.err().map(|error| error.code()),
                Some("STL-BROKEN"),
                "cut at {cut}: a chain without a beginning"
            );
            continue;
        }
        let opened = opened.unwrap();
        assert_eq!(
            (opened.chain.head().unwrap().number + 1, opened.hash()),
            (whole as u64, hashes[whole - 1]),
            "cut at {cut}"
        );
        opened.chain.fund([8; 20], 1).unwrap();
        let (after, opened) = (opened.hash(), opened.reopened());
        assert_eq!((opened.hash(), opened.chain.head().unwrap().number), (after, whole as u64), "cut at {cut}");
    }
}

#[test]
fn a_turned_bit_anywhere_is_refused_or_ends_the_chain_before_its_last_block() {
    let (world, hashes) = grown();
    let ends = ends_of(&world);
    let last = ends.len() - 1;
    for place in 0..ends[last] {
        for bit in [place % 8, (place + 3) % 8] {
            let opened = opened_after(&world, |disk| assert!(disk.flip("blocks", place, bit as u8)));
            let block = ends.iter().filter(|&&end| end <= place).count();
            match opened {
                Err(error) => assert_eq!(error.code(), "STL-BROKEN", "byte {place}"),
                Ok(opened) => {
                    assert_eq!(block, last, "byte {place}: only the last block may pass for one that a crash tore");
                    assert_eq!(
                        (opened.chain.head().unwrap().number + 1, opened.hash()),
                        (last as u64, hashes[last - 1])
                    );
                }
            }
        }
    }
}

#[test]
fn blocks_that_are_taken_out_or_exchanged_are_found() {
    let (world, _) = grown();
    let ends = ends_of(&world);
    let file = world.disk.files().into_iter().find(|(name, _)| name == "blocks").unwrap().1;
    let block = |number: usize| file[if number == 0 { 0 } else { ends[number - 1] }..ends[number]].to_vec();
    let other = Rehearsal::new(1_000_000);
    for _ in 0..4 {
        other.chain.fund([8; 20], 1).unwrap();
    }
    let (others, other_ends) = (other.disk.files(), ends_of(&other));
    let others = &others.iter().find(|(name, _)| name == "blocks").unwrap().1;
    let foreign = others[other_ends[1]..other_ends[2]].to_vec();
    for (name, order) in [
        ("one left out", [block(0), block(1), block(3), block(4)].concat()),
        ("one twice", [block(0), block(1), block(1), block(2)].concat()),
        ("two exchanged", [block(0), block(2), block(1), block(3)].concat()),
        ("no beginning", [block(1), block(2), block(3)].concat()),
        ("another chain's", [block(0), block(1), foreign].concat()),
    ] {
        let opened = opened_after(&world, |disk| disk.create("blocks").unwrap().write_at(0, &order).unwrap());
        assert_eq!(opened.err().map(|error| error.code()), Some("STL-BROKEN"), "{name}");
    }
}

#[test]
fn a_block_that_comes_out_otherwise_than_it_is_written_is_refused() {
    let (world, _) = grown();
    let ends = ends_of(&world);
    let file = world.disk.files().into_iter().find(|(name, _)| name == "blocks").unwrap().1;
    let mut record = world.chain.state().record(4).unwrap();
    let Deed::Transaction { outcome, .. } = &mut record.deed else { panic!("block 4 holds a transaction") };
    outcome.gas_used += 1;
    let disk = FaultyDisk::new(0, Faults::default());
    frames::Frames::create(&disk, "blocks", "chain/blocks", &record.encode()).unwrap();
    let forged = disk.files().remove(0).1;
    let opened = opened_after(&world, |disk| {
        disk.create("blocks").unwrap().write_at(0, &[&file[..ends[3]], &forged].concat()).unwrap();
    });
    let error = opened.err().unwrap().to_string();
    assert!(error.contains("block 4: it comes out otherwise"), "{error}");
}

/// Sends until something fails; what was answered with a hash, and the world after each block that was.
fn go_on(world: &Rehearsal, count: usize) -> (Vec<SignedTransaction>, Option<ChainError>) {
    let mut sent = Vec::new();
    for number in 0..count {
        let call = Call { to: None, value: 0, data: creation(&vec![0; 200 + number]) };
        let signed = world.signed(&key(1), 200_000, call);
        match world.chain.send(signed.raw()) {
            Ok(hash) => assert_eq!(hash, signed.hash()),
            Err(error) => return (sent, Some(error)),
        }
        sent.push(signed);
    }
    (sent, None)
}

/// That everything that was answered is there, and what is there is a prefix of what was tried.
fn holds(world: &Rehearsal, sent: &[SignedTransaction], context: &str) {
    let steady = Rehearsal::new(1_000_000);
    let blocks = world.chain.head().unwrap().number;
    assert!(blocks >= sent.len() as u64, "{context}: {blocks} of {} blocks", sent.len());
    assert!(blocks <= sent.len() as u64 + 1, "{context}: more than was ever tried");
    let _ = go_on(&steady, usize::try_from(blocks).unwrap());
    assert_eq!(world.hash(), steady.hash(), "{context}");
    for (number, signed) in (1..).zip(sent) {
        let receipt = world.chain.receipt(&signed.hash()).unwrap().expect("it was answered");
        assert_eq!((receipt.block, receipt.succeeded), (number, true), "{context}");
    }
}

#[test]
fn what_was_answered_is_there_after_a_crash_at_any_write() {
    let count = 5;
    let calm = FaultyDisk::new(0, Faults::default());
    assert_eq!(go_on(&Rehearsal::on(&calm, 2).unwrap(), count).1, None);
    for crash_at in 1..=calm.operations() {
        for seed in 0..6 {
            let context = format!("crash at {crash_at}, seed {seed}");
            let disk = FaultyDisk::new(seed, Faults { crash_at: Some(crash_at), ..Faults::default() });
            let sent = match Rehearsal::on(&disk, 2) {
                Ok(world) => go_on(&world, count).0,
                Err(error) => {
                    assert_eq!(error.code(), "STL-FILE", "{context}");
                    vec![]
                }
            };
            if seed % 2 == 0 {
                disk.cut_power(Faults::default());
            } else {
                disk.kill(Faults::default());
            }
            let world = Rehearsal::on(&disk, 2).unwrap_or_else(|error| panic!("{context}: {error}"));
            holds(&world, &sent, &context);
            let (more, error) = go_on(&world, 3);
            assert_eq!((more.len(), error), (3, None), "{context}");
        }
    }
}

#[test]
fn after_a_sync_that_failed_nothing_is_answered_until_the_chain_is_opened_again() {
    let count = 5;
    let calm = FaultyDisk::new(0, Faults::default());
    assert_eq!(go_on(&Rehearsal::on(&calm, 2).unwrap(), count).1, None);
    for fail_sync_at in 1..=calm.operations() {
        for seed in 0..4 {
            let context = format!("sync fails at {fail_sync_at}, seed {seed}");
            let disk = FaultyDisk::new(seed, Faults { fail_sync_at: Some(fail_sync_at), ..Faults::default() });
            let mut sent = Vec::new();
            if let Ok(world) = Rehearsal::on(&disk, 2) {
                let (answered, error) = go_on(&world, count);
                sent = answered;
                // A snapshot that cannot be written is no reason to stop.
                if let Some(error) = error {
                    assert_eq!(error.code(), "STL-FILE", "{context}");
                    assert_eq!(world.chain.head().unwrap().number, sent.len() as u64, "{context}: reading goes on");
                    assert_eq!(world.chain.fund([9; 20], 1).unwrap_err().code(), "STL-FILE", "{context}");
                }
            }
            assert!(!disk.was_synced_again(), "{context}");
            disk.cut_power(Faults::default());
            holds(&Rehearsal::on(&disk, 2).unwrap(), &sent, &context);
        }
    }
}

#[test]
fn on_a_full_disk_nothing_is_answered_reading_goes_on_and_with_room_so_does_writing() {
    for seed in 0..20 {
        let disk = FaultyDisk::new(seed, Faults::default());
        let world = Rehearsal::on(&disk, 2).unwrap();
        let (mut sent, error) = go_on(&world, 3);
        assert_eq!(error, None);
        for _ in 0..3 {
            disk.fill();
            let before = (world.hash(), world.chain.head().unwrap());
            let (answered, error) = go_on(&world, 1);
            assert_eq!((answered.len(), error.unwrap().code()), (0, "STL-FILE"), "seed {seed}");
            assert_eq!((world.hash(), world.chain.head().unwrap()), before, "seed {seed}");
            disk.make_room();
            let nonce = world.chain.nonce(address_of(&key(1))).unwrap();
            assert_eq!(nonce, sent.len() as u64, "seed {seed}");
            let call = Call { to: None, value: 0, data: creation(&vec![0; 200 + sent.len()]) };
            let signed = world.signed(&key(1), 200_000, call);
            world.chain.send(signed.raw()).unwrap();
            sent.push(signed);
        }
        let world = world.reopened();
        holds(&world, &sent, &format!("seed {seed}"));
        disk.fill();
        drop(world);
        disk.kill(Faults { full_at: Some(0), ..Faults::default() });
        let world = Rehearsal::on(&disk, 1).unwrap();
        holds(&world, &sent, &format!("seed {seed}, opened on a full disk"));
    }
}
