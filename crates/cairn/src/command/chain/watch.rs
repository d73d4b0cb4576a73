//! Doing it again and again: what `--watch` means.

use std::time::Duration;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// What is said to be wrong, and may be right the next time: somebody else was quicker, gas is dear, a guardian stopped
/// payments, coin ran out, contracts are not named yet.
const PASSING: [&str; 12] = [
    "STL-REVERTED",
    "STL-REFUSED",
    "STL-FAILED",
    "STL-FEES",
    "STL-WAITING",
    "STL-NONCE",
    "STL-BEHIND",
    "STL-CANCELLED",
    "STL-UNDER-WAY",
    "STL-NO-CONTRACT",
    "NET-NO-EPOCH",
    "OBS-ROUND",
];

/// How often.
#[derive(Debug, Clone, clap::Args)]
pub struct Watch {
    /// Go on until stopped, and look again after as many seconds; with `--json` a document for each time
    #[arg(long, value_name = "SECONDS")]
    watch: Option<u64>,
}

impl Watch {
    /// Runs `once`, or again and again. While watching, what is out of reach, or may pass, is said and tried again;
    /// what is wrong ends it.
    ///
    /// # Errors
    /// Those of `once`.
    pub fn each(&self, output: Output, mut once: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
        let Some(seconds) = self.watch else { return once() };
        loop {
            match once() {
                Err(failure) if may_pass(&failure) => output.say(failure.to_string()),
                other => other?,
            }
            std::thread::sleep(Duration::from_secs(seconds.max(1)));
        }
    }
}

/// Whether looking again may help. Where nobody listens any more it does not.
fn may_pass(failure: &Failure) -> bool {
    let passing = failure.exit == Exit::Failed || PASSING.contains(&failure.code.as_str());
    passing && failure.code != "NET-STDOUT"
}

#[cfg(test)]
mod tests {
    use cairn_chain::ChainError;

    use super::*;

    #[test]
    fn watching_outlives_what_passes_and_ends_with_what_is_wrong() {
        let text = || "x".to_owned();
        for error in [
            ChainError::Unreachable { chain: text(), what: text() },
            // Another relayer was quicker, before the transaction was sent and after.
            ChainError::Reverted { reason: "NotNext".to_owned() },
            ChainError::Failed { purpose: text(), transaction: text(), reason: text() },
            ChainError::TooDear { chain: text(), price: 2, allowed: 1 },
            ChainError::Waiting { purpose: text(), transaction: text() },
        ] {
            let failure = Failure::from(error);
            assert!(may_pass(&failure), "{failure}");
        }
        assert!(may_pass(&Failure::wrong("OBS-ROUND", "another observer was quicker")));
        for failure in [
            Failure::from(ChainError::Claims { epoch: 1, what: text() }),
            Failure::failed("NET-STDOUT", "nobody listens"),
            Failure::usage("STL-ADDRESS", "no address"),
        ] {
            assert!(!may_pass(&failure), "{failure}");
        }
    }
}
