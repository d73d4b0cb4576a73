//! What the network says of the device, asked now and then: its last score and pay, for the household and for alerts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cairn_client::Client;
use cairn_core::DeviceId;
use cairn_edge::Stop;
use cairn_edge::home::Earned;

use super::super::reach;
use super::super::scores::{Scored, scores};
use crate::config::node::NodeConfig;
use crate::failure::Failure;
use crate::words::tokens;

/// How often it is asked when it answered, and when it did not.
const EVERY: Duration = Duration::from_secs(600);
const AGAIN: Duration = Duration::from_secs(60);

/// What a gateway said of the device last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The device's page.
    pub page: String,
    /// The symbol of what is paid; empty where nothing is yet.
    pub symbol: String,
    /// The last closed epoch in which it was scored, and its score.
    pub score: Option<(u64, u32)>,
    /// Its score in the last closed epoch, if it was scored there.
    pub last_ppm: Option<u32>,
    /// What the last epoch in which it was judged paid, in tokens.
    pub earned: Option<Earned>,
}

/// Asks, and remembers.
#[derive(Default)]
pub struct Watch {
    seen: Mutex<Option<Seen>>,
}

impl Watch {
    /// What was said last.
    pub fn seen(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks until `stop` is set. That nobody answers is the sender's to tell.
    pub fn run(&self, config: &NodeConfig, device: &DeviceId, stop: &Stop) {
        loop {
            let asked = reach(config).and_then(|client| ask(&client, device));
            let wait = if asked.is_ok() { EVERY } else { AGAIN };
            if let Ok(seen) = asked {
                *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
            }
            if stop.wait(wait) {
                return;
            }
        }
    }
}

fn ask(client: &Client, device: &DeviceId) -> Result<Seen, Failure> {
    let (info, known) = (client.network()?, client.device(device)?);
    let scores = scores(&info, &known);
    let last = known.epochs.first();
    let earned = last.zip(info.asset.as_ref()).map(|(epoch, asset)| {
        let shown = tokens(&epoch.paid, asset.decimals, &asset.symbol);
        let amount = shown.strip_suffix(&asset.symbol).unwrap_or(&shown).trim_end().to_owned();
        Earned { epoch: epoch.epoch.number, amount, symbol: asset.symbol.clone() }
    });
    Ok(Seen {
        page: format!("{}/devices/{device}", client.url()),
        symbol: info.asset.map(|asset| asset.symbol).unwrap_or_default(),
        score: last_score(&scores),
        last_ppm: scores.first().and_then(|last| last.score_ppm),
        earned,
    })
}

/// The last epoch in which it was scored: where it was not there is no score that could be low.
fn last_score(scores: &[Scored]) -> Option<(u64, u32)> {
    scores.iter().find_map(|scored| Some((scored.epoch, scored.score_ppm?)))
}

#[cfg(test)]
mod tests {
    use cairn_edge::alert::{AlertConfig, Ledger, SCORE, Watched};

    use super::*;

    #[test]
    fn an_epoch_without_a_score_tells_of_no_low_score_and_one_with_a_score_of_0_does() {
        let told = |scores: &[Option<u32>]| {
            let mut ledger = Ledger::default();
            let mut all: Vec<Scored> = Vec::new();
            let mut said = Vec::new();
            for (epoch, score_ppm) in (0..).zip(scores) {
                all.insert(0, Scored { epoch, score_ppm: *score_ppm, told: None });
                let watched = Watched { boot_ms: epoch * 7_200_000, score: last_score(&all), ..Watched::default() };
                let events = ledger.look(&AlertConfig::default().rules(), &watched);
                said.extend(events.into_iter().filter(|event| event.alert.code == SCORE).map(|_| epoch));
            }
            said
        };
        assert!(told(&[Some(900_000), None, Some(910_000), None, None, Some(890_000)]).is_empty());
        assert_eq!(told(&[Some(900_000), None, Some(0), None, Some(890_000)]), [2, 4], "low, and over");
    }
}
