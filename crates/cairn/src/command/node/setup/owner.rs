//! Who is paid: a wallet made here, one that is there, or an address whose owner signs elsewhere.

use std::path::PathBuf;

use cairn_api::NetworkInfo;
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, Address};
use data_encoding::HEXLOWER_PERMISSIVE;

use super::keep_text;
use super::person::Person;
use crate::config::node::NodeFolder;
use crate::failure::Failure;
use crate::keys::{Algorithm, Key, wallet_from};
use crate::work;

/// The answer that makes a wallet.
const NEW: &str = "new";

/// Flags that say who is paid.
#[derive(Debug, clap::Args)]
pub struct OwnerArgs {
    /// Who is paid: `new` for a wallet made here, a wallet's key file or keystore, or an address whose owner signs elsewhere
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,
    /// The file with the keystore's password
    #[arg(long, value_name = "FILE")]
    owner_password_file: Option<PathBuf>,
    /// The chain that the owner is paid on, CAIP-2 [default: the network's first]
    #[arg(long, value_name = "CAIP-2")]
    chain: Option<String>,
}

/// Who is paid.
#[derive(Debug)]
pub struct Owner {
    /// The account.
    pub account: Account,
    /// Its wallet, if it is here.
    pub wallet: Option<WalletKey>,
}

impl OwnerArgs {
    /// What the flags say, or what is answered.
    ///
    /// # Errors
    /// `NODE-ASK`, `NET-KEY`, `NET-CHAIN`.
    pub fn ask(&self, person: &mut dyn Person, folder: &NodeFolder, info: &NetworkInfo) -> Result<Owner, Failure> {
        let question = "Who is paid? `new` makes a wallet here; or name a wallet's key file; or an address (0x…), whose \
                        owner signs elsewhere";
        let who = match &self.owner {
            Some(who) => who.clone(),
            None => person.ask(question, Some(NEW), "--owner")?,
        };
        if let Some(account) = self.address(&who, info)? {
            return Ok(Owner { account, wallet: None });
        }
        let wallet = if who == NEW {
            let path = folder.owner_key();
            keep_text(&path, &Key::generate(Algorithm::Secp256k1)?.text("the owner's account"))?;
            Key::read(&path)?.wallet()?
        } else {
            wallet_from(who.as_ref(), self.owner_password_file.as_deref())?
        };
        Ok(Owner { account: work::account(info, &wallet, self.chain.as_ref())?, wallet: Some(wallet) })
    }

    /// The account that an address names; `None` where it is no address.
    fn address(&self, who: &str, info: &NetworkInfo) -> Result<Option<Account>, Failure> {
        let bad = |error: String| Failure::usage("NET-ACCOUNT", format!("`{who}`: {error}"));
        if let Some(digits) = who.strip_prefix("0x") {
            let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
            let address =
                bytes.map(Address::Evm).ok_or_else(|| bad("an address has 40 hexadecimal digits".to_owned()))?;
            let domain = work::chain_of(info, self.chain.as_ref(), "the owner's")?;
            return Account::at(domain, address).map(Some).map_err(|error| bad(error.to_string()));
        }
        let is_name = ["eip155:", "solana:"].iter().any(|kind| who.starts_with(kind));
        if !is_name {
            return Ok(None);
        }
        Account::parse(who).map(Some).map_err(|error| bad(error.to_string()))
    }
}
