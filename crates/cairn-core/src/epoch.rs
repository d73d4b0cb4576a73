//! The epoch statement: everything that an epoch's numbers follow from and lead to, in one canonical document.
//!
//! Its hash is what auditors sign, and what every page, table and answer that shows a number cites.

use crate::cbor::{self, CborError, Decoder, Encoder};
use crate::statement::Genesis;
use crate::{Amount, Domain, Hash, NetworkId};

/// Where epochs lie in time.
///
/// Epoch `n` spans measured time `[zero + n * length, zero + (n + 1) * length)`, and closes at the first entry received
/// at or after its end plus grace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochClock {
    /// Start of epoch 0, ms since 1970 UTC.
    pub zero_ms: u64,
    /// Length in ms.
    pub length_ms: u64,
    /// Grace in ms.
    pub grace_ms: u64,
}

impl EpochClock {
    /// The clock that a genesis statement sets.
    #[must_use]
    pub const fn of(genesis: &Genesis) -> Self {
        Self { zero_ms: genesis.epoch_zero_ms, length_ms: genesis.epoch_ms, grace_ms: genesis.grace_ms }
    }

    /// The epoch that holds a time, or `None` before epoch 0.
    #[must_use]
    pub const fn epoch_at(&self, time_ms: u64) -> Option<u64> {
        match time_ms.checked_sub(self.zero_ms) {
            Some(since_ms) => Some(since_ms / self.length_ms),
            None => None,
        }
    }

    /// When an epoch starts, ms since 1970 UTC; `u64::MAX` for epochs beyond counting.
    #[must_use]
    pub const fn start_ms(&self, epoch: u64) -> u64 {
        self.zero_ms.saturating_add(self.length_ms.saturating_mul(epoch))
    }

    /// When an epoch ends, ms since 1970 UTC.
    #[must_use]
    pub const fn end_ms(&self, epoch: u64) -> u64 {
        self.start_ms(epoch.saturating_add(1))
    }

    /// The time from which an entry's receipt closes the epoch.
    #[must_use]
    pub const fn closes_ms(&self, epoch: u64) -> u64 {
        self.end_ms(epoch).saturating_add(self.grace_ms)
    }
}

/// What one class's judge said in the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassSummary {
    /// The class, such as `sensing/1`.
    pub class: String,
    /// The judge's rules revision.
    pub revision: u64,
    /// SHA-256 of the profile document in force.
    pub profile_hash: Hash,
    /// Verdicts.
    pub subjects: u64,
    /// Verdicts with the whole score.
    pub passed: u64,
    /// RFC 6962 root over the verdicts' canonical bytes, bytewise sorted.
    pub verdict_root: Hash,
    /// Revenue of the class in base units; zero is printed.
    pub revenue: Amount,
}

/// One pool of the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSummary {
    /// The pool's name in the policy.
    pub name: String,
    /// Base units it had to share.
    pub size: Amount,
    /// The weight it was shared by.
    pub weight: u128,
    /// Devices it was shared among: the divisor of a flat pool.
    pub devices: u64,
    /// Base units it paid; the rest went to the residual pool.
    pub paid: Amount,
    /// Payout rows.
    pub recipients: u64,
}

/// The balance of an asset over the epoch: `opening + minted + deposited = paid + refunded + burned + closing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AssetBalance {
    /// Held at the start.
    pub opening: Amount,
    /// Emitted by the table.
    pub minted: Amount,
    /// Paid in by buyers.
    pub deposited: Amount,
    /// Paid out.
    pub paid: Amount,
    /// Given back to buyers.
    pub refunded: Amount,
    /// Destroyed.
    pub burned: Amount,
    /// Closing: paid in by buyers and not spent.
    pub escrow: Amount,
    /// Closing: earned and not yet free.
    pub vesting: Amount,
    /// Closing: assigned to nobody.
    pub unallocated: Amount,
}

impl AssetBalance {
    /// Everything held at the end, or `None` past 128 bits.
    #[must_use]
    pub fn closing(&self) -> Option<Amount> {
        Amount::checked_sum([self.escrow, self.vesting, self.unallocated])
    }

    /// What the epoch shared out, when nothing was sold: all that was there and came in, but for what buyers paid in and have
    /// not spent. `None` when the two sides do not hold it. See [`EpochStatement::pot`].
    #[must_use]
    pub fn pot(&self) -> Option<Amount> {
        Amount::checked_sum([self.opening, self.minted, self.deposited])?.checked_sub(self.escrow)
    }

