//! Reading a request's body within its limits, and what it says it is.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use tokio::time::timeout;

use crate::address::Client;
use crate::front::Front;
use crate::problem::Refused;
use crate::serve::no_bytes;
use crate::shares::Share;

/// A body in memory, and its share of the memory for all.
pub(crate) struct Received {
    pub bytes: Vec<u8>,
    pub held: Share,
}

/// The media type, without parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

/// [`receive_within`] the limit for every body.
///
/// # Errors
/// As there.
pub(crate) async fn receive(
    front: &Front,
    client: Client,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, Refused> {
    receive_within(front.options.body_bytes_max, front, client, headers, body).await
}

/// Reads a body as it comes in, and no more of it than `limit` bytes.
///
/// # Errors
/// `NET-TOO-LARGE`, `NET-BUSY-BYTES` and `NET-ADDRESS-BYTES` when all bodies together, or those of this address, take too
/// much memory, `NET-SLOW-BODY` when nothing comes for too long, `NET-BODY` when it breaks off.
pub(crate) async fn receive_within(
    limit: usize,
    front: &Front,
    client: Client,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<Received, Refused> {
    let too_large = || {
        let detail = format!("the body is longer than {limit} bytes");
        Refused::of(StatusCode::PAYLOAD_TOO_LARGE, "NET-TOO-LARGE", detail).hint("send it in several requests")
    };
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > limit as u64) {
        return Err(too_large());
    }
    let mut received = Received { bytes: Vec::new(), held: front.memory.none(client.limited) };
    while let Some(frame) = next_frame(front, &mut body).await? {
        let frame = frame.map_err(|error| Refused::bad("NET-BODY", format!("the body breaks off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if received.bytes.len() + data.len() > limit {
            return Err(too_large());
        }
        received.held.grow(data.len() as u64).map_err(no_bytes)?;
        // By a quarter at most, not by doubling: what is counted is close to what is taken.
        if received.bytes.capacity() - received.bytes.len() < data.len() {
            received.bytes.reserve_exact(data.len().max(received.bytes.len() / 4));
        }
        received.bytes.extend_from_slice(&data);
    }
    Ok(received)
}

/// A piece of a body.
pub(crate) type Frame = Result<hyper::body::Frame<axum::body::Bytes>, axum::Error>;

/// What of a body comes next; `None` at its end.
///
/// # Errors
/// `NET-SLOW-BODY` when nothing comes for too long.
pub(crate) async fn next_frame(front: &Front, body: &mut Body) -> Result<Option<Frame>, Refused> {
    let patience = front.options.body_timeout;
    let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
    timeout(patience, frame).await.map_err(|_| {
        let detail = format!("nothing more of the body came for {} ms", patience.as_millis());
        Refused::of(StatusCode::REQUEST_TIMEOUT, "NET-SLOW-BODY", detail).hint("send the body in one go")
    })
}
