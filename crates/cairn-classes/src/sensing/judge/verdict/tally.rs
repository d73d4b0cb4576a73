//! Reasons in the order of the checks, and what they took together.

use cairn_core::Reason;

use crate::sensing::judge::own::Finding;
use crate::sensing::words::{Check, Code};

#[derive(Default)]
pub(super) struct Tally {
    pub reasons: Vec<Reason>,
    pub lost_ppm: u32,
}

impl Tally {
    /// Adds a reason that would take `lost_ppm` alone. The score is that of the worst check, so a reason takes only what
    /// the ones before it have left of that: the parts lost always add up to the score.
    pub fn add(&mut self, code: Code, check: Check, observed: i64, threshold: i64, lost_ppm: u32, evidence: Vec<u64>) {
        let further = lost_ppm.saturating_sub(self.lost_ppm);
        self.lost_ppm += further;
        self.reasons.push(Reason {
            code: code.as_str().to_owned(),
            check: check.to_string(),
            observed,
            threshold,
            lost_ppm: further,
            evidence,
        });
    }

    /// Adds a finding with the entries that show it.
    pub fn find(&mut self, finding: &Finding, evidence: Vec<u64>) {
        self.add(finding.code, finding.check, finding.observed, finding.threshold, finding.lost_ppm, evidence);
    }
}
