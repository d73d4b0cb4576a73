//! Documents that operators and owners write: policies, `network.toml`, `node.toml`, key files, promise files.

use cairn_reward::Policy;

use crate::text;

pub fn policy(bytes: &[u8]) {
    match Policy::parse(bytes) {
        Ok(policy) => {
            assert_eq!(policy.hash(), cairn_core::Hash::of(bytes));
            assert_eq!(Policy::parse(bytes).as_ref(), Ok(&policy));
            let _ = policy.check();
            let _ = policy.emission.total_through(1_000_000);
        }
        Err(error) => assert!(!error.code().is_empty() && !error.to_string().is_empty()),
    }
}

pub fn network_toml(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Err(failure) = cairn::parse::network_toml(text) {
        assert!(!failure.code.is_empty() && !failure.message.is_empty());
    }
}

pub fn key_file(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(written) = cairn::parse::key_file(text) {
        assert_eq!(cairn::parse::key_file(&written).as_deref(), Ok(written.as_str()));
    }
}

pub fn node_toml(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Err(failure) = cairn::parse::node_toml(text) {
        assert!(!failure.code.is_empty() && !failure.message.is_empty() && failure.hint.is_some(), "{failure:?}");
    }
}

/// What stands around a key, and where its lines end, is of no concern.
pub fn pkcs8_key(bytes: &[u8]) {
    const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
    const END: &str = "-----END PRIVATE KEY-----";
    let Some(text) = text(bytes) else { return };
    match cairn::parse::pkcs8(text) {
        Ok(public) => {
            let rest = text.split_once(BEGIN).expect("it begins").1;
            let base64: String = rest.split_once(END).expect("it ends").0.split_ascii_whitespace().collect();
            assert_eq!(cairn::parse::pkcs8(&format!("{BEGIN}\n{base64}\n{END}\n")), Ok(public));
        }
        Err(what) => assert!(!what.is_empty()),
    }
}

pub fn promise_file(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Some(notes) = cairn::parse::promise_file(text) {
        let written: String = notes.iter().map(|note| format!("{note}\n")).collect();
        assert_eq!(cairn::parse::promise_file(&written), Some(notes));
    }
}
