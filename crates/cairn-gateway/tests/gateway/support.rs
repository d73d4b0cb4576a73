//! A network in a temporary folder, its devices, and a client of a few lines.

#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::missing_panics_doc)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cairn_api::{NetworkInfo, SubmitResponse};
use cairn_classes::Class;
use cairn_core::cbor::Value;
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::EntryKind;
use cairn_core::geo::{Cell, Position};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::report::{ReportBody, sign_report};
use cairn_core::statement::{
    Body, DomainTerms, Draft, Enrol, Genesis, Mobility, PolicyDocument, ProfileDocument, Role, Statement,
};
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, DeviceId, Domain, Hash, NetworkId};
use cairn_gateway::{Gateway, GatewayOptions, Running};
use cairn_ledger::{Answer, Ledger, LedgerOptions, NetworkClock, OperatorKeys, Sequencer, Submission};
use cairn_log::{Disk, Log, LogOptions, StdDisk};
use tempfile::TempDir;

pub const DAY_MS: u64 = 86_400_000;
pub const GRACE_MS: u64 = 3_600_000;
/// Midnight, 14 November 2023.
pub const ZERO_MS: u64 = 1_699_920_000_000;
pub const EXPIRY_MS: u64 = ZERO_MS * 2;
pub const CHAIN: &str = "eip155:31337";
pub const REHEARSED: &str = NetworkClock::RECORDED_DECLARATION;
pub const CLOCK: NetworkClock = NetworkClock::Recorded { start_ms: ZERO_MS };

/// Asks until the answer is what is waited for. A minute of asking is no measure of speed: by then it will not come.
#[track_caller]
pub fn until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "what is waited for does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A network on a recorded clock: its folder and the operator's keys.
pub struct Net {
    pub folder: TempDir,
    pub keys: OperatorKeys,
    pub network: NetworkId,
    pub policy: String,
    /// The log's disk; `None` is the folder's.
    pub disk: Option<Arc<dyn Disk>>,
}

impl Net {
    /// Makes a network in its folder.
    pub fn found() -> Self {
        Self::found_on(None)
    }

    /// Makes a network: genesis, policy, profile, settlement chain.
    pub fn found_on(disk: Option<Arc<dyn Disk>>) -> Self {
        let keys = OperatorKeys {
            operator: SecretKey::ed25519([1; 32]),
            log: SigningKey::from_seed([2; 32]),
            promise: SigningKey::from_seed([3; 32]),
            clock: SecretKey::ed25519([4; 32]),
        };
        let treasury = Account::parse(&format!("{CHAIN}:0x00000000000000000000000000000000000000ab")).unwrap();
        let policy = cairn_reward::default_policy("WALK", &treasury, &keys.clock.public())
            .replace("source = \"bulletin\"", "source = \"clock\"");
        let genesis = Genesis {
            random: [7; 16],
            name: "walk".to_owned(),
            origin: "log.example/walk".to_owned(),
            operator: keys.operator.public(),
            log_key: keys.log.public_bytes(),
            promise_key: keys.promise.public_bytes(),
            epoch_zero_ms: ZERO_MS,
            epoch_ms: DAY_MS,
            grace_ms: GRACE_MS,
            policy_hash: Hash::of(policy.as_bytes()),
            rehearsed: vec![REHEARSED.to_owned()],
        };
        let genesis = Draft::of(None, Body::Genesis(genesis), 1, EXPIRY_MS).signed_by(&keys.operator).finish();
        let network = NetworkId(genesis.payload_hash());
        let net = Self { folder: tempfile::tempdir().unwrap(), keys, network, policy, disk };
        let mut sequencer = net.sequencer();
        let (_, profile) = Class::Sensing.default_profiles().iter().find(|(name, _)| name.contains("station")).unwrap();
        let profile = ProfileDocument {
            first_epoch: 0,
            class: Class::Sensing.schema().to_owned(),
            document: profile.as_bytes().to_vec(),
        };
        let policy = PolicyDocument { first_epoch: 0, document: net.policy.clone().into_bytes() };
        let domain = DomainTerms {
            domain: Domain::parse(CHAIN).unwrap(),
            distributor: [9; 32],
            token: String::new(),
            finality_blocks: 0,
        };
        let bodies = [Body::Policy(policy), Body::Profile(profile), Body::Domain(domain)];
        let rest = (2..).zip(bodies).map(|(nonce, body)| net.by_operator(body, nonce));
        let submissions = core::iter::once(genesis).chain(rest).map(|statement| Submission {
            kind: EntryKind::Statement,
            body: statement.encode(),
            checked: None,
        });
        let receipted = sequencer.submit(submissions.collect()).unwrap();
        for answer in &receipted.answers {
            assert!(matches!(answer, Answer::Accepted { .. }), "{answer:?}");
        }
        net
    }

