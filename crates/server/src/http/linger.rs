//! The two ends of waiting for a client that does not listen: a write that does not get through, and reading on
//! after the last answer, because closing a socket with unread bytes in it resets it, and what was sent last may be
//! lost on its way.

use super::deadline::Deadline;
use super::limits::Limits;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The timers for it, of one connection.
pub(super) struct Linger {
    writing: Deadline<()>,
    lingering: Deadline<()>,
}

impl Linger {
    pub(super) const fn new() -> Self {
        Self { writing: Deadline::new(), lingering: Deadline::new() }
    }

    pub(super) fn poll_write(
        &mut self,
        transport: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
        limits: &Limits,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(transport).poll_write(cx, bytes) {
            Poll::Ready(written) => {
                self.writing.stop();
                Poll::Ready(written)
            }
            Poll::Pending => {
                ready!(self.writing.poll(cx, (), limits.write_stall));
                Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)))
            }
        }
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
        let mut discarded = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut discarded);
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
