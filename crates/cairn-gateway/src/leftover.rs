//! What of a request's body is not read when its answer is there.
//!
//! A refusal often needs no more than a request's head. A connection whose last body nobody reads has to end, and a client that
//! was not told so sends its next request into nothing. So what is short and comes soon is read and thrown away, and with the
//! answer to all else the client is told that the connection ends.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use hyper::body::{Frame, SizeHint};

/// So much is read for nothing at the most.
const BYTES_MAX: u64 = 64 << 10;
/// And for so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request's body, which its reader may leave unread.
pub(crate) struct Leftover {
    body: Shared,
    /// Whether the client waits to be asked for it, or says that it is long.
    is_given_up: bool,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Body>>);

impl Shared {
    fn body(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.body()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

impl Leftover {
    /// Keeps a hold of a request's body; `None` for one without.
    pub fn of(request: Request) -> (Request, Option<Self>) {
        if request.body().is_end_stream() {
            return (request, None);
        }
        let headers = request.headers();
        let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let is_given_up = headers.contains_key(EXPECT) || declared.is_some_and(|bytes| bytes > BYTES_MAX);
        let (head, body) = request.into_parts();
        let body = Shared(Arc::new(Mutex::new(body)));
        (Request::from_parts(head, Body::new(body.clone())), Some(Self { body, is_given_up }))
    }

    /// Reads what is left; whether that was all of it, so that the connection can go on.
    pub async fn read_out(mut self) -> bool {
        if self.body.is_end_stream() {
            return true;
        }
        !self.is_given_up && tokio::time::timeout(PATIENCE, self.drain()).await.unwrap_or(false)
    }

    async fn drain(&mut self) -> bool {
        let mut bytes = 0;
        loop {
            match std::future::poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await {
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            }
            if bytes > BYTES_MAX {
                return false;
            }
        }
    }
}
