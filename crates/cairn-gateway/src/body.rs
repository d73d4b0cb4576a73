//! Reading a request's body within its limits, and what it says it is.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use crate::front::Front;
use crate::problem::Refused;

/// A body in memory, counted against the memory of all bodies until it is dropped.
pub(crate) struct Received {
    pub bytes: Vec<u8>,
    _counted: Option<OwnedSemaphorePermit>,
}

/// The media type, without parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next()?.trim().to_ascii_lowercase())
}

/// Reads a body as it comes in, and no more of it than is allowed.
///
/// # Errors
/// `NET-TOO-LARGE`, `NET-BUSY` when all bodies together take too much memory, `NET-BODY` when it breaks off.
pub(crate) async fn receive(front: &Front, headers: &HeaderMap, mut body: Body) -> Result<Received, Refused> {
    let limit = front.options.body_bytes_max;
    let too_large = || {
        let detail = format!("the body is longer than {limit} bytes");
        Refused::of(StatusCode::PAYLOAD_TOO_LARGE, "NET-TOO-LARGE", detail).hint("send it in several requests")
    };
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|declared| declared > limit as u64) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let mut counted: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| Refused::bad("NET-BODY", format!("the body breaks off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limit {
            return Err(too_large());
        }
        let busy = || Refused::busy("NET-BUSY", "the gateway holds as many bodies as it may");
        let length = u32::try_from(data.len()).map_err(|_| too_large())?;
        let permit = Arc::clone(&front.body_bytes).try_acquire_many_owned(length).map_err(|_| busy())?;
        match &mut counted {
            Some(counted) => counted.merge(permit),
            None => counted = Some(permit),
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Received { bytes, _counted: counted })
}