    pub fn by_operator(&self, body: Body, nonce: u64) -> Statement {
        Draft::of(Some(self.network), body, nonce, EXPIRY_MS).signed_by(&self.keys.operator).finish()
    }

    /// Opens log and ledger, as a start after an end or a crash does.
    pub fn sequencer(&self) -> Sequencer {
        let in_folder = || Arc::new(StdDisk::create(self.folder.path().join("log")).unwrap());
        let disk = self.disk.clone().unwrap_or_else(|| in_folder());
        let (log, _) = Log::open(disk, LogOptions::default()).unwrap();
        let views = self.folder.path().join("views");
        let ledger = Ledger::open(&views, log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
        Sequencer::over(log, ledger, self.keys.clone(), CLOCK).unwrap()
    }

    pub fn start(&self) -> Running {
        self.start_with(options())
    }

    pub fn start_with(&self, options: GatewayOptions) -> Running {
        Gateway::start(self.sequencer(), CLOCK, options).unwrap()
    }

    /// An enrolment; each number is another device of another owner at another place.
    pub fn enrol(&self, device: &Device) -> Vec<u8> {
        let number = i32::from(device.number);
        let position = Position::of(530_000_000 + number * 300_000, 95_000_000).unwrap();
        let enrol = Enrol {
            key: device.key.public(),
            owner: device.owner(),
            role: Role::Device,
            classes: vec!["sensing/1".to_owned()],
            model: "test station".to_owned(),
            mobility: Mobility::Fixed,
            cell: Cell::containing(position, 8).unwrap().index(),
            exact: None,
            altitude_cm: Some(1_000),
        };
        Draft::of(Some(self.network), Body::Enrol(enrol), 1, EXPIRY_MS)
            .signed_by(&device.key)
            .signed_by_wallet(&device.wallet)
            .finish()
            .encode()
    }

    /// A temperature, in 0.01 degC, measured a second later than the one before.
    pub fn report(&self, device: &Device, seq: u32, temperature: i64) -> Vec<u8> {
        let time_ms = ZERO_MS + u64::from(seq % 300) * 1_000;
        self.report_at(device, seq, time_ms, temperature)
    }

    pub fn report_at(&self, device: &Device, seq: u32, time_ms: u64, temperature: i64) -> Vec<u8> {
        let body = Value::map(vec![(1, Value::Int(temperature))]);
        let body = ReportBody::of(1, seq, time_ms, "sensing/1", body);
        sign_report(&device.key, device.id(), &self.network, &body)
    }

    pub fn clock(&self, time_ms: u64) -> Vec<u8> {
        sign_observation(&self.keys.clock, &self.network, &ObservationBody::clock(time_ms))
    }

    /// The time at which an epoch closes.
    pub fn closing_ms(epoch: u64) -> u64 {
        ZERO_MS + (epoch + 1) * DAY_MS + GRACE_MS
    }
}

pub fn options() -> GatewayOptions {
    GatewayOptions {
        listen: "127.0.0.1:0".to_owned(),
        checkpoint: Duration::from_millis(20),
        metrics_public: true,
        ..GatewayOptions::default()
    }
}

pub struct Device {
    pub number: u8,
    pub key: SecretKey,
    pub wallet: WalletKey,
}

impl Device {
    pub fn of(number: u8) -> Self {
        let key = SecretKey::ed25519([100 + number; 32]);
        Self { number, key, wallet: WalletKey::from_bytes([100 + number; 32]).unwrap() }
    }

