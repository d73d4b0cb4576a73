//! Public libraries on the same rows, through a script in Python.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use cairn_testkit::injector::Field;

/// The script and where it finds its rows.
pub struct Peers {
    python: String,
    script: String,
    folder: PathBuf,
    /// What each column of flags is called.
    pub methods: Vec<String>,
    /// Versions and parameters, as the script states them.
    pub about: String,
}

impl Peers {
    /// Asks the script who it is: the methods on its first line, versions and parameters below.
    pub fn of(python: String, script: String, folder: PathBuf) -> Result<Self, Box<dyn Error>> {
        std::fs::create_dir_all(&folder)?;
        let said = Command::new(&python).args([&script, "about"]).stderr(Stdio::inherit()).output()?;
        if !said.status.success() {
            return Err(format!("{script} ended with {}", said.status).into());
        }
        let text = String::from_utf8(said.stdout)?;
        let (methods, about) = text.split_once('\n').ok_or("the script says nothing")?;
        let methods = methods.split('\t').map(str::to_owned).collect();
        Ok(Self { python, script, folder, methods, about: about.trim_end().to_owned() })
    }

    /// For every method whether it doubts each row.
    pub fn flags(&self, field: &Field) -> Result<Vec<Vec<bool>>, Box<dyn Error>> {
        let (rows, flags) = (self.folder.join("rows.csv"), self.folder.join("flags.txt"));
        std::fs::write(&rows, table(field))?;
        let setting = if field.cadence_ms >= 12 * 3_600_000 { "daily" } else { "station" };
        let ran = Command::new(&self.python).arg(&self.script).arg(setting).arg(&rows).arg(&flags).status()?;
        if !ran.success() {
            return Err(format!("{} ended with {ran}", self.script).into());
        }
        let text = std::fs::read_to_string(&flags)?;
        let mut methods = vec![Vec::with_capacity(field.rows.len()); self.methods.len()];
        for line in text.lines() {
            for (flags, flag) in methods.iter_mut().zip(line.bytes()) {
                flags.push(flag == b'1');
            }
        }
        if methods.iter().any(|flags| flags.len() != field.rows.len()) {
            return Err(format!("{} did not answer for every row", self.script).into());
        }
        Ok(methods)
    }
}

/// The rows as the script reads them: values in decimal units, empty where missing.
fn table(field: &Field) -> String {
    let quantities = field.quantities();
    let mut text = String::from("time_ms,station,lat,lon,elevation");
    for quantity in &quantities {
        let _ = write!(text, ",{}", quantity.key());
    }
    text.push('\n');
    for row in &field.rows {
        let place = &field.places[row.station];
        let e7 = |e7: i32| {
            format!(
                "{}{}.{:07}",
                if e7 < 0 { "-" } else { "" },
                e7.unsigned_abs() / 10_000_000,
                e7.unsigned_abs() % 10_000_000
            )
        };
        let (lat, lon) = (e7(place.position.lat_e7), e7(place.position.lon_e7));
        let elevation = place.altitude_cm.unwrap_or(0) / 100;
        let _ = write!(text, "{},{},{lat},{lon},{elevation}", row.time_ms, row.station);
        for &quantity in &quantities {
            let value = row.value(quantity).map(|value| quantity.decimal(value)).unwrap_or_default();
            let _ = write!(text, ",{value}");
        }
        text.push('\n');
    }
    text
}
