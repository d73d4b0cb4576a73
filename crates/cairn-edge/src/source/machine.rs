//! The machine's own sensors, as Linux shows them in files: processor temperature, load, supply voltage, and sensors of the
//! world around that drivers of the kernel (IIO, hwmon) read.
//!
//! Counters of the network are found and shown, but not reported: there is no quantity for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cairn_classes::sensing::Quantity;

use super::feed::{About, Feed, UNREAD};
use crate::map::{Decimal, Linear, MapError, Unit};
use crate::{Ended, Raw, Reading, Source, SourceTrouble, Stop};

/// The most files of one kind that are looked at.
const FILES_MAX: usize = 64;
/// The most bytes of a file that holds one value.
const VALUE_BYTES_MAX: usize = 256;

/// A file that holds a value, found on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path below the root, such as `sys/class/thermal/thermal_zone0/temp`.
    pub path: String,
    /// What the kernel calls it, such as `cpu-thermal`.
    pub label: String,
    /// What it can be reported as; `None` where there is no quantity for it.
    pub quantity: Option<Quantity>,
    /// What it says now, in the quantity's integer unit; `None` where that cannot be read.
    pub value: Option<i64>,
}

/// A kind of file: `folder/<prefix>*/<name>`, where `name` may have one `*`.
struct Kind {
    folder: &'static str,
    prefix: &'static str,
    name: &'static str,
    /// The file beside it that says what it is.
    label: &'static str,
    reported: Option<Reported>,
}

/// As which quantity a kind is reported, in which unit it is written, over which divisor.
struct Reported {
    quantity: Quantity,
    unit: &'static str,
    over: i128,
    /// Only where the label is one of these beginnings; all, where there is none.
    labels: &'static [&'static str],
}

/// Labels of temperatures of processors.
const PROCESSORS: &[&str] =
    &["cpu", "soc", "x86_pkg_temp", "coretemp", "k10temp", "acpitz", "bigcore", "littlecore", "core"];

const fn reported(
    quantity: Quantity,
    unit: &'static str,
    over: i128,
    labels: &'static [&'static str],
) -> Option<Reported> {
    Some(Reported { quantity, unit, over, labels })
}

/// The first kind of a quantity that is there is what is reported of it, unless a configuration names others.
const KINDS: &[Kind] = &[
    Kind {
        folder: "sys/class/thermal",
        prefix: "thermal_zone",
        name: "temp",
        label: "type",
        reported: reported(Quantity::HostTemperature, "degC", 1_000, PROCESSORS),
    },
    Kind {
        folder: "sys/class/hwmon",
        prefix: "hwmon",
        name: "temp*_input",
        label: "name",
        reported: reported(Quantity::HostTemperature, "degC", 1_000, PROCESSORS),
    },
    Kind {
        folder: "sys/class/power_supply",
        prefix: "",
        name: "voltage_now",
        label: "type",
        reported: reported(Quantity::Battery, "uV", 1, &["Battery", "UPS"]),
    },
    Kind {
        folder: "sys/bus/iio/devices",
        prefix: "iio:device",
        name: "in_temp_input",
        label: "name",
        reported: reported(Quantity::AirTemperature, "degC", 1_000, &[]),
    },
    Kind {
        folder: "sys/bus/iio/devices",
        prefix: "iio:device",
        name: "in_humidityrelative_input",
        label: "name",
        reported: reported(Quantity::RelativeHumidity, "%", 1_000, &[]),
    },
    Kind {
        folder: "sys/bus/iio/devices",
        prefix: "iio:device",
        name: "in_pressure_input",
        label: "name",
        reported: reported(Quantity::Pressure, "kPa", 1, &[]),
    },
    Kind {
        folder: "sys/bus/iio/devices",
        prefix: "iio:device",
        name: "in_illuminance_input",
        label: "name",
        reported: reported(Quantity::Illuminance, "lx", 1, &[]),
    },
    Kind { folder: "sys/class/net", prefix: "", name: "statistics/rx_bytes", label: "operstate", reported: None },
    Kind { folder: "sys/class/net", prefix: "", name: "statistics/tx_bytes", label: "operstate", reported: None },
];

/// Where Linux says the load: its first word is the mean of the last minute.
const LOAD: &str = "proc/loadavg";

