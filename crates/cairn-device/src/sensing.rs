//! The body of `sensing/1`: one reading or many under one signature, integers by quantity.

use crate::Error;
use crate::writer::Writer;

/// The schema of readings.
pub const SENSING: &str = "sensing/1";

/// The greatest magnitude of a value.
pub const VALUE_MAX: i64 = 1_000_000_000_000;

/// The longest time from a report's own time to its last reading, ms: 31 days.
pub const AFTER_MAX_MS: u64 = 31 * 86_400_000;

/// The most readings under one signature. How many fit in a report's 32,000 bytes is another matter.
pub const READINGS_MAX: usize = 8_192;

/// What is measured, by its number in the format: 1 to 15.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct Quantity(u8);

impl Quantity {
    /// Air temperature, 0.01 degC.
    pub const AIR_TEMPERATURE: Self = Self(1);
    /// Relative humidity, 0.01 %.
    pub const RELATIVE_HUMIDITY: Self = Self(2);
    /// Air pressure at the sensor, Pa.
    pub const PRESSURE: Self = Self(3);
    /// Particulate matter below 10 um, 0.1 ug/m3.
    pub const PM10: Self = Self(4);
    /// Particulate matter below 2.5 um, 0.1 ug/m3.
    pub const PM25: Self = Self(5);
    /// Wind speed, 0.01 m/s.
    pub const WIND_SPEED: Self = Self(6);
    /// Direction the wind comes from, degrees clockwise from north.
    pub const WIND_DIRECTION: Self = Self(7);
    /// Rain since boot, 0.01 mm.
    pub const RAIN: Self = Self(8);
    /// Illuminance, lx.
    pub const ILLUMINANCE: Self = Self(9);
    /// Battery voltage, mV.
    pub const BATTERY: Self = Self(10);
    /// Irradiance, W/m2.
    pub const IRRADIANCE: Self = Self(11);
    /// Noise, 0.1 dBA.
    pub const NOISE: Self = Self(12);
    /// Carbon dioxide, ppm.
    pub const CO2: Self = Self(13);
    /// Temperature of the host's processor, 0.01 degC.
    pub const HOST_TEMPERATURE: Self = Self(14);
    /// Load of the host, 0.01.
    pub const HOST_LOAD: Self = Self(15);
    /// How many there are: numbers go from 1 to this.
    pub const COUNT: u8 = 15;

    /// The quantity of a number; `None` where none is defined.
    #[must_use]
    pub const fn of_number(number: u8) -> Option<Self> {
        if number >= 1 && number <= Self::COUNT { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// One value. Its layout is C's, so that a C struct of the same fields is one; a number that is no quantity is refused
/// when the report is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Measured {
    /// The value, in the quantity's unit, within [`VALUE_MAX`].
    pub value: i64,
    /// What it is of.
    pub quantity: Quantity,
}

impl Measured {
    /// A value of a quantity, in its unit.
    #[must_use]
    pub const fn of(quantity: Quantity, value: i64) -> Self {
        Self { value, quantity }
    }
}

/// Values measured together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading<'a> {
    /// Milliseconds after the report's time, at most [`AFTER_MAX_MS`].
    pub after_ms: u64,
    /// At least one value, each quantity once, in any order.
    pub values: &'a [Measured],
}

/// Readings, asked for one after the other, so that a device may keep them as it likes (a ring in RAM, a page of flash).
///
/// They are asked for twice, to measure and to write, and must not change in between: where they do, the report is refused.
pub trait Readings {
    /// How many there are: 1 to [`READINGS_MAX`].
    fn count(&self) -> usize;

    /// The reading `at`, from 0, each later than the one before it. `None` is refused where `at` is below `count`.
    fn reading(&self, at: usize) -> Option<Reading<'_>>;
}

impl Readings for Reading<'_> {
    fn count(&self) -> usize {
        1
    }

    fn reading(&self, at: usize) -> Option<Reading<'_>> {
        (at == 0).then_some(*self)
    }
}

impl Readings for &[Reading<'_>] {
    fn count(&self) -> usize {
        self.len()
    }

    fn reading(&self, at: usize) -> Option<Reading<'_>> {
        self.get(at).copied()
    }
}

impl<const N: usize> Readings for [Reading<'_>; N] {
    fn count(&self) -> usize {
        N
    }

    fn reading(&self, at: usize) -> Option<Reading<'_>> {
        self.get(at).copied()
    }
}

/// Writes the body: a map for one reading at the report's own time, else a list.
pub fn write(readings: &dyn Readings, out: &mut Writer<'_>) -> Result<(), Error> {
    let count = readings.count();
    if count == 0 || count > READINGS_MAX {
        return Err(Error::ReadingCount { count });
    }
    let alone = count == 1 && readings.reading(0).is_some_and(|reading| reading.after_ms == 0);
    if !alone {
        out.array(count);
    }
    let mut earlier = None;
    for at in 0..count {
        let reading = readings.reading(at).ok_or(Error::Changed)?;
        if reading.after_ms > AFTER_MAX_MS || earlier.is_some_and(|earlier| earlier >= reading.after_ms) {
            return Err(Error::After { reading: at });
        }
        earlier = Some(reading.after_ms);
        if !alone {
            out.array(2).uint(reading.after_ms);
        }
        write_values(at, reading.values, out)?;
    }
    Ok(())
}

fn write_values(reading: usize, values: &[Measured], out: &mut Writer<'_>) -> Result<(), Error> {
    if values.is_empty() {
        return Err(Error::NoValue { reading });
    }
    let mut seen = 0_u16;
    for &Measured { quantity: Quantity(number), value } in values {
        if Quantity::of_number(number).is_none() {
            return Err(Error::Quantity { reading, number });
        }
        let bit = 1_u16.checked_shl(u32::from(number)).unwrap_or(0);
        if seen & bit != 0 {
            return Err(Error::Twice { reading, number });
        }
        seen |= bit;
        if value.unsigned_abs() > VALUE_MAX.unsigned_abs() {
            return Err(Error::Value { reading, number });
        }
    }
    out.map(values.len());
    // Ascending, as maps are: there are fifteen at most, and no room to sort them in.
    for number in 1..=Quantity::COUNT {
        if let Some(found) = values.iter().find(|found| found.quantity.0 == number) {
            out.uint(number.into()).int(found.value);
        }
    }
    Ok(())
}
