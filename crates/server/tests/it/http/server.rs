//! A server with operations that exist in tests only, on a port of its own.

use super::client::{Client, within_patience};
use crate::harness::issuer::{Issuer, SigningKey, with};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use einmal::accounts::{Accounts, IssuerNames, Keyring};
use einmal::api::document::Document;
use einmal::api::error::ApiError;
use einmal::api::faults::Faults;
use einmal::api::negotiate::{AcceptsJson, AcceptsJsonApi};
use einmal::api::router::{self, Route};
use einmal::auth::caller::{Caller, Operation, Verification, VerifyToken};
use einmal::auth::{
    AdministratorSettings, Algorithm, IssuerSettings, LinkedIdentitySettings, TokenError, TokenVerifier,
};
use einmal::clock::{Clock, SystemClock};
use einmal::context::Context;
use einmal::entropy::SystemEntropy;
use einmal::events::Events;
use einmal::http::{Front, Limits, Shutdown, listen, serve};
use einmal::store::sqlite::SqliteStore;
use einmal::trace::Tracer;
use einmal_core::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// The path of the probe, which takes what `VerifyOTP` takes and answers 204.
pub(crate) const PROBE: &str = "/user/2025-1/probe";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) calls: Arc<AtomicUsize>,
    /// Lets requests to `/user/2025-1/wait` go on, one for each permit.
    pub(crate) gate: Arc<Semaphore>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default(), Duration::ZERO).await
    }

    pub(crate) async fn start_with(limits: Limits, drain: Duration) -> Self {
        Self::start_behind(Front::default(), limits, drain).await
    }

    pub(crate) async fn start_behind(front: Front, limits: Limits, drain: Duration) -> Self {
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let (calls, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let shutdown = Shutdown::new(drain);
        let context = context().await;
        let routes = router::routes().into_iter().chain(probes(&calls, &gate));
        let app = router::build(Arc::clone(&context), routes);
        let task = tokio::spawn(serve(listener, front, app, context, limits, shutdown.clone()));
        Self { address, shutdown, calls, gate, task }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) async fn ended(self) {
        within_patience("shutting down", self.task).await.unwrap();
    }
}

pub(crate) async fn context() -> Arc<Context> {
    Arc::new(Context {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        public_url: Arc::from("http://einmal.test"),
        tokens: Arc::new(Tokens::new().await),
        accounts: accounts().await,
        issuer_names: IssuerNames(vec!["main".into()]),
        administrators: Some(AdministratorSettings {
            issuer: "main".into(),
            clients: vec!["backoffice".to_owned()],
        }),
        shutdown: Shutdown::new(Duration::ZERO),
        mailer: None,
        login_enabled: true,
        policy: Arc::default(),
        issuer_label: Arc::from("einmal"),
        says_throttled: false,
        tracer: Tracer::default(),
        events: Events::default(),
    })
}

/// A whole request to the probe.
pub(crate) fn probe(body: &str) -> String {
    let length = body.len();
    format!(
        "POST {PROBE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

pub(crate) fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n")
}

pub(crate) struct Probe;

impl Operation for Probe {
    const SCOPE: &'static str = "user:probe";
}

pub(crate) fn probes(calls: &Arc<AtomicUsize>, gate: &Arc<Semaphore>) -> Vec<Route> {
    let (calls, gate) = (Arc::clone(calls), Arc::clone(gate));
    let waiting = Arc::clone(&calls);
    vec![
        Route::operation(
            "/probe",
            post(async move |caller: Caller<Probe>, _: AcceptsJson, body: Document| {
                assert_eq!(caller.account().subject(), "somebody");
                let members = body.members(&["otp"])?;
                let mut faults = Faults::default();
                members.required_text("otp", 1..=16_000, &mut faults);
                faults.finish()?;
                calls.fetch_add(1, Ordering::SeqCst);
                Ok::<_, ApiError>(StatusCode::NO_CONTENT)
            }),
        ),
        Route::operation(
            "/json-api",
            post(async |_: Caller<Probe>, _: AcceptsJsonApi, _: Document| StatusCode::NO_CONTENT),
        ),
        Route::operation("/no-body", post(async |_: Caller<Probe>, _: AcceptsJson| StatusCode::NO_CONTENT)),
        Route::operation("/read", get(async |_: Caller<Probe>| "{\"pin\":true}")),
        Route::operation(
            "/wait",
            get(async move |_: Caller<Probe>| {
                waiting.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                StatusCode::NO_CONTENT
            }),
        ),
        Route::operation("/panic", post(panicking)),
        Route::operation("/large", get(async || Response::new(Body::from(vec![b'x'; 64 << 20])))),
        Route::operation(
            "/broken",
            get(async || ApiError::internal("the store said \"no\"\r\n\x1b[31mred\x1b[0m")),
        ),
    ]
}

async fn panicking(State(_): State<Arc<Context>>) -> StatusCode {
    panic!("a panic with a\nline break and the word sesame");
}

/// Short names for real tokens of a real issuer.
struct Tokens {
    verifier: TokenVerifier,
    named: HashMap<&'static str, String>,
}

impl Tokens {
    /// The issuer is gone again when this returns; its keys stay good for as long as a test takes.
    async fn new() -> Self {
        let key = SigningKey::new("EdDSA", Some("key"));
        let issuer = Issuer::start(&[&key]).await;
        let linked = LinkedIdentitySettings {
            claim: "/links".to_owned(),
            provider: "fleet".to_owned(),
            clients: vec!["fleet-app".to_owned()],
        };
        let settings = IssuerSettings {
            name: "main".into(),
            issuer: issuer.url(),
            audiences: vec!["einmal".to_owned()],
            jwks_uri: None,
            algorithms: Algorithm::ALL.to_vec(),
            linked_identity: Some(linked),
            introspection: None,
            direct_grant: None,
            registered_at_claim: None,
        };
        let verifier = TokenVerifier::new(vec![settings], Arc::new(SystemClock)).unwrap();
        verifier.discover().await.unwrap();
        let now = SystemClock.now().seconds();
        let token = |changes: Value| {
            let usual =
                json!({ "iss": issuer.url(), "aud": "einmal", "sub": "somebody", "exp": now + 3_600 });
            key.token(&with(&usual, &changes))
        };
        let named = HashMap::from([
            ("good", token(json!({ "scope": "openid user:probe user:other" }))),
            ("without-scope", token(json!({ "scope": "openid user:probes" }))),
            ("unlinked", token(json!({ "scope": "user:probe", "azp": "fleet-app" }))),
            ("admin", token(json!({ "scope": "einmal:admin", "client_id": "backoffice" }))),
            ("expired", token(json!({ "scope": "user:probe", "exp": now - 3_600 }))),
        ]);
        Self { verifier, named }
    }
}

impl VerifyToken for Tokens {
    fn verify<'a>(&'a self, token: &'a str, now: Timestamp) -> Verification<'a> {
        if token == "unreachable" {
            return Box::pin(async { Err(TokenError::Unavailable { retry_after_seconds: 30 }) });
        }
        let token = self.named.get(token).map_or(token, String::as_str);
        Box::pin(self.verifier.verify(token, now))
    }
}

/// Accounts of a store that is gone with the test; no operation of these tests looks at them.
async fn accounts() -> Accounts {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("einmal.db")).unwrap();
    let keyring = Keyring::parse(&Keyring::generate(&SystemEntropy).unwrap()).unwrap();
    Accounts::open(Arc::new(store), keyring, Arc::new(SystemEntropy)).await.unwrap()
}
