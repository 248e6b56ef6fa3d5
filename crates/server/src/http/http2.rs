//! HTTP/2 on one connection (RFC 9113), by the h2 library itself: hyper on top of it would not send 100 Continue.
//! Nobody may have more work done than is answered, and no stream may keep the connection for itself.

mod answer;
mod body;
mod frames;
mod stream;
mod usage;

use super::connection::Server;
use super::limits::MAX_HEAD_BYTES;
use super::stream::Transport;
use answer::Exchange;
use axum::body::Bytes;
use h2::server::{Builder, Connection};
use h2::{Reason, server};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use stream::Stream;
use tokio::time::{Instant, sleep, timeout};
use usage::Usage;

/// Requests of one connection at a time; a client that has more to ask opens another one.
const MAX_STREAMS: u32 = 100;

/// Up to twice of what is taken, a head is refused with an answer that says why. Beyond that the library refuses it
/// with the mere status, and beyond eight times it ends the connection.
const MAX_DECODED_HEAD_BYTES: u32 = 128 * 1024;
const _: () = assert!(MAX_DECODED_HEAD_BYTES as usize == 2 * MAX_HEAD_BYTES);

/// Answers that wait for their client to make room, on each stream.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// What is not set stands at the protocol's or the library's value: windows of 64 KiB, which is more than a body may
/// have, frames of 16 KiB, 20 streams that were reset before we saw them (CVE-2023-44487), 1,024 requests in all
/// that were not well-formed, and bounds for continuations (CVE-2024-27316) and empty frames (CVE-2019-9518).
fn builder() -> Builder {
    let mut builder = server::Builder::new();
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_DECODED_HEAD_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES);
    builder
}

/// Serves requests until either side closes. `opening` has been read from the transport already.
pub(super) async fn serve<T: Transport>(transport: T, opening: Bytes, peer: IpAddr, server: Server) {
    let stream = Stream::new(transport, opening, Arc::clone(&server.limits));
    let handshake = timeout(server.limits.head, builder().handshake::<_, Bytes>(stream));
    let ended = match handshake.await {
        Ok(Ok(connection)) => converse(connection, peer, Arc::new(server)).await,
        Ok(Err(error)) => Err(error),
        Err(_) => return tracing::debug!(client = %peer, "no HTTP/2 came"),
    };
    if let Err(error) = ended {
        tracing::debug!(client = %peer, %error, "connection ended early");
    }
}

async fn converse<T: Transport>(
    mut connection: Connection<Stream<T>, Bytes>,
    peer: IpAddr,
    server: Arc<Server>,
) -> Result<(), h2::Error> {
    let usage = Arc::new(Usage::new());
    let mut closing = pin!(server.shutdown.closing());
    let mut patience = server.limits.idle;
    let mut waiting = pin!(sleep(patience));
    let mut is_thrown_out = false;
    // When it is over, whatever goes on.
    let mut end: Option<Instant> = None;
    loop {
        tokio::select! {
            biased;
            accepted = connection.accept() => {
                let Some(accepted) = accepted else { return Ok(()) };
                let (request, respond) = accepted?;
                if is_thrown_out {
                    // Was there already.
                } else if usage.is_flood() {
                    is_thrown_out = true;
                    if let Some(turn) = server.limits.floods.refuse() {
                        turn.await;
                    }
                    tracing::info!(client = %peer, "too many requests given up by their client");
                    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                } else {
                    let mut exchange = Exchange::new(respond, &usage, peer, &server);
                    // Many a one is reset before it is seen, and a task for it would cost more than it did.
                    if !exchange.is_given_up() {
                        tokio::spawn(exchange.answer(request));
                    }
                }
            }
            // The client is told, and what it has sent by then is answered. It says when it has heard, but one that
            // has gone never does: then nothing is on its way any more, as little as after the last answer.
            deadline = &mut closing, if end.is_none() => {
                end = Some(deadline);
                patience = server.limits.linger;
                connection.graceful_shutdown();
                waiting.as_mut().reset(deadline.min(Instant::now() + patience));
            }
            () = &mut waiting => {
                let now = Instant::now();
                if end.is_some_and(|end| end <= now) {
                    return Ok(());
                }
                let next = match usage.idle_since() {
                    None => now + patience,
                    Some(since) if since + patience > now => since + patience,
                    // It names the last request that was seen, so that a client whose next one was on its way
                    // knows that it may send it again.
                    Some(_) => {
                        connection.abrupt_shutdown(Reason::NO_ERROR);
                        let last = now + server.limits.head;
                        *end.insert(end.map_or(last, |end| end.min(last)))
                    }
                };
                waiting.as_mut().reset(end.map_or(next, |end| end.min(next)));
            }
        }
    }
}
