//! Where a page offers to be checked in the reader's own browser: what the script is asked, and what its word is worth.
//!
//! The script believes nothing of this but what it is asked about: it reads the log's raw bytes, and compares.

use cairn_api::{ClaimInfo, EpochRef};
use maud::{Markup, html};

use crate::source::Source;

/// The check of an entry. `keys` are the `did:key` of who may have signed.
pub(crate) fn entry(source: &Source, index: u64, leaf: &str, keys: &[&str]) -> Markup {
    let says = "It reads the entry's bytes from the log, hashes them, follows the hashes up to the one that the operator signed for the whole log (the checkpoint), and checks who signed the entry.";
    let asked = format!("entry {index}");
    html! {
        section.verify data-verify="entry" data-verify-network=(source.network_id) data-verify-index=(index)
            data-verify-leaf=(leaf) data-verify-keys=(keys.join(" ")) {
            (words(says, &asked))
        }
    }
}

/// What of an epoch is looked at beside the whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pay<'a> {
    /// The device that was paid.
    pub device: Option<&'a str>,
    /// The account that was paid.
    pub account: Option<&'a str>,
    /// What the page says it was paid in this epoch, base units.
    pub paid: Option<&'a str>,
    /// The account's claim as of this epoch.
    pub claim: Option<&'a ClaimInfo>,
}

/// The check of a closed epoch.
pub(crate) fn epoch(source: &Source, epoch: &EpochRef, pay: Pay<'_>) -> Markup {
    let says = "It finds the epoch's statement in the log, follows the hashes up to the one that the operator signed for the whole log (the checkpoint), holds all verdicts and payouts against it, and computes every payout again from the verdicts and the policy.";
    let asked = match (pay.device, pay.account) {
        (Some(device), _) => format!("pay {device} {}", epoch.number),
        (None, Some(account)) => format!("pay {account} {}", epoch.number),
        (None, None) => format!("epoch {}", epoch.number),
    };
    html! {
        section.verify data-verify="epoch" data-verify-network=(source.network_id) data-verify-epoch=(epoch.number)
            data-verify-statement=(epoch.statement) data-verify-device=[pay.device] data-verify-account=[pay.account]
            data-verify-paid=[pay.paid] data-verify-claim-domain=[pay.claim.map(|claim| &claim.domain)]
            data-verify-claim-cumulative=[pay.claim.map(|claim| &claim.cumulative)]
            data-verify-claim-proof=[pay.claim.map(|claim| claim.proof.join(" "))] {
            (words(says, &asked))
        }
    }
}

/// What the check does, and what its word is worth.
fn words(says: &str, asked: &str) -> Markup {
    html! {
        h2 { "Check it yourself" }
        p { "With JavaScript, your browser can check this without believing this page. " (says) }
        p.quiet {
            "It proves that what you see is what the log's key signed. It does not prove that everybody is shown the same log, or that a "
            "device told the truth; and this server gave you the script too. Run the same script from a copy of the project that you trust ("
            code { "node crates/cairn-console/assets/verify/verify.mjs URL " (asked) } "), or have " code { "cairn audit" }
            " compute everything again."
        }
    }
}
