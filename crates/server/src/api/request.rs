//! What holds for every request and every answer: the id, the headers, the line in the log, and that a panic is
//! one failed request. Nothing that a client sent is logged but its method and an id of harmless characters.

mod refused;

use super::error::ApiError;
use crate::context::Context;
use crate::http::{ClientAddress, Pace, Turn};
use crate::metrics::{self, Operation, Operations};
use crate::trace::{Answer, Trace, TraceId};
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use data_encoding::HEXLOWER;
use einmal_core::Entropy;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;
use tower::{Layer, Service};

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Put into a response's extensions by an operation that has something to tell the log beside the status.
#[derive(Clone, Copy, Debug)]
pub struct LoggedOutcome(pub &'static str);

/// In the extensions of every request, for what is logged beside the request's own line.
#[derive(Clone, Default)]
pub struct RequestId(Option<HeaderValue>);

impl RequestId {
    pub fn as_str(&self) -> &str {
        self.0.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default()
    }
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Around every route and fallback of a router.
#[derive(Clone)]
pub(super) struct RequestLayer(Arc<Shared>);

/// What all requests of a router share.
struct Shared {
    context: Arc<Context>,
    operations: Counted,
    pace: Pace,
}

impl RequestLayer {
    /// `routes`: where they are found, and the template that they are counted by.
    pub(super) fn new(
        context: Arc<Context>,
        routes: impl IntoIterator<Item = (Vec<String>, String)>,
    ) -> Self {
        let metrics = context.accounts.metrics();
        let operations = Counted::new(&metrics.operations, routes);
        let pace = Pace::of_requests(metrics.refusals_held.clone());
        Self(Arc::new(Shared { context, operations, pace }))
    }
}

/// What is counted of each route, by its path.
struct Counted {
    operations: HashMap<String, Arc<Operation>>,
    /// Of what has no route.
    nothing: Arc<Operation>,
}

impl Counted {
    fn new(operations: &Operations, routes: impl IntoIterator<Item = (Vec<String>, String)>) -> Self {
        let of = |(paths, template): (Vec<String>, String)| {
            let operation = Arc::new(operations.operation(&template));
            paths.into_iter().map(move |path| (path, Arc::clone(&operation)))
        };
        Self {
            operations: routes.into_iter().flat_map(of).collect(),
            nothing: Arc::new(operations.operation(metrics::NO_ROUTE)),
        }
    }

    fn of(&self, route: Option<&MatchedPath>) -> &Arc<Operation> {
        route.and_then(|route| self.operations.get(route.as_str())).unwrap_or(&self.nothing)
    }
}

impl<S> Layer<S> for RequestLayer {
    type Service = RequestService<S>;

    fn layer(&self, inner: S) -> RequestService<S> {
        RequestService { inner, layer: self.clone() }
    }
}

#[derive(Clone)]
pub(super) struct RequestService<S> {
    inner: S,
    layer: RequestLayer,
}

impl<S> Service<Request> for RequestService<S>
where
    S: Service<Request, Response = Response<Body>, Error = Infallible>,
    S::Future: Unpin,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let shared = &self.layer.0;
        let id = request_id(request.headers(), &*shared.context.entropy);
        let lines = request.headers().get_all(TRACEPARENT).iter().map(HeaderValue::as_bytes);
        let trace = shared.context.tracer.begin(lines, &*shared.context.entropy);
        request.extensions_mut().insert(RequestId(Some(id.clone())));
        let route = request.extensions().get::<MatchedPath>().cloned();
        Answering {
            id,
            trace,
            method: method_of(request.method()),
            operation: Arc::clone(shared.operations.of(route.as_ref())),
            route,
            client: request.extensions().get::<ClientAddress>().copied(),
            started: Instant::now(),
            shared: Arc::clone(shared),
            is_answered: false,
            held: None,
            inner: self.inner.call(request),
        }
    }
}

/// A request being answered. A named type, so that it costs no box of its own.
pub(super) struct Answering<F> {
    id: HeaderValue,
    trace: Option<Arc<Trace>>,
    method: metrics::Method,
    operation: Arc<Operation>,
    route: Option<MatchedPath>,
    client: Option<ClientAddress>,
    started: Instant,
    shared: Arc<Shared>,
    is_answered: bool,
    /// A refusal whose turn has not come. Boxed, so that it costs the others no memory.
    held: Option<Box<(Turn, Response<Body>)>>,
    inner: F,
}

impl<F> Future for Answering<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.held.is_some() {
            return this.poll_held(cx).map(Ok);
        }
        // Unwind safe: after a panic the inner future is never polled again.
        let inner = Pin::new(&mut this.inner);
        let polled = catch_unwind(AssertUnwindSafe(|| match &this.trace {
            Some(trace) => trace.within(|| inner.poll(cx)),
            None => inner.poll(cx),
        }));
        let response = match polled {
            Ok(polled) => match ready!(polled) {
                Ok(response) => response,
            },
            // Where, the process's hook has logged. Never the message: it may quote what was worked on.
            Err(_) => axum::response::IntoResponse::into_response(ApiError::internal("panicked")),
        };
        this.is_answered = true;
        // Before it is held: what it came to, and how long that took.
        let (response, is_paced) = this.finish(response);
        let Some(turn) = is_paced.then(|| this.shared.pace.refuse()).flatten() else {
            return Poll::Ready(Ok(response));
        };
        this.held = Some(Box::new((turn, response)));
        this.poll_held(cx).map(Ok)
    }
}

