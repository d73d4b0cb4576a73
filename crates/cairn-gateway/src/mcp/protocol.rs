//! The Model Context Protocol's envelope: JSON-RPC 2.0 messages and which version of the protocol a request speaks. Pure.
//!
//! Two eras are served: revisions that begin with `initialize` (`2025-06-18`, `2025-11-25`), and the one in which every request
//! says its version itself (`2026-07-28`). Nothing is remembered between requests in either.

use serde_json::{Map, Value, json};

/// Revisions with a handshake, newest first.
pub const WITH_HANDSHAKE: [&str; 2] = ["2025-11-25", "2025-06-18"];
/// The revision in which requests stand for themselves.
pub const STATELESS: &str = "2026-07-28";

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// The headers of a request that the protocol reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'a> {
    /// `MCP-Protocol-Version`.
    pub version: Option<&'a str>,
    /// `Mcp-Method`.
    pub method: Option<&'a str>,
    /// `Mcp-Name`.
    pub name: Option<&'a str>,
}

/// An error of JSON-RPC, and the status that it goes out with.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcError {
    /// Its code.
    pub code: i64,
    /// In words.
    pub message: String,
    /// More of it.
    pub data: Option<Value>,
    /// The status over HTTP.
    pub status: u16,
}

impl RpcError {
    fn of(code: i64, status: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None, status }
    }

    /// Not JSON.
    pub fn parse(what: &str) -> Self {
        Self::of(-32_700, 400, format!("the body is not JSON: {what}"))
    }

    fn invalid(what: &str) -> Self {
        Self::of(-32_600, 400, what)
    }

    /// Parameters that are none.
    pub fn params(what: impl Into<String>) -> Self {
        Self::of(-32_602, 200, what)
    }

    fn mismatch(what: impl Into<String>) -> Self {
        Self::of(-32_020, 400, what)
    }

    fn version(requested: &str) -> Self {
        let supported = json!([STATELESS, WITH_HANDSHAKE[0], WITH_HANDSHAKE[1]]);
        let data = Some(json!({"supported": supported, "requested": requested}));
        Self { data, ..Self::of(-32_022, 400, "this version of the protocol is not spoken here") }
    }

    /// No such method.
    pub fn method(era: Era, method: &str) -> Self {
        let status = if era == Era::Stateless { 404 } else { 200 };
        Self::of(-32_601, status, format!("there is no method `{method}`"))
    }
}

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// After a handshake.
    Handshake,
    /// Each request for itself.
    Stateless,
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// To be answered.
    Request {
        /// A string or an integer.
        id: Value,
        /// What is to be done.
        method: String,
        /// With what.
        params: Map<String, Value>,
    },
    /// Not to be answered: a notification, or an answer to something that was never asked.
    Other,
}

/// Reads one message. Of an error, with the id that it is about, if that could be read.
pub fn read(body: &[u8]) -> Result<Message, (Value, RpcError)> {
    let nobody = |error| (Value::Null, error);
    let document: Value = serde_json::from_slice(body).map_err(|error| nobody(RpcError::parse(&error.to_string())))?;
    let Value::Object(mut fields) = document else {
        return Err(nobody(RpcError::invalid("a body is one message: an object")));
    };
    let id = fields.remove("id");
    let known = match &id {
        Some(Value::String(_)) => id.clone(),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => id.clone(),
        _ => None,
    };
    let refuse = |what: &str| Err((known.clone().unwrap_or(Value::Null), RpcError::invalid(what)));
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return refuse("`jsonrpc` is `2.0`");
    }
    let Some(method) = fields.remove("method") else {
        let is_answer = fields.contains_key("result") || fields.contains_key("error");
        return if is_answer { Ok(Message::Other) } else { refuse("`method` is missing") };
    };
    let Value::String(method) = method else { return refuse("`method` is a string") };
    let params = match fields.remove("params") {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return refuse("`params` is an object"),
    };
    match (id, known.clone()) {
        (None, _) => Ok(Message::Other),
        (Some(_), Some(id)) => Ok(Message::Request { id, method, params }),
        (Some(_), None) => refuse("`id` is a string or an integer"),
    }
}

/// How the client of a request speaks, by what it says in headers and in the request.
pub fn era_of(method: &str, params: &Map<String, Value>, headers: Headers<'_>) -> Result<Era, RpcError> {
    let meta = params.get("_meta").and_then(Value::as_object);
    let said = meta.and_then(|meta| meta.get(VERSION_KEY));
    let Some(said) = said else {
        return match headers.version {
            None => Ok(Era::Handshake),
            Some(version) if WITH_HANDSHAKE.contains(&version) => Ok(Era::Handshake),
            // Whoever begins with a handshake is told in its answer what is spoken.
            Some(_) if method == "initialize" => Ok(Era::Handshake),
            Some(STATELESS) => Err(RpcError::mismatch(format!("`_meta` does not say `{VERSION_KEY}`"))),
            Some(version) => Err(RpcError::version(version)),
        };
    };
    let said = said.as_str().ok_or_else(|| RpcError::mismatch(format!("`{VERSION_KEY}` is a string")))?;
    if let Some(version) = headers.version
        && version != STATELESS
    {
        return Err(RpcError::version(version));
    }
    if said != STATELESS {
        return Err(RpcError::version(said));
    }
    let same = |header: Option<&str>, is: &str, name: &str| match header {
        Some(value) if unwrapped(value).as_deref() == Some(is) => Ok(()),
        Some(value) => Err(RpcError::mismatch(format!("the header {name} is `{value}`, and the message says `{is}`"))),
        None => Err(RpcError::mismatch(format!("the header {name} is missing"))),
    };
    same(headers.version, said, "MCP-Protocol-Version")?;
    same(headers.method, method, "Mcp-Method")?;
    if method == "tools/call" {
        same(headers.name, params.get("name").and_then(Value::as_str).unwrap_or_default(), "Mcp-Name")?;
    }
    if !meta.is_some_and(|meta| meta.get(CAPABILITIES_KEY).is_some_and(Value::is_object)) {
        return Err(RpcError { status: 400, ..RpcError::params(format!("`_meta` does not say `{CAPABILITIES_KEY}`")) });
    }
    Ok(Era::Stateless)
}

