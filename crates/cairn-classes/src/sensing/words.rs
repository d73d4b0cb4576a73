//! The reasons of sensing: their codes, the text of their checks, and the sentence that a contributor reads.
//!
//! A reason's `check` is a short fixed form that is hashed with the verdict; what it says is read back here and nowhere
//! else. Sentences are for people and may be reworded at any time.

mod check;
mod sentence;

pub(super) use check::{Check, Fault};
pub use sentence::sentence;

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

#[cfg(test)]
mod tests {
    use cairn_core::{DeviceId, Reason};

    use super::*;
    use crate::sensing::quantity::Quantity;

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
                Code::Copy => Check::SaidFirst(DeviceId([1; 16])),
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
