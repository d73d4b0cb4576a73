//! What this crate refuses, each with a stable code.

use cairn_core::Hash;

/// Why a tree, proof, tile, note, checkpoint, receipt or claim was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// An index outside the tree.
    #[error("index {index} is not below the tree size {size}")]
    Index {
        /// The index asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// An older size above the newer one.
    #[error("a tree of {old} leaves cannot be older than one of {new}")]
    Sizes {
        /// The size said to be the older one.
        old: u64,
        /// The size said to be the newer one.
        new: u64,
    },
    /// The number of peaks does not fit the size.
    #[error("a tree of {size} leaves has {} peaks, not {found}", size.count_ones())]
    Peaks {
        /// The size of the tree.
        size: u64,
        /// How many peaks were given.
        found: usize,
    },
    /// A proof with too few or too many hashes.
    #[error("the proof has {found} hashes, which is not what a tree of {size} leaves needs")]
    ProofLength {
        /// The size of the (newer) tree.
        size: u64,
        /// How many hashes were given.
        found: usize,
    },
    /// A proof leads to another root.
    #[error("the proof leads to root {computed}, the tree of {size} leaves has {expected}")]
    Root {
        /// The size of the tree.
        size: u64,
        /// The root that should have come out.
        expected: Hash,
        /// The root that came out.
        computed: Hash,
    },
    /// A path that names no tile.
    #[error("`{path}` is not the path of a tile")]
    TilePath {
        /// The path refused.
        path: String,
    },
    /// A tile whose bytes do not fit its width.
    #[error("{tile} has {found} bytes, expected {expected}")]
    TileLength {
        /// The path of the tile.
        tile: String,
        /// Bytes that its width needs.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// An entry too long for a bundle.
    #[error("an entry of {length} bytes is longer than 65535")]
    EntryLength {
        /// Its length in bytes.
        length: usize,
    },
    /// An entry bundle that does not hold exactly the entries it should.
    #[error("entry bundle of {width} entries: {reason} at byte {offset}")]
    Bundle {
        /// Entries that the bundle should hold.
        width: u16,
        /// Where in the bundle, in bytes.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A key name that a note cannot carry.
    #[error("`{name}` cannot be a key name: empty, or with a space, a plus sign or a control character")]
    KeyName {
        /// The name refused.
        name: String,
    },
    /// A verifier key that cannot be read.
    #[error("verifier key `{vkey}`: {reason}")]
    VerifierKey {
        /// The text refused.
        vkey: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A text that is not a signed note.
    #[error("not a signed note: {reason}")]
    Note {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A signature of a known key that does not verify.
    #[error("the signature of {name} does not verify")]
    Signature {
        /// The name of the key.
        name: String,
    },
    /// No signature of any known key.
    #[error("no known key signed this note (wanted one of: {wanted})")]
    Unsigned {
        /// The names of the known keys, comma-separated.
        wanted: String,
    },
    /// A text that is not a checkpoint.
    #[error("not a checkpoint: {reason}")]
    Checkpoint {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A checkpoint of another log.
    #[error("this is a checkpoint of `{found}`, not of `{expected}`")]
    Origin {
        /// The origin asked for.
        expected: String,
        /// The origin found.
        found: String,
    },
    /// A text that is not a receipt.
    #[error("not a tlog-proof: {reason}")]
    Receipt {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A signed note that is not a promise.
    #[error("not a promise: {reason}")]
    Promise {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A text that is not what logs and witnesses say to each other.
    #[error("not a text of the witness protocol: {reason}")]
    Witness {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A text that is not a trust policy.
    #[error("not a trust policy: {}{reason}", line_words(*.line))]
    Trust {
        /// The line, from 1; 0 for the policy as a whole.
        line: usize,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// Two claims for one account of one distributor.
    #[error("account 0x{account} has two claims in one tree")]
    RepeatedClaim {
        /// The account, 64 hexadecimal digits.
        account: String,
    },
    /// A claim whose proof does not lead to the root.
    #[error("the claim of account 0x{account} is not under root 0x{root}")]
    Claim {
        /// The account, 64 hexadecimal digits.
        account: String,
        /// The root, 64 hexadecimal digits.
        root: String,
    },
}

fn line_words(line: usize) -> String {
    if line == 0 { String::new() } else { format!("line {line}: ") }
}

impl MerkleError {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Index { .. } => "LOG-INDEX",
            Self::Sizes { .. } => "LOG-SIZES",
            Self::Peaks { .. } => "LOG-PEAKS",
            Self::ProofLength { .. } => "LOG-PROOF-LENGTH",
            Self::Root { .. } => "LOG-PROOF-ROOT",
            Self::TilePath { .. } => "LOG-TILE-PATH",
            Self::TileLength { .. } => "LOG-TILE-LENGTH",
            Self::EntryLength { .. } => "LOG-ENTRY-LENGTH",
            Self::Bundle { .. } => "LOG-BUNDLE",
            Self::KeyName { .. } => "LOG-KEY-NAME",
            Self::VerifierKey { .. } => "LOG-VKEY",
            Self::Note { .. } => "LOG-NOTE",
            Self::Signature { .. } => "LOG-SIGNATURE",
            Self::Unsigned { .. } => "LOG-UNSIGNED",
            Self::Checkpoint { .. } => "LOG-CHECKPOINT",
            Self::Origin { .. } => "LOG-ORIGIN",
            Self::Receipt { .. } => "LOG-RECEIPT",
            Self::Promise { .. } => "LOG-PROMISE",
            Self::Witness { .. } => "LOG-WITNESS",
            Self::Trust { .. } => "LOG-TRUST",
            Self::RepeatedClaim { .. } => "LOG-CLAIM-REPEATED",
            Self::Claim { .. } => "LOG-CLAIM",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Index { .. } => Some("ask for an index below the checkpoint's size, or wait for the next checkpoint"),
            Self::EntryLength { .. } => Some("split the content, or log its hash and keep the content outside the log"),
            Self::VerifierKey { .. } => Some("copy the whole vkey: name+hexadecimal id+base64 key"),
            Self::Signature { .. } => {
                Some("the text was altered or signed by another key: fetch it again from the log")
            }
            Self::Unsigned { .. } => Some("check that the verifier key belongs to this log"),
            Self::Origin { .. } => Some("check the address of the log and the verifier key"),
            Self::Trust { .. } => {
                Some("lines are `log VKEY`, `witness NAME VKEY`, `group NAME K NAME...`, `quorum NAME`")
            }
            _ => None,
        }
    }
}
