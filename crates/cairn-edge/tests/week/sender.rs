//! What a sender does when gateways fail, lie or refuse.

use std::sync::Arc;

use cairn_core::report::{ClockSource, flag};
use cairn_edge::send::keep::{broken, promises, receipts};
use cairn_edge::send::{Refusals, SendEvent, SendOptions, SendStatus};
use cairn_edge::{Item, When};
use cairn_testkit::disk::{Faults, FaultyDisk};

use super::world::{Act, HOUR_MS, Process, Shared, World, keys, lock, options, reading};

fn disk() -> FaultyDisk {
    FaultyDisk::new(1, Faults::default())
}

/// A network with an enrolled device whose process has `count` fresh readings, a second apart.
fn ready(count: u64) -> (Shared, FaultyDisk, Process) {
    let (world, disk) = (World::of(1), disk());
    lock(&world).enrol();
    let process = Process::start(&world, &disk, options(1)).unwrap();
    push(&world, &process, count);
    (world, disk, process)
}

fn push(world: &Shared, process: &Process, count: u64) {
    for number in 1..=count {
        lock(world).now_ms += 1_000;
        let at_ms = lock(world).now_ms;
        lock(&process.queue).push(vec![reading(number, at_ms)]).unwrap();
    }
}

fn status(process: &Process) -> SendStatus {
    lock(&process.sender.status()).clone()
}

fn codes(process: &Process) -> Vec<String> {
    let troubles = |event: &SendEvent| match event {
        SendEvent::Trouble { trouble, .. } => Some(trouble.code.clone()),
        _ => None,
    };
    lock(&process.events).iter().filter_map(troubles).collect()
}

fn is_in_order(world: &Shared, count: usize) -> bool {
    let logged = lock(world).logged();
    logged.len() == count && logged.is_sorted_by_key(|body| body.time_ms)
}

#[test]
fn what_waits_is_sent_in_order_promised_and_receipted_and_the_receipts_hold_offline() {
    let (world, disk, mut process) = ready(300);
    process.send_for(&world, HOUR_MS);
    assert!(is_in_order(&world, 300));
    let status = status(&process);
    assert_eq!((status.waiting, status.promised, status.receipts, status.awaiting_receipt), (0, 300, 300, 0));
    assert!(status.last_promise.is_some() && status.stuck_since_boot_ms.is_none());
    let log = keys(&lock(&world).network).log;
    let kept = receipts(&disk).unwrap();
    assert!(kept.iter().all(|receipt| receipt.verify(&log).is_ok()));
    assert_eq!(kept.len(), 300);
    let mut forged = kept[7].clone();
    forged.entry[9] ^= 1;
    assert!(forged.verify(&log).is_err());
    let sizes: Vec<usize> = lock(&world).submissions.iter().map(|(_, _, count)| *count).collect();
    assert_eq!(sizes[..8], [1, 2, 4, 8, 16, 32, 64, 100], "it begins small");
    assert_eq!(codes(&process), Vec::<String>::new());
}

#[test]
fn another_gateway_takes_over_and_answers_that_were_lost_change_nothing() {
    let (world, _, mut process) = ready(40);
    lock(&world).acts[0].extend([Act::LoseAnswer, Act::Down, Act::Down]);
    lock(&world).acts[1].extend([Act::LoseAnswer, Act::LoseAnswer]);
    process.send_for(&world, HOUR_MS);
    assert!(is_in_order(&world, 40));
    let status = status(&process);
    assert_eq!((status.promised, status.receipts), (40, 40));
    assert_eq!(codes(&process)[0], "NET-CONNECTION");
    assert!(lock(&process.events).iter().any(|event| matches!(event, SendEvent::Over { gateway: Some(_) })));
    let told = status.gateways.iter().filter(|gateway| gateway.last_error.is_some()).count();
    assert_eq!(told, 2);
}

#[test]
fn a_gateway_that_asks_for_a_wait_is_given_it() {
    let (world, _, mut process) = ready(100);
    lock(&world).acts[0].extend([Act::TooFast(0), Act::TooFast(1), Act::TooFast(1), Act::TooFast(2)]);
    process.send_for(&world, HOUR_MS);
    assert!(is_in_order(&world, 100));
    let submissions = lock(&world).submissions.clone();
    assert!(submissions.iter().all(|(gateway, ..)| *gateway == 0), "nobody is gone around");
    // The first and the third answer asked for two seconds.
    for at in [0, 2] {
        assert!(submissions[at + 1].1 - submissions[at].1 >= 2_000, "{submissions:?}");
    }
}

#[test]
fn whoever_is_busy_is_left_alone_as_long_as_it_says() {
    let (world, _, mut process) = ready(3);
    lock(&world).acts[0].push_back(Act::Busy(60_000));
    lock(&world).acts[1].push_back(Act::Busy(90_000));
    process.send_for(&world, HOUR_MS);
    let submissions = lock(&world).submissions.clone();
    assert!(submissions[2].1 - submissions[0].1 >= 60_000, "{submissions:?}");
    assert!(is_in_order(&world, 3));
}

