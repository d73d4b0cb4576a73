//! What the device measures: the machine's own sensors, or a source named by its kind.

use std::path::{Path, PathBuf};

use cairn_api::NetworkInfo;
use cairn_classes::sensing::Quantity;
use cairn_edge::map::PRESETS;
use cairn_edge::source::{ConfigError, Found, discover};

use super::document::quoted;
use super::person::Person;
use crate::failure::Failure;

/// Kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The machine's own sensors
    Machine,
    /// Lines that are added to a file
    File,
    /// Lines of a serial device
    Serial,
    /// Messages of an MQTT broker
    Mqtt,
    /// A JSON document over HTTP
    Http,
    /// Lines on standard input
    Stdin,
    /// Made-up readings, in a network that rehearses them
    Simulated,
    /// Nothing yet
    None,
}

/// Flags that say what is measured.
#[derive(Debug, clap::Args)]
pub struct SourceArgs {
    /// What it measures
    #[arg(long, value_enum, value_name = "KIND")]
    source: Option<Kind>,
    /// Where that is: a file, a serial device, `mqtt://broker:1883`, `http://station/data.json`
    #[arg(long, value_name = "WHERE", requires = "source")]
    from: Option<String>,
    /// Of mqtt, the topic; may be given more than once
    #[arg(long, requires = "source")]
    topic: Vec<String>,
    /// How it is read: a preset, such as zigbee2mqtt, home-assistant, tasmota, airrohr
    #[arg(long, value_name = "NAME", requires = "source", conflicts_with = "quantity")]
    preset: Option<String>,
    /// Or: bare numbers of this quantity, such as temperature or pm10; of simulated, what is made up, one or more with commas
    #[arg(long, value_name = "NAME", requires = "source")]
    quantity: Option<String>,
    /// A file with `[[source]]` tables, for whatever else there is
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    sources: Option<PathBuf>,
    /// Of simulated: seconds between two readings.
    #[arg(skip)]
    every_s: Option<u64>,
}

impl SourceArgs {
    /// These quantities, with commas between them, made up every so many seconds.
    pub fn simulated(quantities: String, every_s: u64) -> Self {
        Self { source: Some(Kind::Simulated), quantity: Some(quantities), every_s: Some(every_s), ..Self::none() }
    }

    /// The `[[source]]` tables that the flags say, or that are answered.
    ///
    /// # Errors
    /// `NODE-ASK`, `NODE-SOURCE`.
    pub fn ask(&self, person: &mut dyn Person, info: &NetworkInfo) -> Result<String, Failure> {
        if let Some(path) = &self.sources {
            return std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error));
        }
        let kind = match self.source {
            Some(kind) => kind,
            None => asked_kind(person, &discover(Path::new("/")), info)?,
        };
        self.table(kind, person)
    }

    fn table(&self, kind: Kind, person: &mut dyn Person) -> Result<String, Failure> {
        let mut lines = vec!["[[source]]".to_owned()];
        let mut say = |name: &str, value: String| lines.push(format!("{name} = {value}"));
        match kind {
            Kind::None => return Ok(String::new()),
            Kind::Machine => say("kind", quoted("machine")),
            Kind::Stdin => {
                say("kind", quoted("stdin"));
                say("map", self.mapping(person)?);
            }
            Kind::File | Kind::Serial => {
                let (kind, question) = match kind {
                    Kind::File => ("file", "Which file? It is read from its end on"),
                    _ => ("serial", "Which serial device? Such as /dev/serial/by-id/…"),
                };
                say("kind", quoted(kind));
                say("path", quoted(&absolute_path(&self.from(person, question)?)));
                say("map", self.mapping(person)?);
            }
            Kind::Mqtt => {
                say("kind", quoted("mqtt"));
                say(
                    "broker",
                    format!(
                        "{{ url = {} }}",
                        quoted(&self.from(person, "Which broker? Such as mqtt://127.0.0.1:1883")?)
                    ),
                );
                let topics = match self.topic.as_slice() {
                    [] => vec![person.ask("Which topic? Such as zigbee2mqtt/garden", None, "--topic")?],
                    topics => topics.to_vec(),
                };
                say("topics", format!("[{}]", topics.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(", ")));
                say("map", self.mapping(person)?);
            }
            Kind::Http => {
                say("kind", quoted("http"));
                say("url", quoted(&self.from(person, "Which document? Such as http://station/data.json")?));
                say("map", self.mapping(person)?);
            }
            Kind::Simulated => {
                let seed = u64::from_le_bytes(crate::keys::random()?);
                say("kind", quoted("simulated"));
                // A seed is a signed number in TOML.
                say("seed", (seed >> 1).to_string());
                let quantities: Vec<String> = self.quantities(person)?.iter().map(|name| quoted(name)).collect();
                say("quantities", format!("[{}]", quantities.join(", ")));
                if let Some(seconds) = self.every_s {
                    say("every_s", seconds.to_string());
                }
            }
        }
        lines.push(String::new());
        Ok(lines.join("\n"))
    }

    fn from(&self, person: &mut dyn Person, question: &str) -> Result<String, Failure> {
        match &self.from {
            Some(from) => Ok(from.clone()),
            None => person.ask(question, None, "--from"),
        }
    }

    fn quantity(&self, person: &mut dyn Person) -> Result<String, Failure> {
        known(self.said(person)?)
    }

    fn quantities(&self, person: &mut dyn Person) -> Result<Vec<String>, Failure> {
        self.said(person)?.split(',').map(|name| known(name.trim().to_owned())).collect()
    }

    fn said(&self, person: &mut dyn Person) -> Result<String, Failure> {
        match &self.quantity {
            Some(quantity) => Ok(quantity.clone()),
            None => person.ask(&format!("Which quantity? {}", names()), None, "--quantity"),
        }
    }

    /// How a payload is read, as an inline table.
    fn mapping(&self, person: &mut dyn Person) -> Result<String, Failure> {
        let presets: Vec<&str> = PRESETS.iter().map(|(name, ..)| *name).collect();
        let how = match (&self.preset, &self.quantity) {
            (Some(preset), _) => preset.clone(),
            (None, Some(_)) => String::new(),
            (None, None) => {
                let question = format!(
                    "How is it read? A preset ({}), or the quantity that bare numbers are of, such as temperature",
                    presets.join(", ")
                );
                person.ask(&question, None, "--preset or --quantity")?
            }
        };
        if presets.contains(&how.as_str()) {
            return Ok(format!("{{ preset = {} }}", quoted(&how)));
        }
        if self.preset.is_some() {
            let what = format!("there is no preset `{how}`");
            return Err(Failure::usage("NODE-SOURCE", what).hint(format!("one of {}", presets.join(", "))));
        }
        let quantity = if how.is_empty() {
            self.quantity(person)?
        } else {
            Self { quantity: Some(how), ..Self::none() }.quantity(person)?
        };
        Ok(format!("{{ format = \"number\", field = [{{ quantity = {} }}] }}", quoted(&quantity)))
    }

    const fn none() -> Self {
        Self { source: None, from: None, topic: Vec::new(), preset: None, quantity: None, sources: None, every_s: None }
    }
}

