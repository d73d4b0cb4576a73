//! An explanation in words: what was delivered, what it is worth, what may be claimed, and what was verified.

use cairn_core::{Amount, PPM, Reason};

use super::{Case, Claim, Line, Part, Share, Slot, Told};
use crate::words::{count, utc};

impl Case {
    /// The story; slots without a remark are summed up unless `all`.
    #[must_use]
    pub fn told(&self, all: bool) -> Told {
        let mut told = Told::default();
        let number = self.statement.number;
        told.line(
            Line::at(0).with(Part::Device(self.device)).say(format!(" in epoch {number} of {}", self.network_name)),
        );
        let when = format!("{} to {}, statement ", utc(self.start_ms), utc(self.end_ms));
        told.line(Line::words(2, when).with(Part::Statement(number, self.hash.clone())));
        for what in &self.statement.rehearsed {
            told.line(Line::words(2, format!("rehearsed: {what}")));
        }
        headline(self, &mut told);
        delivered(self, all, &mut told);
        sold(self, &mut told);
        worth(self, &mut told);
        claimed(self, &mut told);
        chained(self, &mut told);
        verified(self, &mut told);
        told
    }

    fn money(&self, amount: Amount) -> Part {
        let tokens = format!("{} {}", amount.display(self.decimals), self.statement.asset.0);
        Part::Money(amount.to_string(), tokens)
    }
}

fn headline(case: &Case, told: &mut Told) {
    let paid = Amount::checked_sum(case.shares.iter().map(|share| share.payout.amount)).unwrap_or_default();
    let full = case.slots.iter().filter(|slot| slot.verdict.amount > 0 && slot.verdict.score.get() == PPM).count();
    if case.slots.is_empty() {
        told.heading("It earned nothing: no report of it was judged in this epoch.");
        return;
    }
    let slots = count(case.slots.len() as u64, "slot", "slots");
    let line = Line::words(0, "It earned ").with(case.money(paid));
    let line = line.say(format!(". Of {slots} judged, {full} had the whole score."));
    told.line(Line { is_heading: true, ..line });
    if let Some((_, class, worst)) =
        case.slots.iter().filter_map(|slot| worst(case, slot)).max_by_key(|(lost, ..)| *lost)
    {
        told.line(Line::words(0, format!("What took most: {}", cairn_classes::sentence(class, worst))));
    }
}

/// Whether the class's score is that of its worst check: then a reason says only what it took beyond those before it.
fn scores_the_worst(case: &Case, class: &str) -> bool {
    case.statement.classes.iter().any(|summary| summary.class == class && summary.revision >= 2)
}

/// The reason that took most of a slot, with what it took alone, in ppm.
fn worst<'a>(case: &Case, slot: &'a Slot) -> Option<(u32, &'a str, &'a Reason)> {
    let class = slot.verdict.class.as_str();
    let mut losing = slot.verdict.reasons.iter().filter(|reason| reason.lost_ppm > 0);
    if scores_the_worst(case, class) {
        // What it took alone is what all before it took, and then some.
        let all = losing.clone().map(|reason| reason.lost_ppm).sum();
        return losing.next_back().map(|reason| (all, class, reason));
    }
    let worst = losing.by_ref().max_by_key(|reason| reason.lost_ppm)?;
    Some((worst.lost_ppm, class, worst))
}

/// What a reason took of a slot, after what others `before` it took.
fn taken(lost_ppm: u32, before_ppm: u32, of_the_worst: bool) -> String {
    match (of_the_worst && before_ppm > 0, lost_ppm) {
        (false, lost_ppm) => format!("lost {lost_ppm} ppm"),
        (true, 0) => "lost no more than that".to_owned(),
        (true, lost_ppm) => format!("lost {lost_ppm} ppm more, {} ppm in all", before_ppm.saturating_add(lost_ppm)),
    }
}