#[test]
fn fewer_are_sent_at_once_where_fewer_are_taken() {
    let (world, _, mut process) = ready(50);
    lock(&world).acts[0].extend([Act::TooMany(5); 40]);
    process.send_for(&world, HOUR_MS);
    assert!(is_in_order(&world, 50));
    assert_eq!(codes(&process), Vec::<String>::new(), "that is no trouble");
}

#[test]
fn nothing_leaves_the_queue_against_a_promise_that_is_worth_nothing() {
    for act in [Act::NoPromise, Act::OtherNetwork, Act::OtherKey] {
        let (world, disk, mut process) = ready(5);
        for acts in &mut lock(&world).acts {
            acts.extend([act; 200]);
        }
        process.send_for(&world, HOUR_MS / 60);
        assert_eq!((status(&process).waiting, promises(&disk).unwrap().len()), (5, 0), "{act:?}");
        assert!(codes(&process).iter().all(|code| code == "NET-PROMISE"), "{act:?}");
        lock(&world).acts.iter_mut().for_each(|acts| acts.clear());
        process.send_for(&world, HOUR_MS);
        assert!(status(&process).waiting == 0 && is_in_order(&world, 5), "{act:?}");
    }
}

#[test]
fn a_broken_promise_is_told_and_its_evidence_kept() {
    let (world, disk, mut process) = ready(3);
    let index = lock(&world).network.entries.len() as u64;
    lock(&world).forged = Some(index);
    process.send_for(&world, HOUR_MS);
    let status = status(&process);
    assert_eq!((status.broken_promises, status.receipts, status.awaiting_receipt), (1, 2, 0));
    let [evidence] = &broken(&disk).unwrap()[..] else { panic!("one") };
    assert_eq!(evidence.report.index, index);
    let keys = keys(&lock(&world).network);
    let promise = cairn_merkle::Promise::open(&evidence.note, &keys.promises).unwrap();
    let leaf = cairn_merkle::tree::leaf_hash(&evidence.entry);
    let receipt: cairn_merkle::Receipt = evidence.proof.parse().unwrap();
    receipt.verify(leaf, &keys.log, &[]).unwrap();
    assert!(promise.broken_by(index, leaf).is_some(), "anybody can check it");
    assert!(lock(&process.events).iter().any(|event| matches!(event, SendEvent::Broken(_))));
}

#[test]
fn a_promise_of_something_else_is_found_out() {
    let (world, disk, mut process) = ready(1);
    lock(&world).acts[0].push_back(Act::SomethingElse);
    process.send_for(&world, HOUR_MS);
    assert_eq!((status(&process).broken_promises, receipts(&disk).unwrap().len()), (1, 0));
}

#[test]
fn what_is_refused_for_good_is_counted_kept_and_holds_nothing_up() {
    let (world, disk, mut process) = ready(2);
    let now_ms = lock(&world).now_ms;
    let early = reading(9, now_ms - 60 * 24 * HOUR_MS);
    let large = Item { body: cairn_core::cbor::Value::Bytes(vec![0; 31_950]), ..reading(9, now_ms) };
    let other_class = Item { schema: "radio/1".into(), ..reading(9, now_ms) };
    lock(&process.queue).push(vec![early, large, other_class, reading(3, now_ms)]).unwrap();
    process.send_for(&world, HOUR_MS);
    let status = status(&process);
    assert_eq!((status.waiting, status.promised, status.refused), (0, 3, 3));
    let expected = [("RPT-BEFORE-START", 1), ("RPT-CLASS", 1), ("RPT-TOO-LARGE", 1)];
    assert!(status.refused_by_code.iter().map(|(code, count)| (code.as_str(), *count)).eq(expected));
    assert!(status.refusals.iter().any(|refusal| refusal.measured_ms == Some(now_ms - 60 * 24 * HOUR_MS)));
    disk.cut_power(Faults::default());
    assert_eq!(Refusals::read(&disk).unwrap().last.len(), 3);
    assert!(is_in_order(&world, 3));
}

#[test]
fn what_the_network_calls_the_future_waits_and_holds_nothing_up() {
    let (world, _, mut process) = ready(0);
    let now_ms = lock(&world).now_ms;
    let ahead = reading(1, now_ms + 20 * 60_000);
    let far_ahead = reading(2, now_ms + 10 * HOUR_MS);
    lock(&process.queue).push(vec![ahead, far_ahead, reading(3, now_ms)]).unwrap();
    process.send_for(&world, 60_000);
    assert_eq!((status(&process).promised, status(&process).waiting), (1, 2));
    process.send_for(&world, 3 * HOUR_MS);
    let status = status(&process);
    assert_eq!((status.promised, status.refused, status.waiting), (2, 1, 0));
    assert_eq!(status.refused_by_code["RPT-FUTURE"], 1);
}

