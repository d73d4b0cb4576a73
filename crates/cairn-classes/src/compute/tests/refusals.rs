//! Every refusal, by its code; and that what is refused changes nothing.

use super::*;

fn right() -> RunResult {
    result(1_000_000_000, "right")
}

fn code(refused: Result<(), MarketError>) -> &'static str {
    refused.map_or_else(|error| error.code(), |()| "")
}

fn ordered(fair: &mut Fair, order: Order) -> &'static str {
    let before = fair.market.clone();
    let code = fair.order(&order).map_or_else(|error| error.code(), |_| "");
    assert!(code.is_empty() || fair.market == before, "{code} changed something");
    code
}

#[test]
fn offers_and_licences_are_refused_by_code() {
    let mut fair = Fair::with(2);
    let stranger = fair.an_offer(9);
    assert_eq!(code(fair.offer(&stranger)), "CMP-WORKER");
    assert_eq!(code(fair.offer(&Offer { until_ms: 1, ..stranger })), "CMP-OFFER");
    assert_eq!(code(fair.offer(&Offer { until_ms: 1, ..fair.an_offer(1) })), "");
    assert_eq!(code(fair.offer(&Offer { until_ms: 1, ..fair.an_offer(1) })), "CMP-OFFER");
    // A squatter holds what he took first, until its time is over, and only he may change it.
    let licence = fair.a_licence(50, "content");
    let over = Licence { until_ms: fair.now_ms, ..licence.clone() };
    assert_eq!(code(fair.license(&over)), "CMP-LICENCE");
    assert_eq!(code(fair.license(&licence)), "");
    assert_eq!(code(fair.license(&fair.a_licence(51, "content"))), "CMP-HELD");
    assert_eq!(code(fair.license(&Licence { owner: account(51), ..over.clone() })), "CMP-HELD");
    assert_eq!(code(fair.license(&Licence { price: Amount(7), ..licence })), "");
    assert_eq!(code(fair.license(&over)), "");
    assert_eq!(code(fair.license(&fair.a_licence(51, "content"))), "");
    fair.wait(101 * 86_400_000);
    assert_eq!(code(fair.license(&fair.a_licence(50, "content"))), "", "its time is over");
    fair.profile.licences_per_owner = 2;
    fair.profile.licences = 3;
    assert_eq!(code(fair.license(&fair.a_licence(50, "two"))), "");
    assert_eq!(code(fair.license(&fair.a_licence(50, "three"))), "CMP-FULL");
    assert_eq!(code(fair.license(&fair.a_licence(50, "two"))), "", "replaced");
    assert_eq!(code(fair.license(&fair.a_licence(51, "three"))), "");
    assert_eq!(code(fair.license(&fair.a_licence(52, "four"))), "CMP-FULL");
}

#[test]
fn orders_are_refused_by_code() {
    let mut fair = Fair::with(4);
    let order = fair.an_order();
    let least = 10_000 * 2 + 70;
    let cases: Vec<(Order, &str)> = vec![
        (Order { gas_table: 2, ..order.clone() }, "CMP-GAS-TABLE"),
        (Order { commit_ms: 29_999, ..order.clone() }, "CMP-TIME"),
        (Order { commit_ms: 86_400_001, ..order.clone() }, "CMP-TIME"),
        (Order { replicas: 5, ..order.clone() }, "CMP-NO-WORKER"),
        (Order { price: Amount(1_001), ..order.clone() }, "CMP-NO-WORKER"),
        (Order { pages: 1_025, ..order.clone() }, "CMP-NO-WORKER"),
        (Order { gas: 1_000_000_000_001, ..order.clone() }, "CMP-NO-WORKER"),
        (Order { buyer: account(1), replicas: 4, ..order.clone() }, "CMP-NO-WORKER"),
        (Order { buyer: account(99), ..order.clone() }, "CMP-CREDIT"),
        (Order { most: Amount(least - 1), ..order.clone() }, "CMP-MOST"),
        (Order { gas: 0, ..order.clone() }, "CMP-LEAST"),
        (Order { most: Amount(least), ..order.clone() }, ""),
    ];
    for (order, expected) in cases {
        assert_eq!(ordered(&mut fair, order.clone()), expected, "{order:?}");
    }
    // Beyond any amount.
    let dear = Offer { price: Amount(u128::MAX), gas_max: u64::MAX >> 1, ..fair.an_offer(1) };
    fair.offer(&dear).unwrap();
    let huge = Order { price: Amount(u128::MAX), gas: u64::MAX >> 1, replicas: 4, ..order.clone() };
    for n in 2..=4 {
        fair.offer(&Offer { gas_max: u64::MAX >> 1, ..fair.an_offer(n) }).unwrap();
    }
    assert_eq!(ordered(&mut fair, Order { most: Amount(u128::MAX), ..huge }), "CMP-MOST");
    // One module is not allowed the content; the content itself needs no leave.
    let limited = Licence { modules: vec![hash("another")], ..fair.a_licence(90, "input") };
    fair.license(&limited).unwrap();
    assert_eq!(ordered(&mut fair, order.clone()), "CMP-LICENCE");
    fair.license(&Licence { modules: vec![hash("module")], ..limited }).unwrap();
    assert_eq!(ordered(&mut fair, order.clone()), "");
    fair.license(&Licence { modules: vec![hash("another")], ..fair.a_licence(91, "module") }).unwrap();
    assert_eq!(ordered(&mut fair, order.clone()), "");
    // Bounds, and one name once.
    fair.profile.open_jobs_per_buyer = 3;
    assert_eq!(ordered(&mut fair, order.clone()), "CMP-FULL");
    fair.profile.open_jobs_per_buyer = 9;
    fair.profile.open_jobs = 3;
    assert_eq!(ordered(&mut fair, order.clone()), "CMP-FULL");
    let (id, _) = fair.market.jobs().next().unwrap();
    let again = fair.market.admit_order(id, &order, Amount(1_000_000), fair.now());
    assert_eq!(again.unwrap_err().code(), "CMP-JOB");
}