impl<F> Answering<F> {
    fn poll_held(&mut self, cx: &mut TaskContext<'_>) -> Poll<Response<Body>> {
        let Some(held) = &mut self.held else { return Poll::Pending };
        ready!(Pin::new(&mut held.0).poll(cx));
        Poll::Ready(mem::take(&mut held.1))
    }

    /// The answer as it goes out, and whether it is a refusal that keeps the pace.
    fn finish(&self, mut response: Response<Body>) -> (Response<Body>, bool) {
        let id = self.id.to_str().unwrap_or_default();
        let error = response.extensions_mut().remove::<ApiError>();
        if let Some(error) = &error {
            error.insert_headers(response.headers_mut());
            *response.body_mut() = Body::from(error.body(id, &self.shared.context.public_url));
        }
        insert_headers(response.headers_mut(), &self.id);
        let outcome = error.as_ref().map(|error| error.code().as_str());
        let outcome =
            outcome.or_else(|| response.extensions().get::<LoggedOutcome>().map(|outcome| outcome.0));
        let cause = error.as_ref().and_then(ApiError::cause);
        let route = self.route.as_ref().map_or("", MatchedPath::as_str);
        let (client, status, took) = (self.client, response.status(), self.started.elapsed());
        self.operation.answered(self.method, status.as_u16(), took);
        let method = self.method.name();
        if let Some(trace) = &self.trace {
            let answer = || Answer { method, route: route.to_owned(), status: status.as_u16() };
            self.shared.context.tracer.finish(trace, answer);
        }
        let trace_id = self.trace.as_ref().map(|trace| trace.id());
        let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        log(&Line { id, trace_id, client, method, route, status, outcome, cause, duration_us });
        (response, error.is_some_and(|error| !error.code().is_of_an_account()))
    }
}

/// A client that does not wait for the answer has asked all the same, and what it asked for may have been done.
impl<F> Drop for Answering<F> {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let request_id = self.id.to_str().unwrap_or_default();
        let trace_id = self.trace.as_ref().map(|trace| tracing::field::display(trace.id()));
        let client = self.client.map(|client| tracing::field::display(client.0));
        let (method, route) = (self.method.name(), self.route.as_ref().map_or("", MatchedPath::as_str));
        let duration_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::info!(request_id, trace_id, client, method, route, duration_us, "request given up");
    }
}

struct Line<'a> {
    id: &'a str,
    trace_id: Option<TraceId>,
    client: Option<ClientAddress>,
    method: &'a str,
    route: &'a str,
    status: StatusCode,
    outcome: Option<&'a str>,
    cause: Option<&'a str>,
    duration_us: u64,
}

fn log(line: &Line<'_>) {
    let Line { id: request_id, trace_id, client, method, route, status, outcome, cause, duration_us } = *line;
    let (status, outcome) = (status.as_u16(), outcome.unwrap_or("ok"));
    let trace_id = trace_id.map(tracing::field::display);
    let client = client.map(|client| tracing::field::display(client.0));
    // The cause may come from a library: the formatter escapes what is in a field.
    match cause {
        Some(cause) if status >= 500 => {
            tracing::error!(
                request_id,
                trace_id,
                client,
                method,
                route,
                status,
                outcome,
                cause,
                duration_us,
                "request"
            );
        }
        _ => tracing::info!(
            request_id,
            trace_id,
            client,
            method,
            route,
            status,
            outcome,
            cause,
            duration_us,
            "request"
        ),
    }
}

fn insert_headers(headers: &mut HeaderMap, id: &HeaderValue) {
    headers.insert(REQUEST_ID, id.clone());
    // What is the same for everybody says so itself.
    headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
}

/// The client's, if it can do no harm in a log, a header or a page; else a fresh one.
fn request_id(headers: &HeaderMap, entropy: &dyn Entropy) -> HeaderValue {
    let is_harmless = |id: &&HeaderValue| {
        (1..=128).contains(&id.len())
            && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
    };
    if let Some(id) = headers.get(REQUEST_ID).filter(is_harmless) {
        return id.clone();
    }
    let mut bytes = [0; 16];
    // An id that repeats is a smaller evil than a request that fails for it.
    let _ = entropy.fill(&mut bytes);
    let mut id = [0; 32];
    HEXLOWER.encode_mut(&bytes, &mut id);
    HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("none"))
}

fn method_of(method: &Method) -> metrics::Method {
    match *method {
        Method::GET => metrics::Method::Get,
        Method::HEAD => metrics::Method::Head,
        Method::POST => metrics::Method::Post,
        Method::PUT => metrics::Method::Put,
        Method::PATCH => metrics::Method::Patch,
        Method::DELETE => metrics::Method::Delete,
        Method::OPTIONS => metrics::Method::Options,
        _ => metrics::Method::Other,
    }
}