#[test]
fn a_device_that_is_enrolled_later_loses_nothing_that_it_measured_since() {
    let (world, disk) = (World::of(1), disk());
    let mut process = Process::start(&world, &disk, options(1)).unwrap();
    push(&world, &process, 3);
    process.send_for(&world, HOUR_MS);
    assert_eq!(codes(&process), ["RPT-UNKNOWN-DEVICE", "RPT-UNKNOWN-DEVICE"], "said once by each gateway");
    assert_eq!(status(&process).waiting, 3);
    assert!(status(&process).stuck_since_boot_ms.is_some());
    lock(&world).enrol();
    push(&world, &process, 2);
    process.send_for(&world, HOUR_MS);
    let status = status(&process);
    assert_eq!((status.waiting, status.promised, status.refused_by_code["RPT-BEFORE-ENROLMENT"]), (0, 2, 3));
}

#[test]
fn a_gateway_that_names_other_keys_is_not_believed() {
    let (world, disk, mut process) = ready(3);
    process.send_for(&world, HOUR_MS);
    drop(process);
    disk.kill(Faults::default());
    lock(&world).other_log_key = true;
    let mut process = Process::start(&world, &disk, options(2)).unwrap();
    push(&world, &process, 2);
    process.send_for(&world, HOUR_MS);
    assert_eq!(codes(&process), ["EDGE-KEYS"]);
    assert_eq!(status(&process).waiting, 0, "the other one is");
    drop(process);
    disk.kill(Faults::default());
    let keys = keys(&lock(&world).network);
    let other = cairn_edge::send::Keys { log: keys.promises.clone(), ..keys };
    let given = SendOptions { keys: Some(other), ..options(3) };
    assert_eq!(Process::start(&world, &disk, given).err().unwrap().code(), "EDGE-DAMAGED");
}

#[test]
fn whoever_restored_an_old_folder_uses_no_name_again() {
    let (world, disk, mut process) = ready(3);
    let old = disk.twin(5);
    process.send_for(&world, HOUR_MS);
    drop(process);
    old.kill(Faults::default());
    let mut process = Process::start(&world, &old, options(2)).unwrap();
    process.send_for(&world, HOUR_MS);
    let logged = lock(&world).logged();
    let mut names: Vec<_> = logged.iter().map(|body| (body.boot, body.seq)).collect();
    names.dedup();
    assert_eq!((names.len(), status(&process).refused), (6, 0), "said twice, under names of their own");
}

#[test]
fn a_time_that_is_not_known_is_waited_for_a_while_and_then_not_claimed() {
    let (world, _, mut process) = ready(0);
    lock(&world).knows_time = false;
    let since = Item { when: When::Since { boot_ms: 0 }, ..reading(1, 0) };
    lock(&process.queue).push(vec![since.clone()]).unwrap();
    process.send_for(&world, 60_000);
    assert_eq!(status(&process).waiting, 1);
    process.send_for(&world, HOUR_MS);
    lock(&world).knows_time = true;
    lock(&world).now_ms += HOUR_MS;
    lock(&process.queue).push(vec![since]).unwrap();
    process.send_for(&world, HOUR_MS);
    let logged = lock(&world).logged();
    assert_eq!(logged[0].clock, Some((ClockSource::None, 0)));
    let (source, error_ms) = logged[1].clock.unwrap();
    assert_eq!((source, logged[1].flags), (ClockSource::Ntp, flag::BACKFILLED));
    assert!(error_ms > 20, "what passed since then adds to the error");
}

#[test]
fn nothing_leaves_the_queue_while_the_disk_takes_no_promise() {
    let (world, disk, mut process) = ready(4);
    process.sender.step();
    disk.fill();
    process.send_for(&world, HOUR_MS);
    let stuck = status(&process);
    assert_eq!((stuck.waiting, stuck.own_error.unwrap().code.as_str()), (3, "EDGE-DISK"));
    assert!(codes(&process).iter().filter(|code| *code == "EDGE-DISK").count() == 1, "said once");
    disk.make_room();
    process.send_for(&world, HOUR_MS);
    let status = status(&process);
    assert_eq!((status.waiting, status.own_error, status.receipts), (0, None, 4));
    assert!(is_in_order(&world, 4));
}

#[test]
fn promises_and_receipts_take_bounded_room_and_what_went_is_said() {
    let (world, disk) = (World::of(1), disk());
    lock(&world).enrol();
    let small = SendOptions { keep_bytes_max: 20_000, ..options(1) };
    let mut process = Process::start(&world, &disk, small).unwrap();
    push(&world, &process, 200);
    process.send_for(&world, HOUR_MS);
    let status = status(&process);
    assert_eq!(status.promised, 200);
    let gone = status.receipts_aged_out + status.promises_aged_out;
    assert!(gone > 0 && status.receipts + status.awaiting_receipt + gone == 200, "{status:?}");
    let said = |event: &SendEvent| match event {
        SendEvent::AgedOut { receipts, promises, refused } => receipts + promises + refused,
        _ => 0,
    };
    assert_eq!(lock(&process.events).iter().map(said).sum::<u64>(), gone);
    assert!(Arc::strong_count(&process.queue) > 1);
}
