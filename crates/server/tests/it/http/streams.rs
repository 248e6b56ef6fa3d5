//! A client of HTTP/2 that keeps to the rules, and gives the same answers as the one of HTTP/1.1.

use super::client::{Answer, within_patience};
use super::server::PROBE;
use axum::body::Bytes;
use axum::http::{Request, Response};
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

#[derive(Clone)]
pub(crate) struct Streams {
    send: SendRequest<Bytes>,
}

/// How the connection ends.
pub(crate) type Conversation = JoinHandle<Result<(), h2::Error>>;

/// With an authority and a good token.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(format!("http://a{path}"));
    if !headers.iter().any(|(name, _)| *name == "authorization") {
        request = request.header("authorization", "Bearer good");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

impl Streams {
    pub(crate) async fn connect(address: SocketAddr) -> (Self, Conversation) {
        let stream = within_patience("connecting", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream).await
    }

    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> (Self, Conversation) {
        let (send, connection) = within_patience("the preface", h2::client::handshake(stream)).await.unwrap();
        (Self { send }, tokio::spawn(connection))
    }

    /// Sends the head, and nothing of a body yet if there is to be one.
    pub(crate) async fn begin(
        &self,
        request: Request<()>,
        has_body: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let mut send = within_patience("room for a stream", self.send.clone().ready()).await.unwrap();
        send.send_request(request, !has_body).unwrap()
    }

    pub(crate) async fn try_request(&self, request: Request<()>, body: &str) -> Result<Answer, h2::Error> {
        let (response, mut sending) = self.begin(request, !body.is_empty()).await;
        if !body.is_empty() {
            sending.send_data(Bytes::copy_from_slice(body.as_bytes()), true)?;
        }
        answer(response).await
    }

    pub(crate) async fn request(&self, request: Request<()>, body: &str) -> Answer {
        self.try_request(request, body).await.unwrap()
    }

    /// The status of the probe with this body.
    pub(crate) async fn probe(&self, body: &str) -> u16 {
        self.request(request("POST", PROBE, &[JSON]), body).await.status
    }
}

pub(crate) async fn answer(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let response = within_patience("the answer", response).await?;
    let (head, body) = response.into_parts();
    whole(Response::from_parts(head, ()), body).await
}

async fn whole(head: Response<()>, mut stream: RecvStream) -> Result<Answer, h2::Error> {
    let headers = head.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let mut answer = Answer { status: head.status().as_u16(), headers: headers.collect(), body: Vec::new() };
    while let Some(data) = within_patience("the body", stream.data()).await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        answer.body.extend_from_slice(&data);
    }
    Ok(answer)
}
