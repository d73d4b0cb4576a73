//! Reaching a gateway: its address, and the checkpoint it serves, verified.

use cairn_api::{DeviceInfo, NetworkInfo};
use cairn_client::Client;
use cairn_core::key::PublicKey;
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_merkle::{NoteVerifier, SignedCheckpoint};

use crate::config::Config;
use crate::failure::Failure;

/// The environment variable that names the gateway.
pub const ADDRESS_VARIABLE: &str = "CAIRN_URL";
/// Where `cairn up` listens unless told otherwise.
const ADDRESS: &str = "http://127.0.0.1:8640";

/// What the network knows of a device that signs with this key; `enrol` is what to do where it knows none.
///
/// # Errors
/// `NET-KEY` where it signs with another one now; the gateway's.
pub fn device_of_key(client: &Client, device: &DeviceId, key: &PublicKey, enrol: &str) -> Result<DeviceInfo, Failure> {
    let known = client.device(device).map_err(|error| {
        let hint = error.is_not_found().then_some(enrol);
        Failure::from(error).maybe_hint(hint)
    })?;
    if known.key != key.did() {
        return Err(Failure::wrong("NET-KEY", format!("{device} signs with {} now", known.key))
            .hint("use the key file of the device's current key"));
    }
    Ok(known)
}

/// Which gateway to ask.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Connect {
    /// Address of the gateway [default: the environment's CAIRN_URL, or http://127.0.0.1:8640]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl Connect {
    /// The gateway at an address, if one is given.
    #[must_use]
    pub const fn to(url: Option<String>) -> Self {
        Self { url }
    }

    /// The gateway named, or the one that a network's folder runs.
    #[must_use]
    pub fn or_listening(&self, config: &Config) -> Self {
        Self::to(Some(self.named().unwrap_or_else(|| format!("http://{}", config.gateway.listen))))
    }

    /// The address: the one given, the environment's, or the usual one.
    #[must_use]
    pub fn address(&self) -> String {
        self.named().unwrap_or_else(|| ADDRESS.to_owned())
    }

    /// The address given or the environment's, if there is one.
    #[must_use]
    pub fn named(&self) -> Option<String> {
        let of_environment = || std::env::var(ADDRESS_VARIABLE).ok().filter(|address| !address.is_empty());
        self.url.clone().or_else(of_environment)
    }

    /// A client of the gateway.
    ///
    /// # Errors
    /// `NET-URL`.
    pub fn client(&self) -> Result<Client, Failure> {
        Ok(Client::at(&self.address())?)
    }
}

/// The network's id in a gateway's words.
///
/// # Errors
/// `NET-ANSWER` when it is no hash.
pub fn network_id(network: &NetworkInfo) -> Result<NetworkId, Failure> {
    let id = Hash::from_hex(&network.network_id)
        .ok_or_else(|| Failure::failed("NET-ANSWER", format!("`{}` is no network id", network.network_id)))?;
    Ok(NetworkId(id))
}

/// The checkpoint that the gateway serves, with its note, if `log` has signed it.
///
/// # Errors
/// When it cannot be had, or another key signed it.
pub fn checkpoint(client: &Client, log: &NoteVerifier) -> Result<(String, SignedCheckpoint), Failure> {
    let note = client.checkpoint()?;
    let signed = SignedCheckpoint::open(&note, log, &[])?;
    Ok((note, signed))
}