#[test]
fn who_asks_for_next_to_nothing_keeps_nobody_from_ordering() {
    let mut fair = Fair::with(20);
    // As many as any pool of two has places, cheaper than everybody.
    for n in 1..=16 {
        fair.offer(&Offer { price: Amount(0), ..fair.an_offer(n) }).unwrap();
    }
    let id = fair.order(&fair.an_order()).unwrap();
    assert!(fair.assigned(&id).iter().all(|device| device.0[0] > 16), "they would lock nothing");
    // Each of two workers has to lock half of it.
    fair.profile.lock_min = 2 * 10_170;
    let id = fair.order(&fair.an_order()).unwrap();
    assert!(fair.assigned(&id).iter().all(|device| device.0[0] >= 17), "10 * 1,017 each");
    fair.profile.lock_min = 2 * 10_170 + 1;
    let id = fair.order(&fair.an_order()).unwrap();
    assert!(fair.assigned(&id).iter().all(|device| device.0[0] >= 18));
    fair.profile.lock_min = 2 * 20_000;
    let order = fair.an_order();
    assert_eq!(ordered(&mut fair, order.clone()), "CMP-NO-WORKER", "nobody is so dear");
    fair.profile.lock_min = 2 * 20_000 + 1;
    assert_eq!(ordered(&mut fair, order.clone()), "CMP-LEAST", "at its own price it does not lock so much");
    fair.profile.lock_min = 0;
    let id = fair.order(&order).unwrap();
    assert!(fair.assigned(&id).iter().all(|device| device.0[0] <= 16), "who asks for nothing may work for nothing");
}

#[test]
fn workers_are_refused_by_code() {
    let mut fair = Fair::with(2).proved(1..=2, 20);
    fair.people.owners.insert(device(9), account(9));
    let id = fair.order(&fair.an_order()).unwrap();
    let [first, second] = fair.assigned(&id)[..] else { panic!() };
    let nobody = JobId(hash("nobody"));
    assert_eq!(code(fair.commit(&nobody, first, &right())), "CMP-JOB");
    assert_eq!(code(fair.commit(&id, device(9), &right())), "CMP-ASSIGNED");
    assert_eq!(code(fair.reveal(&id, first, &right())), "CMP-PHASE", "nothing was sealed");
    assert_eq!(code(fair.commit(&id, first, &right())), "");
    assert_eq!(code(fair.commit(&id, first, &right())), "CMP-SAID");
    assert_eq!(code(fair.decline(&id, first)), "CMP-SAID");
    assert_eq!(code(fair.reveal(&id, first, &right())), "CMP-PHASE", "the other may still commit");
    // A copied seal binds the copier to nothing that it could show.
    let Word::Committed { seal, .. } = fair.market.job(&id).unwrap().assigned[0].word else { panic!() };
    let copied = Body::Commit { job: id, seal };
    assert_eq!(code(fair.report(second, &copied)), "");
    assert_eq!(code(fair.reveal(&id, first, &right())), "");
    assert_eq!(code(fair.reveal(&id, first, &right())), "CMP-SAID");
    let same_salt = Body::Reveal { job: id, result: right(), salt: Fair::salt(first) };
    assert_eq!(code(fair.report(second, &same_salt)), "CMP-SEAL");
    assert_eq!(code(fair.reveal(&id, second, &right())), "CMP-SEAL");
    assert_eq!(code(fair.reveal(&id, second, &result(10_000_000_001, "right"))), "CMP-CAPS");
    let long = RunResult { output_bytes: 1_001, ..right() };
    assert_eq!(code(fair.reveal(&id, second, &long)), "CMP-CAPS");
    fair.people.owners.remove(&second);
    assert_eq!(code(fair.reveal(&id, second, &right())), "CMP-WORKER");
    let job = fair.market.job(&id).unwrap();
    fair.now_ms = job.reveal_until_ms;
    fair.people.owners.insert(second, account(2));
    assert_eq!(code(fair.reveal(&id, second, &right())), "CMP-PHASE", "too late");
}

