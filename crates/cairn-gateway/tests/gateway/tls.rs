//! TLS with a real client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cairn_gateway::{ClientCertificates, Gateway, GatewayOptions, Running, TlsOptions};
use tempfile::TempDir;
use ureq::Agent;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::support::{CLOCK, Client, Net, options};

fn kept(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/certificates").join(name)).unwrap()
}

/// A folder with a gateway's certificate and key, as an operator keeps them.
struct Kept(TempDir);

impl Kept {
    fn with(gateway: &str) -> Self {
        let kept = Self(tempfile::tempdir().unwrap());
        kept.put(gateway);
        std::fs::write(kept.path("clients.pem"), self::kept("authority-two.pem")).unwrap();
        kept
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, gateway: &str) {
        use std::os::unix::fs::OpenOptionsExt;
        std::fs::write(self.path("certificate.pem"), kept(&format!("{gateway}.pem"))).unwrap();
        let mut options = std::fs::OpenOptions::new();
        let mut key = options.write(true).create(true).truncate(true).mode(0o600).open(self.path("key.pem")).unwrap();
        std::io::Write::write_all(&mut key, &kept(&format!("{gateway}.key.pem"))).unwrap();
    }

    fn options(&self) -> TlsOptions {
        let mut tls = TlsOptions::with(self.path("certificate.pem"), self.path("key.pem"));
        tls.reload = Duration::from_millis(20);
        tls
    }

    fn asking(&self, how: ClientCertificates) -> TlsOptions {
        TlsOptions { clients: Some((self.path("clients.pem"), how)), ..self.options() }
    }
}

fn start(net: &Net, tls: TlsOptions) -> Running {
    let admin_listen = Some("127.0.0.1:0".to_owned());
    net.start_with(GatewayOptions { tls: Some(tls), admin_listen, ..options() })
}

/// A client that believes one authority, and shows a certificate or none.
fn agent(authority: &str, shown: Option<&str>) -> Agent {
    let roots = [Certificate::from_pem(&kept(authority)).unwrap().to_owned()];
    let shown = shown.map(|name| {
        let certificate = Certificate::from_pem(&kept(&format!("{name}.pem"))).unwrap().to_owned();
        let key = PrivateKey::from_pem(&kept(&format!("{name}.key.pem"))).unwrap().to_owned();
        ClientCert::new_with_certs(&[certificate], key)
    });
    let tls = TlsConfig::builder().root_certs(RootCerts::from(roots)).client_cert(shown).build();
    Agent::config_builder().tls_config(tls).timeout_global(Some(Duration::from_secs(60))).build().into()
}

fn ask(agent: &Agent, running: &Running) -> Result<u16, ureq::Error> {
    let answer = agent.get(format!("https://localhost:{}/health", running.address().port())).call()?;
    let status = answer.status().as_u16();
    // Read to its end, the connection is used again.
    answer.into_body().read_to_vec()?;
    Ok(status)
}

#[test]
fn a_client_speaks_tls_with_the_gateway_it_knows_and_no_other() {
    let net = Net::found();
    let kept = Kept::with("gateway-one");
    let running = start(&net, kept.options());
    assert_eq!(ask(&agent("authority-one.pem", None), &running).unwrap(), 200);
    assert!(ask(&agent("authority-two.pem", None), &running).is_err());
    let mut plain = Client::to(&running);
    plain.send(b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n");
    let mut rest = Vec::new();
    plain.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1"), "nothing is said in the clear");
    let mut admin = Client::at(running.admin_address().unwrap());
    assert!(admin.metric("cairn_connections_failed_total{reason=\"tls\"}") >= 1);
}

#[test]
fn certificates_change_without_closing_connections_and_wrong_ones_change_nothing() {
    let net = Net::found();
    let kept = Kept::with("gateway-one");
    let running = start(&net, kept.options());
    let before = agent("authority-one.pem", None);
    assert_eq!(ask(&before, &running).unwrap(), 200);
    // A certificate without its key: as if it were being replaced.
    std::fs::write(kept.path("certificate.pem"), b"no certificate").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(ask(&agent("authority-one.pem", None), &running).unwrap(), 200);
    kept.put("gateway-two");
    while ask(&agent("authority-two.pem", None), &running).is_err() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(ask(&agent("authority-one.pem", None), &running).is_err(), "handshakes use the one that is there now");
    assert_eq!(ask(&before, &running).unwrap(), 200, "the connection that stood goes on");
}

#[test]
fn client_certificates_are_asked_for_as_configured() {
    let net = Net::found();
    let kept = Kept::with("gateway-one");
    for (how, shown, is_served) in [
        (ClientCertificates::Required, Some("client"), true),
        (ClientCertificates::Required, None, false),
        (ClientCertificates::Required, Some("gateway-one"), false),
        (ClientCertificates::Optional, Some("client"), true),
        (ClientCertificates::Optional, None, true),
        (ClientCertificates::Optional, Some("gateway-one"), false),
    ] {
        let running = start(&net, kept.asking(how));
        let asked = ask(&agent("authority-one.pem", shown), &running);
        assert_eq!(asked.ok() == Some(200), is_served, "{how:?} {shown:?}");
    }
}

#[test]
fn a_slow_handshake_is_cut_off() {
    let net = Net::found();
    let kept = Kept::with("gateway-one");
    let running = start(&net, TlsOptions { handshake_timeout: Duration::from_millis(100), ..kept.options() });
    let mut slow = Client::to(&running);
    slow.send(&[0x16, 0x03]);
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest);
    assert!(rest.is_empty());
    assert_eq!(ask(&agent("authority-one.pem", None), &running).unwrap(), 200);
}

#[test]
fn a_gateway_does_not_start_with_certificates_that_do_not_fit() {
    use std::os::unix::fs::PermissionsExt;
    let net = Net::found();
    let kept = Kept::with("gateway-one");
    let start = |tls| Gateway::start(net.sequencer(), CLOCK, GatewayOptions { tls: Some(tls), ..options() }).err();
    let mut cases = vec![("no file", TlsOptions::with(kept.path("nothing.pem"), kept.path("key.pem")))];
    cases.push(("no key", TlsOptions::with(kept.path("certificate.pem"), kept.path("nothing.pem"))));
    cases.push(("a certificate for a key", TlsOptions::with(kept.path("key.pem"), kept.path("key.pem"))));
    std::fs::write(kept.path("other.pem"), self::kept("gateway-two.pem")).unwrap();
    cases.push(("another's key", TlsOptions::with(kept.path("other.pem"), kept.path("key.pem"))));
    for (what, tls) in cases {
        assert_eq!(start(tls).map(|error| error.code()), Some("NET-TLS"), "{what}");
    }
    std::fs::set_permissions(kept.path("key.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = start(kept.options()).unwrap().to_string();
    assert!(refused.contains("key.pem") && refused.contains("others may read"), "{refused}");
}
