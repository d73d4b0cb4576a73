//! What began to rule with an epoch: policy, profiles and the set of auditors, with the entries that said so and who signed them.

use cairn_core::Hash;
use cairn_core::statement::{Body, Signer, Statement};
use data_encoding::HEXLOWER;
use maud::{Markup, html};
use serde::Serialize;

use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{numbers, table, words};
use crate::reader::Reader;

/// A document that rules from an epoch on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// `policy`, `profile` or `auditor-set`.
    pub what: &'static str,
    /// The class of a profile; of auditors, how many of them must sign.
    pub name: String,
    /// SHA-256 of the document; `null` for a set of auditors, which has none.
    pub hash: Option<String>,
    /// The entry that said so; `null` where it lies too far back to be looked for.
    pub entry: Option<u64>,
    /// Who signed it.
    pub signers: Vec<String>,
}

/// What a statement makes rule from `epoch` on.
pub(crate) fn of_statement(statement: &Statement, epoch: u64, index: u64) -> Option<Change> {
    let (first, what, name, hash) = match &statement.body {
        Body::Policy(policy) => (policy.first_epoch, "policy", String::new(), Some(Hash::of(&policy.document))),
        Body::Profile(profile) => {
            (profile.first_epoch, "profile", profile.class.clone(), Some(Hash::of(&profile.document)))
        }
        Body::AuditorSet(set) => {
            let name = format!("{} of {} must sign", set.quorum, set.auditors.len());
            (set.first_epoch, "auditor-set", name, None)
        }
        _ => return None,
    };
    let signers = statement.signed.iter().map(|signed| match &signed.signer {
        Signer::Key(key) => key.did(),
        Signer::Evm(address) => format!("0x{}", HEXLOWER.encode(address)),
        Signer::Solana(key) => HEXLOWER.encode(key),
    });
    let signers = signers.collect();
    let change = Change { what, name, hash: hash.map(|hash| hash.to_hex()), entry: Some(index), signers };
    (first == epoch).then_some(change)
}

/// What began to rule with an epoch, as the state has it; each with its entry and who signed that, where it is near enough.
///
/// # Errors
/// [`ConsoleError`] when the log cannot be read.
pub(crate) fn read(reader: &Reader<'_>, epoch: u64) -> Result<Vec<Change>, ConsoleError> {
    let mut changes = reader.documents_of(epoch)?;
    if changes.is_empty() {
        return Ok(changes);
    }
    let said = reader.said_before(epoch)?;
    for change in &mut changes {
        // What was said last is what rules.
        let same = |other: &&Change| {
            (change.what, &change.hash) == (other.what, &other.hash)
                && (change.hash.is_some() || change.name == other.name)
        };
        if let Some(found) = said.iter().rev().find(same) {
            (change.entry, change.signers) = (found.entry, found.signers.clone());
        }
    }
    Ok(changes)
}

/// In words.
pub(crate) fn markup(changes: &[Change]) -> Markup {
    let row = |change: &Change| {
        let document = match (change.what, &change.hash) {
            ("policy", Some(hash)) => html! { a href={ "/v1/policies/" (hash) } { code { (hash) } } },
            (_, Some(hash)) => html! { a href={ "/v1/profiles/" (hash) } { code { (hash) } } },
            (_, None) => html! { (change.name) },
        };
        let what = match change.what {
            "policy" => html! { "Policy: what is paid for, and how much" },
            "profile" => html! { "Thresholds of " (link::text(&change.name)) },
            _ => html! { "Auditors" },
        };
        vec![
            what,
            document,
            html! { @match change.entry { Some(index) => (link::entry(index)), None => span.quiet { "further back" } } },
            html! { @for signer in &change.signers { (link::code(signer)) " " } },
        ]
    };
    let rows: Vec<Vec<Markup>> = changes.iter().map(row).collect();
    let columns = [words("What"), words("Document"), numbers("Said by entry"), words("Signed by")];
    html! {
        h2 { "What changed with this epoch" }
        (table("Rules that this epoch is the first of", &columns, &rows, "Nothing: the rules are those of the epoch before."))
    }
}
