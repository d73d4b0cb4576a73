//! What devices were charged for the reports of one request, until it is known what became of them.
//!
//! A device pays for what is logged. Whatever else happens to a request - the writer is busy or its disk full, the writer
//! ends, its sender has long left - what is not settled is given back when it is dropped.

use std::sync::Arc;

use cairn_core::DeviceId;
use cairn_ledger::Answer;

use crate::rates::Rates;

/// The charges of the items of one request that go to the writer.
pub(crate) struct Charges {
    rates: Arc<Rates>,
    /// Who was charged for each item.
    devices: Vec<Option<DeviceId>>,
}

impl Charges {
    /// Of no items yet.
    pub const fn by(rates: Arc<Rates>) -> Self {
        Self { rates, devices: Vec::new() }
    }

    /// Takes over the charge of the next item.
    pub fn push(&mut self, device: Option<DeviceId>) {
        self.devices.push(device);
    }

    /// Gives back what was charged for items that were not logged; those that were are paid.
    pub fn settle(mut self, answers: &[Answer]) {
        for (device, answer) in self.devices.iter_mut().zip(answers) {
            if matches!(answer, Answer::Accepted { .. }) {
                *device = None;
            }
        }
    }
}

impl Drop for Charges {
    fn drop(&mut self) {
        self.devices.iter().flatten().for_each(|device| self.rates.repay_device(*device));
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::Hash;
    use cairn_fold::Refusal;

    use super::*;
    use crate::{GatewayOptions, Rate};

    #[test]
    fn a_device_pays_for_what_is_logged_and_gets_back_everything_else() {
        let accepted = || Answer::Accepted { index: 1, leaf: Hash::ZERO };
        let duplicate = || Answer::Duplicate { index: 1, leaf: Hash::ZERO };
        let rejected = || Answer::Rejected(Refusal { code: "RPT-TOO-LATE", detail: String::new() });
        // What the writer says of three items, if it says anything; how many of them are paid. A hundred requests each.
        let cases = [
            (None, 0),
            (Some(vec![]), 0),
            (Some(vec![accepted(), accepted(), accepted()]), 3),
            (Some(vec![duplicate(), accepted(), rejected()]), 1),
            (Some(vec![accepted()]), 1),
        ];
        let device = DeviceId([7; 16]);
        for (answers, paid) in cases {
            let limits = Rate { per_s: 1, burst: 1_000 };
            let rates = Arc::new(Rates::of(&GatewayOptions { device_reports: limits, ..GatewayOptions::default() }));
            for _ in 0..100 {
                let mut charges = Charges::by(rates.clone());
                for _ in 0..3 {
                    rates.charge_device(device).unwrap();
                    charges.push(Some(device));
                }
                match &answers {
                    Some(answers) => charges.settle(answers),
                    None => drop(charges),
                }
            }
            let left = (0..2_000).take_while(|_| rates.charge_device(device).is_ok()).count();
            // It fills by one a second meanwhile.
            let least = 1_000 - 100 * paid;
            assert!((least..least + 90).contains(&left), "{answers:?}: {left} are left of 1,000");
        }
    }
}
