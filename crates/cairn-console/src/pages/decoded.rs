//! What the body of an entry says, and whose signatures hold.

use cairn_core::cbor::{Decoder, Value as Cbor};
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::epoch::EpochStatement;
use cairn_core::observation::Observation;
use cairn_core::report::Report;
use cairn_core::statement::{Body, Signer, Statement};
use cairn_core::{Hash, NetworkId};
use data_encoding::HEXLOWER;
use serde::{Serialize, Serializer};

use crate::error::ConsoleError;
use crate::reader::{Reader, SignedBy};

/// Characters of a document or a notation that are shown.
const TEXT_MAX: usize = 6_000;
/// Bytes of a byte string that its notation shows.
const BYTES_MAX: usize = 96;

/// A value, by what it is, so that a page can link it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Hash(String),
    TimeMs(u64),
    Device(String),
    Account(String),
    Entries(Vec<u64>),
    Epoch(u64),
    Document(String),
}

impl Value {
    /// As plain text.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Hash(text) | Self::Device(text) | Self::Account(text) | Self::Document(text) => {
                text.clone()
            }
            Self::TimeMs(number) | Self::Epoch(number) => number.to_string(),
            Self::Entries(indices) => indices.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::TimeMs(number) | Self::Epoch(number) => serializer.serialize_u64(*number),
            Self::Entries(indices) => indices.serialize(serializer),
            text => serializer.serialize_str(&text.text()),
        }
    }
}

/// A signature under an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Signature {
    pub signer: String,
    pub scheme: &'static str,
    /// `null` where its key is not known here.
    pub holds: Option<bool>,
}

