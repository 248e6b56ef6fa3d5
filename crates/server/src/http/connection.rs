//! One connection from accept to close: HTTP/1.1 on one stream, with what hyper does not check. No request
//! reaches the router whose framing or Host could be read in two ways.

use super::exchange::{Exchange, Framing};
use super::head::Verdict;
use super::limits::{Limits, MAX_HEAD_BYTES};
use super::refusal::{self, Refusal, Refuse};
use super::shutdown::Shutdown;
use super::stream::{Stream, Transport};
use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Request, Response, Version};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tower::Service;

/// What all connections of a listener share.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) router: Router,
    pub(super) refuse: Arc<dyn Refuse>,
    pub(super) limits: Arc<Limits>,
    pub(super) shutdown: Shutdown,
}

impl Transport for TcpStream {
    fn has_unread(&self) -> bool {
        // A second descriptor of the same socket is the way to ask the kernel and not the runtime.
        self.as_fd().try_clone_to_owned().is_ok_and(|socket| {
            std::net::TcpStream::from(socket).peek(&mut [0]).is_ok_and(|length| length > 0)
        })
    }
}

/// Serves requests until either side closes. HTTP/2 would branch off here, on ALPN or on the first bytes.
pub(super) async fn serve(transport: impl Transport, server: Server) {
    let exchange = Arc::new(Exchange::new());
    let stream =
        Stream::new(transport, Arc::clone(&exchange), Arc::clone(&server.refuse), Arc::clone(&server.limits));
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
    let service = service_fn(|request| answer(&server, &exchange, request));
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
    if let Err(error) = ended {
        tracing::debug!(error = %error, "connection ended early");
        // hyper leaves this out after an error, and what was answered last would be lost with a reset.
        let _ = connection.into_parts().io.into_inner().shutdown().await;
    }
}

fn answer(
    server: &Server,
    exchange: &Exchange,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<> {
    let framing = request.body().size_hint().exact().map_or(Framing::Chunked, Framing::Length);
    // Now and not when the future is polled: the stream must know the framing before it is read again.
    let is_sound = exchange.begin(framing) == Verdict::Sound && has_sound_host(&request);
    let mut router = server.router.clone();
    let refuse = Arc::clone(&server.refuse);
    let shutdown = server.shutdown.clone();
    async move {
        let mut response = if is_sound {
            let Ok(response) = router.call(request).await;
            response
        } else {
            refusal::response(&*refuse, Refusal::BadRequest).map(Body::from)
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
        (Some(host), None) => host
            .as_bytes()
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(byte)),
        (Some(_), Some(_)) => false,
    }
}
