//! Every parser of bytes that come from outside, by name, with the laws that it is held to. Dev only.
//!
//! Each [`Parser`] takes any bytes at all. It must not panic and must not do unbounded work; what it accepts must obey the
//! parser's law, most often that it is written again as the very bytes that were read, so that nothing has two
//! encodings. Two things run this one table: the ordinary tests, over the committed corpus, and the fuzz targets in
//! `fuzz/`, over bytes that libFuzzer invents. A parser that is not in the table is not held to anything, so whoever
//! writes one adds a row.
//!
//! Not here: what a parser accepts or refuses by which code. That is told by tables of cases beside each parser.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answers;
mod basemap;
mod bridge;
mod chain;
mod chain_files;
mod class;
mod compute;
mod documents;
mod edge;
mod evidence;
mod folder;
mod merkle;
mod names;
mod nearby;
mod payments;
mod signing;
mod state;
mod tables;
mod vocabulary;

/// A parser and its law.
#[derive(Debug, Clone, Copy)]
pub struct Parser {
    /// The name of its fuzz target and of its folder in the corpus.
    pub name: &'static str,
    /// What it is held to, besides not panicking.
    pub law: &'static str,
    /// Runs it on any bytes; panics when the law is broken.
    pub run: fn(&[u8]),
}

macro_rules! parsers {
    ($($name:literal, $law:literal, $run:path;)+) => {
        /// All of them, by name.
        pub const PARSERS: &[Parser] = &[$(Parser { name: $name, law: $law, run: $run },)+];
    };
}

