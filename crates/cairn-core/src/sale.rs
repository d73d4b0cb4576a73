//! A sale: what became of the money that one order locked. Rows of a table of the epoch that settled it.
//!
//! ```text
//! sale = [ job: bstr 32, order entry: uint, buyer, locked: amount,
//!          [* [account, device: bstr 16, gas: uint, work: amount, burned: amount]],
//!          [* [account, content: bstr 32, amount]],
//!          returned: amount, [] / [account, amount] ]
//! ```
//!
//! A sale that [balances](Sale::balances) gives every locked base unit one place. Which workers were right is the judge's word.

use crate::cbor::{self, CborError, Decoder, Encoder};
use crate::statement::{ORDER_INPUTS_MAX, REPLICAS_MAX};
use crate::{Account, Amount, DeviceId, Hash, JobId};

/// What a right worker sold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkSold {
    /// Who is paid for it: `work - burned`.
    pub account: Account,
    /// The worker.
    pub device: DeviceId,
    /// The gas it took.
    pub gas: u64,
    /// Its price, base units.
    pub work: Amount,
    /// The fee in it, which is burned.
    pub burned: Amount,
}

impl WorkSold {
    /// What the account is paid.
    #[must_use]
    pub fn paid(&self) -> Amount {
        self.work.checked_sub(self.burned).expect("a fee is a part of the price")
    }
}

/// What the owner of a content is paid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LicenceSold {
    /// Who is paid.
    pub account: Account,
    /// SHA-256 of the content.
    pub content: Hash,
    /// Base units.
    pub amount: Amount,
}

/// What became of what one order locked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sale {
    /// The job.
    pub job: JobId,
    /// The entry of its order.
    pub order: u64,
    /// Who paid.
    pub buyer: Account,
    /// What was locked.
    pub locked: Amount,
    /// The right workers, in the order of their assignment.
    pub work: Vec<WorkSold>,
    /// The licences, by content.
    pub licences: Vec<LicenceSold>,
    /// What goes back to the buyer's credit.
    pub returned: Amount,
    /// What is paid out to the account that the order names for it; never nothing.
    pub refund: Option<(Account, Amount)>,
}

impl Sale {
    /// The price of all the work, fees included; `None` past 128 bits.
    #[must_use]
    pub fn work_total(&self) -> Option<Amount> {
        Amount::checked_sum(self.work.iter().map(|sold| sold.work))
    }

    /// What licences cost; `None` past 128 bits.
    #[must_use]
    pub fn licence_total(&self) -> Option<Amount> {
        Amount::checked_sum(self.licences.iter().map(|sold| sold.amount))
    }

    /// What was bought: work and licences, before fees; `None` past 128 bits.
    #[must_use]
    pub fn revenue(&self) -> Option<Amount> {
        self.work_total()?.checked_add(self.licence_total()?)
    }

    /// What is burned; `None` past 128 bits.
    #[must_use]
    pub fn burned(&self) -> Option<Amount> {
        Amount::checked_sum(self.work.iter().map(|sold| sold.burned))
    }

    /// What is paid out to the account that the order names.
    #[must_use]
    pub fn refunded(&self) -> Amount {
        self.refund.as_ref().map_or(Amount::ZERO, |(_, amount)| *amount)
    }

    /// Whether everything that was locked has its place: `locked = work + licences + returned + refund`, and no fee is more than
    /// its price.
    #[must_use]
    pub fn balances(&self) -> bool {
        let out = self.revenue().and_then(|sold| Amount::checked_sum([sold, self.returned, self.refunded()]));
        out == Some(self.locked) && self.work.iter().all(|sold| sold.burned <= sold.work)
    }

