//! What a node means by an error: every implementation says it in its own way.
//!
//! Codes alone say little (-32000 is everything), so the words are read, too. What is not recognised is no revert, no
//! success and nothing to repeat: it is handed on as it is.

use core::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::hex;

/// The error object of JSON-RPC.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RpcError {
    pub(super) code: i64,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    data: ErrorData,
}

/// The text in an error's `data`: itself, or that under `data`, `result` or `output` in it, however deep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ErrorData(Option<String>);

/// What an error means to who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The contract refuses, with this data.
    Reverted(Vec<u8>),
    /// The machine stopped, or the contract refused without data: the node's words.
    Stopped(String),
    /// More events than the node gives at once, or from too many blocks.
    TooMany,
    /// Ask again later.
    Busy,
    /// The node has no such method.
    Unknown,
    /// It has the transaction.
    Known,
    /// The transaction's nonce was used.
    NonceUsed,
    /// Anything else.
    Other,
}

/// Words by which nodes say each thing, lower case; the first group that has one of its words in the message decides.
///
/// Collected from the sources and answers of geth, erigon, nethermind, besu, parity (OpenEthereum), anvil, hardhat and of
/// providers in front of them.
const WORDS: [(Meaning, &[&str]); 6] = [
    (
        Meaning::Known,
        &[
            "already known",
            "alreadyknown",
            "already_exists",
            "known transaction",
            "already imported",
            "already in mempool",
            "same hash was already",
            "transaction already exists",
        ],
    ),
    (
        Meaning::NonceUsed,
        &["nonce too low", "nonce_too_low", "nonce is too low", "oldnonce", "old nonce", "nonce has already been used"],
    ),
    (
        Meaning::TooMany,
        &[
            "query returned more than",
            "more than 10000 results",
            "too many results",
            "response size",
            "result set too large",
            "log response size exceeded",
            "logs matched by query exceeds limit",
            "block range",
            "range is too",
            "range too",
            "exceed maximum block range",
            "exceeds the range",
            "limited to a",
            "query timeout exceeded",
            "backend response too large",
        ],
    ),
    (
        Meaning::Busy,
        &[
            "rate limit",
            "ratelimit",
            "too many requests",
            "request limit",
            "compute units",
            "capacity exceeded",
            "limit exceeded",
            "try again",
            "header not found",
            "temporarily",
            "timed out",
            "service unavailable",
        ],
    ),
    (
        Meaning::Unknown,
        &[
            "method not found",
            "method not supported",
            "method is not supported",
            "unsupported method",
            "not whitelisted",
        ],
    ),
    (Meaning::Other, &["insufficient funds", "gas required exceeds allowance", "intrinsic gas"]),
];

/// Words by which nodes say that the machine stopped.
const STOPPED: [&str; 9] = [
    "revert",
    "vm execution error",
    "vm exception",
    "invalid opcode",
    "bad instruction",
    "out of gas",
    "outofgas",
    "stack underflow",
    "invalid jump",
];

impl RpcError {
    /// What it means.
    pub(super) fn meaning(&self) -> Meaning {
        if let Some(data) = self.revert_data() {
            return Meaning::Reverted(data);
        }
        let message = self.message.to_lowercase();
        let said = WORDS.iter().find(|(_, words)| words.iter().any(|word| message.contains(word)));
        if let Some((meaning, _)) = said {
            return meaning.clone();
        }
        let told = self.data.0.as_deref().unwrap_or_default().to_lowercase();
        if self.code == 3 || STOPPED.iter().any(|word| message.contains(word) || told.contains(word)) {
            return Meaning::Stopped(self.reason());
        }
        match self.code {
            -32601 | -32004 => Meaning::Unknown,
            429 | -32005 | -32016 | -32029 => Meaning::Busy,
            _ => Meaning::Other,
        }
    }