    /// Whether the two sides are equal.
    #[must_use]
    pub fn balances(&self) -> bool {
        let from = Amount::checked_sum([self.opening, self.minted, self.deposited]);
        let to =
            self.closing().and_then(|closing| Amount::checked_sum([self.paid, self.refunded, self.burned, closing]));
        from.is_some() && from == to
    }

    const fn parts(&self) -> [Amount; 9] {
        [
            self.opening,
            self.minted,
            self.deposited,
            self.paid,
            self.refunded,
            self.burned,
            self.escrow,
            self.vesting,
            self.unallocated,
        ]
    }
}

/// What one settlement chain may be claimed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainClaims {
    /// The chain.
    pub domain: Domain,
    /// The distributor contract, left-padded to 32 bytes.
    pub distributor: [u8; 32],
    /// Root of the claim tree over cumulative totals; zeros when there are no leaves.
    pub claim_root: [u8; 32],
    /// Leaves.
    pub leaves: u64,
    /// Sum of the cumulative totals.
    pub cumulative: Amount,
}

/// The jobs that the epoch settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SalesSummary {
    /// How many; at least one.
    pub count: u64,
    /// RFC 6962 root over the [sales](crate::Sale)' canonical bytes, bytewise sorted.
    pub root: Hash,
}

/// The statement of a closed epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochStatement {
    /// 1: the network.
    pub network: NetworkId,
    /// 2: the epoch's number.
    pub number: u64,
    /// 3: the range of entries `[from, to)` that the epoch is drawn from.
    pub from: u64,
    /// End of the range.
    pub to: u64,
    /// 4: the log's root at size `to`.
    pub log_root: Hash,
    /// 5: hash of the previous epoch statement; zeros for epoch 0.
    pub previous: Hash,
    /// 6: SHA-256 of the policy document in force.
    pub policy_hash: Hash,
    /// 7: rules revision of the engine that closes epochs.
    pub engine_revision: u64,
    /// 8: per class.
    pub classes: Vec<ClassSummary>,
    /// 9: per pool.
    pub pools: Vec<PoolSummary>,
    /// 10: RFC 6962 root over the payout rows' canonical bytes, bytewise sorted.
    pub payout_root: Hash,
    /// 11: per asset, of which there is one so far: its symbol and its balance.
    pub asset: (String, AssetBalance),
    /// 12: per settlement chain.
    pub domains: Vec<DomainClaims>,
    /// 13: RFC 6962 root over the state's records after the epoch.
    pub state_root: Hash,
    /// 14: what is rehearsed.
    pub rehearsed: Vec<String>,
    /// 15: the jobs that were settled; absent when none were.
    pub sales: Option<SalesSummary>,
}

impl EpochStatement {
    /// What the epoch shared out among its pools: all that was there and came in, but for what buyers paid in. `None` when the
    /// two sides of the balance do not hold it.
    #[must_use]
    pub fn pot(&self) -> Option<Amount> {
        let balance = &self.asset.1;
        let sold = Amount::checked_sum(self.classes.iter().map(|class| class.revenue))?;
        balance.pot()?.checked_sub(sold)?.checked_sub(balance.refunded)
    }

