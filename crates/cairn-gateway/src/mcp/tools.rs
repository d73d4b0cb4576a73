//! The tools, as they are listed: names, what they are for, and the schemas of their inputs.

use serde_json::{Value, json};

/// The most bytes of a blob that a tool takes or gives; larger ones go by `/v1/blobs/{hash}`.
pub const BLOB_BYTES_MAX: usize = 1 << 20;

/// What a client is told about the server.
pub const INSTRUCTIONS: &str = "Buy runs of WebAssembly modules, checked by replay and paid from a public log. Leave module and \
    inputs with `upload` (or PUT /v1/blobs/{sha256}), ask `quote`, then call `buy`: without a payment it says what to pay \
    (x402, scheme exact); call it again with the same arguments and the payment in _meta[\"x402/payment\"]. The same payment \
    again is always the same purchase, so repeat a call that was not answered; never sign a second payment for it. Then ask \
    `result` until it is settled, and `verify` for what proves it.";

fn blob() -> Value {
    json!({
        "type": "object",
        "properties": {
            "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "SHA-256 of the bytes"},
            "bytes": {"type": "integer", "minimum": 0, "description": "how many bytes"}
        },
        "required": ["hash", "bytes"],
        "additionalProperties": false
    })
}

fn terms() -> Value {
    json!({
        "type": "object",
        "properties": {
            "module": blob(),
            "inputs": {"type": "array", "items": blob(), "maxItems": 16, "description": "by position"},
            "arguments": {"type": "string", "pattern": "^([0-9a-fA-F]{2}){0,4096}$", "description": "hexadecimal"},
            "gas_table": {"type": "integer", "minimum": 0, "default": 1},
            "profile": {"type": "string", "enum": ["det-int", "det-float"], "default": "det-int"},
            "gas": {"type": "integer", "minimum": 0, "description": "the most gas"},
            "pages": {"type": "integer", "minimum": 0, "description": "the most memory, pages of 64 KiB"},
            "output_bytes": {"type": "integer", "minimum": 0, "description": "the most bytes of output"},
            "price": {"type": "string", "pattern": "^[0-9]+$", "description": "the most base units for 10^9 gas"},
            "replicas": {"type": "integer", "minimum": 1, "maximum": 8, "default": 1, "description": "workers that do it"},
            "sample_ppm": {"type": "integer", "minimum": 0, "maximum": 1_000_000, "default": 0,
                "description": "the least chance of a replay by auditors, millionths"},
            "commit_ms": {"type": "integer", "minimum": 0, "description": "how long workers have to commit, ms"},
            "most": {"type": "string", "pattern": "^[0-9]+$", "description": "the most base units that may be locked"}
        },
        "required": ["module", "gas", "pages", "output_bytes", "price", "commit_ms"],
        "additionalProperties": false
    })
}

fn named(name: &str, what: &str) -> Value {
    json!({
        "type": "object",
        "properties": {name: {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": what}},
        "required": [name],
        "additionalProperties": false
    })
}

fn tool(name: &str, title: &str, description: &str, input: Value, reads: bool) -> Value {
    json!({
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": input,
        "annotations": {"readOnlyHint": reads, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false}
    })
}

/// Every tool, in the order in which they are used.
pub fn list() -> Vec<Value> {
    let upload = json!({
        "type": "object",
        "properties": {"base64": {"type": "string", "maxLength": BLOB_BYTES_MAX.div_ceil(3) * 4,
            "description": "the bytes; larger blobs go by PUT /v1/blobs/{sha256}"}},
        "required": ["base64"],
        "additionalProperties": false
    });
    vec![
        tool("upload", "Leave a blob", "Leaves a module or an input; answers its hash and length.", upload, false),
        tool(
            "quote",
            "What a run costs",
            "What a run of a module over inputs would cost now, as a payment requirement. Free, and nothing is kept.",
            terms(),
            true,
        ),
        tool(
            "buy",
            "Buy a run",
            "Orders a run. Without a payment it answers what to pay; with one in _meta[\"x402/payment\"] it answers the purchase, \
                with the job once it is ordered. What the job does not use is paid back to the payer.",
            terms(),
            false,
        ),
        tool(
            "purchase",
            "What became of a payment",
            "How far a purchase is: settling, paid, ordered (with the job), unpaid, returning, returned.",
            named("payment", "the payment's name"),
            true,
        ),
        tool(
            "result",
            "The result of a job",
            "Where a job stands and what its workers revealed, with the output where it is small.",
            named("job", "the job"),
            true,
        ),
        tool(
            "verify",
            "What proves a job",
            "Every worker's digest, what auditors found when they ran it again, its entries in the log, and how to replay it.",
            named("job", "the job"),
            true,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use cairn_api::OrderTerms;

    use super::*;

    #[test]
    fn the_schema_of_terms_names_every_field_that_terms_have() {
        let module = format!(r#"{{"hash":"{}","bytes":5}}"#, "ab".repeat(32));
        let text = format!(
            r#"{{"module":{module},"gas":7,"pages":1,"output_bytes":9,"price":"3","commit_ms":60000,"most":"1"}}"#
        );
        let read: OrderTerms = serde_json::from_str(&text).unwrap();
        let written = serde_json::to_value(read).unwrap();
        let schema = terms();
        let properties = schema["properties"].as_object().unwrap();
        let fields: Vec<&String> = written.as_object().unwrap().keys().collect();
        assert_eq!(properties.keys().collect::<Vec<_>>(), fields);
        // What the schema requires is what has no default.
        for name in properties.keys() {
            let mut without = serde_json::from_str::<Value>(&text).unwrap();
            without.as_object_mut().unwrap().remove(name);
            let is_required = schema["required"].as_array().unwrap().iter().any(|required| required == name);
            assert_eq!(serde_json::from_value::<OrderTerms>(without).is_err(), is_required, "{name}");
        }
    }

    #[test]
    fn tools_have_names_that_the_protocol_allows_and_no_two_the_same() {
        let names: std::collections::BTreeSet<String> =
            list().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names.len(), list().len());
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
        }
    }
}
