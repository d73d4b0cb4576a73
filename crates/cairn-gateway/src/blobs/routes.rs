//! `/v1/blobs/{hash}`: how blobs come and go.
//!
//! From cheap to dear: rate of requests, name, declared length, quota; then the bytes, as they come, to the disk.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use cairn_api::Problem;
use cairn_core::Hash;

use super::{BlobError, Blobs, Upload};
use crate::address::Client;
use crate::body::next_frame;
use crate::front::Front;
use crate::health;
use crate::log_files::FOR_EVER;
use crate::openapi::Binary;
use crate::problem::{Refused, report_failure};
use crate::serve::no_bytes;
use crate::shares::NoShare;

type Shared = State<Arc<Front>>;

/// Bytes that come before they are written.
const PIECE_BYTES: usize = 256 << 10;
/// A sweep is not made more often,
const SWEEP_MIN: Duration = Duration::from_millis(100);
/// nor more seldom.
const SWEEP_MAX: Duration = Duration::from_secs(60);

/// Leave a blob.
///
/// Its name is the SHA-256 of its bytes, 64 lower-case hexadecimal digits; other bytes are refused with `NET-BLOB-HASH`.
/// Sending it again is answered alike. What no job needs is kept for a while, within a quota in all and for each address.
#[utoipa::path(put, path = "/v1/blobs/{hash}", tag = "blobs",
    params(("hash" = String, Path, description = "The SHA-256 of the bytes.")),
    request_body(content((Binary = "application/octet-stream"))),
    responses((status = 201, description = "It is kept, durably."),
        (status = 200, description = "It was there."),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put(
    State(front): Shared,
    Path(name): Path<String>,
    request: Request,
) -> Result<StatusCode, Refused> {
    let hash = named(&name)?;
    if let Some(draining) = health::draining(&front) {
        return Err(draining);
    }
    let (head, mut body) = request.into_parts();
    let client = head.extensions.get::<Client>().copied().unwrap_or(Client { limited: None });
    let declared = head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    front.rates.items(client, 1)?;
    let _held = front.memory.take(client.limited, PIECE_BYTES as u64).map_err(no_bytes)?;
    let begun = front.blocking(move |front| {
        let is_needed = front.ledger()?.needs_blob(&hash);
        Ok(blobs(front)?.begin(hash, declared, client.limited, is_needed, front.since_start())?)
    });
    let mut upload = begun.await?;
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    while let Some(frame) = next_frame(&front, &mut body).await? {
        let frame = frame.map_err(|error| Refused::bad("NET-BODY", format!("the body breaks off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        for part in data.chunks(PIECE_BYTES) {
            if piece.len() + part.len() > PIECE_BYTES {
                (upload, piece) = written(&front, upload, piece).await?;
            }
            piece.extend_from_slice(part);
        }
    }
    let known = front.blocking(move |front| {
        upload.write(&piece)?;
        Ok(upload.finish(front.since_start())?)
    });
    Ok(if known.await? { StatusCode::OK } else { StatusCode::CREATED })
}

async fn written(front: &Arc<Front>, mut upload: Upload, mut piece: Vec<u8>) -> Result<(Upload, Vec<u8>), Refused> {
    let work = move |_: &Front| {
        upload.write(&piece)?;
        piece.clear();
        Ok((upload, piece))
    };
    front.blocking(work).await
}

/// A blob.
///
/// Its bytes never change, so it may be cached for ever.
#[utoipa::path(get, path = "/v1/blobs/{hash}", tag = "blobs",
    params(("hash" = String, Path, description = "The SHA-256 of the bytes.")),
    responses((status = 200, description = "The bytes.", body = Binary, content_type = "application/octet-stream"),
        (status = 304, description = "The caller has them."),
        (status = "default", description = "Refused.", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(State(front): Shared, Path(name): Path<String>, request: Request) -> Result<Response, Refused> {
    let hash = named(&name)?;
    let bytes = size(&front, &hash)?;
    if is_known(request.headers(), &hash) {
        return Ok((StatusCode::NOT_MODIFIED, head_of(&hash)).into_response());
    }
    let client = request.extensions().get::<Client>().copied().unwrap_or(Client { limited: None });
    // Before it is read; the answer is counted anew when it goes out.
    let held = front.memory.take(client.limited, bytes).map_err(no_bytes)?;
    let read = front.blocking(move |front| Ok(blobs(front)?.read(&hash)?)).await;
    drop(held);
    Ok((head_of(&hash), read?).into_response())
}

/// Whether there is a blob, and how long it is.
#[utoipa::path(head, path = "/v1/blobs/{hash}", tag = "blobs",
    params(("hash" = String, Path, description = "The SHA-256 of the bytes.")),
    responses((status = 200, description = "Its length is in `Content-Length`."),
        (status = "default", description = "Refused, without a body.")))]
pub(crate) async fn head(State(front): Shared, Path(name): Path<String>) -> Result<Response, Refused> {
    let hash = named(&name)?;
    let bytes = size(&front, &hash)?;
    let mut headers = head_of(&hash);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    Ok(headers.into_response())
}

fn head_of(hash: &Hash) -> HeaderMap {
    let etag = HeaderValue::try_from(format!("\"{hash}\"")).expect("hexadecimal digits in quotes");
    HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (CACHE_CONTROL, HeaderValue::from_static(FOR_EVER)),
        (ETAG, etag),
        // They are anybody's bytes: no browser is to take them for a page of this gateway.
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
    ])
}

fn is_known(headers: &HeaderMap, hash: &Hash) -> bool {
    let etag = format!("\"{hash}\"");
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|tags| tags.split(',')).any(|tag| [etag.as_str(), "*"].contains(&tag.trim().trim_start_matches("W/")))
}

