//! What becomes of reports that are refused for good: believed of nobody alone, set aside, and sent again when their owner says so.

use cairn_core::report::ReportBody;
use cairn_edge::send::aside::{Place, ask_again, is_asked, set_aside};
use cairn_edge::send::{SendEvent, SendOptions, SendStatus};
use cairn_edge::{EdgeError, Item};
use cairn_testkit::disk::{Faults, FaultyDisk};

use super::world::{Act, HOUR_MS, Process, Shared, World, lock, options, reading};

const MINUTE_MS: u64 = 60_000;

/// A network with so many gateways, and an enrolled device whose process has `count` fresh readings, a second apart.
fn ready(gateways: usize, count: u64) -> (Shared, FaultyDisk, Process) {
    let (world, disk) = (World::of(1), FaultyDisk::new(1, Faults::default()));
    lock(&world).enrol();
    lock(&world).named = gateways;
    let process = Process::start(&world, &disk, options(1)).unwrap();
    push(&world, &process, 1..=count);
    (world, disk, process)
}

fn push(world: &Shared, process: &Process, numbers: core::ops::RangeInclusive<u64>) {
    for number in numbers {
        lock(world).now_ms += 1_000;
        let at_ms = lock(world).now_ms;
        lock(&process.queue).push(vec![reading(number, at_ms)]).unwrap();
    }
}

fn status(process: &Process) -> SendStatus {
    lock(&process.sender.status()).clone()
}

fn troubles(process: &Process) -> Vec<(String, Option<String>)> {
    let trouble = |event: &SendEvent| match event {
        SendEvent::Trouble { trouble, .. } => Some((trouble.code.clone(), trouble.hint.clone())),
        _ => None,
    };
    lock(&process.events).iter().filter_map(trouble).collect()
}

/// When what is logged was measured, in order of the log.
fn logged(world: &Shared) -> Vec<u64> {
    lock(world).logged().iter().map(|body| body.time_ms).collect()
}

fn refuse_all(world: &Shared, gateway: usize, code: &'static str) {
    lock(world).acts[gateway] = [Act::Refuse(0, code); 1_000].into();
}

fn places(disk: &FaultyDisk) -> Vec<Place> {
    set_aside(disk).unwrap().iter().map(|row| (row.file, row.refusal.name.unwrap())).collect()
}

#[test]
fn what_one_gateway_refuses_another_one_is_asked_for_before_anything_behind_it() {
    for lie in [Act::Refuse(0, "CLS-RANGE"), Act::RefuseTaken(0, "RPT-CONFLICT"), Act::Refuse(0, "RPT-FUTURE")] {
        let (world, disk, mut process) = ready(2, 40);
        lock(&world).acts[0].extend([lie; 3]);
        process.send_for(&world, HOUR_MS);
        let (status, times) = (status(&process), logged(&world));
        assert_eq!((status.waiting, status.promised, status.refused, status.doubted), (0, 40, 0, 0), "{lie:?}");
        assert!(times.len() == 40 && times.is_sorted(), "{lie:?}");
        assert!(set_aside(&disk).unwrap().is_empty());
        let doubted = lock(&process.events).iter().any(|event| matches!(event, SendEvent::Doubted { count: 1, .. }));
        let told: Vec<String> = troubles(&process).into_iter().map(|(code, _)| code).collect();
        let is_early = lie == Act::Refuse(0, "RPT-FUTURE");
        assert_eq!((doubted, told), (!is_early, if is_early { vec![] } else { vec!["EDGE-CONTRADICTED".to_owned()] }));
    }
}

