//! Sends traces to a collector (OTLP), in groups and beside the requests. A collector that is slow or gone costs traces,
//! and must never cost a request.

use super::endpoint::Endpoint;
use super::{FinishedTrace, protobuf, queue};
use crate::metrics::SpanMetrics;
use http_body_util::{BodyExt, Limited};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, Client, Request, RequestBuilder};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// In traces.
const GROUP: usize = 256;
/// So long a trace waits for others to be sent with.
const GATHERING: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(5);
/// Collectors answer with a few bytes.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Where traces are handed in. Once all of them are gone, what is queued is sent, and the exporter ends.
#[derive(Clone)]
pub struct Exporter {
    sender: mpsc::Sender<FinishedTrace>,
    metrics: SpanMetrics,
}

impl Exporter {
    pub(super) fn take(&self, trace: FinishedTrace) {
        if let Err(full) = self.sender.try_send(trace) {
            self.metrics.dropped.inc_by(full.into_inner().spans() as u64);
        }
    }
}

/// Why a group was lost.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("{0}")]
    Unreachable(String),
    #[error("status {0}")]
    Status(u16),
    #[error("grpc-status {0}")]
    Grpc(String),
}

/// Needs a running runtime.
pub fn start(endpoint: Endpoint, metrics: SpanMetrics) -> Result<(Exporter, JoinHandle<()>), reqwest::Error> {
    let builder = Client::builder()
        .user_agent(concat!("einmal/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .timeout(DEADLINE);
    let is_tls = endpoint.url.scheme() == "https";
    // The system's root certificates may be missing where nobody needs them. Without TLS nothing negotiates HTTP/2.
    let builder = if is_tls { builder } else { builder.tls_certs_only([]) };
    let builder = if endpoint.is_grpc && !is_tls { builder.http2_prior_knowledge() } else { builder };
    let (sender, traces) = queue();
    let exporting =
        Exporting { client: builder.build()?, endpoint, metrics: metrics.clone(), is_failing: false };
    Ok((Exporter { sender, metrics }, tokio::spawn(exporting.run(traces))))
}

struct Exporting {
    client: Client,
    endpoint: Endpoint,
    metrics: SpanMetrics,
    is_failing: bool,
}

impl Exporting {
    async fn run(mut self, mut traces: mpsc::Receiver<FinishedTrace>) {
        let mut group = Vec::new();
        while let Some(first) = traces.recv().await {
            group.push(first);
            // Whether it was full, the end or the time, what is there is sent.
            let _ = timeout(GATHERING, gather(&mut traces, &mut group)).await;
            let spans = group.iter().map(FinishedTrace::spans).sum::<usize>() as u64;
            let body = protobuf::encode(&group);
            group.clear();
            self.settle(self.send(body).await, spans);
        }
    }

    /// An outage is one line, and its end another.
    fn settle(&mut self, sent: Result<(), ExportError>, spans: u64) {
        let collector = self.endpoint.url.as_str();
        match sent {
            Ok(()) => {
                self.metrics.exported.inc_by(spans);
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!(collector, "traces can be exported again");
                }
            }
            Err(error) => {
                self.metrics.dropped.inc_by(spans);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(collector, %error, "traces cannot be exported and are dropped");
                }
            }
        }
    }

    async fn send(&self, body: Vec<u8>) -> Result<(), ExportError> {
        let unreachable = |error: reqwest::Error| ExportError::Unreachable(error.without_url().to_string());
        let response =
            self.client.execute(self.request(body).map_err(unreachable)?).await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(ExportError::Status(response.status().as_u16()));
        }
        let (head, body) = hyper::Response::<Body>::from(response).into_parts();
        let answer = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
        let answer = answer.map_err(|error| ExportError::Unreachable(error.to_string()))?;
        // gRPC tells in trailers what became of a call, or in the headers if there is no body.
        let status = answer.trailers().and_then(|trailers| trailers.get("grpc-status")).cloned();
        let status = status.or_else(|| head.headers.get("grpc-status").cloned());
        match status {
            Some(status) if status != "0" => {
                Err(ExportError::Grpc(status.to_str().unwrap_or("unreadable").to_owned()))
            }
            None if self.endpoint.is_grpc => Err(ExportError::Grpc("missing".to_owned())),
            _ => Ok(()),
        }
    }

    fn request(&self, body: Vec<u8>) -> Result<Request, reqwest::Error> {
        let request: RequestBuilder = self.client.post(self.endpoint.url.clone());
        if !self.endpoint.is_grpc {
            return request.header(CONTENT_TYPE, "application/x-protobuf").body(body).build();
        }
        // Not compressed, and the length in big endian.
        let mut framed = vec![0];
        framed.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
        framed.extend_from_slice(&body);
        request.header(CONTENT_TYPE, "application/grpc").header("te", "trailers").body(framed).build()
    }
}

async fn gather(traces: &mut mpsc::Receiver<FinishedTrace>, group: &mut Vec<FinishedTrace>) {
    while group.len() < GROUP {
        let Some(trace) = traces.recv().await else { return };
        group.push(trace);
    }
}
