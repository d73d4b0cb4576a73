//! The short fixed form of a reason's check: written into the verdict, and read back from it.

use core::fmt;

use cairn_core::DeviceId;

use super::Code;
use crate::sensing::quantity::Quantity;

/// What a reason's `check` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sensing) enum Check {
    /// Of the report or slot as a whole; the code says it all.
    Whole(&'static str),
    /// Equal to the series of this device.
    EqualTo(DeviceId),
    /// Equal to the series of this device, which was first.
    SaidFirst(DeviceId),
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
    /// This device's series, so many slots apart.
    After { quantity: Quantity, device: DeviceId, lag_slots: u32 },
}

/// What is wrong with a reading, as it stands in a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sensing) enum Fault {
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
    pub(super) const PLAIN: [Self; 10] = [
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
    pub(in crate::sensing) const fn code(self) -> Code {
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
    pub(in crate::sensing) const fn whole(code: Code) -> Self {
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

    pub(super) fn parse(code: Code, text: &str) -> Option<Self> {
        let of_key = |key: &str| Quantity::of_key(key);
        match code {
            Code::Copy => match text.strip_prefix("series first of ") {
                Some(device) => DeviceId::parse(device).ok().map(Self::SaidFirst),
                None => DeviceId::parse(text.strip_prefix("series equal to ")?).ok().map(Self::EqualTo),
            },
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
            Self::SaidFirst(device) => write!(f, "series first of {device}"),
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