fn delivered(case: &Case, all: bool, told: &mut Told) {
    if case.slots.is_empty() {
        return;
    }
    told.heading("What it delivered");
    let what =
        "What counts is its weight: what was delivered (of a slot, its milliseconds) times the score, rounded down.";
    told.line(Line::words(2, what));
    let mut rest = case.slots.as_slice();
    while let Some(slot) = rest.first() {
        let plain = if all { 0 } else { rest.iter().take_while(|slot| is_plain(slot)).count() };
        if plain > 1 {
            let weight: u128 = rest[..plain].iter().map(|slot| u128::from(slot.weight)).sum();
            let (from, to) = (utc(slot.verdict.slot_ms), utc(rest[plain - 1].verdict.slot_ms));
            let words = format!("{from} to {to}: {plain} slots with the whole score, weight {weight}");
            told.line(Line::words(2, words));
            rest = &rest[plain..];
            continue;
        }
        one_slot(slot, scores_the_worst(case, &slot.verdict.class), told);
        rest = &rest[1..];
    }
}

fn is_plain(slot: &Slot) -> bool {
    slot.verdict.reasons.is_empty() && !slot.late && slot.verdict.score.get() == PPM
}

fn one_slot(slot: &Slot, of_the_worst: bool, told: &mut Told) {
    let Slot { verdict, late, weight } = slot;
    let score = if verdict.amount == 0 { "unscored".to_owned() } else { format!("{} ppm", verdict.score.get()) };
    told.line(Line::words(2, format!("{}  {}: {score}, weight {weight}", utc(verdict.slot_ms), verdict.class)));
    if *late && *weight != verdict.weight() {
        let words = format!("late: {} becomes {weight} by the policy's late factor", verdict.weight());
        told.line(Line::words(6, words));
    }
    let mut before_ppm = 0;
    for reason in &verdict.reasons {
        let taken = taken(reason.lost_ppm, before_ppm, of_the_worst);
        before_ppm += reason.lost_ppm;
        let sentence = cairn_classes::sentence(&verdict.class, reason);
        told.line(Line::words(6, format!("{} {taken}: {sentence}", reason.code)));
        let held = format!("check `{}`: {} against {}; ", reason.check, reason.observed, reason.threshold);
        told.line(evidence(Line::words(8, held), reason));
    }
    if verdict.reasons.is_empty() {
        told.line(Line::words(6, "nothing speaks against it; ").entries(&verdict.entries));
    }
}

fn evidence(line: Line, reason: &Reason) -> Line {
    if reason.evidence.is_empty() { line.say("no entry beyond its own") } else { line.entries(&reason.evidence) }
}

/// What each job of the device was sold for, all workers and licences told.
fn sold(case: &Case, told: &mut Told) {
    if case.sales.is_empty() {
        return;
    }
    told.heading("What buyers paid for its work, in base units");
    for sale in &case.sales {
        let line = Line::words(2, format!("job {} (", sale.job)).entries(&[sale.order]).say("), ordered by ");
        told.line(line.with(Part::Account(sale.buyer.clone())));
        for sold in sale.work.iter().filter(|sold| sold.device == case.device) {
            let (gas, work, burned, paid) = (sold.gas, sold.work, sold.burned, sold.paid());
            let line = Line::words(6, format!("{gas} gas for {work}, of which {burned} is burned: {paid} to "));
            told.line(line.with(Part::Account(sold.account.clone())));
        }
        let workers = count(sale.work.len() as u64, "right worker", "right workers");
        let (work, licences) = (sale.work_total().unwrap_or_default(), sale.licence_total().unwrap_or_default());
        let (locked, back, refund) = (sale.locked, sale.returned, sale.refunded());
        let parts = format!("{work} for {workers} + {licences} for licences + {back} returned + {refund} refunded");
        told.line(Line::words(6, format!("{locked} was locked = {parts}")));
    }
}