parsers! {
    "account", "an account, device id or chain that is read is printed as one that reads the same", names::account;
    "add-checkpoint", "a request to a witness that is read is printed as it was", merkle::add_checkpoint;
    "amount", "digits that are read are printed again without leading zeros", names::amount;
    "answers", "what a client reads of an answer is written as JSON that it reads the same", answers::answers;
    "auditor-record", "a record that opens is what it was but for a torn end, and nothing is signed against a document", signing::auditor_record;
    "basemap", "each tile of an archive that is taken is the same whichever was asked for before, and no larger than it may be; any other is refused with a code", basemap::basemap;
    "bundle", "entries that are read make the same bundle", merkle::bundle;
    "cbor", "a value that is read has the bytes that it was read from", vocabulary::cbor;
    "cell", "a cell that is read is printed as one that reads the same", names::cell;
    "chain-folder", "a chain that opens is what it was but for a torn end, and opens the same again", chain_files::chain_folder;
    "checkpoint", "a checkpoint that is read is printed as the same text", merkle::checkpoint;
    "chirpstack", "an uplink that is read names one device in lower case, and says quantities once, in order and in range", bridge::chirpstack;
    "compute-body", "a body that is read has the bytes that it was read from", class::compute_body;
    "compute-profile", "a profile that is read keeps its bounds; any other is refused with a code", class::compute_profile;
    "cosignature-history", "checkpoints that are read, one after the other, are the history", merkle::cosignature_history;
    "dataset", "rows that are read have values in range, a known station, and a line of their own", tables::dataset;
    "deployment", "a record that is read is written as JSON that reads the same", chain::deployment;
    "deposit", "a deposit or an asset of credit that is read has the bytes that it was read from", vocabulary::deposit;
    "did-key", "a key that is read is printed as the same text", names::did_key;
    "edge-config", "any text is a configuration of sources and reducers, or is refused with a code", edge::edge_config;
    "edge-decimal", "a number that is read is as far from zero with its sign turned", edge::decimal;
    "edge-payload", "readings of a payload are in range and each quantity once", edge::payload;
    "edge-raw", "a raw input that is read has the bytes that it was read from", edge::edge_raw;
    "edge-time", "a time that is read is shown as one that reads the same", edge::edge_time;
    "entry", "an entry that is read has the bytes that it was read from", vocabulary::entry;
    "epoch-statement", "a statement that is read has the bytes that it was read from", vocabulary::epoch_statement;
    "evidence", "an evidence that is read has the bytes that it was read from", evidence::evidence;
    "forwarded", "a peer that is not trusted is charged itself, whatever its header says", names::forwarded;
    "key-file", "a key that is read is written as a file that holds it", documents::key_file;
    "keystore", "a key that is opened is sealed as a file that opens to it", chain::keystore;
    "log-folder", "a log that opens and is checked holds the entries under its checkpoint", folder::log_folder;
    "market-record", "a record that is read is the only one of its market, which gives back what it locked", class::market_record;
    "memory", "what a judge reads of its memory has the bytes that it was read from", class::memory;
    "nearby", "a packet that is read is written as one that reads the same, and gateways that it tells of have harmless names and an address", nearby::nearby;
    "network-toml", "any text is a configuration or is refused with a code", documents::network_toml;
    "node-toml", "any text is a configuration or is refused with a code and the way out", documents::node_toml;
    "note", "a note that is read is printed as the same text", merkle::note;
    "observation", "an observation that is read has the bytes that it was read from", vocabulary::observation;
    "outbox", "what an outbox opens says what the document says, and any other is refused as broken", chain_files::outbox;
    "payment", "a payment that is read is written as one that reads the same", payments::payment;
    "payout", "a row that is read has the bytes that it was read from", vocabulary::payout;
    "pkcs8-key", "a key that is read is the same one when nothing stands around it and its lines end elsewhere", documents::pkcs8_key;
    "policy", "a policy that is read reads the same again, and any other document is refused with a code", documents::policy;
    "profile", "a profile that is admitted has slots and a revision; any other is refused with a code", class::profile;
    "promise", "a promise that is read and signed again is the same text", merkle::promise;
    "promise-file", "the notes in a file, written one after the other, are the notes in that file", documents::promise_file;
    "readings", "rows that are read have values in range and lines that ascend", tables::readings;
    "receipt", "a receipt that is read is printed as one that reads the same", merkle::receipt;
    "report", "a report that is read has the payload that it was read from", vocabulary::report;
    "rlp", "items that are read have the bytes that they were read from", chain::rlp;
    "sale", "a sale that is read has the bytes that it was read from, and pays no more than was locked", vocabulary::sale;
    "senml-cbor", "a pack that is read names devices of the table, and says quantities once, in order and in range", bridge::senml_cbor;
    "senml-json", "a pack that is read names devices of the table, and says quantities once, in order and in range", bridge::senml_json;
    "sensing-body", "a body that is read has the bytes that it was read from", class::sensing_body;
    "sensor-community", "a push that is read names one station in lower case, and says quantities once, in order and in range", bridge::sensor_community;
    "signatures", "what auditors and gateways tell each other is written as it was read", signing::signatures;
    "snapshot", "a snapshot that is read has the bytes that it was read from", state::snapshot;
    "state-records", "records that are read as a state are among the records of that state, which read as the same", state::records;
    "statement", "a statement that is read has the bytes that it was read from", vocabulary::statement;
    "submission", "the items of a body and what cannot be read, one after the other, are the body", tables::submission;
    "tile", "hashes that are read make the same tile", merkle::tile;
    "tile-path", "a path that is read is printed as the same text", merkle::tile_path;
    "transaction", "a transaction that is read has the bytes that it was read from", chain::transaction;
    "trust-policy", "a policy that is read needs all of its quorum and is content with everybody", merkle::trust_policy;
    "verdict", "a verdict that is read has the bytes that it was read from", vocabulary::verdict;
    "verifier-key", "a key that is read is printed as one that reads the same", merkle::verifier_key;
    "wasm-module", "a module that is taken is metered within its bound and has one result; any other is refused", compute::wasm_module;
}

/// Runs the parser of a fuzz target.
///
/// # Panics
/// When there is none of that name, or its law is broken.
pub fn run(name: &str, bytes: &[u8]) {
    let parser = PARSERS.iter().find(|parser| parser.name == name);
    let parser = parser.unwrap_or_else(|| panic!("no parser is called `{name}`"));
    (parser.run)(bytes);
}

/// Text, of those parsers that take only text.
fn text(bytes: &[u8]) -> Option<&str> {
    vocabulary::str_of(bytes)
}