/// Every sensor below a root, `/` on a real machine, by path within its kind.
#[must_use]
pub fn discover(root: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    for kind in KINDS {
        for (path, label) in files(root, kind) {
            let is_reported = |reported: &&Reported| {
                reported.labels.is_empty() || reported.labels.iter().any(|own| label.starts_with(own))
            };
            let reported = kind.reported.as_ref().filter(is_reported);
            let value = reported.and_then(|reported| {
                let text = read_value(&root.join(&path)).ok()?;
                value(&text, reported.quantity, reported.unit, reported.over).ok()
            });
            found.push(Found { path, label, quantity: reported.map(|reported| reported.quantity), value });
        }
    }
    if let Ok(text) = read_value(&root.join(LOAD)) {
        let value = load(&text).ok();
        found.push(Found {
            path: LOAD.to_owned(),
            label: "load".to_owned(),
            quantity: Some(Quantity::HostLoad),
            value,
        });
    }
    found
}

/// The files of a kind with their labels, sorted.
fn files(root: &Path, kind: &Kind) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for device in names(&root.join(kind.folder), kind.prefix, "") {
        let folder = format!("{}/{device}", kind.folder);
        let label = read_value(&root.join(&folder).join(kind.label)).unwrap_or_default().trim().to_owned();
        let (before, behind) = kind.name.split_once('*').unwrap_or((kind.name, ""));
        if before == kind.name {
            if root.join(&folder).join(kind.name).is_file() {
                files.push((format!("{folder}/{}", kind.name), label));
            }
            continue;
        }
        for name in names(&root.join(&folder), before, behind) {
            files.push((format!("{folder}/{name}"), label.clone()));
        }
    }
    files.truncate(FILES_MAX);
    files
}

fn names(folder: &Path, prefix: &str, suffix: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(prefix) && name.ends_with(suffix)).collect();
    names.sort_unstable_by_key(|name| (name.len(), name.clone()));
    names.truncate(FILES_MAX);
    names
}

fn read_value(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    fs::File::open(path)?.take(VALUE_BYTES_MAX as u64).read_to_string(&mut text)?;
    Ok(text)
}

fn value(text: &str, quantity: Quantity, unit: &str, over: i128) -> Result<i64, MapError> {
    let own = Linear::of(1, 0, over).and_then(|own| own.then(&Unit::named(unit).ok()?.to(quantity).ok()?));
    own.ok_or(MapError::Range)?.at(Decimal::parse(text)?)
}

fn load(text: &str) -> Result<i64, MapError> {
    value(text.split(' ').next().unwrap_or_default(), Quantity::HostLoad, "", 1)
}

/// Reads sensors of the machine every so often.
pub struct MachineSource {
    root: PathBuf,
    /// Paths that are read; where none is named, the first of each quantity that is found.
    sensors: Vec<String>,
    every: Duration,
}

impl MachineSource {
    /// Reads `sensors` (paths as [`discover`] gives them; all that it finds, when empty) below `root` every `every`.
    #[must_use]
    pub fn of(root: &Path, sensors: Vec<String>, every: Duration) -> Self {
        Self { root: root.to_owned(), sensors, every }
    }

    /// One look: the raw text, `path value` by line, and what it says.
    fn look(&self) -> (Vec<u8>, Vec<Reading>, Vec<String>) {
        let found = discover(&self.root);
        let (mut text, mut readings, mut missing) = (String::new(), Vec::<Reading>::new(), Vec::new());
        let is_asked = |own: &Found| self.sensors.is_empty() || self.sensors.contains(&own.path);
        for own in found.iter().filter(|own| is_asked(own)) {
            let (Some(quantity), Some(value)) = (own.quantity, own.value) else { continue };
            if readings.iter().any(|reading| reading.quantity == quantity) {
                continue;
            }
            text.push_str(&format!("{} {}\n", own.path, quantity.decimal(value)));
            readings.push(Reading { quantity, value });
        }
        for path in &self.sensors {
            if !found.iter().any(|own| own.path == *path && own.value.is_some()) {
                missing.push(path.clone());
            }
        }
        (text.into_bytes(), readings, missing)
    }
}

