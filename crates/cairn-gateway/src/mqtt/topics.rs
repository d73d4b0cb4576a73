//! The names of topics: `cairn/<network>/reports`, and `cairn/<network>/results/<device>`.

use cairn_core::{DeviceId, NetworkId};

/// Where devices publish their reports.
pub(super) fn reports(network: NetworkId) -> String {
    format!("cairn/{}/reports", network.0.to_hex())
}

/// The same for a group of gateways, of which each message goes to one; without a name there is no group.
pub(super) fn shared(group: &str, network: NetworkId) -> String {
    if group.is_empty() { reports(network) } else { format!("$share/{group}/{}", reports(network)) }
}

/// Where a device hears what became of its reports; without one, where nobody's are told.
pub(super) fn results(network: NetworkId, device: Option<DeviceId>) -> String {
    let whose = device.map_or_else(|| "unknown".to_owned(), |device| device.to_string());
    format!("cairn/{}/results/{whose}", network.0.to_hex())
}

#[cfg(test)]
mod tests {
    use cairn_core::Hash;

    use super::*;

    #[test]
    fn topics_name_the_network_and_the_device_and_nothing_that_matches_more() {
        let network = NetworkId(Hash([0xab; 32]));
        let id = "ab".repeat(32);
        let device = DeviceId::of_key(b"a key");
        for (topic, expected) in [
            (reports(network), format!("cairn/{id}/reports")),
            (shared("", network), format!("cairn/{id}/reports")),
            (shared("gateways", network), format!("$share/gateways/cairn/{id}/reports")),
            (results(network, None), format!("cairn/{id}/results/unknown")),
            (results(network, Some(device)), format!("cairn/{id}/results/{device}")),
        ] {
            assert_eq!(topic, expected);
            assert!(!topic.contains(['+', '#']));
        }
    }
}
