//! What is done next about a payment, one step at a time: each begins from a record that is durable and ends with another.
//!
//! Whatever a step does can be done again: money is moved by authorizations that the token takes once, and an order is a
//! statement with a nonce that the network takes once. So a crash between a step and its record costs nothing but the step.

use cairn_core::statement::{Body, Draft, Order, Signer};
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, Address, Amount, Domain, JobId};
use cairn_gateway::{Orders, Unplaced, order_of};
use cairn_x402::{Authorization, EvmAddress, PaymentId, Signed, TokenDomain, Word, X402Error, word_of};

use crate::error::{TillError, later};
use crate::price::Price;
use crate::purse::{Purse, Seen, Unsent};
use crate::record::{Back, End, Record, Returned, Sold, Stage, Why};

/// How long an order may wait to be logged, ms: longer than the writer ever takes.
const ORDER_VALID_MS: u64 = 10 * 60 * 1_000;

/// Codes of orders that were refused for their own form, and are made again.
const MADE_AGAIN: [&str; 2] = ["STM-NONCE", "STM-EXPIRED"];

/// Whose till it is.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    /// Signs orders and what goes back.
    pub key: WalletKey,
    /// Its address.
    pub address: EvmAddress,
    /// The network's token on the till's chain.
    pub token: TokenDomain,
    /// What it asks.
    pub price: Price,
}

impl Owner {
    /// An account on the till's chain.
    pub fn account(&self, address: EvmAddress) -> Account {
        let domain =
            Domain::parse(&format!("eip155:{}", self.token.chain_id)).expect("a chain id is a CAIP-2 reference");
        Account::at(domain, Address::Evm(address)).expect("an EVM address on an EVM chain")
    }

    /// The till's authorization of what goes back: the token takes the payment's name as a nonce once.
    pub fn returning(&self, id: PaymentId, payer: EvmAddress, amount: u128) -> Authorization {
        Authorization {
            from: self.address,
            to: payer,
            value: word_of(amount),
            valid_after: [0; 32],
            valid_before: [0xff; 32],
            nonce: id.0.0,
        }
    }

    fn back(&self, record: &Record, amount: u128) -> Back {
        let signed = self.returning(record.id, record.payer(), amount).sign(&self.token, &self.key);
        Back { amount, signature: signed.signature }
    }

    /// The order for a payment: as much is locked as was paid for, and what the job does not use is paid to the payer.
    pub fn order(&self, record: &Record) -> Result<Order, TillError> {
        let order = order_of(&record.terms, self.account(self.address)).map_err(|bad| later(bad.to_string()))?;
        let most = self.price.covers(record.amount).unwrap_or(Amount::ZERO).min(order.most);
        Ok(Order { most, refund: Some(self.account(record.payer())), ..order })
    }
}

/// What a step needs.
pub(crate) struct Steps<'a> {
    pub owner: &'a Owner,
    pub purse: &'a dyn Purse,
    pub orders: &'a dyn Orders,
}

fn refused(error: &X402Error) -> Why {
    let (code, reason) = (error.code().to_owned(), Some(error.reason().to_owned()));
    Why { code, detail: error.to_string(), reason }
}

fn over(end: End) -> Stage {
    Stage::Over { end }
}

fn unpaid(error: &X402Error) -> Stage {
    over(End::Unpaid { why: refused(error) })
}

/// What the network says, where it says anything.
fn known<T>(answer: Result<T, Unplaced>) -> Result<Result<T, Why>, TillError> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(Unplaced::Refused { code, detail }) => Ok(Err(Why { code: code.to_owned(), detail, reason: None })),
        Err(Unplaced::Unknown { what }) => Err(later(what)),
    }
}

fn told<T>(answer: Result<T, Unplaced>) -> Result<T, TillError> {
    known(answer)?.map_err(|why| later(why.detail))
}

