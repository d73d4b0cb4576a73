//! A network on disk, made of the entries of one in memory; and HTML as its tokens.

use std::sync::RwLock;

use cairn_api::Health;
use cairn_console::basemap::Basemap;
use cairn_console::word::{Silent, Word};
use cairn_console::{Answer, Reader, Standing};
use cairn_core::ed25519::SigningKey;
use cairn_core::geo::{Cell, Position};
use cairn_core::key::SecretKey;
use cairn_core::statement::{Body, Deny, Draft, Enrol, Mobility, Role, Statement};
use cairn_ledger::{Ledger, LedgerOptions, NetworkClock};
use cairn_log::{Log, LogOptions, LogReader, StdDisk};
use cairn_merkle::NoteSigner;
use cairn_testkit::network::{CLASS, DAY_MS, MemoryNetwork, SeededDevice, Terms};
use html5gum::{Token, Tokenizer};
use tempfile::TempDir;

/// A network whose pages are asked for.
pub struct Site {
    pub ledger: RwLock<Ledger>,
    pub log: LogReader,
    pub devices: Vec<SeededDevice>,
    /// The statements of the closed epochs, decoded from the log's own bytes.
    pub closed: Vec<cairn_core::epoch::EpochStatement>,
    /// Where what chains said is written down.
    pub settled: std::path::PathBuf,
    /// The operator's base map.
    pub basemap: Option<Basemap>,
    _folder: TempDir,
}

impl Site {
    /// The site of a network in memory.
    pub fn of(network: &MemoryNetwork, devices: Vec<SeededDevice>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = std::sync::Arc::new(StdDisk::create(folder.path().join("log")).unwrap());
        let (mut log, _) = Log::open(disk, LogOptions::default()).unwrap();
        log.append(&network.entries).unwrap();
        let signer = NoteSigner::new("test.invalid/memory", SigningKey::from_seed([253; 32])).unwrap();
        log.publish_checkpoint(&signer, &[]).unwrap();
        let views = folder.path().join("views");
        let ledger = Ledger::open(&views, log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
        let closed = network.closed.iter().map(|closed| closed.statement.clone()).collect();
        Self {
            ledger: RwLock::new(ledger),
            log: log.reader(),
            devices,
            closed,
            settled: folder.path().join("settled"),
            basemap: None,
            _folder: folder,
        }
    }

    /// The answer to a GET of an address, which leads to a page.
    pub fn get(&self, address: &str) -> Answer {
        self.get_from(address, &Silent)
    }

    /// The same of a gateway that says something of its own.
    pub fn get_from(&self, address: &str, word: &dyn Word) -> Answer {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let size = self.log.size();
        let reader = Reader {
            ledger: &self.ledger,
            log: &self.log,
            clock: NetworkClock::Recorded { start_ms: 0 },
            standing: Standing::Well(Health {
                status: "ok".to_owned(),
                size,
                checkpoint_size: size,
                checkpoint_age_ms: 1_500,
            }),
            settled: Some(&self.settled),
            basemap: self.basemap.as_ref(),
            word,
        };
        cairn_console::answer(&reader, path, query).unwrap_or_else(|| panic!("no page at {address}"))
    }

    /// The cells that its devices enrolled with, in the order of the devices.
    pub fn cells(&self) -> Vec<Cell> {
        let ledger = self.ledger.read().unwrap();
        let cell = |device: &SeededDevice| Cell::of(ledger.state().devices[&device.id].cell).unwrap();
        self.devices.iter().map(cell).collect()
    }

    /// A page that is there.
    pub fn page(&self, address: &str) -> String {
        let answer = self.get(address);
        let text = String::from_utf8(answer.body).unwrap();
        assert_eq!(answer.status, 200, "{address}: {text}");
        text
    }

    pub fn json(&self, address: &str) -> serde_json::Value {
        serde_json::from_str(&self.page(address)).unwrap()
    }
}

/// What others may write into a network.
pub struct Words<'a> {
    pub model: &'a str,
    pub reason: &'a str,
    pub rehearsed: &'a str,
    pub name: &'a str,
}