impl Source for MachineSource {
    fn name(&self) -> String {
        "machine".to_owned()
    }

    fn run(self: Box<Self>, out: &dyn Fn(Raw) -> bool, trouble: &dyn Fn(SourceTrouble), stop: &Stop) -> Ended {
        let mut feed = Feed::new(out, trouble, stop);
        while !stop.is_set() {
            let (bytes, readings, missing) = self.look();
            if !missing.is_empty() {
                feed.fails(About::Way, UNREAD, format!("cannot read {}", missing.join(", ")));
            } else if readings.is_empty() {
                feed.fails(About::Way, UNREAD, "this machine shows no sensor that can be reported");
            } else {
                feed.works(About::Way);
            }
            if !readings.is_empty() && !feed.give(Raw { bytes, said_ms: None, readings, mark: None }) {
                break;
            }
            if stop.wait(self.every) {
                break;
            }
        }
        Ended::Stopped
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::collect;
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn raspberry() -> tempfile::TempDir {
        tree(&[
            ("sys/class/thermal/thermal_zone0/temp", "48312\n"),
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/cooling_device0/type", "Fan\n"),
            ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "47774\n"),
            ("sys/class/hwmon/hwmon1/name", "nvme\n"),
            ("sys/class/hwmon/hwmon1/temp1_input", "35850\n"),
            ("sys/class/power_supply/BAT0/type", "Battery\n"),
            ("sys/class/power_supply/BAT0/voltage_now", "12345678\n"),
            ("sys/bus/iio/devices/iio:device0/name", "bme280\n"),
            ("sys/bus/iio/devices/iio:device0/in_temp_input", "21540\n"),
            ("sys/bus/iio/devices/iio:device0/in_humidityrelative_input", "48713\n"),
            ("sys/bus/iio/devices/iio:device0/in_pressure_input", "100.740312\n"),
            ("sys/class/net/eth0/statistics/rx_bytes", "123456\n"),
            ("sys/class/net/eth0/operstate", "up\n"),
            ("proc/loadavg", "0.37 0.20 0.10 1/234 5678\n"),
        ])
    }

    #[test]
    fn sensors_of_a_machine_are_found() {
        let root = raspberry();
        let found = discover(root.path());
        let shown: Vec<_> =
            found.iter().map(|own| (own.label.as_str(), own.quantity.map(Quantity::key), own.value)).collect();
        assert_eq!(
            shown,
            [
                ("cpu-thermal", Some("host_temperature"), Some(4831)),
                ("cpu_thermal", Some("host_temperature"), Some(4777)),
                ("nvme", None, None),
                ("Battery", Some("battery"), Some(12_346)),
                ("bme280", Some("temperature"), Some(2154)),
                ("bme280", Some("humidity"), Some(4871)),
                ("bme280", Some("pressure"), Some(100_740)),
                ("up", None, None),
                ("load", Some("host_load"), Some(37)),
            ]
        );
        assert!(discover(Path::new("/nothing/here")).is_empty());
    }

    #[test]
    fn what_is_found_is_read_and_what_is_named_is_read_alone() {
        let root = raspberry();
        let run = |sensors: &[&str]| {
            let stop = Stop::default();
            let sensors = sensors.iter().map(|path| (*path).to_owned()).collect();
            let source = MachineSource::of(root.path(), sensors, Duration::from_millis(1));
            collect(Box::new(source), &stop, |_| stop.set()).0
        };
        let all = run(&[]);
        assert_eq!(all.values(), [4831, 12_346, 2154, 4871, 100_740, 37]);
        let named = run(&["sys/class/hwmon/hwmon0/temp1_input", "sys/class/hwmon/hwmon9/temp1_input"]);
        assert_eq!(named.values(), [4777]);
        assert_eq!(named.troubles(), [(UNREAD, false)]);
    }

    #[test]
    fn files_that_say_nonsense_are_no_readings() {
        let root = tree(&[
            ("sys/class/thermal/thermal_zone0/temp", "not a number\n"),
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal"),
            ("proc/loadavg", ""),
        ]);
        fs::write(root.path().join("sys/class/thermal/thermal_zone0/temp"), [0xff; 300]).unwrap();
        assert!(discover(root.path()).iter().all(|own| own.value.is_none()));
    }
}
