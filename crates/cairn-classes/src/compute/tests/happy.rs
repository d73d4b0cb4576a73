//! One job from its order to its money.

use super::*;

#[test]
fn a_job_is_ordered_done_found_equal_and_paid() {
    let mut fair = Fair::with(5).proved(1..=5, 20);
    fair.profile.sample_min_ppm = 0;
    fair.license(&fair.a_licence(90, "input")).unwrap();
    let found = result(2_500_000_000, "output");
    let order = fair.an_order();
    let id = fair.done(&order, &[found; 2]);
    let job = fair.market.job(&id).unwrap().clone();
    assert_eq!(job.stage, Stage::Done(None));
    let (judged, sales) = fair.close();
    assert!(codes(&judged, &job).iter().all(|(_, code)| code == "CMP-AGREED"));
    let [sale] = sales.as_slice() else { panic!("{sales:?}") };
    for (sold, worker) in sale.work.iter().zip(&job.assigned) {
        // 2.5 * 10^9 gas at the worker's own price.
        assert_eq!(sold.work.0, worker.price.0 * 5 / 2, "{sold:?}");
        assert_eq!(sold.burned.0, sold.work.0 / 20, "{sold:?}");
        assert_eq!((sold.device, &sold.account), (worker.device, &worker.payee));
    }
    assert_eq!(sale.licences[0].amount.0, 100 + sale.work[0].work.0 / 10);
    assert_eq!(fair.people.score(&job.assigned[0].device), 21);
    assert_eq!(fair.market.job(&id).unwrap().stage, Stage::Settled(7));
    assert_eq!(fair.market.locked_by(&account(BUYER)), Amount::ZERO);
    for _ in 0..2 {
        assert!(fair.market.job(&id).is_some());
        fair.close();
    }
    assert_eq!(fair.market.job(&id), None);
}
