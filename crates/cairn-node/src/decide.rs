//! What a worker does about a job: one pure function of what the network says and of what the worker has.
//!
//! It believes no label: what may be said now follows from who has said what, and from the times. A gateway that lies about
//! those has the worker say something that does not count, which may be said again.

use cairn_core::Hash;

/// What a worker has said of a job, as far as others need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nothing.
    Nothing,
    /// A sealed result.
    Committed {
        /// The seal.
        seal: Hash,
    },
    /// The result.
    Revealed,
    /// That it does not do it.
    Declined,
}

/// Why a job is declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its blobs are not to be had.
    Blobs = 1,
    /// It needs more than there is.
    NoRoom = 2,
    /// The host failed.
    Host = 3,
}

impl Reason {
    /// The number in a report.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Blobs => "its blobs are not to be had",
            Self::NoRoom => "it needs more than there is here",
            Self::Host => "this machine failed at it",
        }
    }
}

/// A job as the network tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// What this worker has said.
    pub mine: Said,
    /// Whether nobody is waited for who could still commit.
    pub all_said: bool,
    /// The first moment at which nobody can commit any more.
    pub commit_until_ms: u64,
    /// The first moment at which nobody can reveal any more.
    pub reveal_until_ms: u64,
    /// Whether it is settled, or nobody knows of it any more.
    pub is_over: bool,
}

/// What this worker has of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// Nothing.
    Nothing,
    /// It is being run, or will be tried again soon.
    Running,
    /// A result, durable, with the seal that it is said under.
    Sealed {
        /// The seal.
        seal: Hash,
        /// Whether the output was left at the gateway.
        is_delivered: bool,
    },
    /// It cannot be had.
    Failed(Reason),
}

/// Why nothing more is done about a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Everything was said.
    Done,
    /// The time is over.
    TooLate,
    /// Something was sealed that this folder knows nothing of: its record was lost, or somebody else has the key.
    NotOurs,
}

/// What is done about a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing now.
    Wait,
    /// Run it.
    Run,
    /// Say the seal.
    Commit,
    /// Leave the output, and say the result.
    Reveal,
    /// Leave the output: the result was said.
    Deliver,
    /// Say that it is not done.
    Decline(Reason),
    /// Forget it.
    Leave(Why),
}

