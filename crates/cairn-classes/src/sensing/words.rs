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
    /// A moving device is not compared with neighbours (revision 1), or is not judged by the profile.
    Mobile,
    /// The profile in force is of a form that the judge's revision does not read.
    Profile,
    /// The device itself doubts its clock.
    Clock,
    /// The device's clock runs ahead of receipt, or behind it.
    Drift,
    /// Measured before a report that is numbered lower.
    Order,
    /// Too little of the slot was reported.
    Availability,
    /// A value at the end of what the instrument can tell.
    Saturated,
    /// A value that jumps away from those around it.
    Spike,
    /// A jump of which neither side can be told to be wrong.
    Step,
    /// The same value for too long.
    Stuck,
    /// The same value for too long, in frost.
    Frozen,
    /// Values told too coarsely.
    Resolution,
    /// A part that exceeds its whole.
    Consistency,
    /// A counter that ran back or too fast.
    Counter,
    /// Off the neighbours on average, over a long time.
    Bias,
    /// Does not follow the neighbours, over a long time.
    Correlation,
    /// Hardly moves when the neighbours do, over a long time.
    Indoor,
    /// Further off by day than by night, over a long time.
    Sunlit,
    /// Dry through too many slots in which the neighbours were wet.
    Dry,
    /// Fits another place better than its own.
    Moved,
    /// Rows of readings that another device gave before.
    Repeated,
    /// Follows another device's series more closely than two instruments can.
    Follows,
}

impl Code {
    /// Every code, in the order of the checks.
    pub const ALL: [Self; 33] = [
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
        Self::Profile,
        Self::Clock,
        Self::Drift,
        Self::Order,
        Self::Availability,
        Self::Saturated,
        Self::Spike,
        Self::Step,
        Self::Stuck,
        Self::Frozen,
        Self::Resolution,
        Self::Consistency,
        Self::Counter,
        Self::Bias,
        Self::Correlation,
        Self::Indoor,
        Self::Sunlit,
        Self::Dry,
        Self::Moved,
        Self::Repeated,
        Self::Follows,
    ];

    /// The codes that revision 1 knows.
    pub const OF_REVISION_1: [Self; 12] = {
        let mut codes = [Self::Denied; 12];
        let mut n = 0;
        while n < codes.len() {
            codes[n] = Self::ALL[n];
            n += 1;
        }
        codes
    };

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
            Self::Profile => "SEN-PROFILE",
            Self::Clock => "SEN-CLOCK",
            Self::Drift => "SEN-DRIFT",
            Self::Order => "SEN-ORDER",
            Self::Availability => "SEN-AVAILABILITY",
            Self::Saturated => "SEN-SATURATED",
            Self::Spike => "SEN-SPIKE",
            Self::Step => "SEN-STEP",
            Self::Stuck => "SEN-STUCK",
            Self::Frozen => "SEN-FROZEN",
            Self::Resolution => "SEN-RESOLUTION",
            Self::Consistency => "SEN-CONSISTENCY",
            Self::Counter => "SEN-COUNTER",
            Self::Bias => "SEN-BIAS",
            Self::Correlation => "SEN-CORRELATION",
            Self::Indoor => "SEN-INDOOR",
            Self::Sunlit => "SEN-SUNLIT",
            Self::Dry => "SEN-DRY",
            Self::Moved => "SEN-MOVED",
            Self::Repeated => "SEN-REPEATED",
            Self::Follows => "SEN-FOLLOWS",
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
    /// So many of the slot's readings show the fault that the code names, in the light of another quantity if there is one.
    Readings { quantity: Quantity, fault: Fault, out: u32, readings: u32 },
    /// Over so many slots.
    Slots { quantity: Quantity, slots: u32 },
    /// The word heard at this device's place fits better.
    FitsAt { quantity: Quantity, device: DeviceId },
    /// Rows that this device gave before.
    RowsOf(DeviceId),
    /// This device's series, so many slots later.
    After { quantity: Quantity, device: DeviceId, lag_slots: u32 },
}

/// What is wrong with a reading, as it stands in a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Clock,
    Drift,
    Order,
    Saturated,
    Spike,
    Step,
    Stuck,
    Frozen,
    Resolution,
    Counter,
    /// More than this other quantity of the same reading.
    Above(Quantity),
}

impl Fault {
    /// All but those that name another quantity.
    const PLAIN: [Self; 10] = [
        Self::Clock,
        Self::Drift,
        Self::Order,
        Self::Saturated,
        Self::Spike,
        Self::Step,
        Self::Stuck,
        Self::Frozen,
        Self::Resolution,
        Self::Counter,
    ];

    /// The code that the fault goes by.
    pub(super) const fn code(self) -> Code {
        match self {
            Self::Clock => Code::Clock,
            Self::Drift => Code::Drift,
            Self::Order => Code::Order,
            Self::Saturated => Code::Saturated,
            Self::Spike => Code::Spike,
            Self::Step => Code::Step,
            Self::Stuck => Code::Stuck,
            Self::Frozen => Code::Frozen,
            Self::Resolution => Code::Resolution,
            Self::Counter => Code::Counter,
            Self::Above(_) => Code::Consistency,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Drift => "drift",
            Self::Order => "order",
            Self::Saturated => "saturated",
            Self::Spike => "spike",
            Self::Step => "step",
            Self::Stuck => "stuck",
            Self::Frozen => "frozen",
            Self::Resolution => "resolution",
            Self::Counter => "counter",
            Self::Above(_) => "above",
        }
    }

