//! Amounts as people and machines read them, in one place.
//!
//! Base units are the truth; tokens are the same digits with a point. Nothing is rounded.

use cairn_core::Amount;
use maud::{Markup, html};
use serde::Serialize;

use crate::words::grouped;

/// The asset that amounts of a page are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Money {
    /// The symbol.
    pub symbol: String,
    /// One token is `10^decimals` base units.
    pub decimals: u8,
}

impl Money {
    /// Base units as exact tokens, without the symbol. What is no amount is shown as it stands.
    pub fn tokens(&self, units: &str) -> String {
        Amount::parse(units).map_or_else(|_| units.to_owned(), |amount| amount.display(self.decimals))
    }

    /// Base units as exact tokens with the symbol, digits in threes; the element's value is the base units.
    pub fn of(&self, units: &str) -> Markup {
        html! { data.money value=(units) { (grouped(&self.tokens(units))) " " (self.symbol) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_exact_and_carry_their_base_units() {
        let money = Money { symbol: "TEST".into(), decimals: 4 };
        for (units, tokens) in [("0", "0"), ("1", "0.0001"), ("1234500", "123.45"), ("10000", "1"), ("?", "?")] {
            assert_eq!(money.tokens(units), tokens);
        }
        let shown = money.of("1234500").into_string();
        assert_eq!(shown, "<data class=\"money\" value=\"1234500\">123.45 TEST</data>");
        let largest = u128::MAX.to_string();
        assert_eq!(money.tokens(&largest).replace('.', ""), largest);
    }
}
