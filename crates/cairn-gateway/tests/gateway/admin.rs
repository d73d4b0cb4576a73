//! The operator's own listener.

use std::net::SocketAddr;

use cairn_api::Health;
use cairn_gateway::{GatewayOptions, Running};

use crate::support::{Client, Device, Net, options, rows};

fn start(net: &Net) -> (Running, SocketAddr) {
    let admin_listen = Some("127.0.0.1:0".to_owned());
    let running = net.start_with(GatewayOptions { admin_listen, metrics_public: false, ..options() });
    let address = running.admin_address().unwrap();
    (running, address)
}

#[test]
fn metrics_and_draining_are_the_operators_alone() {
    let net = Net::found();
    let (running, address) = start(&net);
    let (mut public, mut admin) = (Client::to(&running), Client::at(address));
    assert_eq!(public.get("/metrics").problem().code, "NET-ROUTE");
    assert_eq!(public.get("/healthz").problem().code, "NET-ROUTE");
    assert_eq!(public.post("/v1/admin/drain", "text/plain", b"").problem().code, "NET-ROUTE");
    assert!(admin.get("/metrics").text().contains("\ncairn_writer_up 1\n"));
    assert!(admin.get("/metrics").text().contains("\ncairn_clock_behind_seconds 0.000000\n"));
    assert_eq!(admin.get("/healthz").status, 200);
    assert_eq!(admin.get("/readyz").json::<Health>().status, "ok");
    assert_eq!(admin.get("/v1/network").problem().code, "NET-ROUTE");
    assert_eq!(admin.get("/v1/admin/drain").problem().code, "NET-HTTP");
}

#[test]
fn a_gateway_that_drains_takes_nothing_more_and_reads_go_on() {
    let net = Net::found();
    let (running, address) = start(&net);
    let (mut public, mut admin) = (Client::to(&running), Client::at(address));
    let device = Device::of(1);
    assert_eq!(rows(&public.statement(&net.enrol(&device))), ["accepted 4"]);

    admin.send(b"POST /v1/admin/drain HTTP/1.1\r\nhost: t\r\norigin: http://evil.example\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(admin.receive(true).problem().code, "NET-ADMIN-ORIGIN", "no page in a browser drains it");
    assert_eq!(admin.get("/readyz").status, 200);

    assert_eq!(admin.post("/v1/admin/drain", "text/plain", b"").status, 202);
    let refused = public.post("/v1/reports", "application/cose", &net.report(&device, 1, 1_500));
    assert_eq!((refused.status, refused.problem().code.as_str()), (503, "NET-DRAINING"));
    assert_eq!(refused.header("retry-after"), Some("10"));
    assert_eq!(admin.get("/readyz").problem().code, "NET-DRAINING");
    assert_eq!(admin.get("/healthz").status, 200, "it is alive, so nobody starts it anew");
    assert_eq!(public.network().size, 5);
    assert!(admin.get("/metrics").text().contains("\ncairn_draining 1\n"));
}

#[test]
fn the_operators_listener_answers_while_the_public_one_is_full() {
    let net = Net::found();
    let admin_listen = Some("127.0.0.1:0".to_owned());
    let running = net.start_with(GatewayOptions { admin_listen, connections_max: 1, ..options() });
    let mut first = Client::to(&running);
    assert_eq!(first.get("/health").status, 200);
    assert_eq!(Client::to(&running).receive(true).status, 503);
    let mut admin = Client::at(running.admin_address().unwrap());
    let page = admin.get("/metrics");
    for line in ["cairn_connections 1", "cairn_refused_total{code=\"NET-CONNECTIONS\"} 1"] {
        assert!(page.text().lines().any(|found| found == line), "{line} in\n{}", page.text());
    }
}

#[test]
fn every_metric_has_a_type_and_a_value() {
    let net = Net::found();
    let (running, address) = start(&net);
    let device = Device::of(1);
    Client::to(&running).statement(&net.enrol(&device));
    let page = Client::at(address).get("/metrics");
    let mut typed = String::new();
    for line in page.text().lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            typed = head.split(' ').next().unwrap().to_owned();
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with(&typed), "{line} under {typed}");
            assert!(value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{line}");
        }
    }
    for line in ["cairn_group_items_bucket{le=\"1\"} 1", "cairn_group_items_bucket{le=\"+Inf\"} 1"] {
        assert!(page.text().lines().any(|found| found == line), "{line} in\n{}", page.text());
    }
}
