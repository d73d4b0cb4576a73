//! The thresholds of sensing, as data: one strict TOML document, integers only, every key required.
//!
//! A profile is logged whole and named by its hash; nothing about a threshold lives in code. Unknown keys, floats and
//! values out of range are refused, so that a typing error cannot become a silent default. Values are in each
//! quantity's integer unit, shares in parts per million.

use std::collections::BTreeMap;

use cairn_core::PPM;
use serde::Deserialize;

use crate::ClassError;
use crate::sensing::SCHEMA;
use crate::sensing::body::VALUE_MAX;
use crate::sensing::quantity::Quantity;

/// A commented profile for daily means of PM10 and PM2.5 at background stations tens of kilometres apart.
pub const SENSING_DAILY_PM: &str = include_str!("../../../profiles/revision-1/sensing-daily-pm.toml");

/// A commented profile for stations that report weather and particulate matter every few minutes, hundreds of metres to
/// some tens of kilometres apart.
pub const SENSING_STATION: &str = include_str!("../../../profiles/revision-1/sensing-station.toml");

/// The most neighbours that one check looks at: evidence stays bounded.
pub const NEAREST_MAX: u8 = 15;

/// Everything that a judge of sensing is told beyond the reports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The class, `sensing/1`.
    pub class: String,
    /// Length of a slot, the unit that is judged and paid; slots start at multiples of it since 1970 UTC. 1 s to 31 days.
    pub slot_ms: u64,
    /// How far a reading's time may lie after its receipt, at most one day.
    pub future_ms: u64,
    /// How often neighbours are asked, each time without those that failed the time before: 1 to 4.
    pub rounds: u32,
    /// When two series are a copy.
    pub copy: CopyRule,
    /// The quantities that count; others are logged and not judged.
    pub quantities: BTreeMap<Quantity, QuantityRule>,
}

/// When a device has copied a senior one of another owner: every value that both have in a window is equal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopyRule {
    /// Slots per window, counted from the start of the epoch; a copy loses the whole window.
    pub window_slots: u32,
    /// The fewest slots of a window that both must have.
    pub least_slots: u32,
    /// The fewest distinct values among them: still air is not a copy.
    pub least_values: u32,
}

/// How one quantity is judged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantityRule {
    /// The least plausible value.
    pub min: i64,
    /// The greatest plausible value.
    pub max: i64,
    /// What a slot loses when all its readings are out of range, in proportion when some are.
    pub lost_ppm: u32,
    /// The comparison with neighbours; none when absent.
    pub neighbours: Option<NeighbourRule>,
}

/// Whom a value is compared with, and how far it may lie off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighbourRule {
    /// How many of the nearest devices of distinct owners are asked: 1 to [`NEAREST_MAX`].
    pub nearest: u32,
    /// How far away they may be, at most 1,000 km.
    pub radius_m: u32,
    /// The fewest that make a comparison; below, the value is untested.
    pub least: u32,
    /// How height changes the quantity; not corrected when absent.
    pub altitude: Option<AltitudeRule>,
    /// Beyond this a value is suspect.
    pub suspect: Tolerance,
    /// Beyond this a value fails.
    pub fail: Tolerance,
}

/// How height changes a quantity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AltitudeRule {
    /// Change of the value per kilometre upward, in the quantity's unit (temperature: -650, ICAO standard atmosphere).
    pub per_km: i64,
    /// The greatest difference in height to a neighbour, in metres.
    pub difference_m: u32,
    /// Whether both heights must be known; otherwise an unknown height is taken as equal.
    pub required: bool,
}

/// How far a value may lie from the neighbours' median: the greatest of three distances.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// An absolute distance, in the quantity's unit.
    pub floor: i64,
    /// A share of the median, for values above it.
    pub above_ppm: u32,
    /// A share of the median, for values below it.
    pub below_ppm: u32,
    /// A multiple of the scaled median absolute deviation (1.4826 MAD, a standard deviation for normal errors).
    pub mad_ppm: u32,
    /// What a slot loses beyond it.
    pub lost_ppm: u32,
}