#[test]
fn who_picks_reports_out_of_a_request_gets_one_at_a_time_and_what_it_picked_arrives_all_the_same() {
    let (world, _, mut process) = ready(2, 60);
    // The third request holds four.
    lock(&world).acts[0].extend([Act::TooFast(9), Act::TooFast(9), Act::RefuseSome(0b0101, "CLS-RANGE")]);
    while lock(&world).picks == 0 {
        let again_ms = process.sender.step();
        lock(&world).pass_to_boot(again_ms);
    }
    // It is the only one left, when the other one has said what it thinks.
    let submissions = lock(&world).submissions.len();
    while lock(&world).submissions.len() < submissions + 3 {
        let again_ms = process.sender.step();
        lock(&world).pass_to_boot(again_ms);
    }
    lock(&world).is_down[1] = true;
    process.send_for(&world, HOUR_MS);
    let sizes: Vec<(usize, usize)> =
        lock(&world).submissions.iter().skip(submissions + 3).map(|(gateway, _, size)| (*gateway, *size)).collect();
    assert!(sizes.iter().filter(|(gateway, _)| *gateway == 0).all(|(_, size)| *size == 1), "{sizes:?}");
    let mut times = logged(&world);
    let picked = times.windows(2).filter(|pair| pair[0] > pair[1]).count();
    times.sort_unstable();
    times.dedup();
    assert_eq!((times.len(), picked, status(&process).refused), (60, 1, 0));
}

#[test]
fn what_two_gateways_refuse_is_set_aside_with_the_reason_and_who_said_so_and_holds_nothing_up() {
    let (world, disk, mut process) = ready(3, 2);
    let now_ms = lock(&world).now_ms;
    lock(&process.queue).push(vec![Item { schema: "radio/1".into(), ..reading(7, now_ms) }]).unwrap();
    push(&world, &process, 3..=5);
    process.send_for(&world, HOUR_MS);
    assert_eq!((status(&process).promised, status(&process).refused, status(&process).set_aside), (5, 1, 1));
    assert!(troubles(&process).is_empty(), "{:?}", troubles(&process));
    drop(process);
    disk.cut_power(Faults::default());
    let [row] = &set_aside(&disk).unwrap()[..] else { panic!("one") };
    let body = ReportBody::decode(&row.payload).unwrap();
    assert_eq!((row.refusal.code.as_str(), row.refusal.name), ("RPT-CLASS", Some((body.boot, body.seq))));
    assert_eq!((row.refusal.gateways.len(), body.schema.as_str(), body.time_ms), (2, "radio/1", now_ms));
    let asked: Vec<usize> = lock(&world).submissions.iter().map(|(gateway, ..)| *gateway).collect();
    assert!(!asked.contains(&2), "two are enough: {asked:?}");
}

#[test]
fn one_alone_is_believed_when_every_other_one_was_out_of_reach_for_the_stated_time_and_then_at_once() {
    let (world, disk, mut process) = ready(3, 3);
    lock(&world).is_down = [false, true, true];
    lock(&world).acts[0].push_back(Act::Refuse(0, "CLS-RANGE"));
    process.send_for(&world, 14 * MINUTE_MS);
    assert_eq!((status(&process).doubted, status(&process).waiting, logged(&world).len()), (1, 3, 0), "order first");
    process.send_for(&world, 3 * MINUTE_MS);
    assert_eq!((status(&process).doubted, status(&process).waiting), (0, 0), "then progress");
    assert_eq!((logged(&world).len(), set_aside(&disk).unwrap().len()), (2, 1));

    // They still are: nobody waits for them again.
    lock(&world).now_ms += 10 * MINUTE_MS;
    lock(&world).acts[0].push_back(Act::RefuseSome(1, "CLS-RANGE"));
    push(&world, &process, 4..=6);
    process.send_for(&world, MINUTE_MS);
    assert_eq!((status(&process).waiting, logged(&world).len(), set_aside(&disk).unwrap().len()), (0, 4, 2));

    // That nobody could be reached for a day says nothing of the others.
    lock(&world).is_cut_off = true;
    push(&world, &process, 7..=8);
    process.send_for(&world, 24 * HOUR_MS);
    (lock(&world).is_cut_off, lock(&world).is_down) = (false, [false, true, false]);
    refuse_all(&world, 0, "CLS-RANGE");
    process.send_for(&world, HOUR_MS);
    assert_eq!((status(&process).waiting, logged(&world).len(), set_aside(&disk).unwrap().len()), (0, 6, 2));
}

