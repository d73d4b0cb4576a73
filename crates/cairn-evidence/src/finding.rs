//! What an evidence proves: who contradicted himself, and how.

use core::fmt;

use cairn_core::key::PublicKey;
use cairn_core::{Account, DeviceId, NetworkId};
use cairn_merkle::NoteVerifier;

use crate::Kind;

/// Who is guilty, by what he signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Culprit {
    /// A device, and the keys under the two reports: one, or two after a rotation.
    Device {
        /// The device.
        id: DeviceId,
        /// The keys, each once.
        keys: Vec<PublicKey>,
    },
    /// The operator, by the key that signs checkpoints.
    Log(NoteVerifier),
    /// The operator, by the key that signs promises.
    Promises(NoteVerifier),
    /// A witness.
    Witness(NoteVerifier),
}

impl Culprit {
    /// What it is: `device`, `log`, `promises` or `witness`.
    #[must_use]
    pub const fn role(&self) -> &'static str {
        match self {
            Self::Device { .. } => "device",
            Self::Log(_) => "log",
            Self::Promises(_) => "promises",
            Self::Witness(_) => "witness",
        }
    }

    /// Its name: a device's id, or a key's name.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Device { id, .. } => id.to_string(),
            Self::Log(key) | Self::Promises(key) | Self::Witness(key) => key.name().to_owned(),
        }
    }

    /// Its keys: `did:key` of devices, vkeys of the others.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        match self {
            Self::Device { keys, .. } => keys.iter().map(PublicKey::did).collect(),
            Self::Log(key) | Self::Promises(key) | Self::Witness(key) => vec![key.to_string()],
        }
    }
}

/// What was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The network.
    pub network: NetworkId,
    /// What was done.
    pub kind: Kind,
    /// Who did it: at least one.
    pub guilty: Vec<Culprit>,
    /// One plain sentence.
    pub sentence: String,
    /// Owners whose statements say that a key is the device's. Empty where nothing rests on anybody's word; otherwise the
    /// log tells whether they owned the device when they said so, and if not, it is they who said what is not true.
    pub on_word_of: Vec<Account>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}
