//! The console's pages behind a real gateway: every link leads somewhere, `/` is for everybody, and limits hold.

use std::collections::BTreeSet;

use cairn_api::EpochInfo;

use crate::support::{Client, Device, Http, Net};

/// A network whose epoch 0 has closed over the reports of two devices.
fn closed_epoch() -> (Net, cairn_gateway::Running, [Device; 2]) {
    let net = Net::found();
    let running = net.start();
    let mut client = Client::to(&running);
    let devices = [Device::of(1), Device::of(2)];
    for device in &devices {
        client.statement(&net.enrol(device));
        let reports: Vec<Vec<u8>> = (0..20).map(|seq| net.report(device, seq, 1_500 + i64::from(seq))).collect();
        client.reports(&reports);
    }
    client.observation(&net.clock(Net::closing_ms(0)));
    while client.network().epoch < 1 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    client.settle();
    (net, running, devices)
}

/// The addresses that a page links, as they stand in its attributes.
fn links(html: &str) -> Vec<String> {
    let after = |quoted: &str| quoted.split('"').next().unwrap().replace("&amp;", "&");
    let found = ["href=\"", "action=\""].iter().flat_map(|name| html.split(name).skip(1).map(after));
    found.filter(|link| link != "#main").collect()
}

fn is_html(answer: &Http) -> bool {
    answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
}

#[test]
fn every_link_from_the_first_page_is_answered() {
    let (_net, running, devices) = closed_epoch();
    let mut client = Client::to(&running);
    let mut seen = BTreeSet::new();
    let mut waiting = vec!["/network".to_owned()];
    while let Some(address) = waiting.pop() {
        assert!(address.starts_with('/') && !address.starts_with("//"), "{address} leaves the site");
        if !seen.insert(address.clone()) {
            continue;
        }
        let answer = client.get(&address);
        assert_eq!(answer.status, 200, "{address}: {}", String::from_utf8_lossy(&answer.body));
        if is_html(&answer) {
            waiting.extend(links(answer.text()));
        }
    }
    let id = devices[0].id();
    for page in [format!("/devices/{id}"), format!("/why/{id}/0"), "/epochs/0".to_owned(), "/entries/0.csv".to_owned()]
    {
        assert!(seen.contains(&page), "{page} is linked");
    }
}

#[test]
fn the_first_address_is_text_for_machines_and_a_page_for_browsers() {
    let (_net, running, _) = closed_epoch();
    let mut client = Client::to(&running);
    for accept in ["*/*", "text/plain", "text/plain, text/html;q=0.5", "application/json"] {
        let answer = client.get_as("/", accept);
        assert_eq!((answer.status, answer.header("vary")), (200, Some("Accept")), "{accept}");
        assert!(answer.text().starts_with("walk\n"));
    }
    for accept in ["text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"] {
        let answer = client.get_as("/", accept);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/network")), "{accept}");
        assert_eq!(answer.header("vary"), Some("Accept"));
    }
}

#[test]
fn pages_have_the_consoles_headers_and_are_read_only() {
    let (_net, running, _) = closed_epoch();
    let mut client = Client::to(&running);
    let page = client.get("/network");
    assert!(is_html(&page));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let tag = page.header("etag").unwrap().to_owned();
    client.send(format!("GET /network HTTP/1.1\r\nhost: test\r\nif-none-match: {tag}\r\n\r\n").as_bytes());
    let again = client.receive(false);
    assert_eq!((again.status, again.header("etag")), (304, Some(tag.as_str())));
    client.send(b"HEAD /network HTTP/1.1\r\nhost: test\r\n\r\n");
    let head = client.receive(false);
    assert_eq!((head.status, head.header("content-length")), (200, page.header("content-length")));
    let refused = client.post("/network", "text/plain", b"");
    assert_eq!((refused.status, refused.problem().code.as_str()), (405, "NET-METHOD"));
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    assert_eq!(client.get("/networks").problem().code, "NET-ROUTE");
    assert_eq!(client.get("/assets/console.css").problem().code, "NET-ROUTE");
    let missing = client.get("/epochs/7");
    assert_eq!((missing.status, is_html(&missing)), (404, true));
    assert_eq!(client.get("/epochs/7.json").problem().code, "NET-NO-EPOCH");
}

#[test]
fn pages_say_what_the_api_says() {
    let (_net, running, devices) = closed_epoch();
    let mut client = Client::to(&running);
    let info: EpochInfo = client.get("/v1/epochs/0").json();
    let twin: serde_json::Value = client.get("/epochs/0.json").json();
    let epoch: EpochInfo = serde_json::from_value(twin["epoch"].clone()).unwrap();
    assert_eq!(epoch, info);
    assert!(client.get("/epochs/0").text().contains(&info.state_root));
    let status: serde_json::Value = client.get("/status.json").json();
    assert_eq!(status["status"], "ok");
    assert_eq!(status["entries"].as_u64(), Some(client.network().size));
    for device in &devices {
        let (id, path) = (device.id(), format!("/v1/devices/{}/epochs/0", device.id()));
        let said: serde_json::Value = client.get(&path).json();
        let shown: serde_json::Value = client.get(&format!("/why/{id}/0.json")).json();
        for field in ["paid", "slots", "pools", "claim", "device"] {
            assert_eq!(shown[field], said[field], "{field} of {id}");
        }
        assert_eq!(shown["verified"]["verdicts"].as_u64(), Some(said["slots"].as_array().unwrap().len() as u64));
    }
}