#[test]
fn a_gateway_that_is_named_twice_is_no_second_one() {
    let (world, _, process) = ready(2, 0);
    drop(process);
    lock(&world).is_one_name = true;
    let process = Process::start(&world, &FaultyDisk::new(2, Faults::default()), options(1)).unwrap();
    assert_eq!(status(&process).gateways.len(), 1);
}

#[test]
fn who_refuses_one_after_the_other_is_left_alone_and_told_of_and_what_waits_stays() {
    for gateways in [1, 2] {
        let (world, disk, mut process) = ready(gateways, 200);
        (0..gateways).for_each(|gateway| refuse_all(&world, gateway, "CLS-MODEL"));
        process.send_for(&world, 6 * HOUR_MS);
        let stopped = status(&process);
        assert!(stopped.refused < 20 && stopped.waiting + stopped.refused == 200, "{gateways}: {stopped:?}");
        assert_eq!(stopped.set_aside, stopped.refused);
        assert!(stopped.gateways.iter().all(|gateway| gateway.is_refusing && gateway.refused_in_a_row >= 20));
        let error = stopped.gateways[0].last_error.clone().unwrap();
        assert!(
            error.code == "EDGE-REFUSED" && error.detail.contains("CLS-MODEL") && error.hint.is_some(),
            "{error:?}"
        );
        let told = troubles(&process);
        assert_eq!(told.len(), gateways, "said once: {told:?}");
        let after: Vec<u64> = lock(&world).submissions.iter().map(|(_, at_ms, _)| *at_ms).collect();
        assert!(after.len() < 400, "it is left alone: asked {} times in six hours", after.len());

        // The cause is mended: everything goes on by itself, and what was set aside is sent again when it is said to be.
        lock(&world).acts.iter_mut().for_each(|acts| acts.clear());
        process.send_for(&world, HOUR_MS);
        assert_eq!((status(&process).waiting, logged(&world).len()), (0, 200 - stopped.refused as usize));
        assert!(logged(&world).is_sorted() && status(&process).gateways[0].refused_in_a_row == 0);
        assert!(ask_again(&disk, &places(&disk)).unwrap());
        process.send_for(&world, MINUTE_MS);
        let mut times = logged(&world);
        times.sort_unstable();
        times.dedup();
        assert_eq!((times.len(), lock(&world).logged().len(), status(&process).set_aside), (200, 200, 0));
        assert!(!is_asked(&disk).unwrap());
    }
}

#[test]
fn a_cause_that_is_over_is_gone_past_and_nothing_behind_it_waits_for_ever() {
    let (world, disk, mut process) = ready(1, 0);
    let now_ms = lock(&world).now_ms;
    let wrong = |number| Item { schema: "radio/1".into(), ..reading(number, now_ms) };
    lock(&process.queue).push((1..=25).map(wrong).collect()).unwrap();
    process.send_for(&world, HOUR_MS);
    assert!(status(&process).gateways[0].is_refusing);
    push(&world, &process, 26..=40);
    process.send_for(&world, HOUR_MS);
    assert_eq!((status(&process).waiting, logged(&world).len(), set_aside(&disk).unwrap().len()), (0, 15, 25));
}

#[test]
fn what_is_as_old_as_its_refusal_says_holds_nothing_up_however_much_of_it_there_is() {
    let (world, disk, mut process) = ready(1, 0);
    let old_ms = lock(&world).now_ms - 40 * 24 * HOUR_MS;
    lock(&process.queue).push((1..=300).map(|number| reading(number, old_ms + number * 1_000)).collect()).unwrap();
    push(&world, &process, 301..=310);
    process.send_for(&world, 10 * MINUTE_MS);
    assert_eq!((status(&process).waiting, logged(&world).len(), set_aside(&disk).unwrap().len()), (0, 10, 300));
    // Of what was measured just now that is not so.
    push(&world, &process, 311..=400);
    refuse_all(&world, 0, "RPT-TOO-LATE");
    process.send_for(&world, HOUR_MS);
    assert!(status(&process).gateways[0].is_refusing && status(&process).waiting > 70);
}

