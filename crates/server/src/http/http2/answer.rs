//! One request and its answer, in a task of its own. What holds for a request of HTTP/1.1 holds for this one, by the
//! same router and the same refusals.

use super::body::{Continue, Incoming};
use super::usage::Usage;
use crate::http::connection::Server;
use crate::http::host;
use crate::http::limits::{MAX_HEAD_BYTES, MAX_HEADER_LINES};
use crate::http::refusal::{OfPeer, Refusal};
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, DATE, HOST};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http_body_util::BodyExt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::timeout;
use tower::Service;

pub(super) struct Exchange {
    respond: SendResponse<Bytes>,
    usage: Arc<Usage>,
    peer: IpAddr,
    server: Arc<Server>,
    is_answered: bool,
}

/// The client has gone, or does not want the answer any more.
struct Gone;

impl From<h2::Error> for Gone {
    fn from(_: h2::Error) -> Self {
        Self
    }
}

impl Exchange {
    pub(super) fn new(
        respond: SendResponse<Bytes>,
        usage: &Arc<Usage>,
        peer: IpAddr,
        server: &Arc<Server>,
    ) -> Self {
        usage.begin();
        Self { respond, usage: Arc::clone(usage), peer, server: Arc::clone(server), is_answered: false }
    }

    pub(super) fn is_given_up(&mut self) -> bool {
        self.respond.poll_reset(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    pub(super) async fn answer(mut self, request: Request<RecvStream>) {
        let is_head = request.method() == Method::HEAD;
        self.is_answered = match self.work(request).await {
            Ok(response) => self.send(response, is_head).await.is_ok(),
            Err(Gone) => false,
        };
    }

    async fn work(&mut self, request: Request<RecvStream>) -> Result<Response<Body>, Gone> {
        if let Some(refusal) = refusal(&request) {
            return self.refuse(refusal).await;
        }
        let asking = Continue::default();
        let (mut parts, stream) = request.into_parts();
        parts.extensions.insert(self.server.client(self.peer, &parts.headers));
        let body = if stream.is_end_stream() {
            Body::empty()
        } else {
            Body::new(Incoming::new(stream, &parts.headers, self.server.limits.body, &asking))
        };
        let mut router = self.server.router.clone();
        let mut working = pin!(router.call(Request::from_parts(parts, body)));
        poll_fn(|cx| {
            // First, so that nothing is begun for somebody who has gone.
            if self.respond.poll_reset(cx).is_ready() {
                return Poll::Ready(Err(Gone));
            }
            if let Poll::Ready(Ok(response)) = working.as_mut().poll(cx) {
                return Poll::Ready(Ok(response));
            }
            if asking.is_wanted() {
                let mut interim = Response::new(());
                *interim.status_mut() = StatusCode::CONTINUE;
                self.respond.send_informational(interim)?;
            }
            Poll::Pending
        })
        .await
    }

    /// In its turn, for the connection goes on.
    async fn refuse(&mut self, refusal: Refusal) -> Result<Response<Body>, Gone> {
        let refuse = OfPeer { refuse: Arc::clone(&self.server.refuse), peer: self.peer };
        let response = refuse.response(refusal).map(Body::from);
        let Some(mut turn) = self.server.limits.refusals.refuse() else { return Ok(response) };
        poll_fn(|cx| match self.respond.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(Err(Gone)),
            Poll::Pending => Pin::new(&mut turn).poll(cx).map(Ok),
        })
        .await
        .map(|()| response)
    }

    async fn send(&mut self, response: Response<Body>, is_head: bool) -> Result<(), Gone> {
        let (mut head, body) = response.into_parts();
        head.version = Version::HTTP_2;
        // RFC 9113 section 8.2.2: there is no such thing any more.
        head.headers.remove(CONNECTION);
        if let Some(date) = self.server.refuse.date() {
            head.headers.entry(DATE).or_insert(date);
        }
        if head.status == StatusCode::NO_CONTENT {
            // RFC 9110 section 8.6, which hyper sees to in HTTP/1.1.
            head.headers.remove(CONTENT_LENGTH);
        }
        let is_empty = body.is_end_stream();
        if let Some(length) = body.size_hint().exact().filter(|_| !is_empty) {
            head.headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
        }
        let is_over = is_empty || is_head;
        let mut stream = self.respond.send_response(Response::from_parts(head, ()), is_over)?;
        if is_over { Ok(()) } else { send_body(body, &mut stream, self.server.limits.idle).await }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.usage.end(self.is_answered);
    }
}

async fn send_body(mut body: Body, stream: &mut SendStream<Bytes>, limit: Duration) -> Result<(), Gone> {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            stream.send_reset(Reason::INTERNAL_ERROR);
            return Err(Gone);
        };
        let Ok(mut data) = frame.into_data() else { continue };
        while !data.is_empty() {
            stream.reserve_capacity(data.len());
            let Ok(room) = timeout(limit, poll_fn(|cx| stream.poll_capacity(cx))).await else {
                stream.send_reset(Reason::CANCEL);
                return Err(Gone);
            };
            let room = room.ok_or(Gone)??;
            let is_over = room >= data.len() && body.is_end_stream();
            stream.send_data(data.split_to(room.min(data.len())), is_over)?;
            if is_over {
                return Ok(());
            }
        }
    }
    Ok(stream.send_data(Bytes::new(), true)?)
}

/// What the library lets pass.
fn refusal(request: &Request<RecvStream>) -> Option<Refusal> {
    let lines = request.headers().len();
    let path_bytes = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    // RFC 9113 section 6.5.2 has 32 for each line.
    let line_bytes = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 32);
    let is_too_large = path_bytes + line_bytes.sum::<usize>() > MAX_HEAD_BYTES;
    if is_too_large && path_bytes > MAX_HEAD_BYTES / 2 {
        Some(Refusal::UriTooLong)
    } else if is_too_large || lines > MAX_HEADER_LINES {
        Some(Refusal::HeadersTooLarge)
    } else if has_sound_host(request) {
        None
    } else {
        Some(Refusal::BadRequest)
    }
}

/// RFC 9113 section 8.3.1: `:authority` or Host, and if both, the same. Its value is used for nothing.
fn has_sound_host(request: &Request<RecvStream>) -> bool {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = request.headers().get_all(HOST).iter().map(HeaderValue::as_bytes);
    match (authority, hosts.next(), hosts.next()) {
        (Some(one), None, None) | (None, Some(one), None) => host::is_valid(one),
        (Some(one), Some(other), None) => one == other && host::is_valid(one),
        _ => false,
    }
}