    /// SHA-256 of the canonical bytes.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&self.encode())
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.map(14 + usize::from(self.sales.is_some())).int(1).bytes(&self.network.0.0).int(2).uint(self.number);
        out.int(3).array(2).uint(self.from).uint(self.to).int(4).bytes(&self.log_root.0);
        out.int(5).bytes(&self.previous.0).int(6).bytes(&self.policy_hash.0).int(7).uint(self.engine_revision);
        out.int(8).array(self.classes.len());
        for class in &self.classes {
            out.array(7).text(&class.class).uint(class.revision).bytes(&class.profile_hash.0);
            out.uint(class.subjects).uint(class.passed).bytes(&class.verdict_root.0);
            class.revenue.encode(&mut out);
        }
        out.int(9).array(self.pools.len());
        for pool in &self.pools {
            out.array(6).text(&pool.name);
            pool.size.encode(&mut out);
            Amount(pool.weight).encode(&mut out);
            out.uint(pool.devices);
            pool.paid.encode(&mut out);
            out.uint(pool.recipients);
        }
        out.int(10).bytes(&self.payout_root.0);
        // A list, though revision 1 of the engine keeps the books of one asset.
        out.int(11).array(1).array(10).text(&self.asset.0);
        for part in self.asset.1.parts() {
            part.encode(&mut out);
        }
        out.int(12).array(self.domains.len());
        for claims in &self.domains {
            out.array(5).text(claims.domain.as_str()).bytes(&claims.distributor).bytes(&claims.claim_root);
            out.uint(claims.leaves);
            claims.cumulative.encode(&mut out);
        }
        out.int(13).bytes(&self.state_root.0).int(14).array(self.rehearsed.len());
        for what in &self.rehearsed {
            out.text(what);
        }
        if let Some(SalesSummary { count, root }) = &self.sales {
            out.int(15).array(2).uint(*count).bytes(&root.0);
        }
        out.into_bytes()
    }

    /// Reads what [`EpochStatement::encode`] writes.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(bytes: &[u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(bytes);
        let mut keys = input.map()?;
        let input = &mut input;
        let keys = &mut keys;
        let network = NetworkId(hash_under(keys, input, 1)?);
        expect_key(keys, input, 2)?;
        let number = input.uint()?;
        expect_key(keys, input, 3)?;
        input.array_exact(2)?;
        let (from, to) = (input.uint()?, input.uint()?);
        input.leave();
        let log_root = hash_under(keys, input, 4)?;
        let previous = hash_under(keys, input, 5)?;
        let policy_hash = hash_under(keys, input, 6)?;
        expect_key(keys, input, 7)?;
        let engine_revision = input.uint()?;
        expect_key(keys, input, 8)?;
        let classes = rows(input, 7, read_class)?;
        expect_key(keys, input, 9)?;
        let pools = rows(input, 6, read_pool)?;
        let payout_root = hash_under(keys, input, 10)?;
        expect_key(keys, input, 11)?;
        let asset = read_asset(input)?;
        expect_key(keys, input, 12)?;
        let domains = rows(input, 5, read_domain)?;
        let state_root = hash_under(keys, input, 13)?;
        expect_key(keys, input, 14)?;
        let len = input.array()?;
        let rehearsed = (0..len).map(|_| input.text().map(str::to_owned)).collect::<cbor::Result<_>>()?;
        input.leave();
        let at = input.position();
        let sales = match keys.next_key(input)? {
            None => None,
            Some(15) => Some(read_sales(input)?),
            Some(key) => return Err(CborError::Key { at, key, what: "unknown" }),
        };
        let at = input.position();
        if let Some(key) = keys.next_key(input)? {
            return Err(CborError::Key { at, key, what: "unknown" });
        }
        input.leave();
        input.end()?;
        Ok(Self {
            network,
            number,
            from,
            to,
            log_root,
            previous,
            policy_hash,
            engine_revision,
            classes,
            pools,
            payout_root,
            asset,
            domains,
            state_root,
            rehearsed,
            sales,
        })
    }
}

fn read_sales(input: &mut Decoder<'_>) -> cbor::Result<SalesSummary> {
    let at = input.position();
    input.array_exact(2)?;
    let summary = SalesSummary { count: input.uint()?, root: Hash(input.bytes_exact()?) };
    input.leave();
    if summary.count == 0 {
        return Err(CborError::Range { at, what: "where no job was settled nothing is said of sales" });
    }
    Ok(summary)
}

fn expect_key(keys: &mut cbor::MapReader, input: &mut Decoder<'_>, key: i64) -> cbor::Result<()> {
    let at = input.position();
    match keys.next_key(input)? {
        Some(found) if found == key => Ok(()),
        _ => Err(CborError::Key { at, key, what: "missing" }),
    }
}

fn hash_under(keys: &mut cbor::MapReader, input: &mut Decoder<'_>, key: i64) -> cbor::Result<Hash> {
    expect_key(keys, input, key)?;
    Ok(Hash(input.bytes_exact()?))
}