/// What to do about a job at `now_ms`. `fits` is whether the order is within the worker's own limits.
#[must_use]
pub fn next(view: &View, own: &Own, fits: bool, now_ms: u64) -> Action {
    let must_deliver = matches!(own, Own::Sealed { is_delivered: false, .. });
    match view.mine {
        _ if view.is_over => Action::Leave(Why::Done),
        Said::Revealed if must_deliver => Action::Deliver,
        Said::Revealed | Said::Declined => Action::Leave(Why::Done),
        Said::Nothing if now_ms >= view.commit_until_ms => Action::Leave(Why::TooLate),
        Said::Nothing => match own {
            Own::Nothing if fits => Action::Run,
            Own::Nothing => Action::Decline(Reason::NoRoom),
            Own::Running => Action::Wait,
            Own::Sealed { .. } => Action::Commit,
            Own::Failed(reason) => Action::Decline(*reason),
        },
        Said::Committed { seal } => match own {
            Own::Sealed { seal: own, .. } if *own == seal => {
                if now_ms >= view.reveal_until_ms {
                    Action::Leave(Why::TooLate)
                } else if view.all_said || now_ms >= view.commit_until_ms {
                    Action::Reveal
                } else {
                    Action::Wait
                }
            }
            Own::Running => Action::Wait,
            _ => Action::Leave(Why::NotOurs),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAL: Hash = Hash([7; 32]);
    const COMMITTED: Said = Said::Committed { seal: SEAL };
    const SEALED: Own = Own::Sealed { seal: SEAL, is_delivered: false };
    const DELIVERED: Own = Own::Sealed { seal: SEAL, is_delivered: true };
    const OTHER: Own = Own::Sealed { seal: Hash([8; 32]), is_delivered: false };

    #[test]
    fn what_a_worker_does_follows_from_what_was_said_and_what_it_has() {
        // Commits until 100, reveals until 200.
        let cases = [
            ("assigned", Said::Nothing, false, Own::Nothing, true, 50, Action::Run),
            ("too large", Said::Nothing, false, Own::Nothing, false, 50, Action::Decline(Reason::NoRoom)),
            ("too late to begin", Said::Nothing, false, Own::Nothing, true, 100, Action::Leave(Why::TooLate)),
            ("too late to decline", Said::Nothing, false, Own::Nothing, false, 100, Action::Leave(Why::TooLate)),
            ("at it", Said::Nothing, false, Own::Running, true, 50, Action::Wait),
            ("no blobs", Said::Nothing, false, Own::Failed(Reason::Blobs), true, 50, Action::Decline(Reason::Blobs)),
            ("host failed", Said::Nothing, false, Own::Failed(Reason::Host), true, 50, Action::Decline(Reason::Host)),
            ("run", Said::Nothing, false, SEALED, true, 99, Action::Commit),
            ("run and shrunk since", Said::Nothing, false, SEALED, false, 99, Action::Commit),
            ("run too late", Said::Nothing, false, SEALED, true, 100, Action::Leave(Why::TooLate)),
            ("others at it", COMMITTED, false, SEALED, true, 99, Action::Wait),
            ("all have committed", COMMITTED, true, SEALED, true, 60, Action::Reveal),
            ("time to commit over", COMMITTED, false, SEALED, true, 100, Action::Reveal),
            ("a moment before the end", COMMITTED, false, DELIVERED, true, 199, Action::Reveal),
            ("the end", COMMITTED, true, SEALED, true, 200, Action::Leave(Why::TooLate)),
            ("record lost", COMMITTED, false, Own::Nothing, true, 50, Action::Leave(Why::NotOurs)),
            ("record lost and run again", COMMITTED, true, OTHER, true, 50, Action::Leave(Why::NotOurs)),
            ("running what is committed", COMMITTED, true, Own::Running, true, 50, Action::Wait),
            (
                "failed at what is committed",
                COMMITTED,
                true,
                Own::Failed(Reason::Host),
                true,
                50,
                Action::Leave(Why::NotOurs),
            ),
            ("said, and its output wanted", Said::Revealed, true, SEALED, true, 50, Action::Deliver),
            ("wanted after the end", Said::Revealed, true, SEALED, true, 500, Action::Deliver),
            ("said and left", Said::Revealed, true, DELIVERED, true, 50, Action::Leave(Why::Done)),
            ("said by a folder that is lost", Said::Revealed, true, Own::Nothing, true, 50, Action::Leave(Why::Done)),
            ("declined", Said::Declined, false, Own::Nothing, true, 50, Action::Leave(Why::Done)),
            ("declined, and run since", Said::Declined, false, SEALED, true, 50, Action::Leave(Why::Done)),
        ];
        for (what, mine, all_said, own, fits, now_ms, expected) in cases {
            let mut view = View { mine, all_said, commit_until_ms: 100, reveal_until_ms: 200, is_over: false };
            assert_eq!(next(&view, &own, fits, now_ms), expected, "{what}");
            view.is_over = true;
            assert_eq!(next(&view, &own, fits, now_ms), Action::Leave(Why::Done), "{what}, settled");
        }
    }

    #[test]
    fn nothing_is_said_but_what_is_durable_and_in_its_time() {
        for now_ms in [0, 99, 100, 199, 200, 201] {
            for mine in [Said::Nothing, COMMITTED, Said::Revealed, Said::Declined] {
                for own in [Own::Nothing, Own::Running, SEALED, DELIVERED, OTHER, Own::Failed(Reason::Host)] {
                    for all_said in [false, true] {
                        let view = View { mine, all_said, commit_until_ms: 100, reveal_until_ms: 200, is_over: false };
                        let action = next(&view, &own, true, now_ms);
                        let has_result = matches!(own, Own::Sealed { .. });
                        match action {
                            Action::Commit => assert!(has_result && now_ms < 100 && mine == Said::Nothing),
                            Action::Reveal => {
                                assert!(has_result && own != OTHER && mine == COMMITTED && now_ms < 200);
                                assert!(all_said || now_ms >= 100);
                            }
                            Action::Run | Action::Decline(_) => assert!(mine == Said::Nothing && now_ms < 100),
                            Action::Deliver => assert!(has_result && mine == Said::Revealed),
                            Action::Wait | Action::Leave(_) => {}
                        }
                    }
                }
            }
        }
    }
}
