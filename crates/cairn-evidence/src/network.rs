//! What a network's genesis says of its keys.

use cairn_core::ed25519::VerifyingKey;
use cairn_core::statement::{Genesis, genesis_of_payload};
use cairn_core::{Hash, NetworkId};
use cairn_merkle::NoteVerifier;
use cairn_merkle::note::KeyKind;
use cairn_merkle::promise::promise_key_name;

use crate::EvidenceError;

/// Whether signatures under a key say nothing, because it is of small order: under ZIP-215 rules the neutral point and
/// zero then are a signature over everything.
pub(crate) fn is_anybodys(key: &VerifyingKey) -> bool {
    let mut signature = [0; 64];
    signature[0] = 1;
    key.verify(b"cairn/evidence/1", &signature)
}

/// A network by its founding words. The operator's signature under them is not needed: whoever pins the id pins them.
#[derive(Debug, Clone)]
pub struct Founded {
    /// Its id: the hash of the words.
    pub id: NetworkId,
    /// What they say.
    pub genesis: Genesis,
    /// The key that checkpoints are signed with, under the origin as its name.
    pub log: NoteVerifier,
    /// The key that promises are signed with.
    pub promises: NoteVerifier,
}

impl Founded {
    /// The network of a genesis payload.
    ///
    /// # Errors
    /// [`EvidenceError::Genesis`].
    pub fn by(payload: &[u8]) -> Result<Self, EvidenceError> {
        let refuse = |reason: String| EvidenceError::Genesis { reason };
        let genesis = genesis_of_payload(payload).map_err(|error| refuse(error.to_string()))?;
        let verifier = |name: &str, key: [u8; 32]| {
            let key = VerifyingKey::from_bytes(key).ok_or_else(|| refuse(format!("the key of {name} is no key")))?;
            if is_anybodys(&key) {
                return Err(refuse(format!("the key of {name} is of small order: anybody can sign for it")));
            }
            NoteVerifier::new(name, KeyKind::Ed25519, key).map_err(|error| refuse(error.to_string()))
        };
        let log = verifier(&genesis.origin, genesis.log_key)?;
        let promises = verifier(&promise_key_name(&genesis.origin), genesis.promise_key)?;
        Ok(Self { id: NetworkId(Hash::of(payload)), genesis, log, promises })
    }
}
