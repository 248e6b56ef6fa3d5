//! The socket as hyper sees it: one head at a time, each known from its first byte to its last, and every wait
//! bounded. It must never hand over a byte behind a head before it knows how that head frames its body.

use super::chunks::{ChunkScan, Chunks};
use super::deadline::Deadline;
use super::exchange::{Exchange, Framing};
use super::head::HeadScan;
use super::http1::Opening;
use super::limits::{Limits, MAX_HEAD_BYTES};
use super::linger::Linger;
use super::preface::{self, PREFACE, Preface};
use super::refusal::{self, OfPeer, Refusal};
use axum::body::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What carries the bytes: TCP, or something on top of it.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    /// Whether the kernel holds bytes that nobody has read. The runtime's readiness lags behind that.
    fn has_unread(&self) -> bool;
}

/// Where in the sequence of requests the next byte from the client belongs.
enum Phase {
    /// At the very beginning, with so many bytes of HTTP/2's preface.
    Opening {
        seen: usize,
    },
    /// It is another protocol: hyper gets nothing of it, and leaves the transport alone.
    Http2,
    Head(HeadScan),
    /// The head is hyper's, which has not called the service with it yet.
    Parsing {
        request_line_length: usize,
    },
    Body(u64),
    Chunks(ChunkScan),
}

/// What the client is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Request,
    Head,
    Body,
}

pub(super) struct Stream<T> {
    transport: T,
    exchange: Arc<Exchange>,
    refuse: OfPeer,
    limits: Arc<Limits>,
    phase: Phase,
    /// Bytes behind a head, of a client that does not wait for answers.
    held: Bytes,
    reading: Deadline<Wait>,
    linger: Linger,
    /// Our own refusal instead of hyper's, and how much of it is written.
    replacement: Option<(Vec<u8>, usize)>,
}

impl<T: Transport> Stream<T> {
    pub(super) fn new(
        transport: T,
        opening: Opening,
        exchange: Arc<Exchange>,
        refuse: OfPeer,
        limits: Arc<Limits>,
    ) -> Self {
        let phase = match opening {
            Opening::IsHttp1 => Phase::Head(HeadScan::new()),
            Opening::MayBeHttp2 => Phase::Opening { seen: 0 },
        };
        Self {
            transport,
            exchange,
            refuse,
            limits,
            phase,
            held: Bytes::new(),
            reading: Deadline::new(),
            linger: Linger::new(),
            replacement: None,
        }
    }

    pub(super) fn is_http2(&self) -> bool {
        matches!(self.phase, Phase::Http2)
    }

    /// The transport, and what has been read from it and not been handed over.
    pub(super) fn into_read(self) -> (T, Bytes) {
        (self.transport, self.held)
    }

