//! The reasons of sensing: their codes, the text of their checks, and the sentence that a contributor reads.
//!
//! A reason's `check` is a short fixed form that is hashed with the verdict; what it says is read back here and nowhere
//! else. Sentences are for people and may be reworded at any time.

use core::fmt;

use cairn_core::{DeviceId, Reason};

use super::quantity::Quantity;

/// The stable codes of sensing's reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// A `deny` statement is in force.
    Denied,
    /// Two payloads under one name.
    Conflict,
    /// The device was being worked on.
    Maintenance,
    /// A reading's time lies after its receipt.
    Future,
    /// No value is of a quantity that the profile judges.
    Quantity,
    /// The slot was judged in an earlier epoch.
    SlotJudged,
    /// The series equals that of a senior device of another owner.
    Copy,
    /// A value out of the plausible range.
    Range,
    /// Off the neighbours' median by more than the suspect tolerance.
    NeighbourSuspect,
    /// Off the neighbours' median by more than the fail tolerance.
    NeighbourFail,
    /// Too few neighbours to compare with.
    Untested,
    /// A moving device is not compared with neighbours.
    Mobile,
}

impl Code {
    /// Every code, in the order of the checks.
    pub const ALL: [Self; 12] = [
        Self::Denied,
        Self::Conflict,
        Self::Maintenance,
        Self::Future,
        Self::Quantity,
        Self::SlotJudged,
        Self::Copy,
        Self::Range,
        Self::NeighbourSuspect,
        Self::NeighbourFail,
        Self::Untested,
        Self::Mobile,
    ];

