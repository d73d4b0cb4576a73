//! What a profile would do to a recording: by quantity and check, how many readings and slots it would touch.

use std::collections::{BTreeMap, BTreeSet};

use cairn_classes::sensing::{Document, Quantity, assess};
use serde::Serialize;

use crate::command::judge::recording::{replay, row_of};
use crate::dataset::Dataset;
use crate::failure::Failure;

/// What one check touches of one quantity.
#[derive(Debug, Clone, Serialize)]
pub struct Touched {
    /// The quantity's key.
    pub quantity: &'static str,
    /// The code of the reason.
    pub code: String,
    /// Readings that it is said of.
    pub readings: u64,
    /// Of so many with a value of the quantity.
    pub of_readings: u64,
    /// Slots of stations with such a reading.
    pub slots: u64,
    /// Of so many with a value of the quantity.
    pub of_slots: u64,
    /// What a touched reading loses on average, in parts per million; zero is a remark.
    pub lost_ppm: u64,
}

#[derive(Default)]
struct Tally {
    readings: u64,
    slots: u64,
    lost_ppm: u64,
}

/// Judges a recording and adds up what was said, ascending by quantity, then code.
///
/// # Errors
/// When the judge refuses.
pub fn by(dataset: &Dataset, document: &Document, mut done: impl FnMut(usize)) -> Result<Vec<Touched>, Failure> {
    let mut all: BTreeMap<Quantity, Tally> = BTreeMap::new();
    let mut said: BTreeMap<(Quantity, String), Tally> = BTreeMap::new();
    replay(dataset, document, |docket| {
        let (assessed, judged) = assess(document, docket)?;
        // A slot lies within one docket.
        let mut slots: BTreeSet<(Quantity, usize, u64)> = BTreeSet::new();
        let mut slots_said: BTreeSet<(Quantity, &str, usize, u64)> = BTreeSet::new();
        for value in &assessed {
            let row = &dataset.readings[row_of(value.index)];
            let slot = row.time_ms / document.slot_ms();
            let tally = all.entry(value.quantity).or_default();
            tally.readings += 1;
            tally.slots += u64::from(slots.insert((value.quantity, row.station, slot)));
            for reason in &value.reasons {
                let tally = said.entry((value.quantity, reason.code.clone())).or_default();
                tally.readings += 1;
                tally.lost_ppm += u64::from(reason.lost_ppm);
                tally.slots += u64::from(slots_said.insert((value.quantity, &reason.code, row.station, slot)));
            }
        }
        done(docket.fresh.len());
        Ok(judged)
    })?;
    let touched = |((quantity, code), tally): ((Quantity, String), Tally)| Touched {
        quantity: quantity.key(),
        code,
        readings: tally.readings,
        of_readings: all[&quantity].readings,
        slots: tally.slots,
        of_slots: all[&quantity].slots,
        lost_ppm: tally.lost_ppm / tally.readings.max(1),
    };
    Ok(said.into_iter().map(touched).collect())
}

/// The table that people read.
pub fn table(touched: &[Touched]) -> String {
    let mut text = format!(
        "  {:<16} {:<22} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
        "quantity", "check", "readings", "share", "slots", "share", "lost"
    );
    for one in touched {
        text.push_str(&format!(
            "  {:<16} {:<22} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
            one.quantity,
            one.code,
            one.readings,
            percent(one.readings, one.of_readings),
            one.slots,
            percent(one.slots, one.of_slots),
            percent(one.lost_ppm, 1_000_000)
        ));
    }
    if touched.is_empty() {
        text = "  no check would touch anything of it\n".to_owned();
    }
    text
}

/// A share in percent with three decimals, rounded down.
fn percent(part: u64, whole: u64) -> String {
    let share = (u128::from(part) * 100_000).checked_div(u128::from(whole)).unwrap_or(0);
    format!("{}.{:03} %", share / 1_000, share % 1_000)
}
