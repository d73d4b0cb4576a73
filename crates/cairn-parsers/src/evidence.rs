//! Evidence: what strangers hand on.

use cairn_evidence::Evidence;

pub fn evidence(bytes: &[u8]) {
    let Ok(evidence) = Evidence::decode(bytes) else { return };
    assert_eq!(evidence.encode(), bytes);
    if let Ok(found) = evidence.check() {
        assert!(!found.guilty.is_empty() && found.kind == evidence.accusation.kind());
        assert!(found.sentence.is_ascii(), "what is printed moves no cursor: {}", found.sentence.escape_debug());
        assert_eq!(evidence.check_in(&found.network).as_ref(), Ok(&found));
    }
}
