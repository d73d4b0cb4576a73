//! Promises held against a log, and the portable proof when one is broken.

use std::path::{Path, PathBuf};

use cairn_core::Hash;
use cairn_evidence::{Evidence, EvidenceError, Founded};
use cairn_merkle::{Promise, Receipt};

use crate::command::evidence::keep;
use crate::failure::Failure;
use crate::served::Served;

/// A promised index where the served log has another leaf.
pub struct Broken {
    index: u64,
    promised: Hash,
    leaf: Hash,
    receipt: Receipt,
}

/// The first index where a promise is broken by what is served; `None` if it is kept, as far as the log reaches.
///
/// # Errors
/// When the promise is not of the network of this genesis, or hashes cannot be had.
pub fn first_broken(served: &Served<'_>, genesis: &[u8], note: &str) -> Result<Option<Broken>, Failure> {
    let network = Founded::by(genesis)?;
    let promise = Promise::open(note, &network.promises)?;
    if promise.network != network.id.0 {
        return Err(Failure::wrong("LOG-PROMISE", "the promise is of another network"));
    }
    for &(index, promised) in promise.entries.iter().filter(|(index, _)| *index < served.size) {
        let (receipt, leaf) = served.receipt(index)?;
        if leaf != promised || receipt.verify(leaf, &network.log, &[]).is_err() {
            return Ok(Some(Broken { index, promised, leaf, receipt }));
        }
    }
    Ok(None)
}

impl Broken {
    /// The failure that says so; with a folder, the proof is written into it.
    #[must_use]
    pub fn failure(&self, genesis: &[u8], note: &str, folder: Option<&Path>) -> Failure {
        let Self { index, promised, .. } = self;
        let what = format!("entry {index} was promised with leaf {promised}, and the log has another");
        let checkpoint = &self.receipt.checkpoint;
        let document = serde_json::json!({ "index": index, "promise": note, "checkpoint": checkpoint });
        let failure = Failure::wrong("LOG-PROMISE-BROKEN", what).with_document(Some(document));
        let proof = Evidence::broken_promise(genesis, note, &self.receipt, self.leaf);
        match (proof, folder) {
            (Ok(proof), Some(folder)) => proof_kept(failure, keep(&proof, folder)),
            (Ok(_), None) => {
                failure.hint("say it again with --evidence DIR, which writes a proof that anybody can check")
            }
            (Err(error), _) => failure.hint(unproven(&error)),
        }
    }
}

/// Hashes that do not lead to the checkpoint show that somebody serves what the log does not hold, and not who lied.
fn unproven(error: &EvidenceError) -> String {
    format!(
        "no proof yet ({error}): the hashes served are not those of the checkpoint; keep the promise and the checkpoint, \
         and ask again"
    )
}

/// A failure, and where the proof of it was written, or why it was not.
#[must_use]
pub fn proof_kept(failure: Failure, kept: Result<PathBuf, Failure>) -> Failure {
    match kept {
        Ok(path) => {
            let mut document = failure.document.clone().unwrap_or_else(|| serde_json::json!({}));
            document["evidence"] = serde_json::json!(path);
            let hint = format!("the proof is in {0}: cairn evidence check {0}", path.display());
            failure.with_document(Some(document)).hint(hint)
        }
        Err(why) => failure.hint(format!("no proof was written: {}", why.message)),
    }
}
