//! Paying: the calls that bring what an open epoch grants to the accounts that it names.
//!
//! Everything here may be done by anyone. What was paid is read from the contract, never remembered: nothing is pushed that
//! was paid in the meantime, and whoever begins again goes on where the chain is.

use cairn_core::epoch::EpochStatement;
use cairn_core::keccak256;
use cairn_merkle::{ClaimLeaf, ClaimTree};
use cairn_settle::calls::account_of;
use cairn_settle::{EvmAddress, ManyClaims, SettlementRow, SettlementsTree, calls};

use crate::contracts::Head;
use crate::{Call, ChainError, Contracts, Logged, Reader, Receipt};

/// The event of a push, as in the contract's ABI.
pub const PUSHED: &str = "Pushed(uint64,address,uint256,uint256,uint256)";

/// Accounts that are paid by one transaction, unless told otherwise.
pub const BATCH: usize = 50;

/// The call that opens the last final epoch, if it is not open yet. `statement` is that epoch's.
///
/// # Errors
/// [`ChainError::Claims`] where the statement is another than was posted, or names no row for these contracts.
pub fn opening(
    reader: &Reader<'_>,
    contracts: &Contracts,
    head: &Head,
    statement: &EpochStatement,
) -> Result<Option<Call>, ChainError> {
    let opened = reader.opened()?;
    if opened.is_some_and(|opened| (opened.epoch, opened.revision) >= (head.epoch, head.revision)) {
        return Ok(None);
    }
    if statement.hash() != head.statement_hash {
        return Err(ChainError::Claims {
            epoch: head.epoch,
            what: format!("the chain has statement {}, the log has {}", head.statement_hash, statement.hash()),
        });
    }
    let rows: Vec<SettlementRow> = statement.domains.iter().map(SettlementRow::of).collect();
    let Some((place, row)) = reader.row(&rows) else {
        return Err(ChainError::Claims {
            epoch: head.epoch,
            what: "its statement has no row for this contract on this chain".to_owned(),
        });
    };
    let proof = SettlementsTree::new(&rows)?.proof(place).unwrap_or_default();
    Ok(Some(Call::to(contracts.payout, calls::open(&row, &proof))))
}

/// One transaction that pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The transaction.
    pub call: Call,
    /// Whom it pays, with how much, base units, as of now.
    pub pays: Vec<(EvmAddress, u128)>,
}

/// What a push did, as the contract logged it: accounts and base units. Others may have been quicker, and the breaker may
/// have let less through, so it can be less than was planned. `None` for what is no push.
#[must_use]
pub fn pushed(contracts: &Contracts, receipt: &Receipt) -> Option<(usize, u128)> {
    let topic = keccak256(PUSHED.as_bytes());
    let of_payout = |event: &&Logged| event.address == contracts.payout && event.topics.first() == Some(&topic);
    let event = receipt.logs.iter().find(of_payout)?;
    let [accounts, amount, _fee] = event.data.as_chunks::<32>().0 else { return None };
    let number = |word: &[u8; 32]| word[16..].try_into().map(u128::from_be_bytes).ok();
    Some((usize::try_from(number(accounts)?).ok()?, number(amount)?))
}

/// What an open epoch still owes, and how it is paid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pushes {
    /// The transactions, in order.
    pub pushes: Vec<Push>,
    /// Accounts that are owed less than is pushed, or refuse to be pushed: they claim.
    pub below: usize,
    /// Accounts that wait until the breaker lets more through.
    pub held: usize,
    /// Base units owed to both.
    pub left: u128,
}

/// The transactions that pay an open epoch's claims, `batch` accounts in each, neighbours in the tree together.
///
/// # Errors
/// [`ChainError::Claims`] where the claims are not those of the open epoch.
pub fn pushes(
    reader: &Reader<'_>,
    contracts: &Contracts,
    epoch: u64,
    claims: &[ClaimLeaf],
    batch: usize,
) -> Result<Pushes, ChainError> {
    let tree = tree_of(reader, epoch, claims)?;
    let (push_min, mut room) = (reader.push_min()?, reader.room()?);
    let mut owed = Vec::new();
    let mut result = Pushes::default();
    for (place, leaf) in claims.iter().enumerate() {
        let account = account_of(leaf);
        let known = reader.account(account)?;
        let increase = leaf.cumulative.saturating_sub(known.paid);
        if increase == 0 || account == [0; 20] {
            continue;
        }
        if account == contracts.payout && room > 0 {
            // What the log grants to the contract itself is the relayers' pool, which is claimed, not pushed: as much of it as
            // the breaker lets through.
            let (part, rest) = (increase.min(room), increase.saturating_sub(room));
            result.held += usize::from(rest > 0);
            result.left = result.left.saturating_add(rest);
            let call = calls::claim_for(epoch, leaf, &tree.proof(place).unwrap_or_default());
            result.pushes.push(Push { call: Call::to(contracts.payout, call), pays: vec![(account, part)] });
            room -= part;
        } else if increase < push_min.max(known.threshold) {
            result.below += 1;
            result.left = result.left.saturating_add(increase);
        } else if increase > room {
            result.held += 1;
            result.left = result.left.saturating_add(increase);
        } else {
            room -= increase;
            owed.push((leaf.hash(), place, account, increase));
        }
    }
    owed.sort_unstable();
    for part in owed.chunks(batch.max(1)) {
        let places: Vec<usize> = part.iter().map(|(_, place, ..)| *place).collect();
        let many = ManyClaims::of(&tree, claims, &places)?;
        let pays = part.iter().map(|(_, _, account, increase)| (*account, *increase)).collect();
        result.pushes.push(Push { call: Call::to(contracts.payout, calls::pay_many(epoch, &many)), pays });
    }
    Ok(result)
}

/// The call by which one account is paid, and what it is owed, base units; `None` where nothing is owed.
///
/// # Errors
/// [`ChainError::Claims`] where the claims are not those of the open epoch.
pub fn claim(
    reader: &Reader<'_>,
    contracts: &Contracts,
    epoch: u64,
    claims: &[ClaimLeaf],
    account: EvmAddress,
) -> Result<Option<(Call, u128)>, ChainError> {
    let tree = tree_of(reader, epoch, claims)?;
    let Some(place) = claims.iter().position(|leaf| account_of(leaf) == account) else { return Ok(None) };
    let owed = claims[place].cumulative.saturating_sub(reader.account(account)?.paid);
    let call = calls::claim_for(epoch, &claims[place], &tree.proof(place).unwrap_or_default());
    Ok((owed > 0).then(|| (Call::to(contracts.payout, call), owed)))
}

/// The tree over claims that are those of the open epoch.
fn tree_of(reader: &Reader<'_>, epoch: u64, claims: &[ClaimLeaf]) -> Result<ClaimTree, ChainError> {
    let wrong = |what: &str| ChainError::Claims { epoch, what: what.to_owned() };
    let root = reader.claim_root(epoch)?.ok_or_else(|| wrong("it is not open on this chain"))?;
    let tree = ClaimTree::new(claims).map_err(|error| wrong(&error.to_string()))?;
    if tree.root() == root { Ok(tree) } else { Err(wrong("the claims are not those that the contract opened")) }
}
