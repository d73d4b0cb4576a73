//! Every row of the judge's table, with what it pays and what it does to the score.

use super::*;

const SCORE: u32 = 30;

/// Devices 1 to 6 with a score of thirty, and no replay by chance.
fn fair() -> Fair {
    let mut fair = Fair::with(6).proved(1..=6, SCORE);
    fair.profile.sample_min_ppm = 0;
    fair
}

fn right() -> RunResult {
    result(1_000_000_000, "right")
}

fn wrong() -> RunResult {
    result(1_000_000_000, "wrong")
}

/// Closes once what is awaited is over; the codes in the order of assignment, what each was paid for, and the scores.
fn outcome(fair: &mut Fair, id: &JobId) -> Vec<(String, bool, u32)> {
    let job = fair.market.job(id).unwrap().clone();
    fair.wait(fair.profile.replay_ms + fair.profile.reveal_ms + job.order.commit_ms);
    let mut closes = vec![fair.close()];
    if fair.market.job(id).is_some_and(|job| !matches!(job.stage, Stage::Settled(_))) {
        // What time decided at this close was drawn by it, and waits.
        fair.wait(fair.profile.replay_ms);
        closes.push(fair.close());
    }
    let (judged, sales) = closes.pop().unwrap();
    let codes: BTreeMap<DeviceId, String> = codes(&judged, &job).into_iter().collect();
    let sale = sales.iter().find(|sale| sale.job == *id).unwrap();
    let line = |worker: &Assigned| {
        let is_paid = sale.work.iter().any(|sold| sold.device == worker.device);
        (codes[&worker.device].clone(), is_paid, fair.people.score(&worker.device))
    };
    job.assigned.iter().map(line).collect()
}

fn rows(expected: &[(&str, bool, u32)]) -> Vec<(String, bool, u32)> {
    expected.iter().map(|(code, is_paid, score)| ((*code).to_owned(), *is_paid, *score)).collect()
}

/// A job in which each worker behaves in one way.
#[derive(Clone, Copy)]
enum Does {
    Finds(fn() -> RunResult),
    Seals,
    Declines,
    Nothing,
}

fn play(fair: &mut Fair, does: &[Does], sample_ppm: u32) -> JobId {
    let replicas = u8::try_from(does.len()).unwrap();
    let order = Order { replicas, sample: Ppm::of(sample_ppm).unwrap(), ..fair.an_order() };
    let id = fair.order(&order).unwrap();
    let workers = fair.assigned(&id);
    let each = || workers.iter().zip(does);
    for (device, does) in each() {
        match does {
            Does::Finds(found) => fair.commit(&id, *device, &found()).unwrap(),
            Does::Seals => fair.commit(&id, *device, &right()).unwrap(),
            Does::Declines => fair.decline(&id, *device).unwrap(),
            Does::Nothing => {}
        }
    }
    if does.iter().any(|does| matches!(does, Does::Nothing)) {
        fair.wait(order.commit_ms);
    }
    for (device, does) in each() {
        if let Does::Finds(found) = does {
            fair.reveal(&id, *device, &found()).unwrap();
        }
    }
    id
}

