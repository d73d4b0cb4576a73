//! What a device was scored in its last epochs, those in between included in which nothing of it was judged.

use cairn_api::{DeviceEpoch, DeviceInfo, NetworkInfo};

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
pub fn scores(info: &NetworkInfo, known: &DeviceInfo) -> Vec<Scored> {
    epochs(info.last_closed.as_ref().map(|last| last.number), &known.epochs)
}

fn epochs(last: Option<u64>, told: &[DeviceEpoch]) -> Vec<Scored> {
    let Some(newest) = told.first().map(|epoch| epoch.epoch.number) else { return Vec::new() };
    let last = last.unwrap_or(newest).max(newest);
    let oldest = told.last().map_or(newest, |epoch| epoch.epoch.number).max((last + 1).saturating_sub(EPOCHS));
    let scored = |number: u64| {
        let told = told.iter().find(|epoch| epoch.epoch.number == number).cloned();
        Scored { epoch: number, score_ppm: told.as_ref().and_then(|epoch| epoch.score_ppm), told }
    };
    (oldest..=last).rev().map(scored).collect()
}

#[cfg(test)]
mod tests {
    use cairn_api::EpochRef;

    use super::*;

    fn told(number: u64, score_ppm: Option<u32>) -> DeviceEpoch {
        let epoch = EpochRef { number, statement: format!("s{number}") };
        DeviceEpoch { epoch, verdicts: 2, score_ppm, paid: "0".to_owned() }
    }

    #[test]
    fn an_epoch_in_which_nothing_was_scored_is_no_score_of_0() {
        let known = [told(9, None), told(7, Some(0)), told(6, Some(800_000)), told(3, Some(1))];
        let scores = |last| epochs(last, &known);
        let shown: Vec<_> = scores(Some(10)).into_iter().map(|scored| (scored.epoch, scored.score_ppm)).collect();
        assert_eq!(shown, [(10, None), (9, None), (8, None), (7, Some(0)), (6, Some(800_000))]);
        assert_eq!((scores(None)[0].epoch, scores(None).len()), (9, 5));
        assert!(epochs(Some(10), &[]).is_empty(), "before it was ever judged there is nothing to say");
    }
}
