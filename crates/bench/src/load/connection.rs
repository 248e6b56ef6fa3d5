//! One keep-alive connection of the load generator: a request goes out in one piece, and one answer comes back.

use super::answer::{self, Answer, Expected, excerpt};
use anyhow::{Context, Result, bail};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// More than any answer has.
const BUFFER_BYTES: usize = 64 * 1024;

pub(super) struct Connection {
    pub(super) group: usize,
    /// Its number within the group.
    pub(super) slot: usize,
    pub(super) request: Vec<u8>,
    pub(super) expected: Expected,
    /// When the request should have been sent; what came in between is waiting and counts.
    pub(super) intended: Instant,
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub(super) fn open(address: SocketAddr, group: usize, slot: usize) -> Result<Self> {
        Ok(Self {
            group,
            slot,
            request: Vec::with_capacity(2048),
            expected: Expected::Status(0),
            intended: Instant::now(),
            address,
            stream: connect(address)?,
            buffer: vec![0; BUFFER_BYTES],
            filled: 0,
        })
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) fn send(&mut self, expected: Expected, intended: Instant) -> Result<()> {
        (self.expected, self.intended) = (expected, intended);
        // There is one request at a time, so there is room for all of it.
        let sent = self.stream.write(&self.request).context("sending a request")?;
        if sent != self.request.len() {
            bail!("{sent} bytes of a request were sent and not {}", self.request.len());
        }
        Ok(())
    }

    /// What has come, if it is a whole answer; the connection is free again then.
    pub(super) fn receive(&mut self) -> Result<Option<Answer>> {
        let Some(room) = self.buffer.get_mut(self.filled..).filter(|room| !room.is_empty()) else {
            bail!("an answer is longer than {BUFFER_BYTES} bytes");
        };
        match self.stream.read(room) {
            Ok(0) => bail!("the server closed the connection in the place of an answer"),
            Ok(length) => self.filled += length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(None);
            }
            Err(error) => return Err(error).context("reading an answer"),
        }
        let bytes = self.buffer.get(..self.filled).unwrap_or_default();
        let Some(answer) = answer::parse(bytes)? else { return Ok(None) };
        if answer.length != self.filled {
            bail!("more came than one answer: {}", excerpt(bytes));
        }
        if !self.expected.is_met_by(&answer, bytes) {
            let (expected, request) = (self.expected, excerpt(&self.request));
            bail!("expected {expected:?}, got {}\nfor {request}", excerpt(bytes));
        }
        self.filled = 0;
        Ok(Some(answer))
    }

    /// For servers that end a connection after some answers.
    pub(super) fn reconnect(&mut self) -> Result<()> {
        self.stream = connect(self.address)?;
        Ok(())
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