fn rows<T>(
    input: &mut Decoder<'_>,
    width: usize,
    mut read: impl FnMut(&mut Decoder<'_>) -> cbor::Result<T>,
) -> cbor::Result<Vec<T>> {
    let len = input.array()?;
    let mut rows = Vec::new();
    for _ in 0..len {
        input.array_exact(width)?;
        rows.push(read(input)?);
        input.leave();
    }
    input.leave();
    Ok(rows)
}

fn read_class(input: &mut Decoder<'_>) -> cbor::Result<ClassSummary> {
    Ok(ClassSummary {
        class: input.text()?.to_owned(),
        revision: input.uint()?,
        profile_hash: Hash(input.bytes_exact()?),
        subjects: input.uint()?,
        passed: input.uint()?,
        verdict_root: Hash(input.bytes_exact()?),
        revenue: Amount::decode(input)?,
    })
}

fn read_pool(input: &mut Decoder<'_>) -> cbor::Result<PoolSummary> {
    Ok(PoolSummary {
        name: input.text()?.to_owned(),
        size: Amount::decode(input)?,
        weight: Amount::decode(input)?.0,
        devices: input.uint()?,
        paid: Amount::decode(input)?,
        recipients: input.uint()?,
    })
}

fn read_asset(input: &mut Decoder<'_>) -> cbor::Result<(String, AssetBalance)> {
    input.array_exact(1)?;
    input.array_exact(10)?;
    let symbol = input.text()?.to_owned();
    let balance = AssetBalance {
        opening: Amount::decode(input)?,
        minted: Amount::decode(input)?,
        deposited: Amount::decode(input)?,
        paid: Amount::decode(input)?,
        refunded: Amount::decode(input)?,
        burned: Amount::decode(input)?,
        escrow: Amount::decode(input)?,
        vesting: Amount::decode(input)?,
        unallocated: Amount::decode(input)?,
    };
    input.leave();
    input.leave();
    Ok((symbol, balance))
}

fn read_domain(input: &mut Decoder<'_>) -> cbor::Result<DomainClaims> {
    let at = input.position();
    Ok(DomainClaims {
        domain: Domain::parse(input.text()?).map_err(|_| CborError::Range { at, what: "not a CAIP-2 chain id" })?,
        distributor: input.bytes_exact()?,
        claim_root: input.bytes_exact()?,
        leaves: input.uint()?,
        cumulative: Amount::decode(input)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> EpochStatement {
        let hash = |byte| Hash([byte; 32]);
        EpochStatement {
            network: NetworkId(hash(1)),
            number: 7,
            from: 10,
            to: 20,
            log_root: hash(2),
            previous: hash(3),
            policy_hash: hash(4),
            engine_revision: 1,
            classes: vec![ClassSummary {
                class: "sensing/1".into(),
                revision: 1,
                profile_hash: hash(5),
                subjects: 3,
                passed: 2,
                verdict_root: hash(6),
                revenue: Amount::ZERO,
            }],
            pools: vec![PoolSummary {
                name: "stations".into(),
                size: Amount(900),
                weight: 1 << 70,
                devices: 2,
                paid: Amount(899),
                recipients: 2,
            }],
            payout_root: hash(7),
            asset: (
                "CRN".into(),
                AssetBalance {
                    opening: Amount(5),
                    minted: Amount(1_000),
                    paid: Amount(999),
                    unallocated: Amount(6),
                    ..AssetBalance::default()
                },
            ),
            domains: vec![DomainClaims {
                domain: Domain::parse("eip155:31337").unwrap(),
                distributor: [0; 32],
                claim_root: [8; 32],
                leaves: 2,
                cumulative: Amount(999),
            }],
            state_root: hash(9),
            rehearsed: vec!["recorded clock".into()],
            sales: None,
        }
    }

    #[test]
    fn statements_round_trip_and_every_cut_is_refused() {
        let sold = EpochStatement { sales: Some(SalesSummary { count: 3, root: Hash([10; 32]) }), ..statement() };
        for statement in [statement(), sold] {
            let bytes = statement.encode();
            assert_eq!(EpochStatement::decode(&bytes).as_ref(), Ok(&statement));
            for cut in 0..bytes.len() {
                assert!(EpochStatement::decode(&bytes[..cut]).is_err(), "cut at {cut}");
            }
            assert!(EpochStatement::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
        let none = EpochStatement { sales: Some(SalesSummary { count: 0, root: Hash([10; 32]) }), ..statement() };
        assert!(EpochStatement::decode(&none.encode()).is_err(), "no sales have one form");
    }

    #[test]
    fn a_balance_balances_or_says_so() {
        let mut balance = statement().asset.1;
        assert!(balance.balances());
        assert_eq!(balance.pot(), Some(Amount(1_005)));
        let paid_in = AssetBalance { opening: Amount(12), deposited: Amount(3), escrow: Amount(10), ..balance };
        assert!(paid_in.balances());
        assert_eq!(paid_in.pot(), balance.pot(), "what buyers paid in is nobody's pot");
        assert_eq!(AssetBalance { escrow: Amount(9_999), ..balance }.pot(), None);
        balance.paid = Amount(998);
        assert!(!balance.balances());
        balance.opening = Amount(u128::MAX);
        assert!(!balance.balances(), "an overflow is not a balance");
    }

    #[test]
    fn epochs_lie_where_the_clock_says() {
        let clock = EpochClock { zero_ms: 1_000, length_ms: 100, grace_ms: 30 };
        let cases = [(0, None), (999, None), (1_000, Some(0)), (1_099, Some(0)), (1_100, Some(1))];
        for (time_ms, epoch) in cases {
            assert_eq!(clock.epoch_at(time_ms), epoch, "{time_ms}");
        }
        assert_eq!((clock.start_ms(2), clock.end_ms(2), clock.closes_ms(2)), (1_200, 1_300, 1_330));
        assert_eq!(clock.start_ms(u64::MAX), u64::MAX);
    }
}
