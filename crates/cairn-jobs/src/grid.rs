//! A recording by station and day, as the forecast reads it.
//!
//! Values are integers in 0.1 ug/m3, days are counted from 1970-01-01, and distances are those of a flat map that is true at 51 degrees
//! north: good enough to say who is near, and the same on every machine. Not here: reading a file.

/// Where a station is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Latitude in 1e-7 degree.
    pub lat_e7: i32,
    /// Longitude in 1e-7 degree.
    pub lon_e7: i32,
}

/// Daily values of stations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    places: Vec<Place>,
    /// The other stations of each, nearest first.
    nearest: Vec<Vec<usize>>,
    first_day: u32,
    /// By day from the first, then by station.
    values: Vec<Vec<Option<u16>>>,
}

impl Grid {
    /// The grid of stations at `places` from rows of (day since 1970, station, value in 0.1 ug/m3). Of several values for one day and
    /// station the last one stands; a row for a station that is none is left out. It takes 4 bytes for each station and day from the first to the last.
    #[must_use]
    pub fn of(places: Vec<Place>, rows: &[(u32, usize, u16)]) -> Self {
        let first_day = rows.iter().map(|row| row.0).min().unwrap_or_default();
        let last_day = rows.iter().map(|row| row.0).max().unwrap_or_default();
        let mut values = vec![vec![None; places.len()]; (last_day - first_day) as usize + 1];
        for &(day, station, value) in rows {
            if let Some(slot) = values[(day - first_day) as usize].get_mut(station) {
                *slot = Some(value);
            }
        }
        let nearest = (0..places.len()).map(|station| nearest(&places, station)).collect();
        Self { places, nearest, first_day, values }
    }

    /// Stations, with or without values.
    #[must_use]
    pub fn stations(&self) -> usize {
        self.places.len()
    }

    /// The first and the last day with a value, in days since 1970.
    #[must_use]
    pub fn days(&self) -> (u32, u32) {
        let last = self.values.len().saturating_sub(1);
        (self.first_day, self.first_day + u32::try_from(last).expect("days are counted in 32 bits"))
    }

    /// What a station measured on a day, in 0.1 ug/m3.
    #[must_use]
    pub fn value(&self, station: usize, day: u32) -> Option<u16> {
        let day = day.checked_sub(self.first_day)?;
        *self.values.get(day as usize)?.get(station)?
    }

    /// The same grid without the days from `until` on.
    #[must_use]
    pub fn until(&self, until: u32) -> Self {
        let days = until.saturating_sub(self.first_day) as usize;
        Self { values: self.values.iter().take(days).cloned().collect(), ..self.clone() }
    }

    /// The other stations, nearest first.
    #[must_use]
    pub fn nearest(&self, station: usize) -> &[usize] {
        self.nearest.get(station).map_or(&[], Vec::as_slice)
    }

    /// How far `to` is east and north of `from`, in km.
    #[must_use]
    pub fn offset_km(&self, from: usize, to: usize) -> (i32, i32) {
        let (east, north) = offset_m(self.places[from], self.places[to]);
        (east / 1_000, north / 1_000)
    }
}

/// Metres east and north. A degree is 111,195 m of a meridian, and 0.629 of that of the parallel at 51 degrees.
fn offset_m(from: Place, to: Place) -> (i32, i32) {
    let metres = |e7: i64| e7 * 111_195 / 10_000_000;
    let north = metres(i64::from(to.lat_e7) - i64::from(from.lat_e7));
    let east = metres(i64::from(to.lon_e7) - i64::from(from.lon_e7)) * 629 / 1_000;
    let fits = |metres: i64| i32::try_from(metres).expect("no two places on earth are farther apart than 2^31 m");
    (fits(east), fits(north))
}

fn nearest(places: &[Place], station: usize) -> Vec<usize> {
    let mut others: Vec<(i64, usize)> = (0..places.len())
        .filter(|other| *other != station)
        .map(|other| {
            let (east, north) = offset_m(places[station], places[other]);
            (i64::from(east).pow(2) + i64::from(north).pow(2), other)
        })
        .collect();
    others.sort_unstable();
    others.into_iter().map(|(_, other)| other).collect()
}
