//! The socket below TLS, with an eye on where records end: half of one may be half of a request, of which nothing
//! is to be seen above. It looks at lengths only. And TLS takes what the socket does not, up to a buffer of its own, so
//! that only here is it known whether anything gets through to the client.

use super::linger::Stall;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Type, version and length, RFC 8446 section 5.1.
const HEADER_BYTES: usize = 5;

pub(super) struct Records<T> {
    socket: T,
    scan: RecordScan,
    writing: Stall,
    write_stall: Duration,
}

/// Where in a record the next byte belongs.
struct RecordScan {
    /// Of the header.
    seen: usize,
    length: usize,
    /// Bytes of the record that are still to come.
    left: usize,
}

impl RecordScan {
    const fn new() -> Self {
        Self { seen: 0, length: 0, left: 0 }
    }

    const fn is_between(&self) -> bool {
        self.seen == 0 && self.left == 0
    }

    fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let here = self.left.min(bytes.len());
                self.left -= here;
                bytes = bytes.get(here..).unwrap_or_default();
                continue;
            }
            self.seen += 1;
            // The last two bytes of the header are what stays.
            self.length = (self.length << 8 | usize::from(*first)) & 0xffff;
            if self.seen == HEADER_BYTES {
                *self = Self { left: self.length, ..Self::new() };
            }
            bytes = rest;
        }
    }
}

impl<T> Records<T> {
    /// `write_stall`: see `Limits`.
    pub(super) const fn new(socket: T, write_stall: Duration) -> Self {
        Self { socket, scan: RecordScan::new(), writing: Stall::new(), write_stall }
    }

    pub(super) const fn socket(&self) -> &T {
        &self.socket
    }

    /// Whether all that was read are whole records.
    pub(super) const fn is_between(&self) -> bool {
        self.scan.is_between()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Records<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        self.scan.feed(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Records<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.writing.bound(cx, this.write_stall, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, slices);
        this.writing.bound(cx, this.write_stall, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_between_records_after_the_last_byte_of_one_and_nowhere_else() {
        let record = |length: u8| [&[23, 3, 3, 0, length][..], &vec![7; length.into()]].concat();
        let bytes = [record(3), record(0), record(200)].concat();
        let ends = [8, 13, bytes.len()];
        let mut scan = RecordScan::new();
        assert!(scan.is_between());
        for (number, byte) in (1..).zip(&bytes) {
            scan.feed(&[*byte]);
            assert_eq!(scan.is_between(), ends.contains(&number), "after {number} bytes");
        }
        for cut in 0..bytes.len() {
            let mut scan = RecordScan::new();
            scan.feed(&bytes[..cut]);
            assert_eq!(scan.is_between(), cut == 0 || ends.contains(&cut), "after {cut} bytes");
            scan.feed(&bytes[cut..]);
            assert!(scan.is_between(), "cut at {cut}");
        }
    }
}
