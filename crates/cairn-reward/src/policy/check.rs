//! What an operator should know of a policy that is valid.

use cairn_core::{Amount, PPM, Ppm, deposit};

use super::{Destination, MARKETS, Policy, Rule, Trust};
use crate::default::PLACEHOLDER_TREASURY;

/// The finest H3 resolution that does not point at a home: cells of 0.7 square kilometres.
const H3_RESOLUTION_SAFE: u8 = 8;
const FUTURE_MS_USUAL: u64 = 3_600_000;

impl Policy {
    /// Warnings for the operator, in the order of the document. An empty list does not mean that a policy is wise.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        self.check_admission(&mut warnings);
        self.check_emission(&mut warnings);
        self.check_pools(&mut warnings);
        self.check_residual(&mut warnings);
        self.check_credit(&mut warnings);
        self.check_observers(&mut warnings);
        warnings
    }

    fn check_admission(&self, warnings: &mut Vec<String>) {
        let mut warn = |text: &str| warnings.push(text.to_owned());
        if self.asset.caip19.is_none() {
            warn("asset.caip19 is not set: payouts are counted, but no token pays them yet");
        }
        if self.epochs.late_epochs == 0 {
            warn("epochs.late_epochs is 0: what a device measured offline before its epoch ended is lost");
        } else if self.epochs.late == Ppm::ZERO {
            warn("epochs.late_ppm is 0: late reports are judged but never paid");
        }
        if self.epochs.future_ms > FUTURE_MS_USUAL {
            warn("epochs.future_ms is over an hour: clocks may be wrong by more than a judge can notice");
        }
        if self.h3_resolution > H3_RESOLUTION_SAFE {
            warn("positions.h3_resolution is finer than 8: public cells may point at homes");
        }
        if self.devices_per_owner.is_none() {
            warn("limits.devices_per_owner is 0: one owner may enrol any number of devices");
        }
    }

    fn check_emission(&self, warnings: &mut Vec<String>) {
        let emission = &self.emission;
        let first = emission.rows()[0].from_epoch;
        if first > 0 {
            warnings.push(format!("emission.table begins at epoch {first}: nothing is minted before"));
        }
        match emission.supply() {
            Ok(Some(Amount::ZERO)) => warnings.push("emission.table mints nothing, ever".to_owned()),
            Ok(Some(_)) => {}
            Ok(None) => {
                warnings.push("emission has no end and no max_supply_tokens: the supply is unlimited".to_owned())
            }
            Err(error) => warnings.push(format!("emission.table: {error}; epochs would then fail to close")),
        }
        if let Some(epoch) = emission.capped_from() {
            warnings.push(format!("emission.max_supply_tokens is reached in epoch {epoch}; later rows mint nothing"));
        }
    }

    fn check_pools(&self, warnings: &mut Vec<String>) {
        // Buyers pay a class with a market.
        let unpaid =
            |class: &&String| !MARKETS.contains(&class.as_str()) && self.pools.iter().all(|pool| pool.class != **class);
        for class in self.classes.keys().filter(unpaid) {
            warnings.push(format!("class {class} is judged, but no pool pays it"));
        }
        for (class, _) in self.fees.iter().filter(|(_, fee)| **fee == Ppm::FULL) {
            warnings.push(format!("classes.\"{class}\".fee_ppm is the whole price: workers are paid nothing"));
        }
        for class in &self.bridged {
            warnings.push(format!("classes.\"{class}\".bridges: one key may then speak for all devices of its owner"));
        }
        for pool in &self.pools {
            let name = &pool.name;
            if pool.share == Ppm::ZERO {
                warnings.push(format!("pool {name}: share_ppm is 0, it never pays"));
            }
            if pool.cap_per_device == Some(Amount::ZERO) {
                warnings.push(format!("pool {name}: cap_per_device_tokens is 0, it never pays"));
            }
            match pool.rule {
                Rule::Flat { min_score: Ppm::ZERO } => {
                    warnings
                        .push(format!("pool {name}: min_score_ppm is 0, any device with any weight gets a full part"));
                }
                Rule::ProRata if pool.cap_per_device.is_none() => {
                    warnings
                        .push(format!("pool {name}: without cap_per_device_tokens a lone device takes the whole pool"));
                }
                _ => {}
            }
        }
    }

    fn check_residual(&self, warnings: &mut Vec<String>) {
        let name = &self.residual.name;
        let shared: u32 = self.pools.iter().map(|pool| pool.share.get()).sum();
        match &self.residual.to {
            Destination::Account(account) if account.to_string() == PLACEHOLDER_TREASURY => {
                warnings.push(format!("pool {name}: to is the example account, whose key nobody has"));
            }
            Destination::NextEpoch => warnings.push(format!(
                "pool {name}: what no device gets swells the next epoch's pot; a quiet time ends in a jackpot"
            )),
            _ => {}
        }
        if shared < PPM / 2 {
            warnings
                .push(format!("pool {name}: over half of every epoch goes there, since shares add up to {shared} ppm"));
        }
    }

    fn check_credit(&self, warnings: &mut Vec<String>) {
        for chain in self.credit.iter().flat_map(|credit| &credit.chains) {
            let source = deposit::source_of(chain);
            if self.observers.iter().all(|observer| observer.source != source) {
                warnings.push(format!("credit.chains: nobody observes {source}, so that nothing paid in there counts"));
            }
        }
    }

    fn check_observers(&self, warnings: &mut Vec<String>) {
        for (index, observer) in self.observers.iter().enumerate() {
            let source = &observer.source;
            if self.observers[..index].iter().any(|earlier| earlier.source == *source) {
                continue;
            }
            let count = self.observers.iter().filter(|other| other.source == *source).count();
            match observer.trust {
                Trust::Operator => warnings.push(format!("source {source}: believed on the operator's word alone")),
                Trust::Median if count < 3 => {
                    warnings.push(format!("source {source}: the median of {count} lets a single observer decide"));
                }
                _ => {}
            }
        }
    }
}
