//! Where readings come from.

mod config;
mod feed;
mod file;
mod lines;
mod machine;
mod mqtt;
mod poll;
mod serial;
mod simulated;

use cairn_classes::sensing::Quantity;

use crate::Stop;

pub use config::{
    ConfigError, FileConfig, HttpConfig, MachineConfig, MqttConfig, SerialConfig, SimulatedConfig, SourceConfig,
    StdinConfig,
};
pub use file::FileSource;
pub use lines::{LINE_BYTES_MAX, LineSource};
pub use machine::{Found, MachineSource, discover};
pub use mqtt::MqttSource;
pub use poll::PollSource;
pub use serial::{LineSettings, Parity, SerialSource};
pub use simulated::{SIMULATED, SimulatedSource, declares_simulation};

/// One value that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What.
    pub quantity: Quantity,
    /// How much, in the quantity's integer unit.
    pub value: i64,
}

/// What came from outside, once, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The bytes as they came.
    pub bytes: Vec<u8>,
    /// When the source says that it was measured, ms since 1970 UTC; only if it says.
    pub said_ms: Option<u64>,
    /// What was read of it.
    pub readings: Vec<Reading>,
    /// Where the source goes on behind this, in its own words of at most 1,024 bytes. It is kept with what becomes of the
    /// readings, in one write, and handed to the source when it starts again, with what is kept beyond it: so nothing is lost and
    /// nothing is read twice. A source gives a mark with everything or with nothing.
    pub mark: Option<Vec<u8>>,
}

impl Raw {
    /// Nothing was measured: the source says that it goes on behind this mark, since it begins there, or since what came up to
    /// there was kept before.
    #[must_use]
    pub const fn passed(mark: Vec<u8>) -> Self {
        Self { bytes: Vec::new(), said_ms: None, readings: Vec::new(), mark: Some(mark) }
    }

    /// Whether nothing was measured.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.bytes.is_empty() && self.readings.is_empty()
    }
}

/// Something that a source could not do, or can again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTrouble {
    /// The stable code.
    pub code: &'static str,
    /// In words; empty when it is over.
    pub detail: String,
    /// Whether it is over.
    pub is_over: bool,
}

/// Why a source ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// There is no more to come: the end of the input.
    Exhausted,
    /// It can never go on, for the reason given.
    Failed(SourceTrouble),
}

/// Somewhere readings come from. It blocks, has a thread of its own, ends when `stop` is set, and reports trouble and goes on,
/// with a wait between attempts.
pub trait Source: Send {
    /// What it is called where its troubles are told, such as `mqtt zigbee2mqtt/+`.
    fn name(&self) -> String;

    /// Hands everything that comes to `out`, which answers whether it was taken; what was not taken may be handed over again.
    fn run(self: Box<Self>, out: &dyn Fn(Raw) -> bool, trouble: &dyn Fn(SourceTrouble), stop: &Stop) -> Ended;
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::map::{Mapping, MappingConfig};

    /// A mapping of bare numbers.
    pub fn number(quantity: &str) -> Mapping {
        let config = format!("format = \"number\"\nfield = [{{ quantity = \"{quantity}\" }}]");
        Mapping::of(&toml::from_str::<MappingConfig>(&config).unwrap()).unwrap()
    }

    /// What a source gave and said.
    #[derive(Default)]
    pub struct Collected {
        raws: Vec<Raw>,
        troubles: Vec<SourceTrouble>,
    }

    impl Collected {
        pub fn values(&self) -> Vec<i64> {
            self.raws.iter().flat_map(|raw| &raw.readings).map(|reading| reading.value).collect()
        }

        pub fn troubles(&self) -> Vec<(&'static str, bool)> {
            self.troubles.iter().map(|trouble| (trouble.code, trouble.is_over)).collect()
        }

        pub fn last_mark(&self) -> Option<Vec<u8>> {
            self.raws.iter().rev().find_map(|raw| raw.mark.clone())
        }
    }

    /// Runs a source; after everything that it gives, `then` is told how much there is.
    pub fn collect(source: Box<dyn Source>, stop: &Stop, then: impl Fn(usize)) -> (Collected, Ended) {
        let collected = RefCell::new(Collected::default());
        let out = |raw: Raw| {
            let is_nothing = raw.is_nothing();
            collected.borrow_mut().raws.push(raw);
            if !is_nothing {
                then(collected.borrow().raws.iter().filter(|raw| !raw.is_nothing()).count());
            }
            true
        };
        let ended = source.run(&out, &|trouble| collected.borrow_mut().troubles.push(trouble), stop);
        (collected.into_inner(), ended)
    }
}