impl Signature {
    /// In words.
    pub const fn verdict(&self) -> &'static str {
        match self.holds {
            Some(true) => "holds",
            Some(false) => "does not hold",
            None => "cannot be checked: its key is not known here",
        }
    }
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Decoded {
    /// Names with values, in the order of the format.
    #[serde(serialize_with = "as_map")]
    pub fields: Vec<(&'static str, Value)>,
    pub signatures: Vec<Signature>,
    /// What was signed, in CBOR's diagnostic notation; long strings are cut.
    pub notation: String,
}

fn as_map<S: Serializer>(fields: &[(&'static str, Value)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
}

impl Decoded {
    /// Reads a body. One that cannot be read is shown as its bytes.
    ///
    /// # Errors
    /// [`ConsoleError`] when the ledger cannot be read.
    pub fn read(reader: &Reader<'_>, index: u64, entry: &Entry<'_>) -> Result<Self, ConsoleError> {
        let network = reader.network_id()?;
        match entry.kind {
            EntryKind::Report => report(reader, &network, entry.body),
            EntryKind::Statement => Ok(statement((index > 0).then_some(&network), entry.body)),
            EntryKind::Observation => observation(reader, &network, index, entry.body),
            EntryKind::Epoch => epoch(reader, entry.body),
        }
    }

    /// What cannot be read.
    fn unread(why: &dyn core::fmt::Display) -> Self {
        let fields = vec![("unreadable", Value::Text(why.to_string()))];
        Self { fields, signatures: Vec::new(), notation: String::new() }
    }
}

fn report(reader: &Reader<'_>, network: &NetworkId, body: &[u8]) -> Result<Decoded, ConsoleError> {
    let report = match Report::parse(body) {
        Ok(report) => report,
        Err(error) => return Ok(Decoded::unread(&error)),
    };
    let said = &report.body;
    let device = report.device();
    let mut fields = vec![
        ("device", Value::Device(report.measured_by().to_string())),
        ("boot", Value::Text(said.boot.to_string())),
        ("seq", Value::Text(said.seq.to_string())),
        ("measured", Value::TimeMs(said.time_ms)),
        ("schema", Value::Text(said.schema.clone())),
        ("identity", Value::Hash(report.identity().to_hex())),
    ];
    if said.subject.is_some() {
        fields.insert(1, ("said by bridge", Value::Device(device.to_string())));
    }
    for (original, size) in &said.blobs {
        fields.push(("made of", Value::Hash(original.to_hex())));
        fields.push(("its bytes", Value::Text(size.to_string())));
    }
    if let Some((source, error_ms)) = said.clock {
        fields.push(("clock source", Value::Text(format!("{}, within {error_ms} ms", source.number()))));
    }
    if said.flags != 0 {
        fields.push(("flags", Value::Text(said.flags.to_string())));
    }
    let message = report.to_be_signed(network);
    let signed = reader.signed_by(&device, &message, &report.sign1.signature)?;
    let signature = Signature {
        signer: match &signed {
            SignedBy::Key(did) | SignedBy::FormerKey(did) => did.clone(),
            SignedBy::Nobody | SignedBy::Unknown => device.to_string(),
        },
        scheme: match signed {
            SignedBy::FormerKey(_) => "COSE, with a key the device had before",
            _ => "COSE",
        },
        holds: match signed {
            SignedBy::Key(_) | SignedBy::FormerKey(_) => Some(true),
            SignedBy::Nobody => Some(false),
            SignedBy::Unknown => None,
        },
    };
    Ok(Decoded { fields, signatures: vec![signature], notation: notation_of(report.sign1.payload) })
}

fn statement(network: Option<&NetworkId>, body: &[u8]) -> Decoded {
    let statement = match Statement::parse(body) {
        Ok(statement) => statement,
        Err(error) => return Decoded::unread(&error),
    };
    let schema = statement.body.schema().as_str();
    let mut fields = vec![
        ("schema", Value::Text(schema.to_owned())),
        ("nonce", Value::Text(statement.nonce.to_string())),
        ("expires", Value::TimeMs(statement.expiry_ms)),
        ("payload hash", Value::Hash(statement.payload_hash().to_hex())),
    ];
    fields.extend(named(&statement.body));
    let signature = |signed: &cairn_core::statement::Signed| Signature {
        signer: match &signed.signer {
            Signer::Key(key) => key.did(),
            Signer::Evm(address) => format!("0x{}", HEXLOWER.encode(address)),
            Signer::Solana(key) => HEXLOWER.encode(key),
        },
        scheme: match signed.signer {
            Signer::Key(_) => "COSE",
            Signer::Evm(_) => "EIP-712",
            Signer::Solana(_) => "Ed25519 over a line",
        },
        holds: Some(signed.verifies(network, schema, &statement.payload)),
    };
    let signatures = statement.signed.iter().map(signature).collect();
    Decoded { fields, signatures, notation: notation_of(&statement.payload) }
}

/// What a statement names that has a page of its own, or is a document; the notation has the rest.
fn named(body: &Body) -> Vec<(&'static str, Value)> {
    let device = |id: &cairn_core::DeviceId| ("device", Value::Device(id.to_string()));
    match body {
        Body::Genesis(genesis) => vec![
            ("name", Value::Text(genesis.name.clone())),
            ("origin", Value::Text(genesis.origin.clone())),
            ("rehearsed", Value::Text(genesis.rehearsed.join("; "))),
        ],
        Body::Enrol(enrol) => vec![
            device(&cairn_core::DeviceId::of_key(&enrol.key.multicodec())),
            ("owner", Value::Account(enrol.owner.to_string())),
            ("role", Value::Text(enrol.role.word().to_owned())),
            ("model", Value::Text(enrol.model.clone())),
        ],
        Body::Transfer(transfer) => {
            vec![device(&transfer.device), ("next owner", Value::Account(transfer.owner.to_string()))]
        }
        Body::Retire(id) => vec![device(id)],
        Body::Rotate(rotate) => vec![device(&rotate.device), ("next key", Value::Hash(rotate.key.did()))],
        Body::Deny(deny) => vec![
            device(&deny.device),
            ("reason", Value::Text(deny.reason.clone())),
            ("until", Value::TimeMs(deny.until_ms)),
            ("evidence", Value::Entries(deny.evidence.clone())),
        ],
        Body::Appeal(appeal) => vec![
            ("of the denial", Value::Entries(vec![appeal.deny])),
            ("says", Value::Text(appeal.text.clone())),
            ("evidence", Value::Entries(appeal.evidence.clone())),
        ],
        Body::Policy(policy) => vec![
            ("from epoch", Value::Text(policy.first_epoch.to_string())),
            ("document", document(&String::from_utf8_lossy(&policy.document))),
        ],
        Body::Profile(profile) => vec![
            ("class", Value::Text(profile.class.clone())),
            ("from epoch", Value::Text(profile.first_epoch.to_string())),
            ("document", document(&String::from_utf8_lossy(&profile.document))),
        ],
        _ => Vec::new(),
    }
}

fn document(text: &str) -> Value {
    Value::Document(cut(text, TEXT_MAX))
}

fn observation(reader: &Reader<'_>, network: &NetworkId, index: u64, body: &[u8]) -> Result<Decoded, ConsoleError> {
    let observation = match Observation::parse(body) {
        Ok(observation) => observation,
        Err(error) => return Ok(Decoded::unread(&error)),
    };
    let said = &observation.body;
    let fields = vec![
        ("source", Value::Text(said.source.clone())),
        ("round", Value::Text(said.round.to_string())),
        ("value", Value::Text(cut(&notation(&said.value), TEXT_MAX))),
    ];
    let key_id = observation.sign1.key_id;
    let message = observation.to_be_signed(network);
    let observer = reader.observer(&key_id, index)?;
    let signature = Signature {
        signer: observer.as_ref().map_or_else(|| HEXLOWER.encode(&key_id), cairn_core::key::PublicKey::did),
        scheme: "COSE",
        holds: observer.map(|key| key.verify(&message, &observation.sign1.signature)),
    };
    Ok(Decoded { fields, signatures: vec![signature], notation: notation_of(observation.sign1.payload) })
}

fn epoch(reader: &Reader<'_>, body: &[u8]) -> Result<Decoded, ConsoleError> {
    let statement = match EpochStatement::decode(body) {
        Ok(statement) => statement,
        Err(error) => return Ok(Decoded::unread(&error)),
    };
    let hash = Hash::of(body).to_hex();
    let own = reader.source(Some(statement.number)).ok().and_then(|source| source.as_of);
    let implied = own.is_some_and(|own| own.statement == hash);
    let implied = if implied { "yes: it is the statement that this gateway's log implies" } else { "no" };
    let fields = vec![
        ("epoch", Value::Epoch(statement.number)),
        ("hash", Value::Hash(hash)),
        ("implied by the log", Value::Text(implied.to_owned())),
    ];
    Ok(Decoded { fields, signatures: Vec::new(), notation: notation_of(body) })
}

fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let shown: String = text.chars().take(characters).collect();
    format!("{shown}\n… cut here")
}

fn notation_of(bytes: &[u8]) -> String {
    match Decoder::over(bytes).value() {
        Ok(value) => cut(&notation(&value), TEXT_MAX),
        Err(error) => error.to_string(),
    }
}

/// A value in CBOR's diagnostic notation, maps with a line for each key. Strings are cut where they are long.
fn notation(value: &Cbor) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Cbor, depth: usize, text: &mut String) {
    if text.len() > 2 * TEXT_MAX {
        return;
    }
    match value {
        Cbor::Int(int) => text.push_str(&int.to_string()),
        Cbor::Bytes(bytes) if bytes.len() > BYTES_MAX => {
            text.push_str(&format!("h'{}…' /{} bytes/", HEXLOWER.encode(&bytes[..BYTES_MAX]), bytes.len()));
        }
        Cbor::Bytes(bytes) => text.push_str(&format!("h'{}'", HEXLOWER.encode(bytes))),
        Cbor::Text(said) => text.push_str(&format!("\"{}\"", said.escape_default())),
        Cbor::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                write(item, depth + 1, text);
            }
            text.push(']');
        }
        Cbor::Map(pairs) => {
            text.push('{');
            for (at, (key, item)) in pairs.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                text.push_str(&format!("\n{:1$}{key}: ", "", 2 * (depth + 1)));
                write(item, depth + 1, text);
            }
            text.push_str(&format!("\n{:1$}}}", "", 2 * depth));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_notation_of_the_standard() {
        let int = Cbor::Int;
        for (value, expected) in [
            (int(-5), "-5"),
            (Cbor::Text("a\"\n".into()), "\"a\\\"\\n\""),
            (Cbor::Bytes(vec![1, 255]), "h'01ff'"),
            (Cbor::Array(vec![int(1), Cbor::Array(vec![])]), "[1, []]"),
            (Cbor::map(vec![(1, int(2)), (3, Cbor::map(vec![(4, int(5))]))]), "{\n  1: 2,\n  3: {\n    4: 5\n  }\n}"),
        ] {
            assert_eq!(notation(&value), expected);
        }
        let long = notation(&Cbor::Bytes(vec![0; 40_000]));
        assert!(long.len() < 300 && long.ends_with("/40000 bytes/"), "{long}");
        let wide = Cbor::Array(vec![Cbor::Bytes(vec![0; 90]); 6_000]);
        assert!(cut(&notation(&wide), TEXT_MAX).chars().count() <= TEXT_MAX + 12);
    }
}
