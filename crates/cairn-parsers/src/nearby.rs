//! What is said on the local network.

use std::net::Ipv4Addr;

use cairn_nearby::packet::Message;
use cairn_nearby::{Announcement, Asker, Offer, found};

/// A packet of multicast DNS, heard by one who looks for gateways and by one who is a gateway.
pub fn nearby(bytes: &[u8]) {
    let Ok(message) = Message::read(bytes) else { return };
    assert_eq!(Message::read(&message.write()).as_ref(), Ok(&message));
    for one in found(&message, Ipv4Addr::LOCALHOST, |_| true) {
        assert!([one.name.as_str(), &one.version].iter().all(|word| word.chars().count() <= 63), "{one:?}");
        assert!(!one.name.chars().chain(one.version.chars()).any(char::is_control), "{one:?}");
        assert!(one.network_id.len() == 64 && one.url.starts_with("http"), "{one:?}");
        assert!(one.url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~:".contains(&byte)), "{one:?}");
    }
    let offer = Offer {
        name: "Town".to_owned(),
        network_id: "00".repeat(32),
        port: 8_640,
        is_tls: false,
        host: None,
        version: "0.1.0".to_owned(),
    };
    let gateway = Announcement::of(&offer, "1").expect("it names no host");
    for asker in [Asker::Once, Asker::Peer] {
        if let Some(answer) = gateway.answer(&message, asker, Ipv4Addr::LOCALHOST) {
            assert_eq!(Message::read(&answer.write()), Ok(answer));
        }
    }
}