/// What harmless people write.
pub const PLAIN: Words<'static> =
    Words { model: "test", reason: "TEST", rehearsed: "everything: a test in memory", name: "small" };

fn enrolment(network: &mut MemoryNetwork, device: &SeededDevice, place: i32, model: &str) -> Statement {
    let position = Position::of(500_000_000 + place * 2_000_000, 100_000_000).unwrap();
    let enrol = Enrol {
        key: device.key.public(),
        owner: device.account.clone(),
        role: Role::Device,
        classes: vec![CLASS.into()],
        model: model.into(),
        mobility: Mobility::Fixed,
        cell: Cell::containing(position, 8).unwrap().index(),
        exact: None,
        altitude_cm: Some(12_345),
    };
    let nonce = network.next_nonce();
    Draft::of(Some(network.id), Body::Enrol(enrol), nonce, u64::MAX >> 1)
        .signed_by(&device.key)
        .signed_by_wallet(&device.wallet)
        .finish()
}

/// Six devices over three weeks: one says wild things, one is denied, one is silent.
pub fn small(words: &Words<'_>) -> Site {
    let terms = Terms::default();
    let (policy, profile) = (cairn_testkit::network::policy(2), cairn_testkit::network::daily_profile(2));
    let clock = SecretKey::ed25519([252; 32]);
    let mut network = MemoryNetwork::called(words.name, words.rehearsed, terms, &policy, profile, clock);
    let devices: Vec<SeededDevice> = (1..=6).map(SeededDevice::of).collect();
    for (place, device) in (0..).zip(&devices) {
        let statement = enrolment(&mut network, device, place, words.model);
        assert_eq!(network.log(cairn_core::entry::EntryKind::Statement, &statement.encode()).1, None);
    }
    for day in 0..21u32 {
        let time_ms = terms.zero_ms + u64::from(day) * DAY_MS;
        network.pass_to(time_ms + DAY_MS);
        for (place, device) in devices.iter().enumerate().take(5) {
            let usual = 200 + i64::from(day) * 7 % 40 + i64::try_from(place).unwrap();
            network.send(device, day, time_ms, if place == 1 && day % 5 == 0 { usual * 20 } else { usual });
        }
        if day == 8 {
            let deny = Deny {
                device: devices[3].id,
                reason: words.reason.into(),
                evidence: vec![1],
                until_ms: time_ms + 30 * DAY_MS,
            };
            assert_eq!(network.operate(Body::Deny(deny)).1, None);
        }
    }
    network.pass_to(terms.zero_ms + 30 * DAY_MS);
    assert_eq!(network.closed.len(), 4);
    Site::of(&network, devices)
}

/// A tag of a page: its name, and its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

impl Tag {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The start tags of a page, and its text; fails on what no page has.
pub fn parse(html: &str) -> (Vec<Tag>, String) {
    let (mut tags, mut text) = (Vec::new(), String::new());
    let mut open: Vec<String> = Vec::new();
    let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for token in Tokenizer::new(html) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let name = string(&tag.name);
                if !["meta", "link", "input"].contains(&name.as_str()) {
                    open.push(name.clone());
                }
                let attributes = tag.attributes.iter().map(|(key, value)| (string(key), string(value)));
                tags.push(Tag { name, attributes: attributes.collect() });
            }
            Token::EndTag(tag) => assert_eq!(open.pop(), Some(string(&tag.name)), "tags are nested"),
            Token::String(found) => text.push_str(&string(&found)),
            Token::Doctype(_) => {}
            Token::Comment(comment) => panic!("a comment: {comment:?}"),
            Token::Error(error) => panic!("{error:?} in {html}"),
        }
    }
    assert!(open.is_empty(), "{open:?} stay open");
    (tags, text)
}