    pub fn id(&self) -> DeviceId {
        DeviceId::of_key(&self.key.public().multicodec())
    }

    pub fn owner(&self) -> Account {
        Account::at(Domain::parse(CHAIN).unwrap(), self.wallet.address()).unwrap()
    }
}

/// An HTTP answer.
#[derive(Debug, Clone)]
pub struct Http {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Http {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.body).unwrap()
    }

    pub fn json<T: serde::de::DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem's code; fails on anything that is not a whole problem document.
    pub fn problem(&self) -> cairn_api::Problem {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{} {}", self.status, self.text());
        let problem: cairn_api::Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        assert!(!problem.detail.is_empty() && !problem.title.is_empty());
        problem
    }
}

/// A client on one connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn to(running: &Running) -> Self {
        Self::at(running.address())
    }

    pub fn at(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // A gateway that refuses early closes while the rest is being sent; its answer is there to be read.
        let _ = self.stream.get_mut().write_all(bytes);
    }

    pub fn read_to_end(&mut self, bytes: &mut Vec<u8>) {
        self.stream.read_to_end(bytes).unwrap();
    }

    pub fn receive(&mut self, has_body: bool) -> Http {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).unwrap() > 0, "the connection closed after {head:?}");
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut http = Http { status, head, body: Vec::new() };
        if has_body {
            let length = http.header("content-length").unwrap().parse().unwrap();
            http.body = vec![0; length];
            self.stream.read_exact(&mut http.body).unwrap();
        }
        http
    }

    pub fn get(&mut self, path: &str) -> Http {
        self.get_as(path, "*/*")
    }

    pub fn get_as(&mut self, path: &str, accept: &str) -> Http {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\naccept: {accept}\r\n\r\n").as_bytes());
        self.receive(true)
    }

    pub fn post(&mut self, path: &str, content_type: &str, body: &[u8]) -> Http {
        self.start_post(path, content_type, body);
        self.receive(true)
    }

    pub fn start_post(&mut self, path: &str, content_type: &str, body: &[u8]) {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
        );
        self.send(&[head.as_bytes(), body].concat());
    }

    pub fn report(&mut self, report: &[u8]) -> SubmitResponse {
        self.post("/v1/reports", "application/cose", report).json()
    }

    pub fn reports(&mut self, reports: &[Vec<u8>]) -> SubmitResponse {
        self.post("/v1/reports", "application/cbor-seq", &reports.concat()).json()
    }

    pub fn statement(&mut self, statement: &[u8]) -> SubmitResponse {
        self.post("/v1/statements", "application/cbor", statement).json()
    }

    pub fn observation(&mut self, observation: &[u8]) -> SubmitResponse {
        self.post("/v1/observations", "application/cose", observation).json()
    }

    pub fn network(&mut self) -> NetworkInfo {
        self.get("/v1/network").json()
    }

    /// A metric's value as it stands; zero while it is not there.
    pub fn metric(&mut self, name: &str) -> u64 {
        let page = self.get("/metrics");
        let value = page.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until the checkpoint covers everything.
    pub fn settle(&mut self) -> cairn_api::Health {
        loop {
            let health: cairn_api::Health = self.get("/health").json();
            if health.checkpoint_size == health.size {
                return health;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What became of each item: `accepted 4`, `duplicate 4`, or the code.
pub fn rows(response: &SubmitResponse) -> Vec<String> {
    let row = |row: &cairn_api::ResultRow| match (row.status, row.index, &row.code) {
        (cairn_api::ResultStatus::Accepted, Some(index), None) => format!("accepted {index}"),
        (cairn_api::ResultStatus::Duplicate, Some(index), None) => format!("duplicate {index}"),
        (cairn_api::ResultStatus::Rejected, None, Some(code)) if row.detail.is_some() => code.clone(),
        _ => panic!("not a whole row: {row:?}"),
    };
    response.results.iter().map(row).collect()
}
