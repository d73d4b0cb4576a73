//! An explanation in words: what was delivered, what it is worth, what may be claimed, and what was verified.

use std::fmt::Write as _;

use cairn_core::{Amount, PPM, Reason};

use super::{Case, Claim, Share, Slot};
use crate::words::{count, rehearsed_lines, utc};

/// The explanation as text; slots without a remark are summed up unless `all`.
pub fn text(case: &Case, all: bool) -> String {
    let mut text = format!("{} in epoch {} of {}\n", case.device, case.statement.number, case.network_name);
    text.push_str(&format!("  {} to {}, statement {}\n", utc(case.start_ms), utc(case.end_ms), case.hash));
    text.push_str(&rehearsed_lines("  ", &case.statement.rehearsed));
    headline(case, &mut text);
    delivered(case, all, &mut text);
    worth(case, &mut text);
    if let Some(claim) = &case.claim {
        claimed(case, claim, &mut text);
    }
    verified(case, &mut text);
    text
}

/// Writing to a string cannot fail.
macro_rules! say {
    ($text:expr, $($arg:tt)*) => {
        let _ = writeln!($text, $($arg)*);
    };
}

fn tokens(case: &Case, amount: Amount) -> String {
    format!("{} {}", amount.display(case.decimals), case.statement.asset.0)
}

fn headline(case: &Case, text: &mut String) {
    let paid = Amount::checked_sum(case.shares.iter().map(|share| share.payout.amount)).unwrap_or_default();
    let full = case.slots.iter().filter(|slot| slot.verdict.amount > 0 && slot.verdict.score.get() == PPM).count();
    say!(text, "");
    if case.slots.is_empty() {
        say!(text, "It earned nothing: no report of it was judged in this epoch.");
        return;
    }
    let slots = count(case.slots.len() as u64, "slot", "slots");
    say!(text, "It earned {}. Of {slots} judged, {full} had the whole score.", tokens(case, paid));
    if let Some((_, class, worst)) =
        case.slots.iter().filter_map(|slot| worst(case, slot)).max_by_key(|(lost, ..)| *lost)
    {
        say!(text, "What took most: {}", cairn_classes::sentence(class, worst));
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

fn delivered(case: &Case, all: bool, text: &mut String) {
    if case.slots.is_empty() {
        return;
    }
    say!(text, "\nWhat it delivered");
    let mut rest = case.slots.as_slice();
    while let Some(slot) = rest.first() {
        let plain = if all { 0 } else { rest.iter().take_while(|slot| is_plain(slot)).count() };
        if plain > 1 {
            let weight: u128 = rest[..plain].iter().map(|slot| u128::from(slot.weight)).sum();
            let (from, to) = (utc(slot.verdict.slot_ms), utc(rest[plain - 1].verdict.slot_ms));
            say!(text, "  {from} to {to}: {plain} slots with the whole score, weight {weight}");
            rest = &rest[plain..];
            continue;
        }
        one_slot(slot, scores_the_worst(case, &slot.verdict.class), text);
        rest = &rest[1..];
    }
}

fn is_plain(slot: &Slot) -> bool {
    slot.verdict.reasons.is_empty() && !slot.late && slot.verdict.score.get() == PPM
}

fn one_slot(slot: &Slot, of_the_worst: bool, text: &mut String) {
    let Slot { verdict, late, weight } = slot;
    let score = if verdict.amount == 0 { "unscored".to_owned() } else { format!("{} ppm", verdict.score.get()) };
    say!(text, "  {}  {}: {score}, weight {weight}", utc(verdict.slot_ms), verdict.class);
    if *late && *weight != verdict.weight() {
        say!(text, "      late: {} becomes {weight} by the policy's late factor", verdict.weight());
    }
    let mut before_ppm = 0;
    for reason in &verdict.reasons {
        let taken = taken(reason.lost_ppm, before_ppm, of_the_worst);
        before_ppm += reason.lost_ppm;
        say!(text, "      {} {taken}: {}", reason.code, cairn_classes::sentence(&verdict.class, reason));
        say!(
            text,
            "        check `{}`: {} against {}; {}",
            reason.check,
            reason.observed,
            reason.threshold,
            evidence(reason)
        );
    }
    if verdict.reasons.is_empty() {
        say!(text, "      nothing speaks against it; {}", entries(&verdict.entries));
    }
}

fn evidence(reason: &Reason) -> String {
    if reason.evidence.is_empty() { "no entry beyond its own".to_owned() } else { entries(&reason.evidence) }
}

fn entries(indices: &[u64]) -> String {
    let listed: Vec<String> = indices.iter().map(ToString::to_string).collect();
    format!("{} {}", if indices.len() == 1 { "entry" } else { "entries" }, listed.join(", "))
}

fn worth(case: &Case, text: &mut String) {
    if case.shares.is_empty() {
        return;
    }
    say!(text, "\nWhat that is worth, in base units (one {} is 10^{})", case.statement.asset.0, case.decimals);
    for Share { payout, rule, calculation } in &case.shares {
        say!(text, "  {} ({rule}): {calculation}", payout.pool);
        say!(text, "      {} to {}", tokens(case, payout.amount), payout.account);
    }
    say!(text, "  Every division is rounded down; what that leaves goes to the residual pool.");
}

fn claimed(case: &Case, claim: &Claim, text: &mut String) {
    say!(text, "\nWhat may be claimed");
    let account = &case.shares[0].payout.account;
    let proof = count(claim.proof_hashes as u64, "hash", "hashes");
    say!(text, "  {account} may claim {} in all on {}", tokens(case, claim.cumulative), claim.domain);
    say!(text, "      under claim root {}, with a proof of {proof}", claim.root);
}

fn verified(case: &Case, text: &mut String) {
    let verdicts = count(case.slots.len() as u64, "verdict", "verdicts");
    let payouts = count(case.shares.len() as u64, "payout row", "payout rows");
    let claims = count(case.claim.iter().count() as u64, "claim", "claims");
    say!(
        text,
        "\nVerified here: the statement's hash; {verdicts}, {payouts} and {claims} under its roots; the amounts."
    );
    say!(text, "Not verified here: that the statement follows from the log. `cairn audit` does that.");
}
