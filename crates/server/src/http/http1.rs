//! HTTP/1.1 on one connection, by hyper, with what hyper does not check. No request reaches the router whose
//! framing or Host could be read in two ways.

use super::connection::Server;
use super::exchange::{Exchange, Framing};
use super::head::Verdict;
use super::host;
use super::limits::MAX_HEAD_BYTES;
use super::refusal::{OfPeer, Refusal};
use super::stream::{Stream, Transport};
use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Request, Response, Version};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout_at;
use tower::Service;

/// What the first bytes of a connection may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    IsHttp1,
    /// RFC 9113 section 3.3: a client that knows of HTTP/2 in clear begins with its preface.
    MayBeHttp2,
}

/// How it went on with a connection.
pub(super) enum Ended<T> {
    Closed,
    /// With all bytes that have been read.
    IsHttp2(T, Bytes),
}

/// Serves requests until either side closes, or the client turns out to speak HTTP/2.
pub(super) async fn serve<T: Transport>(
    transport: T,
    opening: Opening,
    peer: IpAddr,
    server: &Server,
) -> Ended<T> {
    let exchange = Arc::new(Exchange::new());
    let refuse = OfPeer { refuse: Arc::clone(&server.refuse), peer };
    let stream = Stream::new(transport, opening, Arc::clone(&exchange), refuse, Arc::clone(&server.limits));
    let mut builder = http1::Builder::new();
    builder
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_HEAD_BYTES)
        // The stream has the timers: hyper's one for heads runs on an idle connection, too.
        .header_read_timeout(None)
        // A client may say that it will send no more and still wait for its answer.
        .half_close(true)
        // Answers are small: one buffer and one write.
        .writev(false);
    let service = service_fn(|request| answer(server, &exchange, peer, request));
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        deadline = server.shutdown.closing() => {
            // Not hyper's graceful shutdown: that closes an idle connection without looking whether a request
            // has come meanwhile. Answers say `Connection: close` by now, and an idle stream says that it ended.
            exchange.close_when_idle();
            timeout_at(deadline, &mut connection).await.unwrap_or(Ok(()))
        }
    };
    let mut stream = connection.into_parts().io.into_inner();
    if stream.is_http2() {
        let (transport, read) = stream.into_read();
        return Ended::IsHttp2(transport, read);
    }
    if let Err(error) = ended {
        tracing::debug!(client = %peer, %error, "connection ended early");
        // hyper leaves this out after an error, and what was answered last would be lost with a reset.
        let _ = stream.shutdown().await;
    }
    Ended::Closed
}

fn answer(
    server: &Server,
    exchange: &Exchange,
    peer: IpAddr,
    mut request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<> {
    let framing = request.body().size_hint().exact().map_or(Framing::Chunked, Framing::Length);
    // Now and not when the future is polled: the stream must know the framing before it is read again.
    let is_sound = exchange.begin(framing) == Verdict::Sound && has_sound_host(&request);
    let client = server.client(peer, request.headers());
    request.extensions_mut().insert(client);
    let mut router = server.router.clone();
    let refuse = OfPeer { refuse: Arc::clone(&server.refuse), peer };
    let shutdown = server.shutdown.clone();
    async move {
        let mut response = if is_sound {
            let Ok(response) = router.call(request).await;
            response
        } else {
            refuse.response(Refusal::BadRequest).map(Body::from)
        };
        if shutdown.is_draining() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// RFC 9112 section 3.2: exactly one Host on HTTP/1.1, and a valid one. Its value is used for nothing.
fn has_sound_host(request: &Request<Incoming>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() == Version::HTTP_10,
        (Some(value), None) => host::is_valid(value.as_bytes()),
        (Some(_), Some(_)) => false,
    }
}
