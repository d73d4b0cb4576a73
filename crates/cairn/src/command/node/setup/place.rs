//! Where the device stands.

use cairn_api::NetworkInfo;
use cairn_core::geo::{Cell, Position};

use super::person::Person;
use crate::command::enrol;
use crate::failure::Failure;

/// Flags that say where the device stands.
#[derive(Debug, clap::Args)]
pub struct PlaceArgs {
    /// Where it stands: latitude in decimal degrees. Only the cell around it is sent, unless --exact is given
    #[arg(long, value_name = "DEGREES", allow_hyphen_values = true, requires = "lon")]
    lat: Option<String>,
    /// Longitude in decimal degrees
    #[arg(long, value_name = "DEGREES", allow_hyphen_values = true, requires = "lat")]
    lon: Option<String>,
    /// The H3 cell, instead of latitude and longitude: 15 hexadecimal digits
    #[arg(long, conflicts_with_all = ["lat", "lon", "exact"])]
    cell: Option<String>,
    /// Publish the exact place too. The log is public and keeps it for ever
    #[arg(long)]
    exact: bool,
    /// Height above sea level in metres
    #[arg(long, value_name = "METRES", allow_hyphen_values = true)]
    altitude_m: Option<String>,
}

/// Where a device stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub cell: Cell,
    pub exact: Option<Position>,
    pub altitude_cm: Option<i32>,
}

impl PlaceArgs {
    /// What the flags say, or what is answered.
    ///
    /// # Errors
    /// `NET-PLACE`, `NODE-ASK`.
    pub fn ask(&self, person: &mut dyn Person, info: &NetworkInfo) -> Result<Standing, Failure> {
        let (lat, lon, cell) = match (&self.lat, &self.lon, &self.cell) {
            (_, _, Some(cell)) => (String::new(), String::new(), Some(cell.clone())),
            (Some(lat), Some(lon), _) => (lat.clone(), lon.clone(), None),
            _ => {
                let question = "Where does it stand? Latitude and longitude, such as 53.5242, 9.6850 (only the cell of \
                                about a square kilometre around it is published), or an H3 cell";
                answered(&person.ask(question, None, "--lat with --lon, or --cell")?)
            }
        };
        let (cell, exact) = enrol::place(info.h3_resolution, cell.as_deref(), (&lat, &lon), self.exact)?;
        Ok(Standing { cell, exact, altitude_cm: enrol::altitude_cm(self.altitude_m.as_deref())? })
    }
}

/// Latitude and longitude, or a cell.
fn answered(answer: &str) -> (String, String, Option<String>) {
    let mut words = answer.split([',', ' ', ';']).filter(|word| !word.is_empty());
    match (words.next(), words.next()) {
        (Some(lat), Some(lon)) => (lat.to_owned(), lon.to_owned(), None),
        (cell, _) => (String::new(), String::new(), cell.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_understood_as_people_write_them() {
        let place = |lat: &str, lon: &str| (lat.to_owned(), lon.to_owned(), None);
        for (answer, expected) in [
            ("53.5242, 9.6850", place("53.5242", "9.6850")),
            ("53.5242 9.6850", place("53.5242", "9.6850")),
            ("-33.9,18.4", place("-33.9", "18.4")),
            ("881f1d489ffffff", (String::new(), String::new(), Some("881f1d489ffffff".to_owned()))),
        ] {
            assert_eq!(answered(answer), expected, "{answer}");
        }
    }
}