#[test]
fn every_row_of_the_table_has_its_code_its_pay_and_its_score() {
    use Does::{Declines, Finds, Nothing, Seals};
    let (r, w) = (Finds(right), Finds(wrong));
    // Who does what; the chance of a replay; what two auditors say; what comes out.
    type Row<'a> = (&'a [Does], u32, Option<fn() -> RunResult>, &'a [(&'a str, bool, u32)]);
    let table: &[Row<'_>] = &[
        (&[r, r], 1_000_000, Some(right), &[("CMP-REPLAYED", true, 31), ("CMP-REPLAYED", true, 31)]),
        (&[r, r], 0, Some(right), &[("CMP-REPLAYED", true, 31), ("CMP-REPLAYED", true, 31)]),
        (&[r, r], 0, None, &[("CMP-AGREED", true, 31), ("CMP-AGREED", true, 31)]),
        (&[r], 0, None, &[("CMP-TRUSTED", true, 30)]),
        (&[r], 0, Some(right), &[("CMP-REPLAYED", true, 31)]),
        (&[r, Declines], 0, None, &[("CMP-TRUSTED", true, 30), ("CMP-DECLINED", false, 30)]),
        (&[r, r], 1_000_000, None, &[("CMP-UNREPLAYED", true, 30), ("CMP-UNREPLAYED", true, 30)]),
        (&[r, w], 0, Some(right), &[("CMP-REPLAYED", true, 31), ("CMP-WRONG", false, 0)]),
        (&[w, r, w], 0, Some(right), &[("CMP-WRONG", false, 0), ("CMP-REPLAYED", true, 31), ("CMP-WRONG", false, 0)]),
        (&[w, w], 0, Some(right), &[("CMP-WRONG", false, 0), ("CMP-WRONG", false, 0)]),
        (&[r, w], 0, None, &[("CMP-UNDECIDED", false, 30), ("CMP-UNDECIDED", false, 30)]),
        (
            &[r, w, r],
            0,
            None,
            &[("CMP-UNDECIDED", false, 30), ("CMP-UNDECIDED", false, 30), ("CMP-UNDECIDED", false, 30)],
        ),
        (&[r, Seals], 0, None, &[("CMP-TRUSTED", true, 30), ("CMP-UNREVEALED", false, 20)]),
        (&[r, Nothing], 0, None, &[("CMP-TRUSTED", true, 30), ("CMP-SILENT", false, 20)]),
        (
            &[Seals, Nothing, Declines],
            0,
            None,
            &[("CMP-UNREVEALED", false, 20), ("CMP-SILENT", false, 20), ("CMP-DECLINED", false, 30)],
        ),
        (&[Declines, Declines], 0, None, &[("CMP-DECLINED", false, 30), ("CMP-DECLINED", false, 30)]),
    ];
    for (at, (does, sample_ppm, truth, expected)) in table.iter().enumerate() {
        let mut fair = fair();
        let id = play(&mut fair, does, *sample_ppm);
        if let Some(truth) = truth {
            let digest = fair.digest(&id, &truth());
            fair.replay(&id, 1, digest).unwrap();
            fair.replay(&id, 2, digest).unwrap();
        }
        assert_eq!(outcome(&mut fair, &id), rows(expected), "row {at}");
    }
}

#[test]
fn every_reason_names_its_evidence_and_is_said_in_words() {
    let mut fair = fair();
    let id = play(&mut fair, &[Does::Finds(right), Does::Finds(wrong), Does::Seals], 0);
    let digest = fair.digest(&id, &right());
    fair.wait(700_000);
    fair.replay(&id, 1, digest).unwrap();
    fair.replay(&id, 2, digest).unwrap();
    let job = fair.market.job(&id).unwrap().clone();
    let (judged, _) = fair.close();
    let of = |at: usize| judged.verdicts.iter().find(|verdict| verdict.device == job.assigned[at].device).unwrap();
    let Word::Revealed { committed, index, .. } = job.assigned[1].word else { panic!("{:?}", job.assigned[1]) };
    let replays: Vec<u64> = job.replays.iter().map(|said| said.index).collect();
    assert_eq!(of(1).reasons[0].evidence, [vec![index], replays].concat());
    assert_eq!(of(1).entries, [job.index, committed, index]);
    assert_eq!((of(1).amount, of(1).score, of(1).reasons[0].lost_ppm), (1_000_000_000, Ppm::ZERO, 1_000_000));
    assert_eq!((of(0).amount, of(0).score, of(0).reasons[0].lost_ppm), (1_000_000_000, Ppm::FULL, 0));
    assert_eq!(of(2).amount, 0);
    assert_eq!(sentence(&of(0).reasons[0]), "2 auditors ran the job again and found the same result");
    assert!(sentence(&of(1).reasons[0]).starts_with("2 auditors ran the job again and found another result"));
    for verdict in &judged.verdicts {
        assert_eq!(Verdict::decode(&verdict.encode()).as_ref(), Ok(verdict));
        assert_eq!(crate::sentence(SCHEMA, &verdict.reasons[0]), sentence(&verdict.reasons[0]));
    }
}