    fn parse(code: Code, words: &str) -> Option<Self> {
        match words.split_once(' ') {
            Some(("above", key)) if code == Code::Consistency => Quantity::of_key(key).map(Self::Above),
            Some(_) => None,
            None => Self::PLAIN.into_iter().find(|fault| fault.code() == code && fault.word() == words),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Above(quantity) => write!(f, "above {}", quantity.key()),
            plain => f.write_str(plain.word()),
        }
    }
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
            Code::Profile => "profile of another form",
            Code::Mobile => "moving device",
            Code::Availability => "pieces of the slot reported",
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
            Code::Mobile if text == "moving device" => Some(Self::whole(code)),
            Code::Untested | Code::Mobile => of_key(text.strip_suffix(" neighbours")?).map(Self::Apart),
            Code::Clock
            | Code::Drift
            | Code::Order
            | Code::Saturated
            | Code::Spike
            | Code::Step
            | Code::Stuck
            | Code::Frozen
            | Code::Resolution
            | Code::Counter
            | Code::Consistency => {
                let (key, rest) = text.split_once(' ')?;
                let (fault, rest) = rest.split_once(": ")?;
                let (out, readings) = rest.split_once(" of ")?;
                Some(Self::Readings {
                    quantity: of_key(key)?,
                    fault: Fault::parse(code, fault)?,
                    out: out.parse().ok()?,
                    readings: readings.parse().ok()?,
                })
            }
            Code::Bias | Code::Correlation | Code::Indoor | Code::Sunlit | Code::Dry => {
                let (key, slots) = text.split_once(" over ")?;
                let slots = slots.strip_suffix(" slots")?.parse().ok()?;
                Some(Self::Slots { quantity: of_key(key)?, slots })
            }
            Code::Moved => {
                let (key, device) = text.split_once(" fits at ")?;
                Some(Self::FitsAt { quantity: of_key(key)?, device: DeviceId::parse(device).ok()? })
            }
            Code::Repeated => DeviceId::parse(text.strip_prefix("rows of ")?).ok().map(Self::RowsOf),
            Code::Follows => {
                let (key, rest) = text.split_once(" follows ")?;
                let (device, lag) = rest.split_once(" after ")?;
                let lag_slots = lag.strip_suffix(" slots")?.parse().ok()?;
                Some(Self::After { quantity: of_key(key)?, device: DeviceId::parse(device).ok()?, lag_slots })
            }
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
            Self::Readings { quantity, fault, out, readings } => {
                write!(f, "{} {fault}: {out} of {readings}", quantity.key())
            }
            Self::Slots { quantity, slots } => write!(f, "{} over {slots} slots", quantity.key()),
            Self::FitsAt { quantity, device } => write!(f, "{} fits at {device}", quantity.key()),
            Self::RowsOf(device) => write!(f, "rows of {device}"),
            Self::After { quantity, device, lag_slots } => {
                write!(f, "{} follows {device} after {lag_slots} slots", quantity.key())
            }
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
            "{observed} readings in a row repeat what {device} of another owner gave before ({threshold} in a row are a \
             repetition)"
        ),
        (_, Check::After { quantity, device, lag_slots }) => format!(
            "{quantity} follows {device} of another owner {lag_slots} slots later; {observed} millionths are left \
             unexplained where two instruments differ by at least {threshold}"
        ),
        (_, Check::Whole(text)) => text.to_owned(),
    }
}

fn fault_of(fault: Fault, quantity: Quantity, seen: &str, reason: &Reason) -> String {
    let (observed, threshold) = (reason.observed, reason.threshold);
    let limit = quantity.decimal(threshold);
    match fault {
        Fault::Clock => format!("{quantity}: the device's clock may be {observed} ms wrong (limit {threshold} ms)"),
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
    let share = |ppm: i64| format!("{}.{:02}", ppm / 1_000_000, (ppm % 1_000_000).abs() / 10_000);
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
                Code::Untested => Check::Apart(quantity),
                Code::Consistency => {
                    Check::Readings { quantity, fault: Fault::Above(Quantity::Pm10), out: 3, readings: 4 }
                }
                Code::Bias | Code::Correlation | Code::Indoor | Code::Sunlit | Code::Dry => {
                    Check::Slots { quantity, slots: 72 }
                }
                Code::Moved => Check::FitsAt { quantity, device: DeviceId([1; 16]) },
                Code::Repeated => Check::RowsOf(DeviceId([1; 16])),
                Code::Follows => Check::After { quantity, device: DeviceId([1; 16]), lag_slots: 3 },
                code => Fault::PLAIN.into_iter().find(|fault| fault.code() == code).map_or_else(
                    || Check::whole(code),
                    |fault| Check::Readings { quantity, fault, out: 3, readings: 4 },
                ),
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
