//! What work and licences cost, and what became of what an order locked.

use std::collections::BTreeMap;

use cairn_core::amount::mul_div_floor;
use cairn_core::sale::{LicenceSold, Sale, WorkSold};
use cairn_core::{Amount, DeviceId, JobId, PPM, Ppm, Verdict};

use super::job::{Job, Terms};

/// Prices are for so much gas.
const GAS_UNIT: u128 = 1_000_000_000;

/// `floor(gas * price / 10^9)`; `None` past 128 bits.
pub(in crate::compute) fn work_floor(gas: u64, price: Amount) -> Option<Amount> {
    mul_div_floor(gas.into(), price.0, GAS_UNIT).map(Amount)
}

/// `ceil(gas * price / 10^9)`; `None` past 128 bits.
pub(in crate::compute) fn work_ceil(gas: u64, price: Amount) -> Option<Amount> {
    let floor = work_floor(gas, price)?;
    // The remainder is below 10^9, so it is right modulo 2^128.
    let rest = u128::from(gas).wrapping_mul(price.0).wrapping_sub(floor.0.wrapping_mul(GAS_UNIT));
    if rest == 0 { Some(floor) } else { floor.checked_add(Amount(1)) }
}

/// `floor(amount * share / 10^6)`.
fn part(amount: Amount, share: Ppm) -> Amount {
    amount.share(share.get().into(), PPM.into()).expect("a share of an amount is at most the amount")
}

/// What a job of `gas` locks with workers at these prices: everybody's work rounded up, and every licence at the dearest worker's;
/// `None` past 128 bits.
pub(super) fn locked(gas: u64, prices: impl IntoIterator<Item = Amount>, licences: &[Terms]) -> Option<Amount> {
    let (mut total, mut dearest) = (Amount::ZERO, Amount::ZERO);
    for price in prices {
        let work = work_ceil(gas, price)?;
        dearest = dearest.max(work);
        total = total.checked_add(work)?;
    }
    licences
        .iter()
        .try_fold(total, |total, terms| total.checked_add(terms.price)?.checked_add(part(dearest, terms.share)))
}

/// What became of what `job` locked, when those are right whose verdict has a full score.
pub(super) fn sale(id: JobId, job: &Job, verdicts: &BTreeMap<DeviceId, &Verdict>, fee: Ppm) -> Sale {
    const WITHIN: &str = "a job costs at most what it locked, which admission and records keep within 128 bits";
    let mut work = Vec::new();
    for (worker, result, _) in job.revealed() {
        let Some(verdict) = verdicts.get(&worker.device).filter(|verdict| verdict.score == Ppm::FULL) else { continue };
        let price = work_floor(result.gas, worker.price).expect(WITHIN);
        work.push(WorkSold {
            account: verdict.account.clone(),
            device: worker.device,
            gas: result.gas,
            work: price,
            burned: part(price, fee),
        });
    }
    let sold = |terms: &Terms| -> Option<LicenceSold> {
        let amount = terms.price.checked_add(part(work.first()?.work, terms.share)).expect(WITHIN);
        Some(LicenceSold { account: terms.owner.clone(), content: terms.content, amount })
    };
    let licences: Vec<LicenceSold> = job.licences.iter().filter_map(sold).collect();
    let costs = work.iter().map(|sold| sold.work).chain(licences.iter().map(|sold| sold.amount));
    let locked = job.locked().expect(WITHIN);
    let rest = Amount::checked_sum(costs).and_then(|cost| locked.checked_sub(cost)).expect(WITHIN);
    let refund = job.order.refund.clone().filter(|_| rest > Amount::ZERO).map(|account| (account, rest));
    Sale {
        job: id,
        order: job.index,
        buyer: job.order.buyer.clone(),
        locked,
        work,
        licences,
        returned: if refund.is_some() { Amount::ZERO } else { rest },
        refund,
    }
}
