//! A client of HTTP/2 that keeps to no rule: it writes the frames that it is told to.

use super::client::within_patience;
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// RFC 7541 section 6.2.2, a field as it is: its name may be one that no library would send.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    literal(0x00, name, value)
}

/// Section 6.2.1, remembered for later ones, which name it by its index.
pub(crate) fn remembered_field(name: &str, value: &str) -> Vec<u8> {
    literal(0x40, name, value)
}

fn literal(kind: u8, name: &str, value: &str) -> Vec<u8> {
    [&[kind][..], &string(name), &string(value)].concat()
}

fn string(text: &str) -> Vec<u8> {
    let mut length = text.len();
    let mut bytes = Vec::new();
    if length < 127 {
        bytes.push(u8::try_from(length).unwrap());
    } else {
        bytes.push(127);
        length -= 127;
        while length >= 128 {
            bytes.push(u8::try_from(length % 128 + 128).unwrap());
            length /= 128;
        }
        bytes.push(u8::try_from(length).unwrap());
    }
    [bytes, text.as_bytes().to_vec()].concat()
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Reset(u32),
    /// Of the whole connection.
    GoAway(u32),
    /// The code of the status in RFC 7541 appendix A, or what stands in its place.
    Answer(u8),
    Closed,
}

pub(crate) struct Frames {
    stream: TcpStream,
}

impl Frames {
    /// With a preface and empty settings.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within_patience("connecting", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut frames = Self { stream };
        frames.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
        frames
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within_patience("sending", self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends as much as the other side takes; it may have closed.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within_patience("sending", self.stream.write_all(bytes.as_ref())).await.is_ok()
    }

    /// `None` at the end; a reset is one, too.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut header = [0; 9];
        match within_patience("reading", self.stream.read_exact(&mut header)).await {
            Ok(_) => {}
            Err(error) if [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&error.kind()) => {
                return None;
            }
            Err(error) => panic!("{error}"),
        }
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; length.try_into().unwrap()];
        within_patience("reading", self.stream.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes(header[5..].try_into().unwrap());
        Some(Frame { kind: header[3], stream, payload })
    }

    /// Reads on until it is known what became of the stream.
    pub(crate) async fn end_of(&mut self, stream: u32) -> End {
        while let Some(frame) = self.next().await {
            match frame.kind {
                RST_STREAM if frame.stream == stream => return End::Reset(frame.number(0)),
                GOAWAY => return End::GoAway(frame.number(4)),
                HEADERS if frame.stream == stream => return End::Answer(frame.payload[0]),
                _ => {}
            }
        }
        End::Closed
    }
}