impl Steps<'_> {
    /// The stage after this one; `None` where there is nothing to do.
    ///
    /// # Errors
    /// [`TillError`] where nothing could be found out now: the stage stays.
    pub fn next(&self, record: &Record) -> Result<Option<Stage>, TillError> {
        match &record.stage {
            Stage::Taken {} => self.settle(record, true),
            Stage::Lapsed { .. } => self.settle(record, false),
            Stage::Paid { transaction } => self.draw_up(record, *transaction).map(Some),
            Stage::Ordering { transaction, statement, nonce, order } => {
                self.place(record, *transaction, statement, *nonce, *order).map(Some)
            }
            Stage::Returning { transaction, sold, why, back } => {
                self.pay_back(record, *transaction, *sold, why.as_ref(), *back).map(Some)
            }
            Stage::Over { .. } => Ok(None),
        }
    }

    fn settle(&self, record: &Record, sends: bool) -> Result<Option<Stage>, TillError> {
        let signed = record.signed();
        // The head first: whatever is seen after it and not in its blocks is not final.
        let head = self.purse.head()?;
        match self.purse.seen(signed, record.from_block)? {
            Seen::Moved { transaction, block } if block <= head.final_number => Ok(Some(Stage::Paid { transaction })),
            Seen::Elsewhere { block } if block <= head.final_number => Ok(Some(unpaid(&X402Error::Nonce))),
            Seen::Moved { .. } | Seen::Elsewhere { .. } => {
                Err(later("the payment is in a block that is not final yet"))
            }
            Seen::Nowhere if word_of(head.final_time_s) >= signed.authorization.valid_before => {
                Ok(Some(unpaid(&X402Error::Expired)))
            }
            Seen::Nowhere if !sends => Ok(None),
            Seen::Nowhere => match self.purse.send(&format!("settle payment {}", record.id), signed) {
                Ok(transaction) => Ok(Some(Stage::Paid { transaction })),
                Err(Unsent::Unknown(what)) => Err(later(what)),
                Err(Unsent::Refused(error)) => match self.purse.seen(signed, record.from_block)? {
                    Seen::Nowhere => Ok(Some(Stage::Lapsed { why: refused(&error) })),
                    // Somebody else was quicker: with this payment or with another of the same nonce.
                    _ => Err(later("the payment's nonce was used meanwhile")),
                },
            },
        }
    }

    fn draw_up(&self, record: &Record, transaction: Word) -> Result<Stage, TillError> {
        let order = self.owner.order(record)?;
        let quoted = match known(self.orders.quote(&order))? {
            Ok(quoted) => quoted.0,
            Err(why) => return Ok(self.refund(record, transaction, why)),
        };
        let now_ms = self.orders.now_ms();
        let signer = Signer::Evm(self.owner.address);
        let last = told(self.orders.last_nonce(&signer))?;
        let nonce = last.checked_add(1).ok_or_else(|| later("the till's wallet has used up its nonces"))?.max(now_ms);
        let network = self.orders.network();
        let expiry_ms = now_ms.saturating_add(ORDER_VALID_MS);
        let statement = Draft::of(Some(network), Body::Order(order), nonce, expiry_ms);
        let statement = statement.signed_by_wallet(&self.owner.key).finish();
        let job = statement.payload_hash().0;
        let order = Sold { job, locked: quoted };
        Ok(Stage::Ordering { transaction, statement: statement.encode(), nonce, order })
    }

    fn place(
        &self,
        record: &Record,
        transaction: Word,
        statement: &[u8],
        nonce: u64,
        order: Sold,
    ) -> Result<Stage, TillError> {
        let job = JobId(cairn_core::Hash(order.job));
        if !self.is_logged(&job, nonce)?
            && let Err(why) = known(self.orders.submit(statement.to_vec()))?
            // Only what is refused and not in the log either is not ordered.
            && !self.is_logged(&job, nonce)?
        {
            if MADE_AGAIN.contains(&why.code.as_str()) {
                return Ok(Stage::Paid { transaction });
            }
            return Ok(self.refund(record, transaction, why));
        }
        let placed = told(self.orders.placed(&job))?;
        let sold = Sold { locked: placed.map_or(order.locked, |placed| placed.locked.0), ..order };
        let price = self.owner.price.of(Amount(sold.locked)).unwrap_or(record.amount);
        match record.amount.saturating_sub(price) {
            0 => Ok(over(End::Bought { transaction, sold, back: None })),
            change => {
                let back = self.owner.back(record, change);
                Ok(Stage::Returning { transaction, sold: Some(sold), why: None, back })
            }
        }
    }

    /// Whether an order is in the log. The network forgets jobs that are long settled, and never a signer's last nonce.
    fn is_logged(&self, job: &JobId, nonce: u64) -> Result<bool, TillError> {
        let last = told(self.orders.last_nonce(&Signer::Evm(self.owner.address)))?;
        if last < nonce {
            return Ok(false);
        }
        if last == nonce || told(self.orders.placed(job))?.is_some() {
            return Ok(true);
        }
        // The till places one order after the other, so this is another program's doing: whether the order was logged before it,
        // only the log tells.
        Err(later(format!("something else signs with the till's wallet; look for job {job} in the log")))
    }

    fn refund(&self, record: &Record, transaction: Word, why: Why) -> Stage {
        Stage::Returning { transaction, sold: None, why: Some(why), back: self.owner.back(record, record.amount) }
    }

    fn pay_back(
        &self,
        record: &Record,
        transaction: Word,
        sold: Option<Sold>,
        why: Option<&Why>,
        back: Back,
    ) -> Result<Stage, TillError> {
        let authorization = self.owner.returning(record.id, record.payer(), back.amount);
        let signed = Signed { authorization, signature: back.signature };
        let head = self.purse.head()?;
        let gone = match self.purse.seen(&signed, record.from_block)? {
            Seen::Moved { transaction, block } if block <= head.final_number => transaction,
            Seen::Moved { .. } => return Err(later("what goes back is in a block that is not final yet")),
            Seen::Elsewhere { .. } => {
                return Err(later(format!("the till's wallet used the nonce {} for something else", record.id)));
            }
            Seen::Nowhere => match self.purse.send(&format!("pay back payment {}", record.id), &signed) {
                Ok(transaction) => transaction,
                Err(Unsent::Refused(error)) => return Err(later(format!("what goes back is refused: {error}"))),
                Err(Unsent::Unknown(what)) => return Err(later(what)),
            },
        };
        let back = Returned { back, transaction: gone };
        Ok(over(match (sold, why) {
            (Some(sold), _) => End::Bought { transaction, sold, back: Some(back) },
            (None, Some(why)) => End::Refunded { transaction, why: why.clone(), back },
            (None, None) => return Err(later("the record says neither what was sold nor why nothing was")),
        }))
    }
}
