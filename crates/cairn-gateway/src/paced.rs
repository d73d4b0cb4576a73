//! A connection whose client must take what it is sent, and that counts its bytes.
//!
//! The server holds at most one buffer of an answer, and flushes it before it makes the next. The client has so long to
//! take a buffer, whether it takes nothing or a byte now and then; then the connection fails. How slowly a client may
//! *send* is bounded where its head and its body are read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Bytes that came in and went out.
#[derive(Default)]
pub(crate) struct Traffic {
    pub received: AtomicU64,
    pub sent: AtomicU64,
}

/// A connection whose client must take what it is sent.
pub(crate) struct Paced<S> {
    stream: S,
    patience: Duration,
    /// Runs while the client has not taken what was sent.
    waiting: Option<Pin<Box<Sleep>>>,
    traffic: Arc<Traffic>,
}

impl<S> Paced<S> {
    pub fn over(stream: S, patience: Duration, traffic: Arc<Traffic>) -> Self {
        Self { stream, patience, waiting: None, traffic }
    }

    /// Fails once the client was waited for too long; arms the clock at the first wait.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client does not take its answer"))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.traffic.received.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // A byte now and then does not stop the clock: only a flush that went through does.
        if self.waiting.as_ref().is_some_and(|waiting| waiting.deadline() <= Instant::now()) {
            return self.wait(context).map(Err);
        }
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => self.wait(context).map(Err),
            Poll::Ready(written) => {
                self.traffic.sent.fetch_add(written.as_ref().map_or(0, |count| *count as u64), Ordering::Relaxed);
                Poll::Ready(written)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Pending => self.wait(context).map(Err),
            Poll::Ready(flushed) => {
                self.waiting = None;
                Poll::Ready(flushed)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Pending => self.wait(context).map(Err),
            ready => ready,
        }
    }
}
