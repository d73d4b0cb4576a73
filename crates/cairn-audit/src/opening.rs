//! How an audit begins: who signs this log, is it the network that was meant, and does it continue what was remembered?

use std::str::FromStr;

use cairn_core::entry::{Entry, EntryKind};
use cairn_core::key::PublicKey;
use cairn_core::statement::{Body, Genesis, Signer, Statement};
use cairn_core::{Hash, NetworkId};
use cairn_merkle::note::{KeyKind, Note};
use cairn_merkle::proof::root_at;
use cairn_merkle::tile::{TiledHashes, split_entry};
use cairn_merkle::{Checkpoint, NoteVerifier, SignedCheckpoint, TileLevel, TilePath};

use crate::audit::AuditOptions;
use crate::difference::{Difference, Stop};
use crate::error::AuditError;
use crate::report::{AuditedCheckpoint, AuditedNetwork};
use crate::source::Source;
use crate::tiles::{AuthenticTiles, fetch};
use crate::witnessed::read_checkpoint;

/// A log whose checkpoint was opened with the key that its genesis names.
pub(crate) struct Opened<'a> {
    /// Its tiles.
    pub tiles: AuthenticTiles<'a>,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The network.
    pub network: NetworkId,
    /// The log's key.
    pub log: NoteVerifier,
    /// The checkpoint as it was served.
    pub note: String,
    /// What is rehearsed, as the genesis has it.
    pub rehearsed: Vec<String>,
}

/// What of a log is known as soon as it is opened, for the report.
#[derive(Default)]
pub(crate) struct Seen {
    pub network: Option<AuditedNetwork>,
    pub checkpoint: Option<AuditedCheckpoint>,
}

/// Opens a log: checkpoint, genesis, the operator's signature, what was pinned, the right edge of the tree, entry 0.
pub(crate) fn open<'a>(source: &'a dyn Source, options: &AuditOptions, seen: &mut Seen) -> Result<Opened<'a>, Stop> {
    let missing = || Difference::at("LOG-MISSING", "checkpoint", "there is none");
    let note = read_checkpoint(source, options.trust.as_ref())?.ok_or_else(missing)?;
    let note = String::from_utf8(note).map_err(|_| Difference::at("LOG-NOTE", "checkpoint", "it is not UTF-8 text"))?;
    let refuse = |error: cairn_merkle::MerkleError| Difference::at(error.code(), "checkpoint", error.to_string());
    let unopened = Note::from_str(&note).map_err(refuse)?;
    let claimed = Checkpoint::from_str(unopened.text()).map_err(refuse)?;
    let (entry, payload, genesis) = read_genesis(source, claimed.size())?;
    let network = NetworkId(Hash::of(&payload));
    seen.network = Some(AuditedNetwork {
        network_id: network.to_string(),
        name: genesis.name.clone(),
        origin: genesis.origin.clone(),
        operator: genesis.operator.did(),
        rehearsed: genesis.rehearsed.clone(),
    });
    check_pins(options, &network, &genesis)?;
    let log = log_key(&genesis)?;
    let checkpoint = SignedCheckpoint::open(&note, &log, &[]).map_err(refuse)?.checkpoint;
    seen.checkpoint =
        Some(AuditedCheckpoint { size: checkpoint.size(), root: checkpoint.root().to_string(), note: note.clone() });
    let tiles = AuthenticTiles::under(source, &checkpoint)?;
    if tiles.entry(0, &mut None)? != entry {
        let twice = "it was served twice, and not the same both times";
        return Err(Difference::at("LOG-ENTRY-DIFFERS", "entry 0", twice).entry(0).into());
    }
    Ok(Opened { tiles, checkpoint, network, log, note, rehearsed: genesis.rehearsed })
}

