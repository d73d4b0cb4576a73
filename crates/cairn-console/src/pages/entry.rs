//! An entry of the log: its bytes, what they say, whose signatures hold, and that it is in the log.
//!
//! Inclusion proves that something was said, never that it is true or valid.

use std::sync::LazyLock;

use cairn_core::Hash;
use cairn_core::entry::Entry as LogEntry;
use cairn_merkle::proof::verify_inclusion;
use cairn_merkle::tree::leaf_hash;
use data_encoding::HEXLOWER;
use maud::{Markup, html};
use serde::Serialize;

use super::decoded::{Decoded, Value};
use super::{Page, number};
use crate::address::Address;
use crate::assets::{Asset, VERIFIABLE};
use crate::content::visible_lines;
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::table::{facts, table, words};
use crate::markup::{link, verify};
use crate::reader::Reader;
use crate::source::Source;

/// Bytes that are shown; the JSON twin has all.
const BYTES_SHOWN: usize = 2_048;
/// Bytes in a line of the dump.
const LINE_BYTES: usize = 32;

/// The page of an entry.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    #[serde(skip)]
    source: Source,
    index: u64,
    /// When the sequencer took it, ms since 1970 UTC.
    received_ms: u64,
    kind: &'static str,
    decoded: Decoded,
    inclusion: Inclusion,
    /// The entry, hexadecimal.
    bytes: String,
}

/// That the entry is under a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Inclusion {
    /// The leaf's hash.
    leaf: String,
    /// Size and root of the checkpoint.
    size: u64,
    root: String,
    /// From the leaf's sibling up.
    proof: Vec<String>,
    /// Whether the proof leads from the leaf to the root, checked while this page was made.
    holds: bool,
}

