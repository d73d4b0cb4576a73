//! The profile: strict, and what the default one says.

use super::*;
use crate::ClassError;

#[test]
fn the_default_profile_says_what_the_reference_does() {
    let profile = Profile::parse(COMPUTE).unwrap();
    assert_eq!((profile.sample_min_ppm, profile.probation, profile.score_max), (100_000, 8, 100));
    assert_eq!((profile.lottery_pool, profile.keep_epochs), (4, 2));
    assert_eq!((profile.reveal_ms, profile.replay_ms, profile.commit_ms_max), (600_000, 3_600_000, 86_400_000));
}

#[test]
fn a_profile_is_strict() {
    let edited = |from: &str, to: &str| -> Result<Profile, ClassError> {
        assert!(COMPUTE.contains(from), "{from}");
        Profile::parse(&COMPUTE.replacen(from, to, 1))
    };
    let cases = [
        ("\"compute/1\"", "\"compute/2\"", "CLS-SCHEMA"),
        ("gas_table = 1", "gas_table = 0", "CLS-PROFILE-VALUE"),
        ("gas_table = 1", "", "CLS-PROFILE"),
        ("gas_table = 1", "gas_table = 1\nform = 2", "CLS-PROFILE"),
        ("gas_table = 1", "gas_table = 1.0", "CLS-PROFILE"),
        ("commit_ms_min = 30_000", "commit_ms_min = 999", "CLS-PROFILE-VALUE"),
        ("commit_ms_min = 30_000", "commit_ms_min = 86_400_001", "CLS-PROFILE-VALUE"),
        ("commit_ms_max = 86_400_000", "commit_ms_max = 2_678_400_001", "CLS-PROFILE-VALUE"),
        ("reveal_ms = 600_000", "reveal_ms = 999", "CLS-PROFILE-VALUE"),
        ("replay_ms = 3_600_000", "replay_ms = 0", "CLS-PROFILE-VALUE"),
        ("cancel_ms = 60_000", "cancel_ms = -1", "CLS-PROFILE"),
        ("keep_epochs = 2", "keep_epochs = 1_001", "CLS-PROFILE-VALUE"),
        ("sample_min_ppm = 100_000", "sample_min_ppm = 1_000_001", "CLS-PROFILE-VALUE"),
        ("probation = 8", "probation = 801", "CLS-PROFILE-VALUE"),
        ("score_max = 100", "score_max = 0", "CLS-PROFILE-VALUE"),
        ("score_gas_min = 1_000_000", "score_gas_min = -1", "CLS-PROFILE"),
        ("lottery_pool = 4", "lottery_pool = 0", "CLS-PROFILE-VALUE"),
        ("lock_min = 1", "lock_min = -1", "CLS-PROFILE"),
        ("open_jobs = 20_000", "open_jobs = 999", "CLS-PROFILE-VALUE"),
        ("open_jobs = 20_000", "open_jobs = 1_000_001", "CLS-PROFILE-VALUE"),
        ("open_jobs_per_buyer = 1_000", "open_jobs_per_buyer = 0", "CLS-PROFILE-VALUE"),
        ("licences_per_owner = 256", "licences_per_owner = 10_001", "CLS-PROFILE-VALUE"),
        ("licences = 10_000", "licences = 0", "CLS-PROFILE-VALUE"),
    ];
    for (from, to, code) in cases {
        let refused = edited(from, to).unwrap_err();
        assert_eq!(refused.code(), code, "{from} -> {to}: {refused}");
    }
}
