//! `chain.toml`: the terms on which a network's contracts are deployed.
//!
//! The document says what the log does not: bonds, delays, windows, thresholds, who guards. What is emitted and what the token
//! is called comes from the policy, when epochs begin from genesis: no number is said twice.

use std::path::Path;

use cairn_api::NetworkInfo;
use cairn_chain::terms::{AuditorTerms, PayoutTerms, SettlementTerms, Terms, TokenTerms};
use cairn_core::{Amount, Hash, NetworkId};
use cairn_reward::Policy;
use cairn_settle::EvmAddress;
use cairn_settle::told::{address_text, parse_address};
use serde::Deserialize;

use crate::config::duration_ms;
use crate::failure::Failure;

/// Decimals of the token contract.
const DECIMALS: u8 = 18;

/// The document.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    rehearsal: bool,
    treasury: String,
    guardian: String,
    timelock_delay: String,
    proposers: Vec<String>,
    auditors: Auditors,
    settlement: Settlement,
    payout: Payout,
    #[serde(default)]
    shares: Vec<Share>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Auditors {
    members: Vec<String>,
    threshold: u8,
    bond_wei: String,
    change_delay: String,
    unbond_delay: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settlement {
    window: String,
    halt_bond_wei: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payout {
    push_min_tokens: String,
    relay_fee_tokens: String,
    breaker_limit_tokens: String,
    breaker_window: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    to: String,
    ppm: u32,
}

/// What of a network goes into the terms.
#[derive(Debug, Clone)]
pub struct OfNetwork<'a> {
    /// Its id.
    pub network: NetworkId,
    /// What the gateway says of it.
    pub info: &'a NetworkInfo,
    /// The policy in force.
    pub policy: &'a Policy,
    /// The first epoch to settle.
    pub first_epoch: u64,
    /// Hash of the statement before it.
    pub first_previous: Hash,
}

fn wrong(what: impl std::fmt::Display) -> Failure {
    Failure::wrong("STL-TERMS", what.to_string()).hint("`cairn chain terms` prints a document to start from")
}

fn address(key: &str, text: &str) -> Result<EvmAddress, Failure> {
    parse_address(text).ok_or_else(|| wrong(format!("{key}: `{text}` is not 0x and 40 hexadecimal digits")))
}

fn addresses(key: &str, texts: &[String]) -> Result<Vec<EvmAddress>, Failure> {
    texts.iter().map(|text| address(key, text)).collect()
}

/// Whole seconds of a duration; none at all is `0`.
fn seconds(key: &str, text: &str) -> Result<u64, Failure> {
    if text == "0" {
        return Ok(0);
    }
    let ms = duration_ms(text).filter(|ms| ms.is_multiple_of(1_000));
    ms.map(|ms| ms / 1_000).ok_or_else(|| wrong(format!("{key}: `{text}` is not whole seconds, such as 1h or 0")))
}

fn wei(key: &str, text: &str) -> Result<u128, Failure> {
    text.parse().map_err(|_| wrong(format!("{key}: `{text}` is not a number of wei")))
}

fn tokens(key: &str, text: &str) -> Result<u128, Failure> {
    let amount = Amount::parse_tokens(text, DECIMALS);
    amount.map(|amount| amount.0).ok_or_else(|| wrong(format!("{key}: `{text}` is not a number of tokens")))
}

impl Document {
    /// Reads `chain.toml`.
    ///
    /// # Errors
    /// `STL-TERMS` names what is wrong.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
        Self::parse(&text)
            .map_err(|failure| Failure { message: format!("{}: {}", path.display(), failure.message), ..failure })
    }

    /// Reads the text.
    ///
    /// # Errors
    /// `STL-TERMS`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end()))
    }

    /// The terms of a network's contracts.
    ///
    /// # Errors
    /// `STL-TERMS` for what the contracts would refuse, or what would let a network that is no rehearsal pay on terms for one.
    pub fn terms(&self, of: &OfNetwork<'_>) -> Result<Terms, Failure> {
        if of.policy.asset.decimals != DECIMALS {
            let decimals = of.policy.asset.decimals;
            return Err(wrong(format!("the policy's asset has {decimals} decimals, the token contract {DECIMALS}")));
        }
        if self.rehearsal && of.info.rehearsed.is_empty() {
            return Err(wrong("`rehearsal = true`, and the network is declared as no rehearsal"));
        }
        let mut members = addresses("auditors.members", &self.auditors.members)?;
        members.sort_unstable();
        let size = members.len();
        members.dedup();
        if members.len() != size {
            return Err(wrong("auditors.members names one twice"));
        }
        let supply = of.policy.emission.max_supply().map_or(u128::MAX, |max| max.0);
        let rows = of.policy.emission.rows().iter();
        let treasury = address("treasury", &self.treasury)?;
        let shares: Result<Vec<_>, Failure> =
            self.shares.iter().map(|share| Ok((address("shares.to", &share.to)?, share.ppm))).collect();
        let shares = shares?;
        Ok(Terms {
            network: of.network,
            rehearsal: self.rehearsal,
            auditors: AuditorTerms {
                members,
                threshold: self.auditors.threshold,
                bond_min: wei("auditors.bond_wei", &self.auditors.bond_wei)?,
                change_delay_s: seconds("auditors.change_delay", &self.auditors.change_delay)?,
                unbond_delay_s: seconds("auditors.unbond_delay", &self.auditors.unbond_delay)?,
            },
            settlement: SettlementTerms {
                first_epoch: of.first_epoch,
                first_previous: of.first_previous,
                zero_ms: of.info.epoch_zero_ms,
                length_ms: of.info.epoch_ms,
                window_s: seconds("settlement.window", &self.settlement.window)?,
                halt_bond: wei("settlement.halt_bond_wei", &self.settlement.halt_bond_wei)?,
            },
            token: TokenTerms {
                name: of.info.name.clone(),
                symbol: of.policy.asset.symbol.clone(),
                cap: supply,
                table: rows.map(|row| (row.from_epoch, row.amount.0)).collect(),
            },
            payout: PayoutTerms {
                push_min: tokens("payout.push_min_tokens", &self.payout.push_min_tokens)?,
                relay_fee: tokens("payout.relay_fee_tokens", &self.payout.relay_fee_tokens)?,
                breaker_limit: tokens("payout.breaker_limit_tokens", &self.payout.breaker_limit_tokens)?,
                breaker_window_s: seconds("payout.breaker_window", &self.payout.breaker_window)?,
            },
            treasury,
            guardian: address("guardian", &self.guardian)?,
            timelock_delay_s: seconds("timelock_delay", &self.timelock_delay)?,
            proposers: addresses("proposers", &self.proposers)?,
            shares: if shares.is_empty() { vec![(treasury, 1_000_000)] } else { shares },
        })
    }
}