fn worth(case: &Case, told: &mut Told) {
    if case.shares.is_empty() {
        return;
    }
    told.heading(format!("What that is worth, in base units (one {} is 10^{})", case.statement.asset.0, case.decimals));
    for Share { payout, rule, calculation } in &case.shares {
        if let Some(pool) = case.statement.pools.iter().find(|pool| pool.name == payout.pool) {
            let (own, all, devices) = (payout.weight, pool.weight, count(pool.devices, "device", "devices"));
            let words = format!("What it delivered for this account weighs {own}; {devices} weigh {all} together.");
            told.line(Line::words(2, words));
        }
        told.line(Line::words(2, format!("{} ({rule}): {calculation}", payout.pool)));
        let line = Line::at(6).with(case.money(payout.amount)).say(" to ");
        told.line(line.with(Part::Account(payout.account.clone())));
    }
    told.line(Line::words(2, "Every division is rounded down; what that leaves goes to the residual pool."));
}

/// From the payout to the leaf that a contract accepts.
fn claimed(case: &Case, told: &mut Told) {
    let Some(account) = case.account() else { return };
    told.heading("What may be claimed");
    let Some(Claim { domain, root, cumulative, leaf, proof_hashes }) = &case.claim else {
        let line =
            Line::words(2, "Claims add up: what this epoch gave is in every claim since. The latest one is that of ");
        told.line(line.with(Part::Account(account.clone())));
        return;
    };
    let proof = count(*proof_hashes as u64, "hash", "hashes");
    let line = Line::at(2).with(Part::Account(account.clone())).say(" may claim ").with(case.money(*cumulative));
    told.line(line.say(format!(" in all on {domain}: this epoch and all before it")));
    told.line(Line::words(6, format!("by leaf {leaf}")));
    told.line(Line::words(6, format!("under claim root {root}, with a proof of {proof}")));
}

/// What the chain made of it, as far as anybody asked it.
fn chained(case: &Case, told: &mut Told) {
    let Some(account) = case.account() else { return };
    let domain = account.domain();
    if !case.statement.domains.iter().any(|claims| claims.domain == *domain) {
        return;
    }
    told.heading(format!("What {domain} made of it"));
    let Some(chained) = &case.chained else {
        let words = "Whether it was posted and paid there only the chain can say: `cairn chain status` asks it.";
        told.line(Line::words(2, words));
        return;
    };
    let number = case.statement.number;
    let rehearsal = if chained.rehearsed { " (a rehearsal of a chain)" } else { "" };
    let at = format!("As {}{rehearsal} stood at block {}, {}:", chained.chain, chained.block, utc(chained.block_ms));
    told.line(Line::words(2, at));
    let has = |epoch: Option<u64>| epoch.is_some_and(|epoch| epoch >= number);
    let stands = match (has(chained.posted), has(chained.opened)) {
        (_, true) => "this epoch was posted and opened there: what it gave can be claimed, unless it was paid already",
        (true, false) => "this epoch was posted there, and is not opened yet: nothing of it can be claimed",
        (false, false) => "this epoch was not posted there yet: nothing of it can be claimed",
    };
    told.line(Line::words(6, stands));
    let line = Line::words(6, "the contract had paid ").with(case.money(chained.paid)).say(" to ");
    told.line(line.with(Part::Account(account.clone())).say(" in all"));
}

fn verified(case: &Case, told: &mut Told) {
    let verdicts = count(case.slots.len() as u64, "verdict", "verdicts");
    let payouts = count(case.shares.len() as u64, "payout row", "payout rows");
    let sales = match case.sales.len() {
        0 => String::new(),
        some => format!("{}, ", count(some as u64, "sale", "sales")),
    };
    let claims = count(case.claim.iter().count() as u64, "claim", "claims");
    told.heading(format!(
        "Verified here: the statement's hash; {verdicts}, {sales}{payouts} and {claims} under its roots; the amounts."
    ));
    told.line(Line::words(0, "Not verified here: that the statement follows from the log. `cairn audit` does that."));
}
