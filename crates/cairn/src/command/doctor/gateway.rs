//! What a gateway serves: whether it is well, is the folder's own, and its checkpoint and clock are fresh.

use cairn_api::NetworkInfo;
use cairn_client::{Client, ClientError, Retries};
use cairn_ledger::wall_ms;
use cairn_merkle::NoteVerifier;

use super::folder::Founded;
use super::{Finding, Health, Where};
use crate::connect::checkpoint;
use crate::failure::Failure;
use crate::rules::Misfit;
use crate::words::{count, duration, utc};

/// How far a wall clock and a gateway's may differ.
const CLOCK_APART_MS: u64 = 5_000;
/// An answer that comes later than this is worth a word.
const CHECKPOINT_OLD_MS: u64 = 10_000;

/// Examines the gateway.
pub fn examine(place: &Where, founded: Option<&Founded>, findings: &mut Vec<Finding>) {
    let address = place.connect.address();
    let client = match Client::patient(&address, Retries { attempts: 1, ..Retries::default() }) {
        Ok(client) => client,
        Err(error) => return findings.push(Finding::of_failure(Health::Fail, "gateway", error.into())),
    };
    let network = match client.network() {
        Ok(network) => network,
        Err(error @ ClientError::Connection { .. }) if !place.is_named => {
            let what = format!("none answers at {address}");
            let hint = "fine while the network is down; `cairn up` starts it";
            // The hint says more than the connection's error would.
            drop(error);
            return findings.push(Finding::warn("gateway", what).hint(hint));
        }
        Err(error) => return findings.push(Finding::of_failure(Health::Fail, "gateway", error.into())),
    };
    findings.push(Finding::ok("gateway", format!("`{}` answers at {address}", network.name)));
    if let Some(founded) = founded {
        findings.push(same_network(&network, founded));
    }
    findings.extend(rules(&network));
    findings.push(health(&client));
    findings.push(signed(&client, &network));
    let is_wall = !network.rehearsed.iter().any(|what| what == cairn_ledger::NetworkClock::RECORDED_DECLARATION);
    if is_wall {
        findings.push(clock(network.time_ms));
    }
}

fn same_network(network: &NetworkInfo, founded: &Founded) -> Finding {
    let id = founded.id.0.to_hex();
    if network.network_id == id {
        return Finding::ok("network", format!("the gateway serves this folder's, {id}"));
    }
    let what = format!("the gateway serves {}, the folder holds {id}", network.network_id);
    Finding::fail("network", what).hint("name the folder's own gateway with --url, or the gateway's own folder")
}

/// The rules that are logged and do not fit each other: a network with them pays nothing.
fn rules(network: &NetworkInfo) -> impl Iterator<Item = Finding> + '_ {
    Misfit::logged(&network.rules).map(|misfit| Finding::warn("rules", misfit.text()).hint(misfit.profile_hint()))
}

fn health(client: &Client) -> Finding {
    let health = match client.health() {
        Ok(health) => health,
        Err(error) => return Finding::of_failure(Health::Fail, "health", error.into()),
    };
    let age = duration(health.checkpoint_age_ms);
    let uncovered = health.size.saturating_sub(health.checkpoint_size);
    let what =
        format!("{}; the checkpoint is {age} old and lacks {}", health.status, count(uncovered, "entry", "entries"));
    if health.checkpoint_age_ms > CHECKPOINT_OLD_MS {
        return Finding::warn("health", what).hint("a checkpoint every second is usual: look at /metrics");
    }
    Finding::ok("health", what)
}

fn signed(client: &Client, network: &NetworkInfo) -> Finding {
    let opened =
        network.log_vkey.parse::<NoteVerifier>().map_err(Failure::from).and_then(|log| checkpoint(client, &log));
    match opened {
        Ok((_, signed)) => {
            let size = count(signed.checkpoint.size(), "entry", "entries");
            Finding::ok("checkpoint", format!("over {size}, signed by the log's key"))
        }
        Err(failure) => Finding::of_failure(Health::Fail, "checkpoint", failure),
    }
}

fn clock(time_ms: u64) -> Finding {
    let here_ms = wall_ms();
    let apart_ms = here_ms.abs_diff(time_ms);
    if apart_ms <= CLOCK_APART_MS {
        return Finding::ok(
            "time",
            format!("the gateway's clock is within {} of this machine's", duration(CLOCK_APART_MS)),
        );
    }
    let what = format!("the gateway says {}, this machine {}", utc(time_ms), utc(here_ms));
    Finding::warn("time", what).hint("set both clocks with NTP; reports ahead of the gateway's are refused")
}
