//! Promises held against a log, and the portable proof when one is broken.

use std::path::{Path, PathBuf};

use cairn_core::Hash;
use cairn_evidence::{Evidence, Founded};
use cairn_merkle::Promise;

use crate::command::evidence::keep;
use crate::failure::Failure;
use crate::served::Served;

/// The first index where a promise is broken by what is served, with the leaf that was promised; `None` if it is kept, as
/// far as the log reaches.
///
/// # Errors
/// When the promise is not of the network of this genesis, or hashes cannot be had.
pub fn first_broken(served: &Served<'_>, genesis: &[u8], note: &str) -> Result<Option<(u64, Hash)>, Failure> {
    let network = Founded::by(genesis)?;
    let promise = Promise::open(note, &network.promises)?;
    if promise.network != network.id.0 {
        return Err(Failure::wrong("LOG-PROMISE", "the promise is of another network"));
    }
    for &(index, promised) in promise.entries.iter().filter(|(index, _)| *index < served.size) {
        let (receipt, leaf) = served.receipt(index)?;
        if leaf != promised || receipt.verify(leaf, &network.log, &[]).is_err() {
            return Ok(Some((index, promised)));
        }
    }
    Ok(None)
}

/// The failure that a promise broken at an index is, whatever else is served; with a folder, its proof is written there.
#[must_use]
pub fn broken(served: &Served<'_>, index: u64, promised: Hash, note: &str, folder: Option<&Path>) -> Failure {
    let what = format!("entry {index} was promised with leaf {promised}, and the log has another");
    let document = serde_json::json!({ "index": index, "promise": note, "checkpoint": served.note });
    let failure = Failure::wrong("LOG-PROMISE-BROKEN", what).with_document(Some(document));
    let proof = || -> Result<Evidence, Failure> {
        let (receipt, leaf) = served.receipt(index)?;
        Ok(Evidence::broken_promise(&served.genesis()?, note, &receipt, leaf)?)
    };
    match (proof(), folder) {
        (Ok(proof), Some(folder)) => proof_kept(failure, keep(&proof, folder)),
        (Ok(_), None) => failure.hint("say it again with --evidence DIR, which writes a proof that anybody can check"),
        (Err(error), _) => failure.hint(unproven(&error)),
    }
}

/// Hashes that do not lead to the checkpoint show that somebody serves what the log does not hold, and not who lied.
fn unproven(error: &Failure) -> String {
    format!("no proof yet ({}): keep the promise and the checkpoint, and ask again", error.message)
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
