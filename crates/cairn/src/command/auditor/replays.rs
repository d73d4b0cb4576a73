//! The part of `cairn auditor run` that runs jobs again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cairn_client::Client;
use cairn_core::NetworkId;
use cairn_core::wallet::WalletKey;
use cairn_ledger::wall_ms;
use cairn_node::{Answer, Cache, Gateway, NodeError, Replayed, Replayer};
use serde::Serialize;

use crate::command::node::disk;
use crate::failure::Failure;
use crate::output::Output;

/// Bytes of blobs that an auditor keeps.
const CACHE_BYTES_MAX: u64 = 1 << 30;

/// What became of a job that was run again, on its line.
#[derive(Debug, Serialize)]
struct Line {
    /// `replayed`, or `unreplayed` where nothing came of it.
    event: &'static str,
    job: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// The entry that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Line {
    fn of(replayed: Replayed) -> Self {
        let Replayed { job, digest, answer, trouble } = replayed;
        let (index, refused) = match answer {
            Some(Answer::Taken { index, .. }) => (Some(index), None),
            Some(Answer::Refused { code, detail }) => (None, Some((code, detail))),
            None => (None, None),
        };
        let (code, detail) = refused.or(trouble).unzip();
        let event = if index.is_some() { "replayed" } else { "unreplayed" };
        Self { event, job: job.to_string(), digest: digest.map(|digest| digest.to_hex()), index, code, detail }
    }

    fn text(&self) -> String {
        let Self { event, job, .. } = self;
        let digest = self.digest.as_ref().map(|digest| format!("  digest {digest}")).unwrap_or_default();
        match (&self.index, &self.code, &self.detail) {
            (Some(index), ..) => format!("{event}  job {job}{digest}, said by entry {index}"),
            (None, Some(code), Some(detail)) => format!("{event}  job {job}{digest}\n  not said, {code}: {detail}"),
            _ => format!("{event}  job {job}{digest}"),
        }
    }
}

/// An auditor that runs jobs again.
pub struct Replaying {
    replayer: Replayer,
    all: bool,
    output: Output,
}

impl Replaying {
    /// Opens what an auditor's folder remembers of jobs. `all`: jobs that were not drawn are run, too.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(
        folder: &Path,
        key: WalletKey,
        network: NetworkId,
        url: &str,
        all: bool,
        output: Output,
    ) -> Result<Self, Failure> {
        let cache = Arc::new(Cache::open(disk(&folder.join("blobs"))?, CACHE_BYTES_MAX)?);
        let gateway = Arc::new(Gateway::of(Client::at(url)?));
        let replayer = Replayer::open(key, network, disk(&folder.join("replays"))?, cache, gateway)?;
        Ok(Self { replayer, all, output })
    }

    /// Runs what waits.
    ///
    /// # Errors
    /// The folder's own trouble, or a closed standard output. What a gateway does not tell is asked again.
    pub fn step(&mut self) -> Result<(), Failure> {
        let (output, mut said) = (self.output, Ok(()));
        let stepped = self.replayer.step(self.all, wall_ms(), &mut |replayed| {
            let printed = output.line(&Line::of(replayed), Line::text);
            said = core::mem::replace(&mut said, Ok(())).and(printed);
        });
        said?;
        match stepped {
            Err(error @ NodeError::Client(_)) => {
                output.say(format!("jobs are not looked at: {error}"));
                Ok(())
            }
            other => Ok(other?),
        }
    }

    /// Runs what waits, for ever, beside whatever else the auditor does.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn go_on(mut self, pause: Duration) -> Result<(), Failure> {
        let work = move || {
            loop {
                if let Err(failure) = self.step() {
                    eprintln!("jobs are run no more: {failure}");
                    return;
                }
                std::thread::sleep(pause);
            }
        };
        let thread = std::thread::Builder::new().name("cairn-replays".to_owned()).spawn(work);
        thread.map(drop).map_err(|error| Failure::failed("NET-SYSTEM", format!("cannot start a thread: {error}")))
    }
}
