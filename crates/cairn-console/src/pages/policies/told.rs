//! A change of a policy in words.

use cairn_reward::Change;

use crate::markup::link::percent;
use crate::words::duration;

/// What a value of the document is; the key itself where nobody has said it in words.
fn name(key: &str, symbol: &str) -> String {
    let parts: Vec<&str> = key.split('.').collect();
    match *parts.as_slice() {
        ["engine", "revision"] => "the revision of the rules of payment".to_owned(),
        ["asset", "symbol"] => "the symbol of what is paid".to_owned(),
        ["asset", "decimals"] => "the decimal places of a token".to_owned(),
        ["asset", "caip19"] => "the token on its chain".to_owned(),
        ["epochs", "late_epochs"] => "how many epochs back a late report may be measured".to_owned(),
        ["epochs", "late_ppm"] => "what is left of a late report's weight".to_owned(),
        ["epochs", "future_ms"] => "how far ahead of its receipt a report's time may be".to_owned(),
        ["positions", "h3_resolution"] => "the finest cell of a position that is logged".to_owned(),
        ["limits", "devices_per_owner"] => "devices that one owner may enrol (0: any number)".to_owned(),
        ["emission", "max_supply_tokens"] => format!("the most {symbol} ever minted"),
        ["emission", "table", epoch] => {
            let epoch = epoch.trim_start_matches('0');
            format!("{symbol} minted per epoch from epoch {} on", if epoch.is_empty() { "0" } else { epoch })
        }
        ["credit", "chains"] => "the chains on which buyers pay in".to_owned(),
        ["pools", pool, field] => {
            let field = match field {
                "class" => "what it pays for",
                "rule" => "its rule",
                "share_ppm" => "its part of what is minted",
                "cap_per_device_tokens" => "the most that one device gets in an epoch",
                "min_score_ppm" => "the score that a device needs",
                "to" => "where it goes",
                other => other,
            };
            format!("pool {pool}, {field}")
        }
        ["classes", class, "revision"] => format!("the revision of the judge of {}", class.trim_matches('"')),
        ["classes", class, "fee_ppm"] => format!("the fee on what is sold of {}", class.trim_matches('"')),
        _ => key
            .strip_prefix("observers.")
            .map_or_else(|| key.to_owned(), |rest| format!("observer {rest}, why it is believed")),
    }
}

/// A value as people read it.
fn value(key: &str, text: &str) -> String {
    let number = || text.parse::<u64>().ok();
    match (key.rsplit('_').next(), number()) {
        (Some("ppm"), Some(parts)) => {
            u32::try_from(parts).map_or_else(|_| text.to_owned(), |parts| format!("{} %", percent(parts)))
        }
        (Some("ms"), Some(ms)) => duration(ms),
        _ => text.to_owned(),
    }
}

/// A change as a sentence without its full stop.
pub(super) fn told(change: &Change, symbol: &str) -> String {
    let name = name(&change.key, symbol);
    let of = |text: &str| value(&change.key, text);
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{name}: was {}, is {}", of(old), of(new)),
        (None, Some(new)) => format!("{name}: said for the first time, {}", of(new)),
        (Some(old), None) => format!("{name}: not said any more, was {}", of(old)),
        (None, None) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_in_words_with_both_values() {
        for (key, old, new, expected) in [
            (
                "pools.readings.share_ppm",
                Some("800000"),
                Some("700000"),
                "pool readings, its part of what is minted: was 80 %, is 70 %",
            ),
            (
                "epochs.future_ms",
                Some("300000"),
                Some("60000"),
                "how far ahead of its receipt a report's time may be: was 5 min, is 1 min",
            ),
            (
                "emission.table.00000000000000000312",
                Some("12500"),
                None,
                "TEST minted per epoch from epoch 312 on: not said any more, was 12500",
            ),
            (
                "emission.table.00000000000000000000",
                None,
                Some("5"),
                "TEST minted per epoch from epoch 0 on: said for the first time, 5",
            ),
            (
                "classes.\"compute/1\".fee_ppm",
                None,
                Some("50000"),
                "the fee on what is sold of compute/1: said for the first time, 5 %",
            ),
            (
                "observers.deposits/eip155:1.did:key:z6Mk",
                None,
                Some("operator"),
                "observer deposits/eip155:1.did:key:z6Mk, why it is believed: said for the first time, operator",
            ),
            ("something.else", Some("1"), Some("2"), "something.else: was 1, is 2"),
        ] {
            let change = Change { key: key.to_owned(), old: old.map(str::to_owned), new: new.map(str::to_owned) };
            assert_eq!(told(&change, "TEST"), expected);
        }
    }
}