#[test]
fn a_report_that_was_in_the_log_all_along_is_not_logged_again() {
    let (world, disk, mut process) = ready(1, 3);
    lock(&world).acts[0].extend([Act::RefuseTaken(0, "CLS-RANGE"); 2]);
    process.send_for(&world, HOUR_MS);
    assert_eq!((status(&process).refused, logged(&world).len()), (3, 3));
    let rows = set_aside(&disk).unwrap();
    assert!(ask_again(&disk, &places(&disk)).unwrap());
    process.send_for(&world, HOUR_MS);
    let names: Vec<_> = lock(&world).logged().iter().map(|body| Some((body.boot, body.seq))).collect();
    assert_eq!(
        names,
        rows.iter().map(|row| row.refusal.name).collect::<Vec<_>>(),
        "once, under the names that they had"
    );
    let status = status(&process);
    assert_eq!((status.set_aside, status.promised, status.receipts), (0, 3, 3));
}

#[test]
fn what_is_asked_for_again_arrives_once_whatever_crashes_and_what_is_refused_again_is_not_asked_for_by_itself() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 1..40 {
        let (world, disk, mut process) = ready(1, 30);
        lock(&world).acts[0].extend([Act::Refuse(0, "CLS-RANGE"); 4]);
        process.send_for(&world, HOUR_MS);
        drop(process);
        assert_eq!(set_aside(&disk).unwrap().len(), 15);
        assert!(ask_again(&disk, &places(&disk)).unwrap());
        // The first of them is refused once more.
        lock(&world).acts[0].push_back(Act::Refuse(0, "CLS-RANGE"));
        let mut crash_in = seed;
        loop {
            let crash_at = disk.operations() + crash_in;
            disk.cut_power(Faults { crash_at: Some(crash_at), ..Faults::default() });
            crash_in *= 2;
            let started: Result<Process, EdgeError> = Process::start(&world, &disk, options(seed));
            let Ok(mut process) = started else { continue };
            process.send_for(&world, HOUR_MS);
            if disk.operations() < crash_at {
                break;
            }
        }
        // Whoever crashed after it was set aside, before the queue let go of it, sent it once more, and it was taken.
        let (mut times, left) = (logged(&world), set_aside(&disk).unwrap());
        let count = times.len();
        times.sort_unstable();
        times.dedup();
        assert_eq!((count, is_asked(&disk).unwrap()), (times.len(), false), "seed {seed}: each once");
        times.extend(left.iter().map(|row| row.refusal.measured_ms.unwrap()));
        times.sort_unstable();
        times.dedup();
        assert_eq!(times.len(), 30, "seed {seed}: nothing is lost");
        seen.insert(left.len());
    }
    assert!(seen.contains(&1) && seen.iter().all(|left| *left < 2), "{seen:?}");
}

#[test]
fn what_is_set_aside_takes_bounded_room_and_what_went_is_said() {
    let (world, disk) = (World::of(1), FaultyDisk::new(1, Faults::default()));
    lock(&world).enrol();
    lock(&world).named = 1;
    let old_ms = lock(&world).now_ms - 40 * 24 * HOUR_MS;
    let small = SendOptions { aside_bytes_max: 8_000, ..options(1) };
    let mut process = Process::start(&world, &disk, small).unwrap();
    lock(&process.queue).push((1..=300).map(|number| reading(number, old_ms + number * 1_000)).collect()).unwrap();
    process.send_for(&world, HOUR_MS);
    let status = status(&process);
    assert_eq!((status.refused, status.set_aside + status.set_aside_aged_out), (300, 300));
    assert_eq!(set_aside(&disk).unwrap().len() as u64, status.set_aside);
    let said = |event: &SendEvent| if let SendEvent::AgedOut { refused, .. } = event { *refused } else { 0 };
    assert_eq!(lock(&process.events).iter().map(said).sum::<u64>(), status.set_aside_aged_out);
    assert!(status.set_aside_aged_out > 0);
}
