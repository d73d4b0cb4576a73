//! How far a forecast is off, beside what anybody can say without a model.

use core::fmt;

use crate::features::{NEIGHBOURS, row};
use crate::grid::Grid;
use crate::network::Network;

/// How far one way of forecasting was off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The way.
    pub name: &'static str,
    /// Mean absolute error in 0.01 ug/m3, rounded down.
    pub mean_absolute: u64,
    /// Root of the mean squared error in 0.01 ug/m3, rounded down.
    pub root_mean_square: u64,
}

/// How far the network and two plain rules were off, over the same forecasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// How many forecasts.
    pub forecasts: u64,
    /// Persistence, the neighbours' mean, the network.
    pub lines: Vec<Line>,
}

impl Table {
    /// All forecasts for days in `days` (days since 1970) that can be made and compared with what came.
    ///
    /// # Panics
    /// When the network has another width than the rows.
    #[must_use]
    pub fn of(grid: &Grid, network: &Network, days: core::ops::Range<u32>) -> Self {
        let mut sums = [Sums::default(); 3];
        for (day, station) in days.flat_map(|day| (0..grid.stations()).map(move |station| (day, station))) {
            let Some(before) = day.checked_sub(1) else { continue };
            let Some((came, row)) = grid.value(station, day).zip(row(grid, station, before)) else { continue };
            let today = grid.value(station, before).expect("a row's own station reported");
            let near = grid.nearest(station).iter().filter_map(|other| grid.value(*other, before));
            let near = near.take(NEIGHBOURS).map(i64::from).sum::<i64>() / NEIGHBOURS as i64;
            let said = i64::from(network.predict(&row)[0]);
            for (sum, forecast) in sums.iter_mut().zip([i64::from(today), near, said]) {
                sum.add((forecast - i64::from(came)).unsigned_abs());
            }
        }
        let names = ["tomorrow is as today", "tomorrow is as the 8 nearest are today", "the network, in int8"];
        let lines = names.into_iter().zip(&sums).map(|(name, sum)| sum.line(name)).collect();
        Self { forecasts: sums[0].count, lines }
    }
}

impl fmt::Display for Table {
    /// A table in Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| forecast | mean absolute error | root mean square error |\n| --- | --- | --- |")?;
        for line in &self.lines {
            let (mean, root) = (line.mean_absolute, line.root_mean_square);
            let name = line.name;
            writeln!(f, "| {name} | {}.{:02} | {}.{:02} |", mean / 100, mean % 100, root / 100, root % 100)?;
        }
        Ok(())
    }
}

/// Sums of errors in 0.1 ug/m3.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: u64,
    absolute: u64,
    squared: u64,
}

impl Sums {
    const fn add(&mut self, error: u64) {
        self.count += 1;
        self.absolute += error;
        self.squared += error * error;
    }

    fn line(&self, name: &'static str) -> Line {
        let count = self.count.max(1);
        Line { name, mean_absolute: self.absolute * 10 / count, root_mean_square: (self.squared * 100 / count).isqrt() }
    }
}
