//! The tables.

use cairn_testkit::injector::judged::Said;
use cairn_testkit::injector::measure::{Counts, Share, bootstrapped, percentile, wilson};
use cairn_testkit::injector::{Field, Kind};

const SEED: u64 = 4;

/// What the columns are.
pub const LEGEND: &str = "\
A tenth of the stations is spoiled with one kind of error each, between a third of the time and the end. A row is
doubted when it loses a quarter of its score (libraries: when any of its values is flagged suspect, fail or off). A row is
faulty when it is not what the station measured. Precision, recall and F1 are of rows, in percent, with 95 % intervals
bootstrapped over stations and seeds. Delay is from the first faulty reading to the end of the first slot that loses a
quarter (libraries: of whose rows a quarter is doubted): median, 90th percentile, and the share of faults that never have
such a slot (Wilson's 95 % interval). Recordings are taken to be without errors of their own, so false alarms are overstated.
Parameters of every method are the same for all kinds and seeds.";

/// What honest stations lose.
pub fn honest(field: &Field, said: &[(&str, &Said)]) {
    let none = vec![false; field.rows.len()];
    for (method, said) in said {
        let stations = cairn_testkit::injector::measure::by_station(field, &none, said);
        let doubted: u64 = said.slots.iter().map(|slots| slots.len() as u64).sum();
        let rows = bootstrapped(&stations, SEED, Counts::false_alarm);
        let slots = wilson(doubted, said.scored).map_or_else(|| "-".to_owned(), |share| percent(share.ppm));
        println!("   nothing injected  {method:<22} doubted rows {:<22} slots {slots}", interval(rows));
    }
}

/// The names of the columns.
pub fn head() {
    println!(
        "   {:<12} {:<22} {:<22} {:<22} {:<22} {:>8} {:>8} {:<20}",
        "error", "method", "precision", "recall", "F1", "delay", "90 %", "never found"
    );
}

/// What one method made of one kind of error.
pub fn row(kind: Kind, method: &str, stations: &[Counts], delays: &[Option<u64>]) {
    let share = |of: fn(Counts) -> Option<u64>| interval(bootstrapped(stations, SEED, of));
    let never = delays.iter().filter(|delay| delay.is_none()).count() as u64;
    let after = |percent| percentile(delays, percent).map_or_else(|| "-".to_owned(), duration);
    println!(
        "   {:<12} {method:<22} {:<22} {:<22} {:<22} {:>8} {:>8} {:<20}",
        kind.as_str(),
        share(Counts::precision),
        share(Counts::recall),
        share(Counts::f1),
        after(50),
        after(90),
        interval(wilson(never, delays.len() as u64)),
    );
}

fn interval(share: Option<Share>) -> String {
    share.map_or_else(
        || "-".to_owned(),
        |share| format!("{} [{}, {}]", percent(share.ppm), percent(share.low_ppm), percent(share.high_ppm)),
    )
}

/// One decimal below ten percent two.
fn percent(ppm: u64) -> String {
    if ppm < 100_000 {
        return format!("{}.{:02}", ppm / 10_000, ppm % 10_000 / 100);
    }
    format!("{}.{}", ppm / 10_000, ppm % 10_000 / 1_000)
}

fn duration(ms: u64) -> String {
    let minutes = ms / 60_000;
    if minutes < 48 * 60 {
        format!("{}.{} h", minutes / 60, minutes % 60 / 6)
    } else {
        format!("{}.{} d", minutes / 1_440, minutes % 1_440 / 144)
    }
}
