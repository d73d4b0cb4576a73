//! Proposing: a document that the operator signs and logs, to rule from an epoch that has not begun.

use std::path::PathBuf;

use cairn_api::NetworkInfo;
use cairn_client::Client;
use cairn_core::Hash;
use cairn_core::statement::{Body, Draft};
use cairn_ledger::wall_ms;
use serde::Serialize;

use crate::config::{Config, Folder};
use crate::connect::{Connect, network_id};
use crate::failure::Failure;
use crate::keys::Key;
use crate::output::Output;
use crate::rules::Misfit;
use crate::submission::accepted_indices;

/// How long the statement stays valid: a day, by the network's time.
const EXPIRY_MS: u64 = 86_400_000;

/// From when a document is to rule, and whose network it is.
#[derive(Debug, clap::Args)]
pub struct Proposal {
    /// The first epoch that it rules; it must not have begun.
    #[arg(long, value_name = "EPOCH")]
    pub from: u64,
    /// The network's folder, with the operator's key.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Address of the gateway [default: the environment's CAIRN_URL, or the folder's own]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// A document that was logged.
#[derive(Debug, Serialize)]
pub struct Proposed {
    network_id: String,
    index: u64,
    first_epoch: u64,
    hash: String,
    rehearsed: Vec<String>,
    /// The documents of the other kind that will not fit this one at its first epoch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    misfits: Vec<Misfit>,
}

impl Proposed {
    /// In words; `what` is the document.
    #[must_use]
    pub fn text(&self, what: &str) -> String {
        let Self { index, first_epoch, hash, .. } = self;
        format!("{what} is logged by entry {index} and rules from epoch {first_epoch}\n  hash {hash}")
    }

    /// Warns of what will not fit, on standard error; `hint` is the way out.
    pub fn warn(&self, output: Output, hint: impl Fn(&Misfit) -> String) {
        for misfit in &self.misfits {
            output.say(format!("warning: {}\nhint: {}", misfit.text(), hint(misfit)));
        }
    }
}

impl Proposal {
    /// Signs and submits a statement as the operator; `misfits` says what of the network's rules will not fit it.
    ///
    /// # Errors
    /// When the folder has no operator's key, or the gateway refuses.
    pub fn submit(
        &self,
        body: Body,
        hash: Hash,
        misfits: impl FnOnce(&NetworkInfo) -> Vec<Misfit>,
    ) -> Result<Proposed, Failure> {
        let folder = Folder::at(&self.dir);
        let config = Config::read(&folder)?;
        let client = Connect::to(self.url.clone()).or_listening(&config).client()?;
        let network = client.network()?;
        Ok(Proposed {
            index: by_operator(&folder, &client, &network, vec![body])?,
            first_epoch: self.from,
            hash: hash.to_hex(),
            misfits: misfits(&network),
            network_id: network.network_id,
            rehearsed: network.rehearsed,
        })
    }
}

/// Signs statements with the operator's key of a network's folder, and has them logged, in order; the last one's entry.
///
/// # Errors
/// When the folder has no operator's key, or that of another network, or the gateway refuses one.
pub fn by_operator(folder: &Folder, client: &Client, network: &NetworkInfo, bodies: Vec<Body>) -> Result<u64, Failure> {
    let operator = Key::read(&folder.key("operator"))?.signing()?;
    if network.operator != operator.public().did() {
        return Err(Failure::wrong("NET-KEYS", format!("{} has another operator", network.name))
            .hint("name the network's own folder with --dir, or its gateway with --url"));
    }
    let (id, now_ms) = (network_id(network)?, wall_ms());
    let expiry_ms = network.time_ms.max(now_ms).saturating_add(EXPIRY_MS);
    let signed = |(nonce, body)| Draft::of(Some(id), body, nonce, expiry_ms).signed_by(&operator).finish().encode();
    let statements: Vec<Vec<u8>> = (now_ms..).zip(bodies).map(signed).collect();
    accepted_indices(&client.submit_statements(&statements)?)
}
