//! Whether what a ledger or a gateway says of a device and an epoch stands under the epoch's statement, and comes to what was paid.

use cairn_api::{ClaimInfo, Explanation, PoolShare, ProofInfo, SaleExplanation, SlotExplanation};
use cairn_core::epoch::EpochStatement;
use cairn_core::sale::WorkSold;
use cairn_core::{Account, Amount, Hash, NetworkId, PPM, Payout, Sale, Subject, Verdict};
use cairn_merkle::claim::{ClaimLeaf, verify_claim};
use cairn_merkle::proof::verify_inclusion;
use cairn_merkle::tree::leaf_hash;
use cairn_reward::allocate::WORK;
use cairn_reward::policy::{Pool, Rule};
use data_encoding::HEXLOWER;

use super::{Asked, Case, Claim, NotProved, Share, Slot};

fn refuse(what: impl Into<String>) -> NotProved {
    NotProved { what: what.into() }
}

/// The epoch statement in `bytes`, if it is the one that was asked for and that the explanation cites.
///
/// # Errors
/// [`NotProved`].
pub fn statement(
    network: &NetworkId,
    epoch: u64,
    bytes: &[u8],
    explanation: &Explanation,
) -> Result<EpochStatement, NotProved> {
    let hash = Hash::of(bytes).to_hex();
    let statement = EpochStatement::decode(bytes).map_err(|error| refuse(format!("the statement: {error}")))?;
    if (&statement.network, statement.number) != (network, epoch) {
        return Err(refuse("the statement is of another network or epoch"));
    }
    if explanation.epoch.statement != hash {
        return Err(refuse(format!("the explanation cites statement {}, not {hash}", explanation.epoch.statement)));
    }
    Ok(statement)
}

impl Case {
    /// Verifies an explanation: each leaf under the statement's roots, each amount recomputed.
    ///
    /// # Errors
    /// [`NotProved`] names the first thing that does not hold.
    pub fn prove(asked: &Asked<'_>, explanation: &Explanation) -> Result<Self, NotProved> {
        let slots: Vec<Slot> =
            explanation.slots.iter().map(|slot| check_slot(asked, slot)).collect::<Result<_, _>>()?;
        let sales: Vec<Sale> =
            explanation.sales.iter().map(|sale| check_sale(asked, &slots, sale)).collect::<Result<_, _>>()?;
        let shares: Vec<Share> = explanation
            .pools
            .iter()
            .map(|share| check_share(asked, &slots, &sales, share))
            .collect::<Result<_, _>>()?;
        let paid = Amount::checked_sum(shares.iter().map(|share| share.payout.amount)).unwrap_or_default();
        if paid.to_string() != explanation.paid {
            return Err(refuse(format!("the payout rows add up to {paid}, not to {}", explanation.paid)));
        }
        let account = shares.first().map(|share| &share.payout.account);
        let claim = match (&explanation.claim, account) {
            (Some(claim), Some(account)) => Some(check_claim(asked.statement, claim, account)?),
            _ => None,
        };
        Ok(Self {
            network_name: asked.network_name.to_owned(),
            device: asked.device,
            statement: asked.statement.clone(),
            hash: asked.statement.hash().to_hex(),
            start_ms: asked.start_ms,
            end_ms: asked.start_ms.saturating_add(asked.epoch_ms),
            decimals: asked.policy.asset.decimals,
            slots,
            sales,
            shares,
            claim,
            chained: None,
        })
    }
}

/// The leaf of a proof, which stands under `root`.
fn leaf_of(proof: &ProofInfo, root: Hash, what: &str) -> Result<Vec<u8>, NotProved> {
    let leaf = HEXLOWER.decode(proof.leaf.as_bytes()).map_err(|_| refuse(format!("a {what}'s leaf is not hex")))?;
    let hashes: Option<Vec<Hash>> = proof.proof.iter().map(|hash| Hash::from_hex(hash)).collect();
    let hashes = hashes.ok_or_else(|| refuse(format!("a {what}'s proof is not hex")))?;
    verify_inclusion(leaf_hash(&leaf), proof.index, proof.size, root, &hashes)
        .map_err(|error| refuse(format!("a {what} is not under the statement's root: {error}")))?;
    Ok(leaf)
}

