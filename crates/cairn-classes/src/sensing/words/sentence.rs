//! What a contributor reads: one sentence for each reason, in decimal units.

use cairn_core::Reason;

use super::{Check, Code, Fault};
use crate::sensing::quantity::Quantity;

/// A reason of sensing as an English sentence, with decimal units.
#[must_use]
pub fn sentence(reason: &Reason) -> String {
    let parsed = Code::of_str(&reason.code).and_then(|code| Some((code, Check::parse(code, &reason.check)?)));
    parsed.map_or_else(
        || format!("{}: {} ({} against {})", reason.code, reason.check, reason.observed, reason.threshold),
        |(code, check)| say(code, check, reason),
    )
}

fn say(code: Code, check: Check, reason: &Reason) -> String {
    let (observed, threshold) = (reason.observed, reason.threshold);
    match (code, check) {
        (Code::Denied, _) => format!("denied by {}: nothing is paid while that stands", entry(reason)),
        (Code::Conflict, _) => {
            format!("two different reports under one name, shown by {}: neither counts", entry(reason))
        }
        (Code::Maintenance, _) => format!("{observed} values sent under maintenance: not scored"),
        (Code::Future, _) => {
            format!("{observed} values timed more than {threshold} ms after their receipt: not used")
        }
        (Code::Quantity, _) => "none of the quantities sent is judged by the network's profile".to_owned(),
        (Code::SlotJudged, _) => {
            format!("the slot was judged in an earlier epoch ({}) and is not paid twice", entry(reason))
        }
        (_, Check::EqualTo(device)) => format!(
            "every value of {observed} shared slots equals that of {device}, enrolled earlier by another owner \
             ({threshold} slots make a copy)"
        ),
        (_, Check::SaidFirst(device)) => format!(
            "every value of {observed} shared slots equals that of {device} of another owner, which was first \
             ({threshold} slots make a copy)"
        ),
        (_, Check::Range { quantity, out, readings }) => format!(
            "{} is out of range (limit {}) in {out} of {readings} readings",
            with_unit(quantity, observed),
            quantity.decimal(threshold)
        ),
        (_, Check::Neighbours { quantity, count, median }) => format!(
            "{} where {count} neighbours say {} (limit {}{})",
            with_unit(quantity, observed),
            quantity.decimal(median),
            if threshold < 0 { "" } else { "+" },
            quantity.decimal(threshold)
        ),
        (Code::Mobile, Check::Apart(quantity)) => format!("{quantity} is not compared: the device moves"),
        (_, Check::Apart(quantity)) if threshold == 0 => {
            format!("{quantity} is not compared: nothing to dry it by, or to count it from; nothing is lost")
        }
        (_, Check::Apart(quantity)) => {
            format!("{quantity} is not compared: {observed} neighbours report, {threshold} are needed; nothing is lost")
        }
        (Code::Profile, _) => format!(
            "the profile in force is one for revision {observed} of the judge, and the policy names another: not scored"
        ),
        (Code::Mobile, Check::Whole(_)) => {
            "the network's profile does not judge devices that move: not scored".to_owned()
        }
        (Code::Availability, _) => {
            format!("{observed} parts of the slot were reported where {threshold} are asked for")
        }
        (_, Check::Readings { quantity, fault, out, readings }) => {
            let seen = with_unit(quantity, observed);
            fault_of(fault, quantity, &seen, reason) + &format!(", {out} of {readings} readings")
        }
        (code, Check::Slots { quantity, slots }) => over_slots(code, quantity, slots, observed, threshold),
        (_, Check::FitsAt { quantity, device }) => format!(
            "{quantity} lies {} off its neighbours on average and {} off what is heard where {device} stands: it seems to \
             stand there",
            quantity.decimal(observed),
            quantity.decimal(threshold)
        ),
        (_, Check::RowsOf(device)) => format!(
            "{observed} readings in a row repeat what {device} gave before ({threshold} in a row are a repetition)"
        ),
        (_, Check::After { quantity, device, lag_slots }) => format!(
            "{quantity} follows {device} of another owner, {lag_slots} slots apart; {observed} millionths are left \
             unexplained where two instruments differ by at least {threshold}"
        ),
        (_, Check::Whole(text)) => text.to_owned(),
    }
}

fn fault_of(fault: Fault, quantity: Quantity, seen: &str, reason: &Reason) -> String {
    let (observed, threshold) = (reason.observed, reason.threshold);
    let limit = quantity.decimal(threshold);
    match fault {
        Fault::Clock if observed < 0 => format!("{quantity}: the device has no clock to tell when it measured"),
        Fault::Clock => format!("{quantity}: the device's clock may be {observed} ms wrong (limit {threshold} ms)"),
        Fault::Drift if observed < 0 => {
            let (early, limit) = (observed.unsigned_abs(), threshold.unsigned_abs());
            format!("{quantity}: received {early} ms before the time the device gives (limit {limit} ms)")
        }
        Fault::Drift => {
            format!("{quantity}: received {observed} ms after the time the device gives (limit {threshold} ms)")
        }
        Fault::Order => format!("{quantity}: measured {observed} ms before a report that is numbered lower"),
        Fault::Saturated => format!("{seen} is where the instrument ends ({limit})"),
        Fault::Spike => format!("{seen} jumps away from the readings around it (limit {limit})"),
        Fault::Step => format!("{seen} is a jump, and neither side can be told to be wrong (limit {limit})"),
        Fault::Stuck => format!("{quantity} did not change for {observed} s (limit {threshold} s)"),
        Fault::Frozen => format!("{quantity} did not change for {observed} s in frost (limit {threshold} s)"),
        Fault::Resolution => format!("{quantity} comes in steps of {} (limit {limit})", quantity.decimal(observed)),
        Fault::Counter => format!("{quantity} counted {} (limit {limit})", quantity.decimal(observed)),
        Fault::Above(other) => format!("{seen} where {other} of the same reading allows {limit}"),
    }
}

fn over_slots(code: Code, quantity: Quantity, slots: u32, observed: i64, threshold: i64) -> String {
    let share = |ppm: i64| {
        let sign = if ppm < 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", ppm.abs() / 1_000_000, ppm.abs() % 1_000_000 / 10_000)
    };
    let (seen, limit) = (quantity.decimal(observed), quantity.decimal(threshold));
    match code {
        Code::Bias => {
            format!("{quantity} lies {seen} off its neighbours on average over {slots} slots (limit {limit})")
        }
        Code::Correlation => format!(
            "{quantity} does not follow its neighbours: correlation {} over {slots} slots (at least {})",
            share(observed),
            share(threshold)
        ),
        Code::Indoor => format!(
            "{quantity} moves {} times as much as its neighbours over {slots} slots (at least {}): it seems to stand \
             indoors",
            share(observed),
            share(threshold)
        ),
        Code::Sunlit => format!(
            "{quantity} lies {seen} further above its neighbours by day than by night over {slots} slots (limit {limit}): \
             it seems to stand in the sun"
        ),
        _ => format!("{quantity} stayed dry through {slots} slots in which its neighbours were wet"),
    }
}

fn with_unit(quantity: Quantity, value: i64) -> String {
    let space = if quantity.unit().is_empty() { "" } else { " " };
    format!("{quantity} {}{space}{}", quantity.decimal(value), quantity.unit())
}

/// The first entry of the evidence, in words.
fn entry(reason: &Reason) -> String {
    reason.evidence.first().map_or_else(|| "no entry".to_owned(), |index| format!("entry {index}"))
}
