//! A request's body as handlers read it: bounded in time like one of HTTP/1.1, and asked for only when somebody
//! reads it.

use crate::http::deadline::Deadline;
use axum::BoxError;
use axum::body::{Bytes, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, EXPECT};
use h2::RecvStream;
use hyper::body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Whether somebody waits for a body that the client does not send before it is asked to.
#[derive(Clone, Default)]
pub(super) struct Continue(Arc<AtomicBool>);

impl Continue {
    /// True once for each time that it is.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.swap(false, Relaxed)
    }
}

pub(super) struct Incoming {
    stream: RecvStream,
    length: Option<u64>,
    limit: Duration,
    waiting: Deadline<()>,
    /// `None` if the client does not wait for it.
    asking: Option<Continue>,
}

impl Incoming {
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap, limit: Duration, asking: &Continue) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let expects =
            headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let asking = expects.then(|| asking.clone());
        Self { stream, length, limit, waiting: Deadline::new(), asking }
    }
}

impl HttpBody for Incoming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        match this.stream.poll_data(cx) {
            Poll::Ready(Some(Ok(data))) => {
                // What is read is bounded by who reads it, and the window need not do that again.
                this.stream.flow_control().release_capacity(data.len())?;
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if let Some(asking) = this.asking.take() {
                    asking.0.store(true, Relaxed);
                }
                ready!(this.waiting.poll(cx, (), this.limit));
                Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
