//! A shop's back end that asks for a one-time password before it pays. Needs axum, reqwest, serde with `serde_json`, tokio,
//! and getrandom and data-encoding for the number of an order.
//!
//!     cargo run --example payments -- EINMAL_URL HOST:PORT        # … http://127.0.0.1:8080 127.0.0.1:8300
//!
//! It never pays for anything but a 204, never sends another key or another body while it does not know what became of
//! the first, and writes no code and no token anywhere. What is a sketch: orders are in memory, a real shop has a database;
//! and who calls is told by the access token alone, a real shop has sessions. docs/PAYMENTS.md has the reasons.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::sleep;

const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(15);
const SHORT_WAIT: Duration = Duration::from_millis(200);

type Told = (StatusCode, Json<Value>);

/// What is to be paid, to whom, and for whom: fixed when it is made, and looked up here when it is confirmed.
struct Order {
    id: String,
    token: String,
    payee: String,
    cents: u64,
    /// The lock is what lets one confirmation through at a time.
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    attempt: u32,
    /// The body of an attempt of which nobody knows what became.
    undecided: Option<String>,
    paid: bool,
}

struct Shop {
    einmal: String,
    http: reqwest::Client,
    orders: Mutex<HashMap<String, Arc<Order>>>,
    payments: Mutex<Vec<Value>>,
}

/// What einmal has decided: the status, the error's code, and for how long to wait.
struct Decision {
    status: u16,
    code: String,
    seconds: u64,
}

#[derive(Deserialize)]
struct NewOrder {
    payee: String,
    cents: u64,
}

#[derive(Deserialize)]
struct Confirmation {
    code: String,
}

impl Order {
    fn shown(&self) -> Value {
        json!({ "order": self.id, "payee": self.payee, "cents": self.cents })
    }
}

impl Shop {
    async fn send(
        &self,
        order: &Order,
        attempt: u32,
        body: &str,
    ) -> Result<Decision, Box<dyn Error + Send + Sync>> {
        let request =
            self.http.post(format!("{}/user/2025-1/user/otp/verify", self.einmal)).timeout(PATIENCE);
        let request = request.bearer_auth(&order.token).header("content-type", "application/json");
        // The same for the same attempt, however often it is sent.
        let request = request.header("idempotency-key", format!("{}-{attempt}", order.id));
        let answer = request.body(body.to_owned()).send().await?;
        let status = answer.status().as_u16();
        let seconds = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let document: Value = match status {
            204 => Value::Null,
            _ => serde_json::from_slice(&answer.bytes().await?)?,
        };
        let code = document.pointer("/errors/0/code").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Decision { status, code, seconds: seconds.unwrap_or(0) })
    }

    /// Sends the attempt until there is a decision. `None`: nobody knows.
    async fn ask(&self, order: &Order, attempt: u32, body: &str) -> Option<Decision> {
        for number in 1..=TRIES {
            let wait = match self.send(order, attempt, body).await {
                Ok(decision) if decision.status < 500 && decision.status != 408 => return Some(decision),
                Ok(decision) => Duration::from_secs(decision.seconds.min(5)).max(SHORT_WAIT),
                // The answer is lost, or is none of einmal's.
                Err(_) => SHORT_WAIT,
            };
            if number < TRIES {
                sleep(wait).await;
            }
        }
        None
    }

    /// What becomes of the order by the attempt that is under way.
    async fn settle(&self, order: &Order, progress: &mut Progress) -> Told {
        let body = progress.undecided.clone().unwrap_or_default();
        match self.ask(order, progress.attempt, &body).await {
            None => told(StatusCode::SERVICE_UNAVAILABLE, json!({ "state": "unknown" })),
            Some(Decision { status: 204, .. }) => {
                (progress.paid, progress.undecided) = (true, None);
                self.payments.lock().await.push(order.shown());
                told(StatusCode::OK, json!({ "state": "paid" }))
            }
            Some(Decision { code, seconds, .. }) if code == "otp-invalid" || code == "throttled" => {
                progress.undecided = None;
                let retry_after = (seconds > 0).then_some(seconds);
                told(StatusCode::FORBIDDEN, json!({ "state": "refused", "retryAfter": retry_after }))
            }
            Some(Decision { status: 401 | 403, .. }) => {
                told(StatusCode::UNAUTHORIZED, json!({ "state": "signed-out" }))
            }
            Some(_) => told(StatusCode::BAD_GATEWAY, json!({ "state": "fault" })),
        }
    }

    async fn confirm(&self, order: &Order, code: &str) -> Told {
        let mut progress = order.progress.lock().await;
        if progress.paid {
            return told(StatusCode::OK, json!({ "state": "paid" }));
        }
        let body = json!({ "otp": code, "types": ["device-totp", "totp"] }).to_string();
        if progress.undecided.as_ref().is_some_and(|undecided| *undecided != body) {
            // An earlier code may have been accepted: that is found out before another one is spent.
            let earlier = self.settle(order, &mut progress).await;
            if earlier.0 != StatusCode::FORBIDDEN {
                return earlier;
            }
        }
        if progress.undecided.is_none() {
            progress.attempt += 1;
            progress.undecided = Some(body);
        }
        self.settle(order, &mut progress).await
    }
}

fn told(status: StatusCode, body: Value) -> Told {
    (status, Json(body))
}

fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, which injects nothing")]
async fn make_order(State(shop): State<Arc<Shop>>, headers: HeaderMap, Json(new): Json<NewOrder>) -> Told {
    let mut id = [0; 16];
    let (Some(token), true, Ok(())) = (token(&headers), new.cents > 0, getrandom::fill(&mut id)) else {
        return told(StatusCode::UNPROCESSABLE_ENTITY, json!({}));
    };
    let (id, token) = (HEXLOWER.encode(&id), token.to_owned());
    let order = Order { id, token, payee: new.payee, cents: new.cents, progress: Mutex::default() };
    let shown = order.shown();
    shop.orders.lock().await.insert(order.id.clone(), Arc::new(order));
    told(StatusCode::CREATED, shown)
}

async fn confirm_order(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(confirmation): Json<Confirmation>,
) -> Told {
    let order = shop.orders.lock().await.get(&id).cloned();
    match order.filter(|order| token(&headers) == Some(&order.token)) {
        Some(order) => shop.confirm(&order, &confirmation.code).await,
        None => told(StatusCode::NOT_FOUND, json!({})),
    }
}

async fn payments(State(shop): State<Arc<Shop>>) -> Json<Vec<Value>> {
    Json(shop.payments.lock().await.clone())
}

#[expect(clippy::disallowed_methods, reason = "axum's own server will do for an example")]
pub(crate) async fn serve(listener: TcpListener, einmal: String) -> Result<(), Box<dyn Error + Send + Sync>> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let shop = Shop { einmal, http, orders: Mutex::default(), payments: Mutex::default() };
    let routes =
        Router::new().route("/orders", post(make_order)).route("/orders/{id}/confirm", post(confirm_order));
    let routes = routes.route("/payments", get(payments)).with_state(Arc::new(shop));
    Ok(axum::serve(listener, routes).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(einmal), Some(listen)) = (arguments.next(), arguments.next()) else {
        return Err("expected EINMAL_URL HOST:PORT".into());
    };
    let listener = TcpListener::bind(listen).await?;
    writeln!(std::io::stdout(), "shop at http://{}", listener.local_addr()?)?;
    serve(listener, einmal).await
}