    /// The text of the code, such as `SEN-RANGE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "SEN-DENIED",
            Self::Conflict => "SEN-CONFLICT",
            Self::Maintenance => "SEN-MAINTENANCE",
            Self::Future => "SEN-FUTURE",
            Self::Quantity => "SEN-QUANTITY",
            Self::SlotJudged => "SEN-SLOT-JUDGED",
            Self::Copy => "SEN-COPY",
            Self::Range => "SEN-RANGE",
            Self::NeighbourSuspect => "SEN-NEIGHBOUR-SUSPECT",
            Self::NeighbourFail => "SEN-NEIGHBOUR-FAIL",
            Self::Untested => "SEN-UNTESTED",
            Self::Mobile => "SEN-MOBILE",
        }
    }

    /// The code of a text.
    #[must_use]
    pub fn of_str(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// What a reason's `check` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Of the report or slot as a whole; the code says it all.
    Whole(&'static str),
    /// Equal to the series of this device.
    EqualTo(DeviceId),
    /// So many of the slot's readings are out of range.
    Range { quantity: Quantity, out: u32, readings: u32 },
    /// So many neighbours have this median.
    Neighbours { quantity: Quantity, count: u32, median: i64 },
    /// The quantity was not compared.
    Apart(Quantity),
}

impl Check {
    /// The check of a code that concerns the whole report or slot.
    pub(super) const fn whole(code: Code) -> Self {
        Self::Whole(match code {
            Code::Denied => "denied",
            Code::Conflict => "two payloads under one name",
            Code::Maintenance => "maintenance",
            Code::Future => "time after receipt",
            Code::Quantity => "no quantity of the profile",
            Code::SlotJudged => "slot judged before",
            _ => "",
        })
    }

    fn parse(code: Code, text: &str) -> Option<Self> {
        let of_key = |key: &str| Quantity::of_key(key);
        match code {
            Code::Copy => DeviceId::parse(text.strip_prefix("series equal to ")?).ok().map(Self::EqualTo),
            Code::Range => {
                let (key, rest) = text.split_once(" range: ")?;
                let (out, rest) = rest.split_once(" of ")?;
                let readings = rest.strip_suffix(" readings out")?.parse().ok()?;
                Some(Self::Range { quantity: of_key(key)?, out: out.parse().ok()?, readings })
            }
            Code::NeighbourSuspect | Code::NeighbourFail => {
                let (key, rest) = text.split_once(" neighbours: ")?;
                let (count, median) = rest.split_once(" say ")?;
                let (count, median) = (count.parse().ok()?, median.parse().ok()?);
                Some(Self::Neighbours { quantity: of_key(key)?, count, median })
            }
            Code::Untested | Code::Mobile => of_key(text.strip_suffix(" neighbours")?).map(Self::Apart),
            whole => Some(Self::whole(whole)),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(text) => f.write_str(text),
            Self::EqualTo(device) => write!(f, "series equal to {device}"),
            Self::Range { quantity, out, readings } => {
                write!(f, "{} range: {out} of {readings} readings out", quantity.key())
            }
            Self::Neighbours { quantity, count, median } => {
                write!(f, "{} neighbours: {count} say {median}", quantity.key())
            }
            Self::Apart(quantity) => write!(f, "{} neighbours", quantity.key()),
        }
    }
}

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
        (_, Check::Apart(quantity)) => {
            format!("{quantity} is not compared: {observed} neighbours report, {threshold} are needed; nothing is lost")
        }
        (_, Check::Whole(text)) => text.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(code: Code, check: Check, observed: i64, threshold: i64) -> Reason {
        let (code, check) = (code.as_str().to_owned(), check.to_string());
        Reason { code, check, observed, threshold, lost_ppm: 0, evidence: vec![17, 20] }
    }

    #[test]
    fn a_contributor_reads_what_happened_in_decimal_units() {
        let device = DeviceId([7; 16]);
        let pm10 = Quantity::Pm10;
        let cases = [
            (
                reason(Code::NeighbourFail, Check::Neighbours { quantity: pm10, count: 7, median: 182 }, 610, 220),
                "PM10 61.0 ug/m3 where 7 neighbours say 18.2 (limit +22.0)",
            ),
            (
                reason(Code::NeighbourSuspect, Check::Neighbours { quantity: pm10, count: 3, median: 182 }, 0, -150),
                "PM10 0.0 ug/m3 where 3 neighbours say 18.2 (limit -15.0)",
            ),
            (
                reason(Code::Range, Check::Range { quantity: pm10, out: 1, readings: 24 }, -3, 0),
                "PM10 -0.3 ug/m3 is out of range (limit 0.0) in 1 of 24 readings",
            ),
            (
                reason(Code::Untested, Check::Apart(pm10), 2, 3),
                "PM10 is not compared: 2 neighbours report, 3 are needed; nothing is lost",
            ),
            (reason(Code::Mobile, Check::Apart(pm10), 0, 0), "PM10 is not compared: the device moves"),
            (
                reason(Code::Denied, Check::whole(Code::Denied), 0, 0),
                "denied by entry 17: nothing is paid while that stands",
            ),
            (
                reason(Code::Copy, Check::EqualTo(device), 7, 5),
                "every value of 7 shared slots equals that of dev1a4dqobyha4dqobyha4dqobyha4, enrolled earlier by \
                 another owner (5 slots make a copy)",
            ),
        ];
        for (reason, text) in cases {
            assert_eq!(sentence(&reason), text);
        }
    }

    #[test]
    fn checks_are_read_back_as_written_and_codes_are_distinct() {
        let quantity = Quantity::WindSpeed;
        for code in Code::ALL {
            assert_eq!(Code::of_str(code.as_str()), Some(code));
            let check = match code {
                Code::Copy => Check::EqualTo(DeviceId([1; 16])),
                Code::Range => Check::Range { quantity, out: 3, readings: 4 },
                Code::NeighbourFail | Code::NeighbourSuspect => Check::Neighbours { quantity, count: 3, median: -12 },
                Code::Untested | Code::Mobile => Check::Apart(quantity),
                whole => Check::whole(whole),
            };
            assert_eq!(Check::parse(code, &check.to_string()), Some(check));
            assert!(!check.to_string().is_empty());
        }
    }

    #[test]
    fn a_reason_of_another_build_is_shown_as_it_stands() {
        let mut unknown = reason(Code::Range, Check::whole(Code::Range), 5, 4);
        assert_eq!(sentence(&unknown), "SEN-RANGE:  (5 against 4)");
        unknown.code = "SEN-NOVEL".to_owned();
        unknown.check = "drift".to_owned();
        assert_eq!(sentence(&unknown), "SEN-NOVEL: drift (5 against 4)");
    }
}