    /// A revert's data; there are errors with data that are none.
    fn revert_data(&self) -> Option<Vec<u8>> {
        let text = self.data.0.as_deref()?;
        // parity: "Reverted 0x…"; hardhat names it beside other members; all others the data alone.
        let hexadecimal = text.strip_prefix("Reverted ").unwrap_or(text);
        let data = hex::data(hexadecimal).filter(|data| !data.is_empty())?;
        let message = self.message.to_lowercase();
        let says_so = self.code == 3 || STOPPED.iter().any(|word| message.contains(word)) || text != hexadecimal;
        (says_so || data.len() % 32 == 4).then_some(data)
    }

    /// The words after `execution reverted:`, else all of them.
    fn reason(&self) -> String {
        let message = self.message.trim();
        let marker = "execution reverted";
        // Found in what was lowered byte by byte, so that places are the same.
        let Some(at) = message.to_ascii_lowercase().find(marker) else { return message.to_owned() };
        let reason = message[at + marker.len()..].trim_start_matches([':', ' ']);
        if reason.is_empty() { "without a reason".to_owned() } else { reason.to_owned() }
    }
}

struct FindText;

impl<'de> Visitor<'de> for FindText {
    type Value = ErrorData;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error's data")
    }

    fn visit_str<E>(self, text: &str) -> Result<ErrorData, E> {
        Ok(ErrorData(Some(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ErrorData, A::Error> {
        let mut found = ErrorData::default();
        while let Some(key) = map.next_key::<String>()? {
            if matches!(key.as_str(), "data" | "result" | "output" | "originalError") {
                let inner: ErrorData = map.next_value()?;
                found = if inner.0.is_some() { inner } else { found };
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ErrorData, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(ErrorData(None))
    }

    fn visit_unit<E>(self) -> Result<ErrorData, E> {
        Ok(ErrorData(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<ErrorData, E> {
        Ok(ErrorData(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<ErrorData, E> {
        Ok(ErrorData(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<ErrorData, E> {
        Ok(ErrorData(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<ErrorData, E> {
        Ok(ErrorData(None))
    }
}

impl<'de> Deserialize<'de> for ErrorData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FindText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `NotNext(uint64,uint64)`-like data: a selector and one word.
    const DATA: &str = "0x12345678000000000000000000000000000000000000000000000000000000000000002a";

    fn meaning(json: &str) -> Meaning {
        serde_json::from_str::<RpcError>(&json.replace("DATA", DATA)).unwrap().meaning()
    }

    #[test]
    fn a_revert_is_known_whoever_says_it() {
        let data = hex::data(DATA).unwrap();
        for (node, json) in [
            ("anvil", r#"{"code":3,"message":"execution reverted: custom error 0x12345678: *","data":"DATA"}"#),
            ("geth", r#"{"code":3,"message":"execution reverted","data":"DATA"}"#),
            ("erigon", r#"{"code":3,"message":"execution reverted: why","data":"DATA"}"#),
            ("besu", r#"{"code":-32000,"message":"Execution reverted (why)","data":"DATA"}"#),
            ("parity", r#"{"code":-32015,"message":"VM execution error.","data":"Reverted DATA"}"#),
            ("nethermind", r#"{"code":-32015,"message":"VM execution error.","data":"DATA"}"#),
            ("nethermind, later", r#"{"code":3,"message":"execution reverted: 0x1234","data":"DATA"}"#),
            (
                "hardhat",
                r#"{"code":-32603,"message":"Error: VM Exception while processing transaction: reverted with an unrecognized custom error","data":{"message":"Error","txHash":"0x01","data":"DATA"}}"#,
            ),
            (
                "a provider that wraps",
                r#"{"code":-32603,"message":"Internal JSON-RPC error.","data":{"code":3,"originalError":{"code":3,"data":"DATA","message":"execution reverted"}}}"#,
            ),
            ("an object with data", r#"{"code":-32000,"message":"execution reverted","data":{"data":"DATA"}}"#),
        ] {
            assert_eq!(meaning(json), Meaning::Reverted(data.clone()), "{node}");
        }
    }

    #[test]
    fn a_machine_that_stopped_is_told_in_the_nodes_words() {
        for (json, words) in [
            (r#"{"code":-32000,"message":"execution reverted"}"#, "without a reason"),
            (r#"{"code":3,"message":"execution reverted","data":"0x"}"#, "without a reason"),
            (r#"{"code":-32000,"message":"execution reverted: too early"}"#, "too early"),
            (r#"{"code":-32000,"message":"invalid opcode: INVALID"}"#, "invalid opcode: INVALID"),
            (r#"{"code":-32000,"message":"out of gas"}"#, "out of gas"),
            (r#"{"code":-32015,"message":"VM execution error.","data":"Bad instruction fe"}"#, "VM execution error."),
            (r#"{"code":-32003,"message":"EVM error: OutOfGas"}"#, "EVM error: OutOfGas"),
        ] {
            assert_eq!(meaning(json), Meaning::Stopped(words.to_owned()), "{json}");
        }
    }

    #[test]
    fn the_same_thing_is_understood_in_every_nodes_words() {
        for (message, code, expected) in [
            ("already known", -32000, Meaning::Known),
            ("AlreadyKnown", -32010, Meaning::Known),
            ("ALREADY_EXISTS: already known", -32000, Meaning::Known),
            ("Known transaction", -32000, Meaning::Known),
            ("transaction already imported", -32003, Meaning::Known),
            ("Transaction with the same hash was already imported.", -32010, Meaning::Known),
            ("nonce too low: next nonce 5, tx nonce 4", -32000, Meaning::NonceUsed),
            ("nonce too low", -32003, Meaning::NonceUsed),
            ("OldNonce, Current nonce: 5, nonce of rejected tx: 4", -32010, Meaning::NonceUsed),
            ("Transaction nonce is too low. Try incrementing the nonce.", -32010, Meaning::NonceUsed),
            ("query returned more than 10000 results", -32005, Meaning::TooMany),
            ("query returned more than 10000 results. Try with this block range [0x1, 0x2].", -32005, Meaning::TooMany),
            (
                "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range",
                -32602,
                Meaning::TooMany,
            ),
            ("eth_getLogs is limited to a 10,000 range", -32614, Meaning::TooMany),
            ("block range is too wide", -32600, Meaning::TooMany),
            ("exceed maximum block range: 5000", -32000, Meaning::TooMany),
            ("daily request count exceeded, request rate limited", -32005, Meaning::Busy),
            ("Your app has exceeded its compute units per second capacity", 429, Meaning::Busy),
            ("limit exceeded", -32005, Meaning::Busy),
            ("something of its own", -32005, Meaning::Busy),
            ("header not found", -32000, Meaning::Busy),
            ("the method eth_feeHistory does not exist/is not available", -32601, Meaning::Unknown),
            ("Method not found", -32601, Meaning::Unknown),
            ("insufficient funds for gas * price + value: balance 0", -32000, Meaning::Other),
            ("gas required exceeds allowance (0)", -32000, Meaning::Other),
            ("replacement transaction underpriced", -32000, Meaning::Other),
            ("", -32603, Meaning::Other),
        ] {
            let error = RpcError { code, message: message.to_owned(), data: ErrorData(None) };
            assert_eq!(error.meaning(), expected, "{code} {message}");
        }
    }

    #[test]
    fn errors_of_any_form_are_read_and_data_alone_is_no_revert() {
        for json in [
            r#"{"code":-32000,"message":"a","data":null}"#,
            r#"{"code":-32000,"message":"a","data":7}"#,
            r#"{"code":-32000,"message":"a","data":-7.5}"#,
            r#"{"code":-32000,"message":"a","data":true}"#,
            r#"{"code":-32000,"message":"a","data":[["DATA"]]}"#,
            r#"{"code":-32000,"message":"a","data":{"other":"DATA"}}"#,
            r#"{"code":-32000,"message":"a","data":"0x0102"}"#,
            r#"{"code":-32000}"#,
        ] {
            assert_eq!(meaning(json), Meaning::Other, "{json}");
        }
    }
}