impl Profile {
    /// Parses and checks a document.
    ///
    /// # Errors
    /// [`ClassError::ProfileSyntax`] or [`ClassError::ProfileValue`] naming what is refused.
    pub fn parse(document: &str) -> Result<Self, ClassError> {
        let profile: Self = toml::from_str(document).map_err(|error| {
            let line = error.span().map_or(0, |span| document[..span.start].lines().count().max(1));
            ClassError::ProfileSyntax { what: format!("line {line}: {}", error.message()) }
        })?;
        profile.check()?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), ClassError> {
        if self.class != SCHEMA {
            return Err(ClassError::UnknownClass { schema: self.class.clone() });
        }
        within("slot_ms", signed(self.slot_ms), 1_000, 31 * 86_400_000, "1,000 (a second) to 2,678,400,000 (31 days)")?;
        within("future_ms", signed(self.future_ms), 0, 86_400_000, "0 to 86,400,000 (a day)")?;
        within("rounds", self.rounds.into(), 1, 4, "1 to 4")?;
        let copy = &self.copy;
        within("copy.least_slots", copy.least_slots.into(), 2, 10_000, "2 to 10,000")?;
        within("copy.least_values", copy.least_values.into(), 2, 10_000, "2 to 10,000")?;
        within(
            "copy.window_slots",
            copy.window_slots.into(),
            copy.least_slots.into(),
            100_000,
            "copy.least_slots to 100,000",
        )?;
        if self.quantities.is_empty() {
            return Err(ClassError::ProfileSyntax { what: "no quantity is judged".to_owned() });
        }
        self.quantities.iter().try_for_each(|(quantity, rule)| rule.check(*quantity))
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

impl QuantityRule {
    fn check(&self, quantity: Quantity) -> Result<(), ClassError> {
        let key = |name: &str| format!("quantities.{}.{name}", quantity.key());
        within(&key("min"), self.min, -VALUE_MAX, VALUE_MAX, "within 10^12")?;
        within(&key("max"), self.max, self.min, VALUE_MAX, "from min to 10^12")?;
        within(&key("lost_ppm"), self.lost_ppm.into(), 0, PPM.into(), "0 to 1,000,000")?;
        let Some(rule) = &self.neighbours else { return Ok(()) };
        let key = |name: &str| key(&format!("neighbours.{name}"));
        let most = if quantity.is_shared() { i64::from(NEAREST_MAX) } else { 0 };
        within(&key("nearest"), rule.nearest.into(), 1, most, "1 to 15, for a quantity that neighbours share")?;
        within(&key("least"), rule.least.into(), 1, rule.nearest.into(), "1 to nearest")?;
        within(&key("radius_m"), rule.radius_m.into(), 1, 1_000_000, "1 to 1,000,000 (1,000 km)")?;
        if let Some(altitude) = &rule.altitude {
            within(&key("altitude.per_km"), altitude.per_km, -1_000_000, 1_000_000, "within 1,000,000")?;
            within(&key("altitude.difference_m"), altitude.difference_m.into(), 0, 10_000, "0 to 10,000")?;
        }
        rule.suspect.check(|name| key(&format!("suspect.{name}")), &Tolerance::NONE)?;
        rule.fail.check(|name| key(&format!("fail.{name}")), &rule.suspect)
    }
}

impl Tolerance {
    const NONE: Self = Self { floor: 0, above_ppm: 0, below_ppm: 0, mad_ppm: 0, lost_ppm: 0 };

    /// Each part at least what `lesser` has: whoever fails is also suspect.
    fn check(&self, key: impl Fn(&str) -> String, lesser: &Self) -> Result<(), ClassError> {
        const RULE: &str = "at least the suspect one and at most 10^9";
        const SHARE_RULE: &str = "at least the suspect one and at most 1,000,000";
        within(&key("floor"), self.floor, lesser.floor, 1_000_000_000, RULE)?;
        within(&key("above_ppm"), self.above_ppm.into(), lesser.above_ppm.into(), 1_000_000_000, RULE)?;
        within(&key("below_ppm"), self.below_ppm.into(), lesser.below_ppm.into(), PPM.into(), SHARE_RULE)?;
        within(&key("mad_ppm"), self.mad_ppm.into(), lesser.mad_ppm.into(), 1_000_000_000, RULE)?;
        within(&key("lost_ppm"), self.lost_ppm.into(), lesser.lost_ppm.into(), PPM.into(), SHARE_RULE)
    }
}

fn within(key: &str, value: i64, low: i64, high: i64, rule: &'static str) -> Result<(), ClassError> {
    if (low..=high).contains(&value) {
        Ok(())
    } else {
        Err(ClassError::ProfileValue { key: key.to_owned(), value, rule })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(from: &str, to: &str) -> Result<Profile, ClassError> {
        assert!(SENSING_DAILY_PM.contains(from), "{from}");
        Profile::parse(&SENSING_DAILY_PM.replacen(from, to, 1))
    }

    #[test]
    fn the_default_profiles_say_what_they_are_for() {
        let daily = Profile::parse(SENSING_DAILY_PM).unwrap();
        assert_eq!(daily.slot_ms, 86_400_000);
        assert_eq!(daily.quantities.keys().copied().collect::<Vec<_>>(), [Quantity::Pm10, Quantity::Pm25]);
        let station = Profile::parse(SENSING_STATION).unwrap();
        assert_eq!(station.slot_ms, 3_600_000);
        assert!(station.quantities[&Quantity::Pressure].neighbours.as_ref().unwrap().altitude.is_some());
    }

    #[test]
    fn a_profile_is_strict() {
        let cases = [
            ("slot_ms = 86_400_000", "slot_ms = 86_400_000.0", "CLS-PROFILE"),
            ("slot_ms = 86_400_000", "", "CLS-PROFILE"),
            ("slot_ms = 86_400_000", "slot_ms = 86_400_000\nslots = 1", "CLS-PROFILE"),
            ("slot_ms = 86_400_000", "slot_ms = 999", "CLS-PROFILE-VALUE"),
            ("slot_ms = 86_400_000", "slot_ms = -1", "CLS-PROFILE"),
            ("sensing/1", "sensing/2", "CLS-SCHEMA"),
            ("rounds = 2", "rounds = 0", "CLS-PROFILE-VALUE"),
            ("[quantities.pm10]", "[quantities.pm11]", "CLS-PROFILE"),
            ("[quantities.pm10]", "[quantities.pm25]", "CLS-PROFILE"),
            ("nearest = 7", "nearest = 16", "CLS-PROFILE-VALUE"),
            ("least = 3", "least = 8", "CLS-PROFILE-VALUE"),
            ("lost_ppm = 1_000_000", "lost_ppm = 1_000_001", "CLS-PROFILE-VALUE"),
            ("min = 0", "min = 99_999_999", "CLS-PROFILE-VALUE"),
        ];
        for (from, to, code) in cases {
            assert_eq!(edited(from, to).map_err(|error| error.code()), Err(code), "{from} -> {to}");
        }
        assert_eq!(
            edited("rounds = 2", "rounds = 9").unwrap_err().to_string(),
            "the profile's `rounds` is 9, and must be 1 to 4"
        );
    }

    #[test]
    fn what_neighbours_do_not_share_is_never_compared() {
        for quantity in Quantity::all() {
            let document = SENSING_DAILY_PM.replace("quantities.pm10", &format!("quantities.{}", quantity.key()));
            let document = if quantity == Quantity::Pm25 { SENSING_DAILY_PM } else { &document };
            assert_eq!(Profile::parse(document).is_ok(), quantity.is_shared(), "{quantity}");
        }
    }

    #[test]
    fn whoever_fails_is_also_suspect() {
        let mut profile = Profile::parse(SENSING_DAILY_PM).unwrap();
        let rule = profile.quantities.get_mut(&Quantity::Pm10).unwrap().neighbours.as_mut().unwrap();
        rule.fail.mad_ppm = rule.suspect.mad_ppm - 1;
        assert_eq!(profile.check().unwrap_err().code(), "CLS-PROFILE-VALUE");
    }
}