fn check_slot(asked: &Asked<'_>, slot: &SlotExplanation) -> Result<Slot, NotProved> {
    let served = &slot.verdict;
    let class = asked.statement.classes.iter().find(|class| class.class == served.class);
    let class = class.ok_or_else(|| refuse(format!("the statement has no class `{}`", served.class)))?;
    if slot.proof.size != class.subjects {
        return Err(refuse(format!("a verdict's proof is of a table of {} rows", slot.proof.size)));
    }
    let leaf = leaf_of(&slot.proof, class.verdict_root, "verdict")?;
    let verdict = Verdict::decode(&leaf).map_err(|error| refuse(format!("a verdict: {error}")))?;
    if !is_same(&verdict, served) || verdict.device != asked.device {
        return Err(refuse(format!("the verdict over slot {} is not the one in its leaf", served.slot_ms)));
    }
    let late = verdict.slot_ms < asked.start_ms;
    let weight = if late { asked.policy.epochs.late.of_value(verdict.weight()) } else { verdict.weight() };
    if (late, weight) != (slot.late, slot.weight) {
        let is = if late { "late" } else { "not late" };
        return Err(refuse(format!("slot {} is {is} and weighs {weight}, not {}", served.slot_ms, slot.weight)));
    }
    Ok(Slot { verdict, late, weight })
}

/// Whether a served verdict says what its leaf says.
fn is_same(verdict: &Verdict, served: &cairn_api::VerdictInfo) -> bool {
    let reasons = verdict.reasons.iter().zip(&served.reasons).all(|(reason, served)| {
        (&reason.code, &reason.check) == (&served.code, &served.check)
            && (reason.observed, reason.threshold, reason.lost_ppm)
                == (served.observed, served.threshold, served.lost_ppm)
            && reason.evidence == served.evidence
    });
    reasons
        && verdict.reasons.len() == served.reasons.len()
        && (&verdict.class, verdict.slot_ms) == (&served.class, served.slot_ms)
        && verdict.account.to_string() == served.account
        && (verdict.amount, verdict.score.get(), verdict.weight()) == (served.amount, served.score_ppm, served.weight)
        && verdict.entries == served.entries
}

fn check_share(asked: &Asked<'_>, slots: &[Slot], sales: &[Sale], share: &PoolShare) -> Result<Share, NotProved> {
    let leaf = leaf_of(&share.proof, asked.statement.payout_root, "payout row")?;
    let payout = Payout::decode(&leaf).map_err(|error| refuse(format!("a payout row: {error}")))?;
    let served = &share.payout;
    let same = payout.device == Some(asked.device)
        && payout.account.to_string() == served.account
        && (&payout.pool, payout.weight) == (&served.pool, served.weight)
        && payout.amount.to_string() == served.amount;
    if same && payout.pool == WORK {
        return sold(asked, sales, payout);
    }
    let pool = asked.policy.pools.iter().find(|pool| pool.name == payout.pool);
    match pool.filter(|_| same) {
        Some(pool) => recompute(asked, slots, pool, payout),
        None => Err(refuse(format!("the payout from pool `{}` is not the one in its leaf", served.pool))),
    }
}

/// What a pool pays for the device's verdicts by the policy's rule must be what the row says.
fn recompute(asked: &Asked<'_>, slots: &[Slot], pool: &Pool, payout: Payout) -> Result<Share, NotProved> {
    let name = &pool.name;
    let stated = asked.statement.pools.iter().find(|stated| stated.name == *name);
    let stated = stated.ok_or_else(|| refuse(format!("the statement has no pool `{name}`")))?;
    if asked.statement.pot().map(|pot| pool.size(pot)) != Some(stated.size) {
        return Err(refuse(format!("pool `{name}` is not {} ppm of what the epoch shared out", pool.share.get())));
    }
    let sum = |of: &dyn Fn(&&Slot) -> bool| -> u128 {
        slots
            .iter()
            .filter(|slot| slot.verdict.class == pool.class)
            .filter(of)
            .map(|slot| u128::from(slot.weight))
            .sum()
    };
    let (weight, row_weight) = (sum(&|_| true), sum(&|slot| slot.verdict.account == payout.account));
    if row_weight != u128::from(payout.weight) || weight > stated.weight || stated.devices == 0 || weight == 0 {
        let what = format!("the verdicts for {} weigh {row_weight}, its payout says {}", payout.account, payout.weight);
        return Err(refuse(what));
    }
    let part = pool.part(stated.size, weight, stated.weight, stated.devices);
    let amount = part.share(row_weight, weight).unwrap_or_default();
    if amount != payout.amount {
        return Err(refuse(format!("pool `{name}` comes to {amount}, its payout says {}", payout.amount)));
    }
    let mut calculation = match pool.rule {
        Rule::ProRata => {
            let full = stated.size.share(weight, stated.weight).unwrap_or_default();
            format!("floor({} * {weight} / {}) = {full}", stated.size, stated.weight)
        }
        Rule::Flat { min_score } => {
            let full = stated.size.share(1, stated.devices.into()).unwrap_or_default();
            let (size, devices, least) = (stated.size, stated.devices, min_score.get());
            format!("floor({size} / {devices} devices with {least} of {PPM} ppm or more) = {full}")
        }
    };
    if !calculation.ends_with(&format!(" = {part}")) {
        calculation.push_str(&format!(", capped at {part}"));
    }
    if amount != part {
        calculation.push_str(&format!(", of which floor({part} * {row_weight} / {weight}) = {amount}"));
    }
    Ok(Share { payout, rule: pool.rule.name(), calculation })
}