    /// How many of `bytes` hyper may have now: all, or those up to the end of a head.
    fn account(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match &mut self.phase {
                Phase::Head(scan) => match scan.feed(rest) {
                    None => at = bytes.len(),
                    Some(end) => {
                        self.exchange.put_head(scan.verdict());
                        let request_line_length = scan.request_line_length();
                        self.enter(Phase::Parsing { request_line_length });
                        return Ok(at + end);
                    }
                },
                // hyper asks for more of a head that we have seen end. Whoever is right, the rest is not safe.
                Phase::Parsing { .. } | Phase::Opening { .. } | Phase::Http2 => {
                    return Err(io::Error::from(io::ErrorKind::InvalidData));
                }
                Phase::Body(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    at += here;
                    *left -= here as u64;
                    if *left == 0 {
                        self.enter(Phase::Head(HeadScan::new()));
                    }
                }
                Phase::Chunks(scan) => match scan.feed(rest) {
                    Chunks::Within => at = bytes.len(),
                    Chunks::End(end) => {
                        at += end;
                        self.enter(Phase::Head(HeadScan::new()));
                    }
                },
            }
        }
        Ok(at)
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.reading.stop();
    }

    /// Leaves `Parsing` once the service has been called.
    fn settle(&mut self) {
        if matches!(self.phase, Phase::Parsing { .. }) {
            match self.exchange.framing() {
                Some(Framing::Length(0)) => self.enter(Phase::Head(HeadScan::new())),
                Some(Framing::Length(length)) => self.enter(Phase::Body(length)),
                Some(Framing::Chunked) => self.enter(Phase::Chunks(ChunkScan::new())),
                None => {}
            }
        }
    }

    /// There is nothing to read. Ready without a byte is the end of the stream for hyper.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (wait, limit) = match &self.phase {
            _ if self.is_between_requests() => {
                if self.exchange.is_closing() && !self.transport.has_unread() {
                    return Poll::Ready(Ok(()));
                }
                (Wait::Request, self.limits.idle)
            }
            Phase::Head(_) | Phase::Parsing { .. } | Phase::Opening { .. } | Phase::Http2 => {
                (Wait::Head, self.limits.head)
            }
            Phase::Body(_) | Phase::Chunks(_) => (Wait::Body, self.limits.body),
        };
        ready!(self.reading.poll(cx, wait, limit));
        match wait {
            Wait::Request => Poll::Ready(Ok(())),
            Wait::Head => {
                // Into the empty buffer of the socket, or else not at all: nothing is waited for here.
                let answer = self.refuse.wire_format(Refusal::RequestTimeout);
                let _ = Pin::new(&mut self.transport).poll_write(cx, &answer);
                Poll::Ready(Ok(()))
            }
            // The reader of the body gets this, and answers.
            Wait::Body => Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut))),
        }
    }

    fn poll_read_held(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        let mut held = std::mem::take(&mut self.held);
        let offered = held.get(..held.len().min(buffer.remaining())).unwrap_or_default();
        let taken = self.account(offered)?;
        buffer.put_slice(&held.split_to(taken));
        // The rest is not copied: a client could have that done for each of thousands of tiny requests.
        self.held = held;
        Ok(())
    }

    fn poll_write_bounded(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.linger.poll_write(&mut self.transport, cx, &self.limits, bytes)
    }

    fn poll_write_replacement(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((answer, written)) = self.replacement.take() {
            let rest = answer.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match self.poll_write_bounded(cx, rest) {
                Poll::Ready(Ok(more)) => self.replacement = Some((answer, written + more)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.replacement = Some((answer, written));
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The refusal to send in place of `bytes`, if those are hyper's own answer to a head it could not read.
    fn refusal_in(&self, bytes: &[u8]) -> Option<Refusal> {
        let request_line_length = match &self.phase {
            Phase::Head(scan) if !scan.is_empty() => scan.request_line_length(),
            Phase::Parsing { request_line_length } if self.exchange.framing().is_none() => {
                *request_line_length
            }
            _ => return None,
        };
        match refusal::of_hyper(bytes)? {
            _ if self.exchange.is_broken() => Some(Refusal::BadRequest),
            // hyper's own limit for a URI is beyond the one for a whole head.
            Refusal::HeadersTooLarge if request_line_length > MAX_HEAD_BYTES / 2 => Some(Refusal::UriTooLong),
            refusal => Some(refusal),
        }
    }

    fn is_between_requests(&self) -> bool {
        match &self.phase {
            Phase::Opening { seen } => *seen == 0,
            Phase::Head(scan) => scan.is_empty(),
            _ => false,
        }
    }

    /// All that was sent has been read and understood.
    fn is_clean(&self) -> bool {
        self.held.is_empty() && self.is_between_requests()
    }

    /// What the first bytes mean. With `Some`, none of `fresh` is for hyper yet.
    fn open(&mut self, seen: usize, fresh: &[u8]) -> Option<io::Result<()>> {
        let verdict = preface::follow(seen, fresh);
        self.phase = match verdict {
            Preface::No => Phase::Head(HeadScan::new()),
            Preface::Begun(seen) => Phase::Opening { seen },
            Preface::Whole => Phase::Http2,
        };
        let put_off = || [PREFACE.get(..seen).unwrap_or_default(), fresh].concat().into();
        match verdict {
            Preface::No if seen == 0 => return None,
            Preface::No => self.held = put_off(),
            Preface::Begun(_) => {}
            Preface::Whole => {
                self.held = put_off();
                return Some(Err(io::Error::from(io::ErrorKind::Unsupported)));
            }
        }
        Some(Ok(()))
    }
}

impl<T: Transport> AsyncRead for Stream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.settle();
        loop {
            if !this.held.is_empty() {
                return Poll::Ready(this.poll_read_held(buffer));
            }
            let before = buffer.filled().len();
            let Poll::Ready(read) = Pin::new(&mut this.transport).poll_read(cx, buffer) else {
                return this.wait(cx);
            };
            read?;
            let fresh = buffer.filled().get(before..).unwrap_or_default();
            if let Phase::Opening { seen } = this.phase
                && let Some(opened) = this.open(seen, fresh)
            {
                buffer.set_filled(before);
                opened?;
                continue;
            }
            let taken = this.account(fresh)?;
            if taken < fresh.len() {
                this.held = Bytes::copy_from_slice(fresh.get(taken..).unwrap_or_default());
            }
            buffer.set_filled(before + taken);
            return Poll::Ready(Ok(()));
        }
    }
}

impl<T: Transport> AsyncWrite for Stream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.replacement.is_none()
            && let Some(refusal) = self.refusal_in(bytes)
        {
            let answer = self.refuse.wire_format(refusal);
            self.replacement = Some((answer, 0));
        }
        if self.replacement.is_some() {
            ready!(self.poll_write_replacement(cx))?;
            return Poll::Ready(Ok(bytes.len()));
        }
        self.poll_write_bounded(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_http2() {
            return Poll::Ready(Ok(()));
        }
        let is_clean = this.is_clean();
        this.linger.poll_shutdown(&mut this.transport, cx, &this.limits, is_clean)
    }
}