#[test]
fn a_job_that_pays_nobody_gives_everything_back_licences_too() {
    let mut fair = fair();
    fair.license(&fair.a_licence(90, "module")).unwrap();
    let before = fair.total();
    let id = play(&mut fair, &[Does::Finds(right), Does::Finds(wrong)], 0);
    fair.wait(fair.profile.replay_ms);
    let (_, sales) = fair.close();
    assert_eq!((sales[0].job, &sales[0].work[..], &sales[0].licences[..]), (id, &[][..], &[][..]));
    assert_eq!(fair.total(), before);
}

#[test]
fn what_is_left_is_paid_to_the_refund_account_when_the_order_names_one() {
    let mut fair = fair();
    let order = Order { refund: Some(account(77)), ..fair.an_order() };
    fair.done(&order, &[right(); 2]);
    let (_, sales) = fair.close();
    let (to, amount) = sales[0].refund.clone().unwrap();
    assert_eq!((to, sales[0].returned), (account(77), Amount::ZERO));
    assert_eq!(amount.0, sales[0].locked.0 - sales[0].revenue().unwrap().0);
}

#[test]
fn beginners_are_on_probation_until_they_have_proved_themselves_together() {
    for (score, cause) in [(0, Some(Cause::Probation)), (3, Some(Cause::Probation)), (4, None)] {
        let mut fair = Fair::with(4);
        fair.profile.sample_min_ppm = 0;
        let mut fair = fair.proved(1..=4, score.max(1));
        if score == 0 {
            fair.people.carry.clear();
        }
        let order = fair.an_order();
        let id = fair.done(&order, &[right(); 2]);
        let Stage::Done(draw) = fair.market.job(&id).unwrap().stage else { panic!() };
        assert_eq!(draw.map(|draw| draw.cause), cause, "two of score {score}");
    }
}

#[test]
fn the_other_jobs_of_a_liars_owner_are_run_again_and_each_only_once() {
    let mut fair = fair();
    // Two devices of one owner: the second one's job is drawn for what the first one did.
    fair.people.owners.insert(device(2), account(1));
    let order = Order { replicas: 1, ..fair.an_order() };
    let only = |fair: &mut Fair, n: u8| {
        for other in 1..=6 {
            let until_ms = if other == n { u64::MAX >> 1 } else { 0 };
            let _ = fair.offer(&Offer { until_ms, ..fair.an_offer(other) });
        }
    };
    only(&mut fair, 2);
    let other = fair.done(&order, &[right()]);
    only(&mut fair, 3);
    let stranger = fair.done(&order, &[right()]);
    only(&mut fair, 1);
    let caught = fair.done(&order, &[wrong()]);
    let digest = fair.digest(&caught, &right());
    fair.replay(&caught, 1, digest).unwrap();
    fair.replay(&caught, 2, digest).unwrap();
    let (_, sales) = fair.close();
    let settled: Vec<JobId> = sales.iter().map(|sale| sale.job).collect();
    assert!(settled.contains(&caught) && settled.contains(&stranger) && !settled.contains(&other));
    let Stage::Done(Some(draw)) = fair.market.job(&other).unwrap().stage else { panic!() };
    assert_eq!(draw.cause, Cause::Suspicion);
    // Caught again, the job still does not wait longer.
    only(&mut fair, 1);
    let again = fair.done(&order, &[wrong()]);
    let digest = fair.digest(&again, &right());
    fair.replay(&again, 1, digest).unwrap();
    fair.replay(&again, 2, digest).unwrap();
    fair.close();
    assert_eq!(fair.market.job(&other).unwrap().stage, Stage::Done(Some(draw)));
    fair.now_ms = draw.due_ms;
    let (_, sales) = fair.close();
    assert_eq!(sales.len(), 1);
    assert_eq!(sales[0].work.len(), 1, "nobody found it wrong");
}

