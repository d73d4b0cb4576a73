//! Uplinks of ChirpStack v4, as its HTTP integration posts them: `event=up`, JSON.
//!
//! Read of an uplink: the device's EUI, what the codec made of its payload (`object`, by a [`Mapping`] whose pointers begin at
//! the whole event), when a gateway received it, and what names it. Other events are answered and passed over.
//!
//! **Its name**: the deduplication id, a UUID that ChirpStack makes for each uplink, whichever gateways heard it, and that every
//! event of version 4 carries (`integration.proto`: `deduplication_id`). A frame counter is no name: a device that was activated by
//! personalisation (ABP) begins again at nought under the same address whenever it loses power. It is asked only where there is no
//! id, and then together with the time at which the frame was heard.
//!
//! **Time**: LoRaWAN devices rarely tell the time; what is known is when a gateway heard them. That is a network's clock, and gateways
//! are known to begin in 2012 and to hand that on: so the network server's own time goes before a gateway's that is more than a minute
//! off it. Where neither is said, the report claims no time.

use cairn_core::Hash;
use cairn_core::report::ClockSource;
use cairn_edge::map::{Mapping, TimeForm, parse_time};
use serde::Deserialize;

use crate::said::sorted;
use crate::{BridgeError, Measured, Replay, Said};

/// How far off a gateway's clock may be, ms, and what is claimed of it.
pub const GATEWAY_ERROR_MS: u64 = 1_000;
/// What is claimed of the network server's: it hears of an uplink some time after the gateway.
pub const SERVER_ERROR_MS: u64 = 5_000;
/// How far apart the two may be before the server's goes first.
const APART_MS: u64 = 60_000;

/// How long the same bytes are the same uplink where they say neither an id nor a time.
const AGAIN_MS: u64 = 10_000;

/// The mapping where bridge.toml names none: what codecs usually call what they decode.
pub const USUAL_FIELDS: &str = include_str!("chirpstack.toml");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Uplink {
    deduplication_id: Option<String>,
    time: Option<String>,
    device_info: DeviceInfo,
    dev_addr: Option<String>,
    f_cnt: Option<u64>,
    #[serde(default)]
    rx_info: Vec<RxInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceInfo {
    dev_eui: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RxInfo {
    gw_time: Option<String>,
    ns_time: Option<String>,
}

/// Reads an uplink.
///
/// # Errors
/// `BRG-PAYLOAD`, and the codes of the mapping.
pub fn read(bytes: &[u8], mapping: &Mapping) -> Result<(Said, Replay), BridgeError> {
    let expected = "uplink of ChirpStack v4";
    let uplink: Uplink =
        serde_json::from_slice(bytes).map_err(|error| BridgeError::Payload { expected, why: error.to_string() })?;
    let device = uplink.device_info.dev_eui.to_ascii_lowercase();
    if device.len() != 16 || !device.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let why = "deviceInfo.devEui is not 16 hexadecimal digits".to_owned();
        return Err(BridgeError::Payload { expected, why });
    }
    let mapped = mapping.read(bytes)?;
    let measured = measured(&uplink);
    let replay = replay(&uplink, measured, bytes);
    Ok((Said { measured, readings: sorted(mapped.readings), device }, replay))
}

/// What names an uplink: its id among all gateways that heard it, or else its frame with the time at which that was heard; and its
/// bytes, which hold either. Where there is neither, bytes alone may be another measurement's, too.
fn replay(uplink: &Uplink, measured: Measured, bytes: &[u8]) -> Replay {
    let device = uplink.device_info.dev_eui.to_ascii_lowercase();
    let named =
        |kind: &str, name: &str| Hash::of_parts(&[b"chirpstack ", kind.as_bytes(), device.as_bytes(), name.as_bytes()]);
    let same = named("bytes ", &Hash::of(bytes).to_string());
    let id = uplink.deduplication_id.as_deref().filter(|id| !id.is_empty());
    match (id, measured, &uplink.dev_addr, uplink.f_cnt) {
        (Some(id), ..) => Replay::Named(vec![same, named("id ", id)]),
        (None, Measured::At { time_ms, .. }, Some(session), Some(number)) => {
            Replay::Named(vec![same, named("frame ", &format!("{session} {number} {time_ms}"))])
        }
        (None, Measured::At { .. }, ..) => Replay::Named(vec![same]),
        (None, Measured::OnArrival { .. } | Measured::Unknown, ..) => Replay::Within { key: same, ms: AGAIN_MS },
    }
}

fn measured(uplink: &Uplink) -> Measured {
    let read = |text: &Option<String>| parse_time(text.as_deref()?, TimeForm::Rfc3339).ok();
    let gateway = uplink.rx_info.iter().filter_map(|heard| read(&heard.gw_time)).min();
    let server = uplink.rx_info.iter().filter_map(|heard| read(&heard.ns_time)).min().or_else(|| read(&uplink.time));
    let at = |time_ms, error_ms| Measured::At { time_ms, source: ClockSource::Network, error_ms };
    match (gateway, server) {
        (Some(gateway), Some(server)) if gateway.abs_diff(server) > APART_MS => at(server, SERVER_ERROR_MS),
        (Some(gateway), _) => at(gateway, GATEWAY_ERROR_MS),
        (None, Some(server)) => at(server, SERVER_ERROR_MS),
        (None, None) => Measured::Unknown,
    }
}

#[cfg(test)]
mod tests;
