//! What is collected: a blob that no job needs, when it was staged long enough.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cairn_core::Hash;

/// What a sweep looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Whether a job needed it at the last sweep.
    pub needed: bool,
    /// When it came, was asked to be kept, or was last needed; since the start.
    pub at: Duration,
}

/// What became of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A job needs it.
    Needed,
    /// No job needs it any more: from now on it is staged.
    Released,
    /// It stays staged.
    Staged,
    /// It goes.
    Collected,
}

/// The fate of every blob, given what jobs need and the time. A blob stays staged for `keep` after it was last wanted.
pub(crate) fn sweep(
    held: &BTreeMap<Hash, Wanted>,
    needed: &BTreeSet<Hash>,
    now: Duration,
    keep: Duration,
) -> BTreeMap<Hash, Fate> {
    let fate = |(hash, wanted): (&Hash, &Wanted)| {
        let fate = match (needed.contains(hash), wanted.needed) {
            (true, _) => Fate::Needed,
            (false, true) => Fate::Released,
            (false, false) if now.saturating_sub(wanted.at) < keep => Fate::Staged,
            (false, false) => Fate::Collected,
        };
        (*hash, fate)
    };
    held.iter().map(fate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_needs_stays_and_everything_else_is_kept_a_while_after_it_was_last_wanted() {
        const KEEP: u64 = 60;
        let cases = [
            ("just came", false, 100, false, 100, Fate::Staged),
            ("a moment before its end", false, 41, false, 100, Fate::Staged),
            ("at its end", false, 40, false, 100, Fate::Collected),
            ("needed however old", true, 0, true, 1_000, Fate::Needed),
            ("staged and now needed", false, 0, true, 1_000, Fate::Needed),
            ("needed no more", true, 0, false, 1_000, Fate::Released),
            ("of the future", false, 200, false, 100, Fate::Staged),
        ];
        for (what, was_needed, at_s, is_needed, now_s, expected) in cases {
            let hash = Hash([1; 32]);
            let held = BTreeMap::from([(hash, Wanted { needed: was_needed, at: Duration::from_secs(at_s) })]);
            // What is needed and not held changes nothing.
            let needed = is_needed.then_some(hash).into_iter().chain([Hash([2; 32])]).collect();
            let fates = sweep(&held, &needed, Duration::from_secs(now_s), Duration::from_secs(KEEP));
            assert_eq!(fates, BTreeMap::from([(hash, expected)]), "{what}");
        }
    }
}
