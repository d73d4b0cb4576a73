//! Every policy that the network had or will have: from which epoch on, who signed it, and what it changed.

mod told;

use cairn_core::statement::Signer;
use cairn_reward::changes;
use data_encoding::HEXLOWER;
use maud::{Markup, html};
use serde::Serialize;

use super::Page;
use crate::address::{Address, Form};
use crate::beside::PolicyOf;
use crate::csv::Table;
use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::{facts, pager};
use crate::reader::Reader;
use crate::source::Source;

/// Policies on a page, and in a file.
const ROWS: usize = 8;
const ROWS_IN_FILE: usize = 100;
/// Changes of each that are shown; the twins have all.
const CHANGES_SHOWN: usize = 40;

/// A page of policies, newest first.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Policies {
    #[serde(skip)]
    source: Source,
    open_epoch: u64,
    policies: Vec<Row>,
    /// The `before` of the page of earlier ones; `null` on the last.
    next: Option<u64>,
    #[serde(skip)]
    is_first: bool,
}

/// A policy.
#[derive(Debug, Clone, Serialize)]
struct Row {
    first_epoch: u64,
    /// SHA-256 of the document: what statements carry.
    hash: String,
    /// Whether it rules the open epoch.
    in_force: bool,
    /// The entry that said it; `null` where it is too far back in the log to be looked for here.
    index: Option<u64>,
    /// Who signed it, and whether the signature holds.
    signers: Vec<(String, bool)>,
    /// What it changed; `null` of the first.
    changes: Option<Vec<Changed>>,
}

/// A value that a policy changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Changed {
    /// Its path in the document.
    key: String,
    old: Option<String>,
    new: Option<String>,
    /// In words.
    told: String,
}

impl Row {
    fn of(reader: &Reader<'_>, policy: &PolicyOf, in_force: bool) -> Result<Self, ConsoleError> {
        let hash = policy.read.hash();
        let said = reader.policy_said(hash, policy.first_epoch)?;
        let network = reader.network_id()?;
        let signers = said.iter().flat_map(|(_, statement)| {
            statement.signed.iter().map(|signed| {
                let who = match &signed.signer {
                    Signer::Key(key) => key.did(),
                    Signer::Evm(address) => format!("0x{}", HEXLOWER.encode(address)),
                    Signer::Solana(key) => HEXLOWER.encode(key),
                };
                let schema = statement.body.schema().as_str();
                (who, signed.verifies(Some(&network), schema, &statement.payload))
            })
        });
        let symbol = &policy.read.asset.symbol;
        let changed = policy.before.as_ref().map(|before| {
            let changes = changes(before, &policy.read).into_iter();
            changes
                .map(|change| Changed {
                    told: told::told(&change, symbol),
                    key: change.key,
                    old: change.old,
                    new: change.new,
                })
                .collect()
        });
        Ok(Self {
            first_epoch: policy.first_epoch,
            hash: hash.to_hex(),
            in_force,
            index: said.as_ref().map(|(index, _)| *index),
            signers: signers.collect(),
            changes: changed,
        })
    }

    fn shown(&self) -> Markup {
        let signed = html! {
            @for (who, holds) in &self.signers {
                div { (link::code(who)) ": " @if *holds { span.good { "holds" } } @else { span.bad { "does not hold" } } }
            }
        };
        let said = html! {
            @match self.index { Some(index) => { "entry " (link::entry(index)) }, None => "too far back in the log to be looked for here" }
        };
        let mut rows = vec![
            ("Document", html! { a href={ "/v1/policies/" (self.hash) } { code { (self.hash) } } }),
            ("Said by", said),
        ];
        if !self.signers.is_empty() {
            rows.push(("Signed by", signed));
        }
        html! {
            h2 { "From epoch " (self.first_epoch) " on" @if self.in_force { " (in force)" } }
            (facts(&rows))
            @match &self.changes {
                None => p { "The first policy of the network." },
                Some(changes) if changes.is_empty() => p { "It says the same as the one before; only its wording differs." },
                Some(changes) => {
                    p { "What it changed:" }
                    ul { @for change in changes.iter().take(CHANGES_SHOWN) { li { (link::text(&change.told)) } } }
                    @if changes.len() > CHANGES_SHOWN { p.quiet { "And " (changes.len() - CHANGES_SHOWN) " more, which the JSON twin has." } }
                },
            }
        }
    }
}

impl Policies {
    /// Reads the page.
    ///
    /// # Errors
    /// [`ConsoleError`].
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        address.parameters(&["before"])?;
        let (before, open_epoch) = (address.number("before")?, reader.open_epoch()?);
        let limit = if address.form == Form::Html { ROWS } else { ROWS_IN_FILE };
        let (found, next) = reader.policies(before.unwrap_or(u64::MAX), limit)?;
        let in_force = reader.ledger()?.state().policies.range(..=open_epoch).next_back().map(|(first, _)| *first);
        let rows = found.iter().map(|policy| Row::of(reader, policy, in_force == Some(policy.first_epoch)));
        let policies = rows.collect::<Result<_, _>>()?;
        Ok(Self { source: reader.source(None)?, open_epoch, policies, next, is_first: before.is_none() })
    }
}

impl Page for Policies {
    fn source(&self) -> &Source {
        &self.source
    }

    fn title(&self) -> String {
        "Policies".to_owned()
    }

    fn main(&self) -> Markup {
        let next = self.next.map(|next| format!("/policies?before={next}"));
        html! {
            p {
                "A policy says what is minted, what it is paid for and whose word is taken. It is fixed before the epoch that it rules begins, "
                "and every statement carries the hash of its policy. Epoch " (self.open_epoch) " is open."
            }
            p.quiet { "As the log stands now. The changes are told by the code that reads policies; the documents are what counts." }
            @if self.policies.is_empty() { p.empty { "There is none here." } }
            @for policy in &self.policies { (policy.shown()) }
            (pager((!self.is_first).then_some("/policies"), next.as_deref(), "Earlier policies"))
            nav.pager aria-label="Beside this" { a href="/auditors" rel="up" { "Auditors" } }
        }
    }

    fn table(&self) -> Table {
        let mut rows = Vec::new();
        for policy in &self.policies {
            let index = policy.index.map_or_else(String::new, |index| index.to_string());
            let signers = policy.signers.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>().join(" ");
            let head = |key: &str, old: &Option<String>, new: &Option<String>| {
                let of = |value: &Option<String>| value.clone().unwrap_or_default();
                vec![
                    policy.first_epoch.to_string(),
                    policy.hash.clone(),
                    index.clone(),
                    signers.clone(),
                    key.to_owned(),
                    of(old),
                    of(new),
                ]
            };
            match &policy.changes {
                Some(changes) if !changes.is_empty() => {
                    rows.extend(changes.iter().map(|change| head(&change.key, &change.old, &change.new)));
                }
                _ => rows.push(head("", &None, &None)),
            }
        }
        let table = Table::of(&["first_epoch", "hash", "index", "signers", "changed", "old", "new"], rows)
            .noting("as the log stands now; a row for each value that a policy changed");
        match self.next {
            Some(next) => table.noting(format!("earlier policies: /policies.csv?before={next}")),
            None => table,
        }
    }
}