#[test]
fn phases_begin_and_end_at_their_millisecond() {
    let mut fair = Fair::with(2).proved(1..=2, 20);
    let id = fair.order(&fair.an_order()).unwrap();
    let [first, second] = fair.assigned(&id)[..] else { panic!() };
    let (commit_until, reveal_until) = {
        let job = fair.market.job(&id).unwrap();
        assert_eq!(job.commit_until_ms, job.received_ms + 60_000);
        assert_eq!(job.reveal_until_ms, job.received_ms + 660_000);
        (job.commit_until_ms, job.reveal_until_ms)
    };
    // Calls move the clock on by one before they are heard.
    fair.now_ms = commit_until - 2;
    fair.commit(&id, first, &right()).unwrap();
    assert_eq!(code(fair.commit(&id, second, &right())), "CMP-PHASE");
    let digest = fair.digest(&id, &right());
    assert_eq!(code(fair.replay(&id, 1, digest)), "CMP-PHASE", "not done yet");
    let mut late = fair.clone();
    late.now_ms = reveal_until - 1;
    assert_eq!(code(late.reveal(&id, first, &right())), "CMP-PHASE");
    assert_eq!(code(late.replay(&id, 1, digest)), "", "done by time, before any close");
    fair.now_ms = reveal_until - 2;
    assert_eq!(code(fair.reveal(&id, first, &right())), "");
    assert_eq!(fair.market.job(&id).unwrap().phase(fair.now_ms), Phase::Done);
}

#[test]
fn cancels_and_replays_are_refused_by_code() {
    let mut fair = Fair::with(3).proved(1..=3, 20);
    let before = fair.total();
    let id = fair.order(&fair.an_order()).unwrap();
    assert_eq!(code(fair.cancel(&JobId(hash("nobody")), BUYER)), "CMP-JOB");
    assert_eq!(code(fair.cancel(&id, 1)), "CMP-BUYER");
    assert_eq!(code(fair.cancel(&id, BUYER)), "");
    assert_eq!((fair.total(), fair.market.open_jobs()), (before, 0));
    assert_eq!(code(fair.cancel(&id, BUYER)), "CMP-JOB");
    let id = fair.order(&fair.an_order()).unwrap();
    let first = fair.assigned(&id)[0];
    let mut late = fair.clone();
    late.profile.cancel_ms = 10;
    late.wait(9);
    assert_eq!(code(late.cancel(&id, BUYER)), "CMP-CANCEL", "workers may have worked");
    late.wait(60_000);
    assert_eq!(code(late.cancel(&id, BUYER)), "CMP-CANCEL", "its time is over");
    fair.commit(&id, first, &right()).unwrap();
    assert_eq!(code(fair.cancel(&id, BUYER)), "CMP-CANCEL", "somebody has committed");

    let digest = fair.digest(&id, &right());
    assert_eq!(code(fair.replay(&JobId(hash("nobody")), 1, digest)), "CMP-JOB");
    assert_eq!(code(fair.replay(&id, 1, digest)), "CMP-PHASE");
    let second = fair.assigned(&id)[1];
    fair.decline(&id, second).unwrap();
    fair.reveal(&id, first, &right()).unwrap();
    assert_eq!(code(fair.replay(&id, 1, hash("a lie"))), "");
    assert_eq!(code(fair.replay(&id, 1, digest)), "CMP-SAID");
    let mut crowded = fair.clone();
    crowded.quorum = 1_000;
    for n in 2..=64 {
        assert_eq!(code(crowded.replay(&id, n, digest)), "");
    }
    assert_eq!(code(crowded.replay(&id, 65, digest)), "CMP-FULL");
    assert_eq!(code(fair.replay(&id, 2, digest)), "");
    assert_eq!(fair.market.job(&id).unwrap().truth, None, "two auditors differ");
    assert_eq!(code(fair.replay(&id, 3, digest)), "");
    assert_eq!(fair.market.job(&id).unwrap().truth, Some(digest));
    assert_eq!(code(fair.replay(&id, 4, digest)), "CMP-PHASE", "the truth is known");
    fair.close();
    assert_eq!(code(fair.replay(&id, 4, digest)), "CMP-PHASE", "settled");
    assert_eq!(code(fair.cancel(&id, BUYER)), "CMP-CANCEL", "settled");
}

#[test]
fn a_worker_that_has_as_much_as_it_can_do_is_asked_again_when_it_has_said_its_word() {
    let mut fair = Fair::with(1).proved([1], 20);
    let order = Order { replicas: 1, ..fair.an_order() };
    fair.offer(&Offer { capacity: 2, ..fair.an_offer(1) }).unwrap();
    let jobs = [fair.order(&order).unwrap(), fair.order(&order).unwrap()];
    assert_eq!(ordered(&mut fair, order.clone()), "CMP-NO-WORKER");
    fair.decline(&jobs[0], device(1)).unwrap();
    assert_eq!(ordered(&mut fair, order.clone()), "");
    fair.commit(&jobs[1], device(1), &right()).unwrap();
    assert_eq!(ordered(&mut fair, order.clone()), "CMP-NO-WORKER");
    fair.reveal(&jobs[1], device(1), &right()).unwrap();
    assert_eq!(ordered(&mut fair, order), "");
}