    /// The canonical bytes, a leaf of the statement's sales root.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.array(8).bytes(&self.job.0.0).uint(self.order);
        self.buyer.encode(&mut out);
        self.locked.encode(&mut out);
        out.array(self.work.len());
        for sold in &self.work {
            out.array(5);
            sold.account.encode(&mut out);
            out.bytes(&sold.device.0).uint(sold.gas);
            sold.work.encode(&mut out);
            sold.burned.encode(&mut out);
        }
        out.array(self.licences.len());
        for sold in &self.licences {
            out.array(3);
            sold.account.encode(&mut out);
            out.bytes(&sold.content.0);
            sold.amount.encode(&mut out);
        }
        self.returned.encode(&mut out);
        match &self.refund {
            None => {
                out.array(0);
            }
            Some((account, amount)) => {
                out.array(2);
                account.encode(&mut out);
                amount.encode(&mut out);
            }
        }
        out.into_bytes()
    }

    /// Reads what [`Sale::encode`] writes.
    ///
    /// # Errors
    /// [`CborError`], also for a sale that does not [balance](Sale::balances).
    pub fn decode(bytes: &[u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(bytes);
        input.array_exact(8)?;
        let job = JobId(Hash(input.bytes_exact()?));
        let order = input.uint()?;
        let buyer = Account::decode(&mut input)?;
        let locked = Amount::decode(&mut input)?;
        let work = input.list(REPLICAS_MAX.into(), read_work)?;
        let licences = input.list(ORDER_INPUTS_MAX + 1, read_licence)?;
        let returned = Amount::decode(&mut input)?;
        let refund = read_refund(&mut input)?;
        input.leave();
        input.end()?;
        let sale = Self { job, order, buyer, locked, work, licences, returned, refund };
        if !sale.balances() {
            return Err(CborError::Range { at: 0, what: "a sale whose parts are not what was locked" });
        }
        Ok(sale)
    }
}

fn read_work(input: &mut Decoder<'_>) -> cbor::Result<WorkSold> {
    input.array_exact(5)?;
    let sold = WorkSold {
        account: Account::decode(input)?,
        device: DeviceId(input.bytes_exact()?),
        gas: input.uint()?,
        work: Amount::decode(input)?,
        burned: Amount::decode(input)?,
    };
    input.leave();
    Ok(sold)
}

fn read_licence(input: &mut Decoder<'_>) -> cbor::Result<LicenceSold> {
    input.array_exact(3)?;
    let account = Account::decode(input)?;
    let content = Hash(input.bytes_exact()?);
    let sold = LicenceSold { account, content, amount: Amount::decode(input)? };
    input.leave();
    Ok(sold)
}

fn read_refund(input: &mut Decoder<'_>) -> cbor::Result<Option<(Account, Amount)>> {
    let at = input.position();
    let refund = match input.array()? {
        0 => None,
        2 => Some((Account::decode(input)?, Amount::decode(input)?)),
        _ => return Err(CborError::Range { at, what: "a refund is nothing, or an account and an amount" }),
    };
    if refund.as_ref().is_some_and(|(_, amount)| *amount == Amount::ZERO) {
        return Err(CborError::Range { at, what: "a refund is at least one base unit" });
    }
    input.leave();
    Ok(refund)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(byte: u8) -> Account {
        Account::parse(&format!("eip155:31337:0x{}", format!("{byte:02x}").repeat(20))).unwrap()
    }

    fn sale() -> Sale {
        Sale {
            job: JobId(Hash([1; 32])),
            order: 9,
            buyer: account(1),
            locked: Amount(100),
            work: vec![WorkSold {
                account: account(2),
                device: DeviceId([3; 16]),
                gas: 1_000_000,
                work: Amount(60),
                burned: Amount(3),
            }],
            licences: vec![LicenceSold { account: account(4), content: Hash([5; 32]), amount: Amount(10) }],
            returned: Amount::ZERO,
            refund: Some((account(1), Amount(30))),
        }
    }

    #[test]
    fn sales_round_trip_and_every_cut_is_refused() {
        let returned = Sale { returned: Amount(30), refund: None, ..sale() };
        for sale in [sale(), returned] {
            let bytes = sale.encode();
            assert_eq!(Sale::decode(&bytes).as_ref(), Ok(&sale));
            for cut in 0..bytes.len() {
                assert!(Sale::decode(&bytes[..cut]).is_err(), "cut at {cut}");
            }
            assert!(Sale::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
    }

    #[test]
    fn a_sale_gives_every_locked_unit_one_place() {
        assert!(sale().balances());
        assert_eq!((sale().revenue(), sale().burned()), (Some(Amount(70)), Some(Amount(3))));
        assert_eq!(sale().work[0].paid(), Amount(57));
        let cases = [
            Sale { locked: Amount(99), ..sale() },
            Sale { returned: Amount(1), ..sale() },
            Sale { refund: None, ..sale() },
            Sale { refund: Some((account(1), Amount(u128::MAX))), ..sale() },
            Sale { work: vec![WorkSold { burned: Amount(61), ..sale().work[0].clone() }], ..sale() },
        ];
        for sale in cases {
            assert!(!sale.balances(), "{sale:?}");
            assert!(Sale::decode(&sale.encode()).is_err(), "{sale:?}");
        }
        let nothing = Sale { returned: Amount(30), refund: Some((account(1), Amount::ZERO)), ..sale() };
        assert!(Sale::decode(&nothing.encode()).is_err(), "a refund of nothing has another form");
    }
}
