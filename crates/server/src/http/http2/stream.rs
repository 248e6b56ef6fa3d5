//! The socket as the h2 library sees it: it bounds the time of each frame and block of header fields, and of a
//! client that does not read. Between them the connection's idle time runs, which is not known here.

use super::frames::FrameScan;
use crate::http::deadline::Deadline;
use crate::http::limits::Limits;
use crate::http::linger::Linger;
use crate::http::pace::Turn;
use axum::body::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Of what was there to read at a time: the library ends a connection at 20 that were reset before they were seen.
const MOST_RESETS: usize = 20;

pub(super) struct Stream<T> {
    transport: T,
    /// Read before it was known what it is.
    opening: Bytes,
    limits: Arc<Limits>,
    scan: FrameScan,
    reading: Deadline<()>,
    linger: Linger,
    /// Streams that were reset up to when there was nothing more to read.
    seen_resets: usize,
    /// Until then the client, which has sent a flood of resets, hears nothing.
    held: Option<Turn>,
}

impl<T> Stream<T> {
    pub(super) fn new(transport: T, opening: Bytes, limits: Arc<Limits>) -> Self {
        let (reading, linger) = (Deadline::new(), Linger::new());
        Self {
            transport,
            opening,
            limits,
            scan: FrameScan::new(),
            reading,
            linger,
            seen_resets: 0,
            held: None,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if !this.opening.is_empty() {
            let length = this.opening.len().min(buffer.remaining());
            buffer.put_slice(&this.opening.split_to(length));
        } else if let Poll::Ready(read) = Pin::new(&mut this.transport).poll_read(cx, buffer) {
            read?;
        } else {
            if !this.scan.is_between() {
                ready!(this.reading.poll(cx, (), this.limits.head));
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)));
            }
            this.seen_resets = this.scan.resets();
            return Poll::Pending;
        }
        if this.scan.feed(buffer.filled().get(before..).unwrap_or_default()) {
            this.reading.stop();
        }
        if this.scan.resets() - this.seen_resets > MOST_RESETS && this.held.is_none() {
            this.seen_resets = this.scan.resets();
            this.held = this.limits.floods.refuse();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let Some(turn) = &mut this.held {
            ready!(Pin::new(turn).poll(cx));
            this.held = None;
        }
        this.linger.poll_write(&mut this.transport, cx, &this.limits, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    /// Clients go on sending frames about flow control, so that it is never sure that nothing is coming.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.linger.poll_shutdown(&mut this.transport, cx, &this.limits, false)
    }
}
