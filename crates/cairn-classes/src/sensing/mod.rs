//! Sensing: weather, air quality and other measurements of one place, judged per device and slot.
//!
//! `body.rs` is what is said ([`Body`]), `profile.rs` the thresholds as data ([`Profile`]), `judge.rs` the verdicts;
//! `words.rs` turns a reason into a sentence. `revision_1/` is the first judge as it was released; `document.rs` tells
//! which profile is read by which.
//!
//! Promised: integers only, the same verdicts on any machine, any number of threads and in any order of arrival; every
//! part of a score that is lost has a code, a check, a threshold and evidence. Isolation is neither punished nor
//! boosted. Not promised: that a local majority of liars is seen (no neighbour check can), that one who copies with
//! small changes is caught, or that a badly sited station without neighbours is known to be one.

mod assessed;
mod body;
mod document;
mod judge;
mod profile;
mod quantity;
pub mod revision_1;
mod stations;
mod words;

pub use assessed::{Assessed, Band, Comparison, EVIDENCE_MAX, Outcome};
pub use body::{Body, READINGS_MAX, Reading, SPAN_MAX_MS, VALUE_MAX};
pub use document::{Document, assess, compared, judge};
pub use judge::reread_memory;
pub use profile::{
    AltitudeRule, AmplitudeRule, AvailabilityRule, BiasRule, CopyRule, CorrelationRule, CounterRule, CurvePoint,
    DryRule, HumidityRule, LongRule, MemoryRule, NEAREST_MAX, NeighbourRule, Profile, QuantityRule, RangeRule,
    RelocationRule, ResolutionRule, SENSING_CONTAINER, SENSING_DAILY_PM, SENSING_HOURLY, SENSING_PM, SENSING_RAIN,
    SENSING_STATION, SENSING_WIND, SaturationRule, SeriesRule, StepRule, StuckRule, SunlitRule, TimeRule, Tolerance,
    WeightRule, WithinRule,
};
pub use quantity::Quantity;
pub use words::{Code, sentence};

/// The schema of reports and profiles of this class.
pub const SCHEMA: &str = "sensing/1";

/// The revisions of the judge in this build.
pub const REVISIONS: &[u32] = &[1, 2];

/// The default profiles as (file name, document).
pub const DEFAULT_PROFILES: &[(&str, &str)] = &[
    ("sensing-daily-pm.toml", SENSING_DAILY_PM),
    ("sensing-station.toml", SENSING_STATION),
    ("sensing-hourly.toml", SENSING_HOURLY),
    ("sensing-pm.toml", SENSING_PM),
    ("sensing-wind.toml", SENSING_WIND),
    ("sensing-rain.toml", SENSING_RAIN),
    ("sensing-container.toml", SENSING_CONTAINER),
];