/// A document to start from: what is usual, with these auditors and this treasury.
#[must_use]
pub fn template(rehearsal: bool, members: &[EvmAddress], treasury: &EvmAddress) -> String {
    let threshold = members.len() * 2 / 3 + 1;
    let members: Vec<String> = members.iter().map(|member| format!("    \"{}\",\n", address_text(member))).collect();
    let (bond, change, unbond, window, halt) = if rehearsal {
        ("0", "0", "0", "0", "0")
    } else {
        ("1000000000000000000", "2d", "21d", "6h", "100000000000000000")
    };
    let treasury = address_text(treasury);
    format!(
        r#"# The terms on which the contracts of a network are deployed. They cannot be changed afterwards.
# Emission, symbol and epochs come from the network's policy and genesis.

# A rehearsal may do with fewer than four auditors, without bonds and windows, and says for ever that it is one.
rehearsal = {rehearsal}
# Where the bonds of who was wrong go, and listed assets that buyers pay with.
treasury = "{treasury}"
# Who may stop payments and deposits at once; only the timelock lets them go again.
guardian = "{treasury}"
timelock_delay = "3d"
proposers = ["{treasury}"]

[auditors]
members = [
{members}]
# How many must sign: more than two thirds.
threshold = {threshold}
# What each must have at stake on the chain, in wei of its coin.
bond_wei = "{bond}"
change_delay = "{change}"
unbond_delay = "{unbond}"

[settlement]
# How long an epoch may be challenged before it is final.
window = "{window}"
halt_bond_wei = "{halt}"

[payout]
# Nothing below is pushed; it is claimed.
push_min_tokens = "1"
# What a relayer earns for each push, from what the policy grants to the contract's own address.
relay_fee_tokens = "0"
# The most that leaves at once, and, as it decays, in a window.
breaker_limit_tokens = "1000000000"
breaker_window = "1d"
"#,
        members = members.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_to_start_from_is_read_and_everything_in_it_is_known() {
        for rehearsal in [false, true] {
            let text = template(rehearsal, &[[1; 20], [2; 20], [3; 20], [4; 20]], &[9; 20]);
            let document = Document::parse(&text).unwrap();
            assert_eq!((document.rehearsal, document.auditors.threshold), (rehearsal, 3));
            let failure = Document::parse(&format!("fee = 1\n{text}")).unwrap_err();
            assert_eq!(failure.code, "STL-TERMS");
        }
    }

    #[test]
    fn durations_and_addresses_that_are_none_are_named() {
        assert_eq!(seconds("w", "0").unwrap(), 0);
        assert_eq!(seconds("w", "1h").unwrap(), 3_600);
        for text in ["", "1", "5ms", "-1s"] {
            assert!(seconds("window", text).unwrap_err().message.starts_with("window: "), "{text}");
        }
        assert!(address("treasury", "0x12").is_err());
        assert_eq!(tokens("t", "0.5").unwrap(), 500_000_000_000_000_000);
    }
}
