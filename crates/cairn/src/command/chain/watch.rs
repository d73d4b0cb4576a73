//! Doing it again and again: what `--watch` means.

use std::time::Duration;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// How often.
#[derive(Debug, Clone, clap::Args)]
pub struct Watch {
    /// Go on until stopped, and look again after as many seconds; with `--json` a document for each time
    #[arg(long, value_name = "SECONDS")]
    watch: Option<u64>,
}

impl Watch {
    /// Runs `once`, or again and again. While watching, what is out of reach is said and tried again; what is wrong ends it.
    ///
    /// # Errors
    /// Those of `once`.
    pub fn each(&self, output: Output, mut once: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
        let Some(seconds) = self.watch else { return once() };
        loop {
            match once() {
                Err(failure) if failure.exit == Exit::Failed => output.say(failure.to_string()),
                other => other?,
            }
            std::thread::sleep(Duration::from_secs(seconds.max(1)));
        }
    }
}