fn named(text: &str) -> Result<Hash, Refused> {
    Hash::from_hex(text).filter(|hash| hash.to_hex() == text).ok_or_else(|| {
        Refused::bad("NET-BLOB-NAME", "a blob is named by the SHA-256 of its bytes, 64 lower-case hexadecimal digits")
    })
}

fn blobs(front: &Front) -> Result<&Arc<Blobs>, Refused> {
    let hint = "ask the operator for a gateway that does";
    front.blobs.as_ref().ok_or_else(|| {
        Refused::of(StatusCode::NOT_FOUND, "NET-BLOB-NOT-KEPT", "this gateway keeps no blobs").hint(hint)
    })
}

/// Keeps bytes that came by another way than [`put`]; the same quotas hold.
///
/// # Errors
/// [`Refused`], as there.
pub(crate) fn keep(front: &Front, client: Client, bytes: &[u8]) -> Result<(), Refused> {
    let hash = Hash::of(bytes);
    let is_needed = front.ledger()?.needs_blob(&hash);
    let (length, now) = (Some(bytes.len() as u64), front.since_start());
    let mut upload = blobs(front)?.begin(hash, length, client.limited, is_needed, now)?;
    for piece in bytes.chunks(PIECE_BYTES) {
        upload.write(piece)?;
    }
    upload.finish(front.since_start())?;
    Ok(())
}

/// The bytes of a blob, where it is here.
pub(crate) fn kept(front: &Front, hash: &Hash) -> Option<Vec<u8>> {
    front.blobs.as_ref()?.read(hash).ok()
}

fn size(front: &Front, hash: &Hash) -> Result<u64, Refused> {
    Ok(blobs(front)?.size(hash).ok_or(BlobError::Unknown(*hash))?)
}

/// Collects, again and again; never ends.
pub(crate) async fn keep_swept(front: Arc<Front>, blobs: Arc<Blobs>) {
    let every = (blobs.options().keep / 4).clamp(SWEEP_MIN, SWEEP_MAX);
    loop {
        tokio::time::sleep(every).await;
        let (front, blobs) = (front.clone(), blobs.clone());
        let swept = tokio::task::spawn_blocking(move || {
            let needed = front.ledger()?.needed_blobs();
            Ok::<_, Refused>(blobs.sweep(&needed, front.since_start())?)
        });
        if let Err(error) = swept.await {
            report_failure(&error);
        }
    }
}

impl From<BlobError> for Refused {
    fn from(error: BlobError) -> Self {
        let detail = error.to_string();
        let of = |status, code, hint| Self::of(status, code, detail.clone()).hint(hint);
        match error {
            BlobError::TooLarge { .. } => of(
                StatusCode::PAYLOAD_TOO_LARGE,
                "NET-BLOB-TOO-LARGE",
                "cut it in several inputs, or ask the operator for a higher limit",
            ),
            BlobError::OtherHash { .. } => {
                of(StatusCode::BAD_REQUEST, "NET-BLOB-HASH", "send all of its bytes, under the SHA-256 of them")
            }
            BlobError::Quota(NoShare::Crowded) => of(
                StatusCode::TOO_MANY_REQUESTS,
                "NET-BLOB-ADDRESS-QUOTA",
                "order what was sent before, or wait: what no job needs goes after a while",
            ),
            BlobError::Quota(NoShare::Full) => of(
                StatusCode::SERVICE_UNAVAILABLE,
                "NET-BLOB-QUOTA",
                "come back later, or use another gateway: what no job needs goes after a while",
            ),
            BlobError::NoRoom => of(
                StatusCode::INSUFFICIENT_STORAGE,
                "NET-BLOB-NO-ROOM",
                "come back when the operator has made room, or use another gateway",
            ),
            BlobError::Unknown(_) => of(
                StatusCode::NOT_FOUND,
                "NET-BLOB-UNKNOWN",
                "whoever has its bytes may leave it: PUT /v1/blobs/{hash}",
            ),
            BlobError::Damaged(_) => {
                report_failure(&detail);
                of(StatusCode::INTERNAL_SERVER_ERROR, "NET-BLOB-DAMAGED", "whoever has its bytes may leave it again")
            }
            BlobError::Io { .. } => {
                report_failure(&detail);
                let detail = "the gateway's disk failed at this blob; its operator sees why";
                Self::of(StatusCode::INTERNAL_SERVER_ERROR, "NET-BLOB-IO", detail)
            }
        }
    }
}
