//! A collector of traces: OTLP as its own definitions have it, over HTTP and over gRPC, and outages on demand.

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[derive(Default)]
struct Taken {
    requests: Vec<ExportTraceServiceRequest>,
    bytes: Vec<u8>,
    /// What calls are answered instead of success.
    grpc_status: Option<&'static str>,
}

pub(crate) struct Collector {
    address: std::net::SocketAddr,
    taken: Arc<Mutex<Taken>>,
    server: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(Mutex::new(Taken::default()));
        let server = tokio::spawn(serve(listener, Arc::clone(&taken)));
        Self { address, taken, server }
    }

    /// As an operator writes it for OTLP over gRPC.
    pub(crate) fn grpc_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn http_url(&self) -> String {
        format!("http://{}/v1/traces", self.address)
    }

    pub(crate) fn refuse(&self, grpc_status: Option<&'static str>) {
        self.taken.lock().unwrap().grpc_status = grpc_status;
    }

    pub(crate) fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        self.taken.lock().unwrap().requests.clone()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.taken.lock().unwrap().bytes.clone()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

async fn serve(listener: TcpListener, taken: Arc<Mutex<Taken>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let taken = Arc::clone(&taken);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&taken)));
            let mut first = [0; 3];
            let is_http2 = stream.peek(&mut first).await.is_ok() && first == *b"PRI";
            let stream = TokioIo::new(stream);
            if is_http2 {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(stream, service).await;
            } else {
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
            }
        });
    }
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>, taken: Arc<Mutex<Taken>>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut taken = taken.lock().unwrap();
    taken.bytes.extend_from_slice(format!("{head:?}").as_bytes());
    taken.bytes.extend_from_slice(&body);
    assert_eq!(head.method, "POST");
    let is_grpc = head.headers["content-type"] == "application/grpc";
    let message = if is_grpc {
        assert_eq!(head.uri.path(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
        assert_eq!(
            (head.version, &head.headers["te"]),
            (hyper::Version::HTTP_2, &"trailers".parse().unwrap())
        );
        assert_eq!(body[0], 0, "not compressed");
        assert_eq!(u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize, body.len() - 5);
        &body[5..]
    } else {
        assert_eq!(
            (head.uri.path(), &head.headers["content-type"]),
            ("/v1/traces", &"application/x-protobuf".parse().unwrap())
        );
        &body[..]
    };
    let status = taken.grpc_status;
    if status.is_none() {
        taken.requests.push(ExportTraceServiceRequest::decode(message).unwrap());
    }
    if !is_grpc {
        let status = if status.is_some() { 503 } else { 200 };
        return Ok(Response::builder().status(status).body(Full::new(Bytes::new()).boxed()).unwrap());
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.unwrap_or("0").parse().unwrap());
    let empty = Full::new(Bytes::from_static(&[0; 5])).with_trailers(async { Some(Ok(trailers)) });
    Ok(Response::builder().header("content-type", "application/grpc").body(empty.boxed()).unwrap())
}
