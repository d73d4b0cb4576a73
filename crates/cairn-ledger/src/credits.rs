//! The document of the HTTP API that says what a buyer has paid in and not spent.

use cairn_api::{CreditInfo, CreditList};
use cairn_core::deposit::CreditAsset;
use cairn_core::{Amount, Hash};
use cairn_fold::Buyer;

use crate::Ledger;

impl Ledger {
    /// `GET /v1/credits/{buyer}`; somebody who paid nothing in holds nothing.
    #[must_use]
    pub fn credit_list(&self, buyer: &Buyer) -> CreditList {
        let state = self.state();
        let own = state.policy().map(|policy| &policy.read.asset);
        let info = |(asset, amount): (&CreditAsset, Amount)| {
            let own = own.filter(|_| asset.is_native());
            CreditInfo {
                asset: asset.to_string(),
                symbol: own.map(|own| own.symbol.clone()),
                decimals: own.map(|own| own.decimals),
                amount: amount.to_string(),
            }
        };
        CreditList {
            buyer: Hash(*buyer).to_hex(),
            credits: state.credits.of(buyer).map(info).collect(),
            last_closed: self.last_closed(),
        }
    }
}
