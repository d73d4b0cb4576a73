//! The demo's chain while a buyer pays in: what `cairn chain observe` and a wallet do.

use std::collections::BTreeMap;

use cairn_chain::{Call, Contracts, Embedded, Outbox};
use cairn_client::Client;
use cairn_core::observation::sign_observation;
use cairn_core::wallet::WalletKey;
use cairn_core::{Domain, NetworkId};
use cairn_settle::EvmAddress;
use cairn_settle::abi::{Arguments, address_word};

use super::COIN_WEI;
use crate::config::Folder;
use crate::failure::Failure;
use crate::keys::Key;
use crate::settle::place::address_of;
use crate::submission::accepted_index;

/// The chain between two rounds, for who pays in.
pub struct OnChain<'a> {
    pub(super) folder: &'a Folder,
    pub(super) chain: &'a Embedded,
    pub(super) contracts: &'a Contracts,
    /// What each account burned for credit.
    pub(super) burned: BTreeMap<EvmAddress, u128>,
}

impl OnChain<'_> {
    /// What an account holds of the token, in base units.
    ///
    /// # Errors
    /// What the chain answers.
    pub fn balance(&self, account: EvmAddress) -> Result<u128, Failure> {
        Ok(self.contracts.reader(self.chain).balance(account)?)
    }

    /// Has a wallet burn tokens for credit in the log, as `cairn chain observe` finds it there.
    ///
    /// # Errors
    /// When the chain refuses it.
    pub fn deposit(&mut self, wallet: &WalletKey, amount: u128) -> Result<(), Failure> {
        let account = address_of(wallet);
        self.chain.fund(account, COIN_WEI)?;
        let options = cairn_chain::outbox::Options { confirmations: 0, ..cairn_chain::outbox::Options::default() };
        let outbox = Outbox::open(&self.folder.root().join("buyer"), self.chain, wallet.clone(), options)?;
        let (token, deposits) = (self.contracts.token, self.contracts.deposits);
        let allow = Arguments::new().address(deposits).uint(amount).call("approve(address,uint256)");
        outbox.execute("approve", &Call::to(token, allow))?;
        let purpose = Arguments::new().word(address_word(account)).word([0; 32]).uint(amount);
        outbox.execute("deposit", &Call::to(deposits, purpose.call("deposit((bytes32,bytes32),uint256)")))?;
        *self.burned.entry(account).or_default() += amount;
        Ok(())
    }

    /// Logs the deposits from the contract's number `due` on, as their observer does.
    ///
    /// # Errors
    /// When chain or gateway cannot be asked, or the log refuses what is observed.
    pub fn observe(&self, client: &Client, network: &NetworkId, domain: &Domain, due: u64) -> Result<(), Failure> {
        let observer = Key::read(&self.folder.key("deposits")).and_then(Key::signing)?;
        let Some(last) = cairn_chain::deposits::final_block(self.chain, 0)? else { return Ok(()) };
        for (number, deposit) in cairn_chain::deposits::deposits(self.chain, self.contracts.deposits, 0, last)? {
            let deposit =
                deposit.map_err(|error| Failure::wrong("STL-DEPOSIT", format!("deposit {number}: {error}")))?;
            if number >= due {
                let observation = sign_observation(&observer, network, &deposit.observed(domain, number));
                accepted_index(&client.submit_observation(&observation)?)?;
            }
        }
        Ok(())
    }
}
