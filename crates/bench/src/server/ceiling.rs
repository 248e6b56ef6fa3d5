//! The most that could be reached: einmal's own HTTP stack around a handler that does nothing, or only checks the
//! token. What it does not do here is what einmal adds.

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use axum::routing::post;
use einmal::auth::TokenVerifier;
use einmal::clock::Clock;
use einmal::config::Config;
use einmal::http::{ClientAddress, Front, Limits, Refusal, Refuse, Shutdown, listen, serve};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinHandle;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    Answers,
    Tokens,
}

const PATH: &str = "/user/2025-1/user/otp/verify";

struct Checks {
    verifier: TokenVerifier,
    clock: Arc<dyn Clock>,
}

async fn check(State(checks): State<Arc<Checks>>, headers: HeaderMap) -> StatusCode {
    let line = headers.get(AUTHORIZATION).and_then(|line| line.to_str().ok());
    let Some(token) = line.and_then(|line| line.strip_prefix("Bearer ")) else {
        return StatusCode::UNAUTHORIZED;
    };
    match checks.verifier.verify(token, checks.clock.now()).await {
        Ok(_) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::UNAUTHORIZED,
    }
}

/// For what is no request; nobody here sends such.
struct Plainly;

impl Refuse for Plainly {
    fn refuse(&self, _: Refusal, _: ClientAddress) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response
    }

    fn date(&self) -> Option<HeaderValue> {
        None
    }
}

pub async fn start(
    ceiling: Ceiling,
    config: Config,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<(SocketAddr, JoinHandle<()>)> {
    let router = match ceiling {
        Ceiling::Answers => Router::new().route(PATH, post(async || StatusCode::NO_CONTENT)),
        Ceiling::Tokens => {
            let verifier = TokenVerifier::new(config.issuers, Arc::clone(&clock))?;
            verifier.discover().await?;
            if !verifier.is_ready() {
                return Err(anyhow!("the issuer's keys could not be had"));
            }
            Router::new().route(PATH, post(check)).with_state(Arc::new(Checks { verifier, clock }))
        }
    };
    let listener = listen(config.http.listen)?;
    let address = listener.local_addr().context("the listener has no address")?;
    let (front, limits) = (Front::default(), Limits::default());
    let serving = serve(listener, front, router, Arc::new(Plainly), limits, shutdown);
    Ok((address, tokio::spawn(serving)))
}
