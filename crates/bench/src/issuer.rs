//! The issuer's key set, on loopback. It has no more to say.

use anyhow::Result;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Serves the key set for as long as this process lives. Returns its URL.
pub fn serve(keys: &[Value]) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/jwks", listener.local_addr()?);
    let body = json!({ "keys": keys }).to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    thread::Builder::new().name("issuer".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // Who asks in vain asks again.
            let _ = converse(stream, &answer);
        }
    })?;
    Ok(url)
}

fn converse(mut stream: TcpStream, answer: &str) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while memchr::memmem::find(&request, b"\r\n\r\n").is_none() {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            length => request.extend_from_slice(piece.get(..length).unwrap_or_default()),
        }
    }
    Ok(stream.write_all(answer.as_bytes())?)
}
