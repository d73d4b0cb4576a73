//! What a device was scored in its last epochs, as their verdicts say. A mean over nothing is no score of 0: where every verdict is
//! over nothing (its rules were not to be read, it was under maintenance) or there is none at all, the device was not scored.

use cairn_api::{DeviceEpoch, DeviceInfo, NetworkInfo, VerdictList};
use cairn_client::Client;
use cairn_core::DeviceId;

use crate::failure::Failure;

/// Verdicts that are asked for at once.
const PAGE: u64 = 500;
/// Epochs that are looked at.
pub const EPOCHS: u64 = 5;

/// An epoch of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scored {
    /// The epoch.
    pub epoch: u64,
    /// Its score there; `None` where it was not scored.
    pub score_ppm: Option<u32>,
    /// What the network says of it; `None` where nothing of it was judged.
    pub told: Option<DeviceEpoch>,
}

/// The last closed epochs of a device, newest first, from the first of them on in which it was judged.
///
/// # Errors
/// The gateway's.
pub fn scores(
    client: &Client,
    device: &DeviceId,
    info: &NetworkInfo,
    known: &DeviceInfo,
) -> Result<Vec<Scored>, Failure> {
    let last = info.last_closed.as_ref().map(|last| last.number);
    epochs(last, &known.epochs, |epoch, after| Ok(client.verdicts(epoch, after, Some(PAGE), Some(device))?))
}

fn epochs(
    last: Option<u64>,
    told: &[DeviceEpoch],
    mut verdicts: impl FnMut(u64, Option<u64>) -> Result<VerdictList, Failure>,
) -> Result<Vec<Scored>, Failure> {
    let Some(newest) = told.first().map(|epoch| epoch.epoch.number) else { return Ok(Vec::new()) };
    let last = last.unwrap_or(newest).max(newest);
    let oldest = told.last().map_or(newest, |epoch| epoch.epoch.number).max((last + 1).saturating_sub(EPOCHS));
    let scored = |number: u64| {
        let told = told.iter().find(|epoch| epoch.epoch.number == number).cloned();
        let score_ppm = match &told {
            Some(epoch) if epoch.score_ppm > 0 || is_scored(number, &mut verdicts)? => Some(epoch.score_ppm),
            _ => None,
        };
        Ok(Scored { epoch: number, score_ppm, told })
    };
    (oldest..=last).rev().map(scored).collect()
}

/// Whether something was scored in an epoch whose mean is 0.
fn is_scored(
    epoch: u64,
    verdicts: &mut impl FnMut(u64, Option<u64>) -> Result<VerdictList, Failure>,
) -> Result<bool, Failure> {
    let mut after = None;
    loop {
        let page = verdicts(epoch, after)?;
        if page.verdicts.iter().any(|verdict| verdict.amount > 0) {
            return Ok(true);
        }
        match page.next {
            Some(next) if Some(next) > after => after = Some(next),
            _ => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use cairn_api::{EpochRef, VerdictInfo};

    use super::*;

    fn told(number: u64, score_ppm: u32) -> DeviceEpoch {
        let epoch = EpochRef { number, statement: format!("s{number}") };
        DeviceEpoch { epoch, verdicts: 2, score_ppm, paid: "0".to_owned() }
    }

    fn verdict(amount: u64) -> VerdictInfo {
        VerdictInfo {
            class: "sensing/1".to_owned(),
            device: "dev1".to_owned(),
            slot_ms: 0,
            report: None,
            account: "a".to_owned(),
            amount,
            score_ppm: 0,
            weight: 0,
            reasons: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// In epoch 7 something was scored, on the second page.
    fn verdicts(epoch: u64, after: Option<u64>) -> Result<VerdictList, Failure> {
        let amount = u64::from(epoch == 7 && after.is_some());
        let next = after.is_none().then_some(1);
        Ok(VerdictList { epoch: told(epoch, 0).epoch, total: 2, verdicts: vec![verdict(0), verdict(amount)], next })
    }

    #[test]
    fn an_epoch_in_which_nothing_was_scored_is_no_score_of_0() {
        let known = [told(9, 0), told(7, 0), told(6, 800_000), told(3, 1)];
        let scores = |last| epochs(last, &known, verdicts).unwrap();
        let shown: Vec<_> = scores(Some(10)).into_iter().map(|scored| (scored.epoch, scored.score_ppm)).collect();
        assert_eq!(shown, [(10, None), (9, None), (8, None), (7, Some(0)), (6, Some(800_000))]);
        assert_eq!((scores(None)[0].epoch, scores(None).len()), (9, 5));
        assert!(
            epochs(Some(10), &[], verdicts).unwrap().is_empty(),
            "before it was ever judged there is nothing to say"
        );
    }
}