/// A header's value, out of `=?base64?...?=` where it is in it.
fn unwrapped(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(inner) => String::from_utf8(data_encoding::BASE64.decode(inner.as_bytes()).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

/// The version that `initialize` is answered with: the one that is asked for where it is spoken, else the newest with a
/// handshake.
pub fn negotiated(params: &Map<String, Value>) -> &'static str {
    let asked = params.get("protocolVersion").and_then(Value::as_str);
    WITH_HANDSHAKE.into_iter().find(|version| Some(*version) == asked).unwrap_or(WITH_HANDSHAKE[0])
}

/// An answer.
pub fn answer(id: Value, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

/// An error as an answer; without an id where it could not be read.
pub fn error(id: Value, error: RpcError) -> Value {
    let mut told = json!({"code": error.code, "message": error.message});
    if let Some(data) = error.data {
        told["data"] = data;
    }
    json!({"jsonrpc": "2.0", "id": id, "error": told})
}

/// A result of its era.
pub fn result(era: Era, mut fields: Map<String, Value>) -> Value {
    if era == Era::Stateless {
        fields.insert("resultType".to_owned(), "complete".into());
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> (String, Map<String, Value>) {
        match read(text.as_bytes()).unwrap() {
            Message::Request { method, params, .. } => (method, params),
            Message::Other => panic!("{text} is a request"),
        }
    }

    #[test]
    fn a_body_is_one_message_or_is_refused_with_the_code_for_it() {
        for (body, code, id) in [
            ("", -32_700, json!(null)),
            ("{", -32_700, json!(null)),
            ("[]", -32_600, json!(null)),
            ("7", -32_600, json!(null)),
            (r#"{"id":1,"method":"ping"}"#, -32_600, json!(1)),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32_600, json!(1)),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32_600, json!(null)),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32_600, json!(null)),
            (r#"{"jsonrpc":"2.0","id":"a"}"#, -32_600, json!("a")),
            (r#"{"jsonrpc":"2.0","id":"a","method":7}"#, -32_600, json!("a")),
            (r#"{"jsonrpc":"2.0","id":"a","method":"ping","params":[]}"#, -32_600, json!("a")),
        ] {
            let (about, error) = read(body.as_bytes()).unwrap_err();
            assert_eq!((error.code, error.status, about), (code, 400, id), "{body}");
        }
        for body in [
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{}}"#,
        ] {
            assert_eq!(read(body.as_bytes()), Ok(Message::Other), "{body}");
        }
        assert_eq!(request(r#"{"jsonrpc":"2.0","id":"x","method":"ping"}"#), ("ping".into(), Map::new()));
    }

    #[test]
    fn a_request_speaks_the_version_that_it_says_or_is_told_which_are_spoken() {
        let meta = |version: &str| format!(r#""_meta":{{"{VERSION_KEY}":"{version}","{CAPABILITIES_KEY}":{{}}}}"#);
        let call = |inner: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"buy"{inner}}}}}"#)
        };
        let modern = call(&format!(",{}", meta(STATELESS)));
        let whole = Headers { version: Some(STATELESS), method: Some("tools/call"), name: Some("buy") };
        let wrapped = Headers { name: Some("=?base64?YnV5?="), ..whole };
        for (body, headers, expected) in [
            (call(""), Headers::default(), Ok(Era::Handshake)),
            (call(""), Headers { version: Some("2025-06-18"), ..Headers::default() }, Ok(Era::Handshake)),
            (call(""), Headers { version: Some("1900-01-01"), ..Headers::default() }, Err(-32_022)),
            (call(""), whole, Err(-32_020)),
            (modern.clone(), whole, Ok(Era::Stateless)),
            (modern.clone(), wrapped, Ok(Era::Stateless)),
            (modern.clone(), Headers { version: None, ..whole }, Err(-32_020)),
            (modern.clone(), Headers { version: Some("1900-01-01"), ..whole }, Err(-32_022)),
            (modern.clone(), Headers { method: None, ..whole }, Err(-32_020)),
            (modern.clone(), Headers { method: Some("tools/list"), ..whole }, Err(-32_020)),
            (modern.clone(), Headers { name: None, ..whole }, Err(-32_020)),
            (modern, Headers { name: Some("quote"), ..whole }, Err(-32_020)),
            (call(&format!(",{}", meta("2027-01-01"))), whole, Err(-32_022)),
            (call(&format!(r#","_meta":{{"{VERSION_KEY}":"{STATELESS}"}}"#)), whole, Err(-32_602)),
        ] {
            let (method, params) = request(&body);
            let era = era_of(&method, &params, headers).map_err(|error| error.code);
            assert_eq!(era, expected, "{body} {headers:?}");
        }
    }

    #[test]
    fn a_handshake_is_answered_with_the_version_asked_for_or_the_newest() {
        for (asked, answered) in [
            ("2025-06-18", "2025-06-18"),
            ("2025-11-25", "2025-11-25"),
            ("2024-11-05", "2025-11-25"),
            ("x", "2025-11-25"),
        ] {
            let params = json!({"protocolVersion": asked});
            assert_eq!(negotiated(params.as_object().unwrap()), answered);
        }
        assert_eq!(negotiated(&Map::new()), WITH_HANDSHAKE[0]);
    }
}
