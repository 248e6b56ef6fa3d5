//! The two ends of waiting for a client that does not listen: a write that does not get through, and reading on
//! after the last answer, because closing a socket with unread bytes in it resets it, and what was sent last may be
//! lost on its way.

use super::deadline::Deadline;
use super::limits::Limits;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The time since a byte got through, while some are waiting to.
pub(super) struct Stall(Deadline<()>);

impl Stall {
    pub(super) const fn new() -> Self {
        Self(Deadline::new())
    }

    /// What a write came to, or `TimedOut` once it has come to nothing for as long as `limit`.
    pub(super) fn bound(
        &mut self,
        cx: &mut Context<'_>,
        limit: Duration,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.0.stop();
            return written;
        }
        ready!(self.0.poll(cx, (), limit));
        Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)))
    }
}

/// The timers for both, of one connection.
pub(super) struct Linger {
    writing: Stall,
    lingering: Deadline<()>,
}

impl Linger {
    pub(super) const fn new() -> Self {
        Self { writing: Stall::new(), lingering: Deadline::new() }
    }

    pub(super) fn poll_write(
        &mut self,
        transport: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
        limits: &Limits,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(transport).poll_write(cx, bytes);
        self.writing.bound(cx, limits.write_stall, written)
    }

    /// Says that nothing more is coming, and discards what comes. With `is_clean`, all that was sent has been
    /// read and understood, so that nothing need be waited for.
    pub(super) fn poll_shutdown(
        &mut self,
        transport: &mut (impl AsyncRead + AsyncWrite + Unpin),
        cx: &mut Context<'_>,
        limits: &Limits,
        is_clean: bool,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut *transport).poll_shutdown(cx))?;
        let mut discarded = [MaybeUninit::uninit(); 16 * 1024];
        loop {
            let mut buffer = ReadBuf::uninit(&mut discarded);
            match Pin::new(&mut *transport).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    if self.lingering.poll(cx, (), limits.linger).is_ready() {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Pending if !is_clean => {
                    ready!(self.lingering.poll(cx, (), limits.linger));
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(_) | Poll::Pending => return Poll::Ready(Ok(())),
            }
        }
    }
}