/// Entry 0, and the payload and genesis that it holds, signed by the operator that it names; not yet known to be under the
/// checkpoint.
fn read_genesis(source: &dyn Source, size: u64) -> Result<(Vec<u8>, Vec<u8>, Genesis), Stop> {
    let differs = |detail: String| Difference::at("NET-GENESIS", "entry 0", detail).entry(0);
    let bundle = TilePath::in_log(TileLevel::Entries, 0, size);
    let bundle = bundle.ok_or_else(|| differs("the log is empty: there is no genesis".to_owned()))?;
    let bytes = fetch(source, bundle)?;
    let (bytes, _) = split_entry(&bytes).ok_or_else(|| differs(format!("{bundle} ends before entry 0 does")))?;
    let entry = Entry::decode(bytes).map_err(|error| differs(error.to_string()))?;
    if entry.kind != EntryKind::Statement {
        return Err(differs("it is no statement, so no genesis".to_owned())
            .values("a genesis statement", entry.kind.word())
            .into());
    }
    let statement = Statement::parse(entry.body).map_err(|error| differs(error.to_string()))?;
    let Body::Genesis(genesis) = &statement.body else {
        let schema = statement.body.schema().as_str();
        return Err(differs("it is another statement".to_owned()).values("genesis", schema).into());
    };
    if !statement.is_signed_by(&Signer::Key(genesis.operator)) || !statement.signatures_hold(None) {
        return Err(differs(format!("the operator that it names, {}, has not signed it", genesis.operator)).into());
    }
    let genesis = genesis.clone();
    Ok((bytes.to_vec(), statement.payload, genesis))
}

fn check_pins(options: &AuditOptions, network: &NetworkId, genesis: &Genesis) -> Result<(), Stop> {
    let differs = |detail: &str| Difference::at("NET-PIN", "entry 0", detail).entry(0);
    if let Some(pinned) = options.network.filter(|pinned| pinned != network) {
        return Err(differs("this is another network than the one meant").values(pinned, network).into());
    }
    if let Some(pinned) = options.operator.filter(|pinned: &PublicKey| *pinned != genesis.operator) {
        return Err(differs("another operator signs this network").values(pinned, genesis.operator).into());
    }
    Ok(())
}

fn log_key(genesis: &Genesis) -> Result<NoteVerifier, Stop> {
    let differs = |detail: String| Difference::at("NET-GENESIS", "entry 0", detail).entry(0);
    let key = cairn_core::ed25519::VerifyingKey::from_bytes(genesis.log_key);
    let key = key.ok_or_else(|| differs("the log key that it names is no point of the curve".to_owned()))?;
    NoteVerifier::new(&genesis.origin, KeyKind::Ed25519, key).map_err(|error| differs(error.to_string()).into())
}

/// Reads a remembered checkpoint, before anything is asked of the source.
pub(crate) fn parse_remembered(note: &str) -> Result<Checkpoint, AuditError> {
    let read = Note::from_str(note).and_then(|note| Checkpoint::from_str(note.text()));
    read.map_err(|error| AuditError::Remembered { reason: error.to_string() })
}

impl Opened<'_> {
    /// Whether the log continues the one that a remembered checkpoint was of; entries under that one.
    pub(crate) fn continues(&self, note: &str) -> Result<u64, Stop> {
        let differs = |code: &str, detail: String| Difference::at(code, "the remembered checkpoint", detail);
        let remembered = SignedCheckpoint::open(note, &self.log, &[])
            .map_err(|error| differs("LOG-REMEMBERED", format!("it is not of this log: {error}")))?
            .checkpoint;
        let (size, served) = (remembered.size(), self.checkpoint.size());
        if size > served {
            let detail = "the log was rolled back: it has fewer entries than it had".to_owned();
            let values = (format!("at least {size} entries"), format!("{served} entries"));
            return Err(differs("LOG-ROLLBACK", detail).values(values.0, values.1).beside(note.to_owned()).into());
        }
        let root = root_at(&TiledHashes::new(&self.tiles, served), size)?;
        if root != remembered.root() {
            let detail = format!("the log was forked: its first {size} entries are not those it had");
            let values = (format!("root {}", remembered.root()), format!("root {root}"));
            return Err(differs("LOG-FORK", detail).values(values.0, values.1).beside(note.to_owned()).into());
        }
        Ok(size)
    }
}
