//! Seeded errors in real measurements, with the truth about every reading.
//!
//! A [`Field`] is what stations measured: real recordings that the project carries, and one simulated city that says so in
//! its name. [`inject`] spoils some stations of a field with one [`Kind`] of error and notes what it did, reading by
//! reading; [`judged`] runs the judge over a field as a network would, epoch by epoch; [`measure`] compares.
//!
//! Promised: pure, integers only, the same seed gives the same bytes. Not promised: that the recordings are free of errors
//! of their own (a real error that is found counts as a false alarm here, so false alarms are overstated), nor that
//! injected errors come as often as real ones.

mod city;
mod errors;
mod field;
pub mod judged;
pub mod measure;
#[cfg(test)]
mod tests;

pub use crate::random::Random;
pub use field::{Field, Place, Row};

/// What goes wrong with a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Every other reading on average is replaced by any value of the field's span, or half a span beyond it.
    Gross,
    /// Single readings, one in twenty, jump by a quarter to three quarters of the span.
    Spike,
    /// An offset that grows from nothing to half the span or the whole.
    Drift,
    /// The first value is repeated.
    Stuck,
    /// The values are in another unit: degF, shares of one, hPa, ug/m3 for 0.1 ug/m3, km/h.
    Unit,
    /// The values are those of a while later or earlier: 3 to 12 hours, or as many readings where these are days apart.
    Shift,
    /// Two stations report each other's values.
    Swap,
    /// The station stands where another one does: that one's values with an instrument's own noise.
    Relocation,
    /// In the sun: by day the air is 4 to 8 degC warmer, and drier for it.
    Sunlit,
    /// Everything is reported 25 to 75 % higher, temperatures and pressures by a fifth to a half of the span.
    Inflation,
    /// The values of the nearest station that was enrolled before.
    Copy,
    /// The same, one to three slots late.
    LaggedCopy,
    /// The same, times 0.80 to 1.25.
    ScaledCopy,
}

impl Kind {
    /// Every kind, in the order of tables.
    pub const ALL: [Self; 13] = [
        Self::Gross,
        Self::Spike,
        Self::Drift,
        Self::Stuck,
        Self::Unit,
        Self::Shift,
        Self::Swap,
        Self::Relocation,
        Self::Sunlit,
        Self::Inflation,
        Self::Copy,
        Self::LaggedCopy,
        Self::ScaledCopy,
    ];

    /// The name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gross => "gross",
            Self::Spike => "spike",
            Self::Drift => "drift",
            Self::Stuck => "stuck",
            Self::Unit => "unit",
            Self::Shift => "time shift",
            Self::Swap => "swap",
            Self::Relocation => "relocation",
            Self::Sunlit => "sunlit",
            Self::Inflation => "inflation",
            Self::Copy => "copy",
            Self::LaggedCopy => "lagged copy",
            Self::ScaledCopy => "scaled copy",
        }
    }

    /// Whether the error can be made in a field: sun needs temperatures several times a day.
    #[must_use]
    pub fn applies_to(self, field: &Field) -> bool {
        self != Self::Sunlit || (field.cadence_ms < 12 * 3_600_000 && field.has_temperature())
    }
}

/// Which error to make, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The error.
    pub kind: Kind,
    /// Everything else follows from it.
    pub seed: u64,
    /// The share of the stations that are spoiled, in parts per million; at least one is.
    pub stations_ppm: u32,
}

/// One spoiled station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The station, an index into [`Field::places`].
    pub station: usize,
    /// The error.
    pub kind: Kind,
    /// Time of its first faulty reading, ms since 1970 UTC.
    pub first_ms: u64,
    /// Time of its last faulty reading.
    pub last_ms: u64,
    /// How many of its readings are faulty.
    pub readings: u64,
}

/// A field with errors, and the truth about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// The field, spoiled; the same rows in the same order.
    pub field: Field,
    /// What was done, ascending by station.
    pub faults: Vec<Fault>,
    /// For every row whether it is faulty: reported by a spoiled station, and not what it measured.
    pub faulty: Vec<bool>,
}

/// Spoils a field. Faults begin between a third and a half of the field's time and last a quarter to a half of it, so that
/// a judge that learns has had time to.
///
/// # Panics
/// When the field has no station with fifty readings.
#[must_use]
pub fn inject(honest: &Field, plan: Plan) -> Injected {
    let mut random = Random::of(plan.seed ^ (plan.kind as u64).wrapping_mul(0x5851_f42d_4c95_7f2d));
    let mut field = honest.clone();
    let by_station = honest.rows_by_station();
    let mut able: Vec<usize> = (0..by_station.len()).filter(|&station| by_station[station].len() >= 50).collect();
    assert!(!able.is_empty(), "no station of {} has fifty readings", honest.name);
    let wanted = (able.len() as u64 * u64::from(plan.stations_ppm) / 1_000_000).max(1);
    let mut spoiled = Vec::new();
    // In pairs two stations are spoiled at once, and neither may be spoiled twice.
    while (spoiled.len() as u64) < wanted && able.len() > usize::from(plan.kind == Kind::Swap) {
        let station = able.swap_remove(random.place(able.len()));
        let span = errors::when(honest, &mut random);
        let rows: Vec<usize> =
            by_station[station].iter().copied().filter(|&row| span.contains(&honest.rows[row].time_ms)).collect();
        if rows.is_empty() {
            continue;
        }
        let mut work = errors::Work { honest, by_station: &by_station, field: &mut field, random: &mut random };
        spoiled.push(station);
        match plan.kind {
            Kind::Swap => {
                let other = able.swap_remove(work.random.place(able.len()));
                work.swap(station, other, &rows);
                spoiled.push(other);
            }
            kind => work.spoil(kind, station, &rows),
        }
    }
    let faulty: Vec<bool> = field.rows.iter().zip(&honest.rows).map(|(now, before)| now != before).collect();
    spoiled.sort_unstable();
    let fault = |&station: &usize| {
        let rows: Vec<u64> =
            by_station[station].iter().filter(|&&row| faulty[row]).map(|&row| field.rows[row].time_ms).collect();
        let (&first_ms, &last_ms) = (rows.first()?, rows.last()?);
        Some(Fault { station, kind: plan.kind, first_ms, last_ms, readings: rows.len() as u64 })
    };
    let faults = spoiled.iter().filter_map(fault).collect();
    Injected { field, faults, faulty }
}
