//! An answer that is made while it is taken: memory holds one piece of it, and a thread works only while a piece is made.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::task::JoinHandle;

use crate::problem::report_failure;

/// Makes the next piece; `None` after the last.
pub(crate) trait Pieces: Send + 'static {
    /// # Errors
    /// What the operator is told; the client sees its answer end too early.
    fn next(&mut self) -> Made;
}

/// A piece, or `None` after the last; or why it could not be made.
pub(crate) type Made = Result<Option<Vec<u8>>, String>;

/// A body that begins with `first` and goes on with what `pieces` make.
struct Streamed<P> {
    first: Option<Bytes>,
    /// `None` after the end.
    state: Option<State<P>>,
}

enum State<P> {
    Waiting(P),
    Making(JoinHandle<(P, Made)>),
}

/// A body that is made while it is taken.
pub(crate) fn streamed<P: Pieces + Unpin>(first: Vec<u8>, pieces: P) -> Body {
    Body::new(Streamed { first: Some(first.into()), state: Some(State::Waiting(pieces)) })
}

impl<P: Pieces + Unpin> HttpBody for Streamed<P> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            match self.state.take() {
                None => return Poll::Ready(None),
                Some(State::Waiting(mut pieces)) => {
                    let making = tokio::task::spawn_blocking(move || {
                        let made = pieces.next();
                        (pieces, made)
                    });
                    self.state = Some(State::Making(making));
                }
                Some(State::Making(mut making)) => {
                    let Poll::Ready(made) = Pin::new(&mut making).poll(context) else {
                        self.state = Some(State::Making(making));
                        return Poll::Pending;
                    };
                    let (pieces, made) = match made {
                        Ok(made) => made,
                        Err(error) => return Poll::Ready(Some(Err(failed(&error)))),
                    };
                    match made {
                        Ok(Some(piece)) => {
                            self.state = Some(State::Waiting(pieces));
                            return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
                        }
                        Ok(None) => return Poll::Ready(None),
                        Err(error) => return Poll::Ready(Some(Err(failed(&error)))),
                    }
                }
            }
        }
    }
}

fn failed(error: &dyn core::fmt::Display) -> Error {
    report_failure(&format_args!("an answer ended early: {error}"));
    Error::new(std::io::Error::other("the rest of the answer could not be made"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count {
        left: u32,
        fails_at: Option<u32>,
    }

    impl Pieces for Count {
        fn next(&mut self) -> Made {
            if self.fails_at == Some(self.left) {
                return Err("the disk is gone".to_owned());
            }
            let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
            self.left = left;
            Ok(Some(left.to_string().into_bytes()))
        }
    }

    fn taken(pieces: Count) -> Result<Bytes, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(axum::body::to_bytes(streamed(b"first,".to_vec(), pieces), 1_000))
    }

    #[test]
    fn a_streamed_answer_is_its_pieces_in_order_and_ends_with_an_error_where_one_fails() {
        assert_eq!(taken(Count { left: 0, fails_at: None }).unwrap(), "first,");
        assert_eq!(taken(Count { left: 5, fails_at: None }).unwrap(), "first,43210");
        assert!(taken(Count { left: 5, fails_at: Some(2) }).is_err());
    }
}