/// The quantities there are.
fn names() -> String {
    Quantity::all().map(Quantity::key).collect::<Vec<_>>().join(", ")
}

/// A quantity's name, if it is one's.
fn known(name: String) -> Result<String, Failure> {
    if Quantity::all().any(|quantity| quantity.key() == name) {
        return Ok(name);
    }
    let what = format!("there is no quantity `{name}`");
    Err(Failure::usage("NODE-SOURCE", what).hint(format!("one of {}", names())))
}

fn asked_kind(person: &mut dyn Person, found: &[Found], info: &NetworkInfo) -> Result<Kind, Failure> {
    let shown: Vec<String> = found
        .iter()
        .filter_map(|found| {
            let (quantity, value) = (found.quantity?, found.value?);
            Some(format!("  {}: {} {} ({})", quantity.name(), quantity.decimal(value), quantity.unit(), found.label))
        })
        .collect();
    let (suggestion, machine) = if shown.is_empty() {
        (None, String::new())
    } else {
        (Some("machine"), format!("\n`machine`: this machine's own sensors, which say just now\n{}", shown.join("\n")))
    };
    let simulated = if cairn_edge::source::declares_simulation(&info.rehearsed) { ", `simulated`" } else { "" };
    let kinds = format!("`file`, `serial`, `mqtt`, `http`, `stdin`{simulated}, or `none` yet");
    let question = format!("What does it measure? {kinds}{machine}");
    let answer = person.ask(&question, suggestion, "--source")?;
    <Kind as clap::ValueEnum>::from_str(&answer, true).map_err(|_| {
        Failure::usage("NODE-SOURCE", format!("there is no kind of source `{answer}`"))
            .hint(format!("say `machine`, {kinds}"))
    })
}

fn absolute_path(text: &str) -> String {
    super::absolute(text.as_ref()).display().to_string()
}

/// That a source cannot be one.
pub fn refused(error: &ConfigError) -> Failure {
    Failure::wrong(error.code(), error).hint("see where readings come from, in the guide: sources.md")
}

#[cfg(test)]
mod tests {
    use cairn_edge::source::SourceConfig;
    use serde::Deserialize;

    use super::super::person::tests::Says;
    use super::*;

    #[derive(Deserialize)]
    struct Document {
        #[serde(default)]
        source: Vec<SourceConfig>,
    }

    fn opened(text: &str) -> Vec<String> {
        toml::from_str::<Document>(text).unwrap().source.iter().map(SourceConfig::name).collect()
    }

    #[test]
    fn answers_become_sources_that_can_run() {
        let rehearsed = [cairn_edge::source::SIMULATED.to_owned()];
        for (kind, answers, expected) in [
            (Kind::Machine, &[][..], &["machine"][..]),
            (Kind::None, &[], &[]),
            (Kind::File, &["/var/log/air", "pm10"], &["file /var/log/air"]),
            (Kind::Serial, &["/dev/ttyUSB0", "temperature"], &["serial /dev/ttyUSB0"]),
            (Kind::Mqtt, &["mqtt://127.0.0.1", "z/#", "zigbee2mqtt"], &["mqtt z/#"]),
            (Kind::Http, &["http://s/data.json", "airrohr"], &["http://s/data.json"]),
            (Kind::Simulated, &["pm10, temperature"], &["simulated"]),
        ] {
            let text = SourceArgs::none().table(kind, &mut Says::these(answers)).unwrap();
            let made = opened(&text);
            assert_eq!(made.len(), expected.len(), "{text}");
            assert!(made.iter().zip(expected).all(|(made, expected)| made.starts_with(expected)), "{text}");
            for source in toml::from_str::<Document>(&text).unwrap().source {
                assert!(source.open(&rehearsed, None).is_ok(), "{text}");
            }
        }
    }

    #[test]
    fn what_is_nothing_we_know_is_refused() {
        let file = [&["/a", "phlogiston"][..], &["/a"], &[]].map(|answers| (Kind::File, answers));
        for (kind, answers) in file.into_iter().chain([(Kind::Simulated, &["pm10,phlogiston"][..])]) {
            let failure = SourceArgs::none().table(kind, &mut Says::these(answers)).unwrap_err();
            assert!(["NODE-SOURCE", "NODE-ASK"].contains(&failure.code.as_str()), "{failure}");
            assert_eq!(failure.exit as u8, 2);
        }
    }
}