/// A sale under the statement's sales root, of work of the device that the judge found right, with the policy's fee.
fn check_sale(asked: &Asked<'_>, slots: &[Slot], served: &SaleExplanation) -> Result<Sale, NotProved> {
    let summary = asked.statement.sales.ok_or_else(|| refuse("the statement knows of no sales"))?;
    if served.proof.size != summary.count {
        return Err(refuse(format!("a sale's proof is of a table of {} rows", served.proof.size)));
    }
    let leaf = leaf_of(&served.proof, summary.root, "sale")?;
    let sale = Sale::decode(&leaf).map_err(|error| refuse(format!("a sale: {error}")))?;
    if cairn_ledger::sale_info(&sale) != served.sale {
        return Err(refuse(format!("the sale of job {} is not the one in its leaf", served.sale.job)));
    }
    let fee = asked.policy.fee(WORK).get();
    for sold in sale.work.iter().filter(|sold| sold.device == asked.device) {
        let burned = sold.work.share(fee.into(), PPM.into()).unwrap_or_default();
        if burned != sold.burned {
            let what = format!("of job {} {} is burned; {fee} ppm of {} is {burned}", sale.job, sold.burned, sold.work);
            return Err(refuse(what));
        }
        let is_right = |slot: &Slot| {
            let verdict = &slot.verdict;
            verdict.subject == Subject::Job(sale.order) && verdict.class == WORK && verdict.weight() == sold.gas
        };
        if !slots.iter().any(is_right) {
            return Err(refuse(format!("no verdict says that the work of job {} was right", sale.job)));
        }
    }
    Ok(sale)
}

/// What buyers paid for the device's work must be what the row says.
fn sold(asked: &Asked<'_>, sales: &[Sale], payout: Payout) -> Result<Share, NotProved> {
    let mine = || {
        let work = sales.iter().flat_map(|sale| &sale.work);
        work.filter(|sold| sold.device == asked.device && sold.account == payout.account)
    };
    let gas: u128 = mine().map(|sold| u128::from(sold.gas)).sum();
    let amount = Amount::checked_sum(mine().map(WorkSold::paid)).unwrap_or_default();
    let weight = gas.min(i64::MAX.cast_unsigned().into());
    if (amount, weight) != (payout.amount, payout.weight.into()) {
        return Err(refuse(format!("the sales come to {amount} for {gas} gas, the payout says {}", payout.amount)));
    }
    let terms: Vec<String> = mine().map(|sold| format!("({} - {})", sold.work, sold.burned)).collect();
    let calculation = format!("{} = {amount}", terms.join(" + "));
    Ok(Share { payout, rule: "sales", calculation })
}

fn check_claim(statement: &EpochStatement, claim: &ClaimInfo, account: &Account) -> Result<Claim, NotProved> {
    let claims = statement.domains.iter().find(|claims| claims.domain.as_str() == claim.domain);
    let claims = claims.filter(|claims| &claims.domain == account.domain());
    let claims =
        claims.ok_or_else(|| refuse(format!("the statement has no claims of {account} on {}", claim.domain)))?;
    let word = |hex: &String| HEXLOWER.decode(hex.as_bytes()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let proof: Option<Vec<[u8; 32]>> = claim.proof.iter().map(word).collect();
    let proof = proof.ok_or_else(|| refuse("the claim's proof is not hex"))?;
    let cumulative = Amount::parse(&claim.cumulative).map_err(|error| refuse(error.to_string()))?;
    let leaf = ClaimLeaf {
        domain: claims.domain.claim_word(),
        distributor: claims.distributor,
        account: account.address().claim_word(),
        cumulative: cumulative.0,
    };
    verify_claim(&claims.claim_root, &leaf, &proof)
        .map_err(|error| refuse(format!("the claim is not under the statement's root: {error}")))?;
    Ok(Claim {
        domain: claim.domain.clone(),
        root: HEXLOWER.encode(&claims.claim_root),
        cumulative,
        leaf: HEXLOWER.encode(&leaf.hash()),
        proof_hashes: proof.len(),
    })
}
