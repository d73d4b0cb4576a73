//! What of an account's grants a chain has paid, and what may be claimed there: the log's word and the chain's, apart.

use cairn_core::{Account, Address, Amount};
use maud::{Markup, html};
use serde::Serialize;

use crate::error::ConsoleError;
use crate::markup::link;
use crate::markup::table::facts;
use crate::money::Money;
use crate::reader::Reader;
use crate::settled::Asked;

/// How an account stands on its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OnChain {
    /// The chain, as CAIP-2 names it.
    chain: String,
    /// Base units that the log granted up to the epoch that the page is as of.
    granted: String,
    /// What the chain said when it was asked; `null` where nobody wrote that down for this gateway.
    said: Option<Said>,
}

/// What a chain said, and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Said {
    /// Whose answer, and as of which block.
    #[serde(flatten)]
    asked: Asked,
    /// Base units that it had paid to the account.
    account_paid: String,
    /// Base units that may be claimed there: granted up to the epoch that it pays by, less what it paid. `null` where the log
    /// cannot say what that is, or the chain paid more.
    claimable: Option<String>,
    /// Base units of later epochs, which wait until they are posted and opened there.
    waits: Option<String>,
}

impl OnChain {
    /// Reads how an account stands, as of a closed epoch; `None` where its chain is none of the network's.
    ///
    /// # Errors
    /// [`ConsoleError`] when a view cannot be read.
    pub fn read(reader: &Reader<'_>, account: &Account, epoch: u64) -> Result<Option<Self>, ConsoleError> {
        let chain = account.domain();
        if !reader.chains()?.iter().any(|known| known == chain.as_str()) {
            return Ok(None);
        }
        let Some(granted) = reader.cumulative_at(account, epoch)? else { return Ok(None) };
        let Some(record) = reader.record(chain, epoch)? else {
            return Ok(Some(Self { chain: chain.to_string(), granted: granted.to_string(), said: None }));
        };
        let Address::Evm(address) = account.address() else { return Ok(None) };
        // What cannot be read is not said.
        let Ok(paid) = record.paid(address) else {
            return Ok(Some(Self { chain: chain.to_string(), granted: granted.to_string(), said: None }));
        };
        let proven = match record.asked.opened {
            Some(opened) if opened <= epoch => reader.cumulative_at(account, opened)?,
            Some(_) => None,
            None => Some(Amount::ZERO),
        };
        let text = |amount: Option<Amount>| amount.map(|amount| amount.to_string());
        let said = Said {
            asked: record.asked,
            account_paid: paid.to_string(),
            claimable: text(proven.and_then(|proven| proven.checked_sub(paid))),
            waits: text(proven.and_then(|proven| granted.checked_sub(proven))),
        };
        Ok(Some(Self { chain: chain.to_string(), granted: granted.to_string(), said: Some(said) }))
    }

    /// In words.
    pub fn markup(&self, money: &Money) -> Markup {
        html! {
            h2 { "Paid and claimable on " code { (self.chain) } }
            @match &self.said {
                None => p {
                    "The log granted " (money.of(&self.granted)) ". What of it the chain has paid only the chain can say, and nobody "
                    "wrote its answer down for this page. Ask it: " code { "cairn chain status" } ", or the contract itself."
                }
                Some(said) => (said.markup(&self.granted, money)),
            }
        }
    }
}

impl Said {
    fn markup(&self, granted: &str, money: &Money) -> Markup {
        let asked = &self.asked;
        let paid_by = html! {
            @match asked.opened {
                Some(epoch) => { "by epoch " (link::epoch(epoch)) ", the last one that was opened there" }
                None => "no epoch has been opened there yet",
            }
        };
        let claimable = html! {
            @match &self.claimable {
                Some(units) => { (money.of(units)) " (" (paid_by) ")" }
                None => span.bad { "cannot be told: the chain and this page do not fit together" }
            }
        };
        let mut rows = vec![
            ("Granted by the log", html! { (money.of(granted)) " in all" }),
            ("Paid by the contract", money.of(&self.account_paid)),
            ("Claimable there", claimable),
        ];
        if let Some(waits) = self.waits.as_ref().filter(|waits| *waits != "0") {
            rows.push(("Waits to be posted there", html! { (money.of(waits)) ", of later epochs" }));
        }
        rows.push(("Contract", link::code(&asked.contract)));
        html! {
            p.quiet {
                "As " code { (asked.chain) } @if asked.rehearsed { " (a rehearsal of a chain)" } " stood at block " (asked.block) ", "
                (link::time(asked.block_time_s.saturating_mul(1_000))) "; it was asked at " (link::time(asked.read_ms))
                ". What is granted is the log's word, what is paid the chain's."
            }
            (facts(&rows))
        }
    }
}