impl Entry {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`] for an entry that no checkpoint covers.
    pub fn read(reader: &Reader<'_>, index: &str, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&[])?;
        let index = number(index, "an entry's index")?;
        let checkpoint = reader.log.published().ok_or(cairn_log::LogError::NoCheckpoint)?;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        if index >= size {
            return Err(cairn_log::LogError::NotCovered { index, size }.into());
        }
        let bytes = reader.log.entry(index)?;
        let leaf = leaf_hash(&bytes);
        let proof = reader.log.inclusion_proof(index, size)?;
        let holds = verify_inclusion(leaf, index, size, root, &proof).is_ok();
        let entry = LogEntry::decode(&bytes)
            .map_err(|error| ConsoleError::not_there("LOG-ENTRY", format!("entry {index} cannot be read: {error}")))?;
        Ok(Self {
            source: reader.source(None)?,
            index,
            received_ms: entry.received_ms,
            kind: entry.kind.word(),
            decoded: Decoded::read(reader, index, &entry)?,
            inclusion: Inclusion {
                leaf: leaf.to_hex(),
                size,
                root: root.to_hex(),
                proof: proof.iter().map(Hash::to_hex).collect(),
                holds,
            },
            bytes: HEXLOWER.encode(&bytes),
        })
    }
}

impl Page for Entry {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        format!("Entry {}: {}", self.index, self.kind)
    }

    fn main(&self) -> Markup {
        html! {
            (facts(&[
                ("Kind", html! { (self.kind) }),
                ("Received", html! { (link::time(self.received_ms)) }),
                ("Size", html! { (self.bytes.len() / 2) " bytes" }),
            ]))
            h2 { "What it says" }
            (facts(&self.decoded.fields.iter().map(|(name, value)| (*name, shown(value))).collect::<Vec<_>>()))
            (self.signatures())
            (self.inclusion())
            (verify::entry(&self.source, self.index, &self.inclusion.leaf, &self.keys()))
            h2 { "Decoded" }
            p.quiet { "What was signed, in CBOR's own notation (RFC 8949, section 8)." }
            pre.dump tabindex="0" { (visible_lines(&self.decoded.notation)) }
            h2 { "Bytes" }
            pre.dump tabindex="0" { (dump(&self.bytes)) }
            @if self.bytes.len() / 2 > BYTES_SHOWN {
                p.quiet { "The first " (BYTES_SHOWN) " bytes; the JSON twin has all." }
            }
            (self.neighbours())
        }
    }

    fn scripts(&self) -> &'static [&'static LazyLock<Asset>] {
        &VERIFIABLE
    }

    fn table(&self) -> Table {
        let mut rows = vec![
            vec!["index".to_owned(), self.index.to_string()],
            vec!["kind".to_owned(), self.kind.to_owned()],
            vec!["received_ms".to_owned(), self.received_ms.to_string()],
        ];
        for (name, value) in &self.decoded.fields {
            rows.push(vec![(*name).to_owned(), value.text()]);
        }
        for signature in &self.decoded.signatures {
            rows.push(vec!["signature".to_owned(), format!("{}: {}", signature.signer, signature.verdict())]);
        }
        rows.push(vec!["leaf".to_owned(), self.inclusion.leaf.clone()]);
        rows.push(vec!["checkpoint size".to_owned(), self.inclusion.size.to_string()]);
        rows.push(vec!["checkpoint root".to_owned(), self.inclusion.root.clone()]);
        rows.push(vec!["bytes".to_owned(), self.bytes.clone()]);
        Table::of(&["field", "value"], rows)
    }
}

fn shown(value: &Value) -> Markup {
    match value {
        Value::Text(text) => link::text(text),
        Value::Hash(hash) => link::code(hash),
        Value::TimeMs(ms) => link::time(*ms),
        Value::Device(id) => link::device(id),
        Value::Account(id) => link::account(id),
        Value::Entries(indices) => html! { @for index in indices { (link::entry(*index)) " " } },
        Value::Epoch(number) => link::epoch(*number),
        Value::Document(text) => html! { pre.dump tabindex="0" { (visible_lines(text)) } },
    }
}

/// Hexadecimal digits in lines.
fn dump(hex: &str) -> String {
    let shown = &hex.as_bytes()[..hex.len().min(2 * BYTES_SHOWN)];
    let lines: Vec<String> =
        shown.chunks(2 * LINE_BYTES).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    lines.join("\n")
}

impl Entry {
    fn signatures(&self) -> Markup {
        let row = |signature: &super::decoded::Signature| {
            let verdict = html! {
                @match signature.holds {
                    Some(true) => span.good { (signature.verdict()) },
                    Some(false) => span.bad { (signature.verdict()) },
                    None => (signature.verdict()),
                }
            };
            vec![link::code(&signature.signer), html! { (signature.scheme) }, verdict]
        };
        let rows: Vec<Vec<Markup>> = self.decoded.signatures.iter().map(row).collect();
        html! {
            h2 { "Signatures" }
            (table("Checked while this page was made", &[words("Signer"), words("Scheme"), words("It")], &rows,
                "It has no signature of its own: the log implies it, and every auditor computes it again."))
        }
    }

    /// The keys that may have signed, as far as they are known here.
    fn keys(&self) -> Vec<&str> {
        let signers = self.decoded.signatures.iter().map(|signature| signature.signer.as_str());
        signers.filter(|signer| signer.starts_with("did:key:")).collect()
    }

    fn inclusion(&self) -> Markup {
        let inclusion = &self.inclusion;
        html! {
            h2 { "That it is in the log" }
            p {
                @if inclusion.holds {
                    span.good { "The proof holds" } " under the checkpoint of " (inclusion.size) " entries. "
                } @else {
                    span.bad { "The proof does not hold" } " under the checkpoint of " (inclusion.size) " entries. "
                }
                "It shows that this was said, not that it is valid. "
                a href={ "/v1/proofs/" (self.index) } { "The receipt, to be checked offline" }
            }
            (facts(&[
                ("Leaf", link::code(&inclusion.leaf)),
                ("Root", link::code(&inclusion.root)),
                ("Proof", html! { @for hash in &inclusion.proof { div { (link::code(hash)) } } }),
            ]))
        }
    }

    fn neighbours(&self) -> Markup {
        html! {
            nav.pager aria-label="Other entries" {
                @if let Some(before) = self.index.checked_sub(1) {
                    a href={ "/entries/" (before) } rel="prev" { "Entry " (before) }
                }
                @if self.index + 1 < self.inclusion.size {
                    a href={ "/entries/" (self.index + 1) } rel="next" { "Entry " (self.index + 1) }
                }
            }
        }
    }
}
