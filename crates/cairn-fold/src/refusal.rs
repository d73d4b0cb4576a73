//! Why an entry is void: a stable code, what was refused, and the way out.

use core::fmt;

/// Why `admit` refuses an entry. The entry stays in the log; it amounts to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code, such as `RPT-SIGNATURE`.
    pub code: &'static str,
    /// What was refused and by which rule.
    pub detail: String,
}

impl Refusal {
    pub(crate) fn of(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        let hint = match self.code {
            "RPT-UNKNOWN-DEVICE" => "enrol the device first: `cairn enrol`",
            "RPT-SIGNATURE" => "sign with the device's current key, for this network's id",
            "RPT-ALGORITHM" => "the header's algorithm must be that of the enrolled key",
            "RPT-CLASS" => "report for a class that the device is enrolled in and the policy judges",
            "RPT-FUTURE" => "set the device's clock, or send clock source 0 so that the time of receipt counts",
            "RPT-TOO-LATE" => "the policy's `late_epochs` says how old a report may be",
            "RPT-DUPLICATE" => "count `seq` up with every report, and `boot` with every start",
            "RPT-CONFLICT" => "never sign two payloads under one (boot, seq)",
            "RPT-NAME-CLOSED" => "the device left too many gaps in its names; go on above the highest one",
            "RPT-PLACE" => "send a cell no finer than the policy's resolution",
            "OBS-CHAIN" => "log a `domain` statement for the chain first",
            "OBS-DEPOSIT" => "the value is the array of a deposit, of at least one base unit and below 2^128",
            "OBS-CREDIT" => "no more of this asset can be credited; stop taking it on the chain",
            "STM-SLOTS" => "let `slot_ms` of the profile divide the epoch's length and its start",
            "STM-NONCE" => "use a nonce above the signer's last one; the time in milliseconds does well",
            "STM-EXPIRED" => "sign it again with a later expiry",
            "STM-SIGNATURE" => "sign the payload for this network's id",
            "STM-RIGHTS" => "the statement needs the signature of whoever holds the right",
            "STM-EPOCH" => "a document takes force from an epoch that has not started",
            "CMP-CLOSED" => {
                "a policy with [classes.\"compute/1\"] and a profile of it open the market from their first epoch on"
            }
            "CMP-GAS" => "cut the job into several: the epoch that settles a job must be able to write its gas down",
            code => return cairn_classes::compute::hint_of(code),
        };
        Some(hint)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}
