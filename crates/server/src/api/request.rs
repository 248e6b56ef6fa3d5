//! What holds for every request and every answer: the id, the headers, the line in the log, and that a panic is
//! one failed request. Nothing that a client sent is logged but its method and an id of harmless characters.

use super::error::{ApiError, ErrorCode, JSON_API};
use crate::context::Context;
use crate::http::{ClientAddress, Refusal, Refuse};
use crate::metrics::{self, Operation};
use crate::trace::{Answer, Trace, TraceId};
use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use data_encoding::HEXLOWER;
use einmal_core::Entropy;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
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
pub(super) struct RequestLayer {
    pub(super) context: Arc<Context>,
    pub(super) operations: Arc<Counted>,
}

/// What is counted of each route, by its path.
pub(super) struct Counted {
    operations: HashMap<String, Arc<Operation>>,
    /// Of what has no route.
    nothing: Arc<Operation>,
}

impl Counted {
    /// `routes`: where they are found, and the template that they are counted by.
    pub(super) fn new(context: &Context, routes: impl IntoIterator<Item = (Vec<String>, String)>) -> Self {
        let operations = &context.accounts.metrics().operations;
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
        let RequestLayer { context, operations } = &self.layer;
        let id = request_id(request.headers(), &*context.entropy);
        let lines = request.headers().get_all(TRACEPARENT).iter().map(HeaderValue::as_bytes);
        let trace = context.tracer.begin(lines, &*context.entropy);
        request.extensions_mut().insert(RequestId(Some(id.clone())));
        let route = request.extensions().get::<MatchedPath>().cloned();
        Answering {
            id,
            trace,
            method: method_of(request.method()),
            operation: Arc::clone(operations.of(route.as_ref())),
            route,
            client: request.extensions().get::<ClientAddress>().copied(),
            started: Instant::now(),
            context: Arc::clone(context),
            is_answered: false,
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
    context: Arc<Context>,
    is_answered: bool,
    inner: F,
}

impl<F> Future for Answering<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Unwind safe: after a panic the inner future is never polled again.
        let inner = Pin::new(&mut this.inner);
        let polled = catch_unwind(AssertUnwindSafe(|| match &this.trace {
            Some(trace) => trace.within(|| inner.poll(cx)),
            None => inner.poll(cx),
        }));
        let mut response = match polled {
            Ok(polled) => match ready!(polled) {
                Ok(response) => response,
            },
            // Where, the process's hook has logged. Never the message: it may quote what was worked on.
            Err(_) => axum::response::IntoResponse::into_response(ApiError::internal("panicked")),
        };
        this.is_answered = true;
        this.finish(&mut response);
        Poll::Ready(Ok(response))
    }
}

impl<F> Answering<F> {
    fn finish(&self, response: &mut Response<Body>) {
        let id = self.id.to_str().unwrap_or_default();
        let error = response.extensions_mut().remove::<ApiError>();
        if let Some(error) = &error {
            error.insert_headers(response.headers_mut());
            *response.body_mut() = Body::from(error.body(id, &self.context.public_url));
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
            self.context.tracer.finish(trace, answer);
        }
        let trace_id = self.trace.as_ref().map(|trace| trace.id());
        let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        log(&Line { id, trace_id, client, method, route, status, outcome, cause, duration_us });
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

/// The same id, headers and log line for what never becomes a request.
impl Refuse for Context {
    fn refuse(&self, refusal: Refusal, client: ClientAddress) -> Response<Bytes> {
        let error = ApiError::new(match refusal {
            Refusal::BadRequest => ErrorCode::BadRequest,
            Refusal::RequestTimeout => ErrorCode::RequestTimeout,
            Refusal::UriTooLong => ErrorCode::UriTooLong,
            Refusal::HeadersTooLarge => ErrorCode::HeadersTooLarge,
        });
        let id = request_id(&HeaderMap::new(), &*self.entropy);
        let id_text = id.to_str().unwrap_or_default();
        let mut response = Response::new(error.body(id_text, &self.public_url));
        *response.status_mut() = error.status();
        response.headers_mut().insert(CONTENT_TYPE, JSON_API);
        insert_headers(response.headers_mut(), &id);
        if let Some(date) = self.date() {
            response.headers_mut().insert(DATE, date);
        }
        let (status, outcome) = (error.status(), Some(error.code().as_str()));
        self.accounts.metrics().refused(status.as_u16());
        log(&Line {
            id: id_text,
            trace_id: None,
            client: Some(client),
            method: "",
            route: "",
            status,
            outcome,
            cause: None,
            duration_us: 0,
        });
        response
    }

    fn date(&self) -> Option<HeaderValue> {
        let seconds = i64::try_from(self.clock.now().seconds()).ok()?;
        let now = jiff::Timestamp::from_second(seconds).ok()?;
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()?;
        HeaderValue::try_from(date).ok()
    }
}
