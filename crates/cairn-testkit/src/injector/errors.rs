//! How each kind of error is made.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use cairn_classes::sensing::Quantity;
use cairn_core::geo::distance_m;

use super::Kind;
use super::field::Field;
use crate::random::Random;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// When a fault lasts.
pub(super) fn when(honest: &Field, random: &mut Random) -> RangeInclusive<u64> {
    let first_ms = honest.rows.first().map_or(0, |row| row.time_ms);
    let length_ms = honest.rows.last().map_or(0, |row| row.time_ms) - first_ms;
    let part = |ppt: i64| length_ms * ppt.unsigned_abs() / 1_000;
    let from_ms = first_ms + part(random.within(333, 500));
    from_ms..=from_ms + part(random.within(250, 500))
}

/// A field being spoiled.
pub(super) struct Work<'a> {
    pub honest: &'a Field,
    /// For every station its rows, ascending in time.
    pub by_station: &'a [Vec<usize>],
    pub field: &'a mut Field,
    pub random: &'a mut Random,
}

impl Work<'_> {
    /// Makes one error at the rows of one station, ascending in time. Not for swaps.
    pub fn spoil(&mut self, kind: Kind, station: usize, rows: &[usize]) {
        match kind {
            Kind::Gross | Kind::Spike | Kind::Drift | Kind::Stuck | Kind::Unit => self.one_quantity(kind, rows),
            Kind::Inflation => self.inflate(rows),
            Kind::Sunlit => self.sunlit(station, rows),
            Kind::Shift => self.shift(station, rows),
            Kind::Relocation => {
                let other = self.random_other(station);
                self.take(rows, other, 0, |random, span, value| value + random.around_zero(span / 100));
            }
            Kind::Copy => {
                let other = self.nearest_senior(station);
                self.take(rows, other, 0, |_, _, value| value);
            }
            Kind::LaggedCopy => {
                let slot_ms = self.honest.cadence_ms.max(HOUR_MS);
                let lag_ms = slot_ms * self.random.within(1, 3).unsigned_abs();
                let other = self.nearest_senior(station);
                self.take(rows, other, lag_ms, |_, _, value| value);
            }
            Kind::ScaledCopy => {
                let factor_ppt =
                    if self.random.one_in(2) { self.random.within(800, 950) } else { self.random.within(1_050, 1_250) };
                let other = self.nearest_senior(station);
                self.take(rows, other, 0, |_, _, value| value * factor_ppt / 1_000);
            }
            Kind::Swap => unreachable!("a swap takes two stations"),
        }
    }

    /// Two stations report each other's values, where both have any.
    pub fn swap(&mut self, one: usize, other: usize, rows: &[usize]) {
        let there = self.by_time(other);
        for &row in rows {
            if let Some(&twin) = there.get(&self.honest.rows[row].time_ms) {
                self.field.rows[row].values.clone_from(&self.honest.rows[twin].values);
                self.field.rows[twin].values.clone_from(&self.honest.rows[row].values);
            }
        }
        debug_assert_ne!(one, other);
    }

    fn one_quantity(&mut self, kind: Kind, rows: &[usize]) {
        let quantities: Vec<Quantity> = self.honest.rows[rows[0]].values.iter().map(|&(of, _)| of).collect();
        let quantity = quantities[self.random.place(quantities.len())];
        let (low, high) = self.honest.span(quantity);
        let span = (high - low).max(4);
        let rise = self.random.within(span / 2, span) * self.sign(quantity);
        let first = self.honest.rows[rows[0]].value(quantity).unwrap_or(0);
        let last = i64::try_from(rows.len()).expect("a count").max(2) - 1;
        for (n, &row) in (0i64..).zip(rows) {
            let Some(value) = self.honest.rows[row].value(quantity) else { continue };
            let spoiled = match kind {
                Kind::Gross if self.random.one_in(2) => self.random.within(low - span / 2, high + span / 2),
                Kind::Spike if self.random.one_in(20) => {
                    value + self.random.within(span / 4, span * 3 / 4) * self.sign(quantity)
                }
                Kind::Drift => value + rise * n / last,
                Kind::Stuck => first,
                Kind::Unit => in_another_unit(quantity, value),
                _ => value,
            };
            self.set(row, quantity, spoiled);
        }
    }

    /// Up or down; what cannot be negative only goes up.
    fn sign(&mut self, quantity: Quantity) -> i64 {
        let both = matches!(quantity, Quantity::AirTemperature | Quantity::Pressure);
        if both && self.random.one_in(2) { -1 } else { 1 }
    }

    fn inflate(&mut self, rows: &[usize]) {
        let factor_ppt = self.random.within(1_250, 1_750);
        let share_ppt = self.random.within(200, 500);
        for quantity in self.honest.quantities() {
            let (low, high) = self.honest.span(quantity);
            for &row in rows {
                let Some(value) = self.honest.rows[row].value(quantity) else { continue };
                let spoiled = match quantity {
                    Quantity::AirTemperature | Quantity::Pressure => value + (high - low) * share_ppt / 1_000,
                    Quantity::RelativeHumidity => (value * factor_ppt / 1_000).min(10_000),
                    _ => value * factor_ppt / 1_000,
                };
                self.set(row, quantity, spoiled);
            }
        }
    }

    fn sunlit(&mut self, station: usize, rows: &[usize]) {
        let warmer = self.random.within(400, 800);
        let east_ms = i64::from(self.honest.places[station].position.lon_e7) * DAY_MS.cast_signed() / 3_600_000_000;
        for &row in rows {
            let solar_ms = self.honest.rows[row].time_ms.saturating_add_signed(east_ms) % DAY_MS;
            if !(8 * HOUR_MS..17 * HOUR_MS).contains(&solar_ms) {
                continue;
            }
            // Between the hours of the sun it warms and cools as a parabola does, at least by half.
            let from_noon_ms = solar_ms.abs_diff(12 * HOUR_MS + HOUR_MS / 2);
            let part_ppt = 1_000 - (500 * from_noon_ms / (4 * HOUR_MS + HOUR_MS / 2)).cast_signed();
            let rise = warmer * part_ppt / 1_000;
            if let Some(value) = self.honest.rows[row].value(Quantity::AirTemperature) {
                self.set(row, Quantity::AirTemperature, value + rise);
            }
            if let Some(value) = self.honest.rows[row].value(Quantity::RelativeHumidity) {
                // At the same vapour every degree takes about 5 % of the humidity away.
                self.set(row, Quantity::RelativeHumidity, value - value * rise / 2_000);
            }
        }
    }

    /// Values of another time, at its own pace.
    fn shift(&mut self, station: usize, rows: &[usize]) {
        let pace_ms = self.honest.cadence_ms.max(HOUR_MS);
        let most = if pace_ms > HOUR_MS { 5 } else { 12 };
        let by_ms = pace_ms.cast_signed() * self.random.within(3, most) * if self.random.one_in(2) { -1 } else { 1 };
        let own = self.by_time(station);
        for &row in rows {
            let time_ms = self.honest.rows[row].time_ms.saturating_add_signed(by_ms);
            if let Some(&other) = own.get(&time_ms) {
                self.field.rows[row].values.clone_from(&self.honest.rows[other].values);
            }
        }
    }

    /// Another station's values, `lag_ms` later, made one's own by `own` (which is told the quantity's span).
    fn take(&mut self, rows: &[usize], other: usize, lag_ms: u64, own: impl Fn(&mut Random, i64, i64) -> i64) {
        let there = self.by_time(other);
        let spans: BTreeMap<Quantity, i64> = self
            .honest
            .quantities()
            .into_iter()
            .map(|quantity| (quantity, self.honest.span(quantity)))
            .map(|(quantity, (low, high))| (quantity, high - low))
            .collect();
        for &row in rows {
            let Some(&from) = there.get(&(self.honest.rows[row].time_ms.saturating_sub(lag_ms))) else { continue };
            let mut values = self.honest.rows[from].values.clone();
            for (quantity, value) in &mut values {
                *value = own(self.random, spans[quantity], *value);
            }
            self.field.rows[row].values = values;
        }
    }

    fn set(&mut self, row: usize, quantity: Quantity, value: i64) {
        for (of, kept) in &mut self.field.rows[row].values {
            if *of == quantity {
                *kept = value;
            }
        }
    }

    fn by_time(&self, station: usize) -> BTreeMap<u64, usize> {
        self.by_station[station].iter().map(|&row| (self.honest.rows[row].time_ms, row)).collect()
    }

    fn random_other(&mut self, station: usize) -> usize {
        let others: Vec<usize> = self.others(station).collect();
        others[self.random.place(others.len())]
    }

    /// The nearest station of a lower index, or the nearest of all for the first; ties go to the lower index.
    fn nearest_senior(&self, station: usize) -> usize {
        let far = |&other: &usize| {
            let places = &self.honest.places;
            (other > station, distance_m(places[station].position, places[other].position), other)
        };
        self.others(station).min_by_key(far).expect("a field has more than one station")
    }

    fn others(&self, station: usize) -> impl Iterator<Item = usize> {
        (0..self.by_station.len()).filter(move |&other| other != station && self.by_station[other].len() >= 50)
    }
}

/// A value as one reports it who has mistaken the unit.
fn in_another_unit(quantity: Quantity, value: i64) -> i64 {
    match quantity {
        Quantity::AirTemperature => value * 9 / 5 + 3_200,
        Quantity::RelativeHumidity | Quantity::Pressure => value / 100,
        Quantity::Pm10 | Quantity::Pm25 => value / 10,
        Quantity::WindSpeed => value * 36 / 10,
        _ => value * 10,
    }
}
