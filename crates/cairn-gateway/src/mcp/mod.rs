//! `/mcp`: the gateway as tools of an agent, by the Model Context Protocol over HTTP, without sessions.
//!
//! Each message is one request and its answer one JSON document. What a tool does is what a route of this API does; what it
//! refuses is told as the tool's error, with the same codes, so that an agent can read it and act. Payments go by x402.

mod calls;
mod protocol;
mod tools;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cairn_api::Problem;
use serde_json::{Map, Value, json};

use self::protocol::{Era, Headers, Message, RpcError};
use crate::address::Client;
use crate::body::{media_type, receive_within};
use crate::buying::AsItIs;
use crate::front::Front;
use crate::problem::Refused;

/// A message with a blob as large as a tool takes is shorter.
const BODY_BYTES_MAX: usize = 2 << 20;
/// How long the list of tools may be kept, ms.
const LIST_TTL_MS: u64 = 3_600_000;

/// The gateway as tools of an agent: MCP over HTTP.
///
/// One JSON-RPC 2.0 message in each request. Tools: `upload`, `quote`, `buy` (paid by x402), `purchase`, `result`, `verify`.
#[utoipa::path(post, path = "/mcp", tag = "buying",
    request_body(content_type = "application/json", description = "A JSON-RPC 2.0 message."),
    responses((status = 200, description = "The answer.", content_type = "application/json"),
        (status = 202, description = "A notification was heard."),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn mcp(State(front): State<Arc<Front>>, request: Request) -> Result<Response, Refused> {
    let (head, body) = request.into_parts();
    let client = head.extensions.get::<Client>().copied().unwrap_or(Client { limited: None });
    check_origin(&head.headers)?;
    if media_type(&head.headers).as_deref() != Some("application/json") {
        let detail = "messages come as application/json";
        return Err(Refused::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "NET-MEDIA-TYPE", detail));
    }
    let received = receive_within(BODY_BYTES_MAX, &front, client, &head.headers, body).await?;
    front.rates.items(client, 1)?;
    let (id, method, params) = match protocol::read(&received.bytes) {
        Ok(Message::Request { id, method, params }) => (id, method, params),
        Ok(Message::Other) => return Ok(StatusCode::ACCEPTED.into_response()),
        Err((id, error)) => return Ok(respond_error(id, error)),
    };
    drop(received);
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let headers = Headers { version: text("mcp-protocol-version"), method: text("mcp-method"), name: text("mcp-name") };
    let answered = match protocol::era_of(&method, &params, headers) {
        Ok(era) => answer(&front, client, era, &method, params).await,
        Err(error) => Err(error),
    };
    Ok(match answered {
        Ok(result) => respond(StatusCode::OK, &protocol::answer(id, result)),
        Err(error) => respond_error(id, error),
    })
}

/// A page from elsewhere in somebody's browser has no business with a gateway on his machine (DNS rebinding). Programs send no
/// `Origin`.
fn check_origin(headers: &HeaderMap) -> Result<(), Refused> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let host = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    let is_local = |host: &str| {
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        matches!(name.map_or(host, |(name, _)| name), "localhost" | "127.0.0.1" | "[::1]")
    };
    if host.is_some_and(is_local) {
        return Ok(());
    }
    Err(Refused::of(StatusCode::FORBIDDEN, "NET-ORIGIN", "pages of other origins may not speak with this server"))
}

async fn answer(
    front: &Arc<Front>,
    client: Client,
    era: Era,
    method: &str,
    params: Map<String, Value>,
) -> Result<Value, RpcError> {
    let server = json!({"name": "cairn", "title": "Cairn gateway", "version": env!("CARGO_PKG_VERSION")});
    let capabilities = json!({"tools": {}});
    let fields = match (era, method) {
        (Era::Handshake, "initialize") => json!({
            "protocolVersion": protocol::negotiated(&params),
            "capabilities": capabilities,
            "serverInfo": server,
            "instructions": tools::INSTRUCTIONS,
        }),
        (_, "server/discover") => json!({
            "supportedVersions": [protocol::STATELESS, protocol::WITH_HANDSHAKE[0], protocol::WITH_HANDSHAKE[1]],
            "capabilities": capabilities,
            "instructions": tools::INSTRUCTIONS,
            "ttlMs": LIST_TTL_MS,
            "cacheScope": "public",
            "_meta": {"io.modelcontextprotocol/serverInfo": server},
        }),
        (_, "ping") => json!({}),
        (_, "tools/list") => {
            if params.contains_key("cursor") {
                return Err(RpcError::params("there is one page of tools, and no cursor"));
            }
            match era {
                Era::Handshake => json!({"tools": tools::list()}),
                Era::Stateless => json!({"tools": tools::list(), "ttlMs": LIST_TTL_MS, "cacheScope": "public"}),
            }
        }
        (_, "tools/call") => calls::call(front, client, params).await?,
        _ => return Err(RpcError::method(era, method)),
    };
    let Value::Object(fields) = fields else { unreachable!("every result is an object") };
    Ok(protocol::result(era, fields))
}

fn respond(status: StatusCode, document: &Value) -> Response {
    let mut response = (status, [(CONTENT_TYPE, "application/json")], document.to_string()).into_response();
    response.extensions_mut().insert(AsItIs);
    response
}

fn respond_error(id: Value, error: RpcError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    respond(status, &protocol::error(id, error))
}