#[test]
fn a_job_too_small_to_prove_anything_earns_no_score() {
    let mut fair = fair();
    let order = fair.an_order();
    let small = result(fair.profile.score_gas_min - 1, "right");
    let id = fair.done(&order, &[small; 2]);
    assert!(
        outcome(&mut fair, &id).iter().all(|(code, is_paid, score)| code == "CMP-AGREED" && *is_paid && *score == 30)
    );
}

#[test]
fn at_one_close_losses_come_before_gains_and_wrong_before_both() {
    let mut fair = fair();
    for n in 2..=6 {
        fair.offer(&Offer { until_ms: 0, ..fair.an_offer(n) }).unwrap();
    }
    let order = Order { replicas: 1, sample: Ppm::FULL, ..fair.an_order() };
    let replayed = |fair: &mut Fair, found: RunResult| {
        let id = fair.done(&order, &[found]);
        let digest = fair.digest(&id, &right());
        fair.replay(&id, 1, digest).unwrap();
        fair.replay(&id, 2, digest).unwrap();
    };
    let mut silent = fair.clone();
    replayed(&mut silent, right());
    replayed(&mut silent, right());
    silent.order(&order).unwrap();
    silent.wait(order.commit_ms);
    silent.close();
    assert_eq!(silent.people.score(&device(1)), 30 * 2 / 3 + 2);
    replayed(&mut fair, wrong());
    replayed(&mut fair, right());
    fair.close();
    assert_eq!(fair.people.score(&device(1)), 0);
    assert!(!fair.people.carry.contains_key(&device(1).0[..]), "nothing is remembered of a beginner");
}

#[test]
fn whoever_lets_the_time_of_a_job_pass_gets_nothing_more_and_offers_nothing_after_the_close() {
    let mut fair = fair();
    for n in 2..=6 {
        fair.offer(&Offer { until_ms: 0, ..fair.an_offer(n) }).unwrap();
    }
    let order = Order { replicas: 1, ..fair.an_order() };
    fair.order(&order).unwrap();
    fair.order(&order).unwrap();
    fair.wait(order.commit_ms);
    assert_eq!(fair.order(&order).unwrap_err().code(), "CMP-NO-WORKER");
    fair.close();
    assert_eq!(fair.order(&order).unwrap_err().code(), "CMP-NO-WORKER");
    fair.offer(&fair.an_offer(1)).unwrap();
    fair.order(&order).unwrap();
    // Where another's word shows that the time is over, its offer ends at once.
    fair.offer(&fair.an_offer(2)).unwrap();
    let id = fair.order(&Order { replicas: 2, ..order.clone() }).unwrap();
    let [quick, away] = fair.assigned(&id)[..] else { panic!() };
    fair.commit(&id, quick, &right()).unwrap();
    fair.wait(order.commit_ms);
    fair.reveal(&id, quick, &right()).unwrap();
    assert!(!fair.market.offers().any(|offer| offer.device == away));
}

#[test]
fn a_market_that_is_dissolved_gives_everything_back() {
    let mut fair = fair();
    let before = fair.total();
    let order = fair.an_order();
    fair.done(&order, &[right(); 2]);
    fair.order(&order).unwrap();
    let sales = fair.market.dissolve();
    assert_eq!(sales.len(), 2);
    for sale in sales {
        assert!(sale.balances() && sale.work.is_empty());
        fair.give_back(&sale.buyer, sale.returned);
    }
    assert_eq!((fair.total(), fair.market.is_empty()), (before, true));
}
