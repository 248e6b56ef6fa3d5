//! The built-in issuer: discovery, a key set, and tokens for whoever asks, which is why it is for trying out only.

use crate::api::router::Route;
use crate::context::Context;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Json;
use axum::extract::{Query, State};
use axum::routing::get;
use data_encoding::BASE64URL_NOPAD;
use einmal_core::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

pub(super) const AUDIENCE: &str = "einmal";
const KEY_ID: &str = "dev";
const TOKEN_TTL_SECONDS: u64 = 3_600;
const SCOPES: &str = "user:otp:verify user:otp:create user:users.pin:update user:users.pin:check \
     user:users.password:check user:device-totps:create user:device-totps:delete";
const CLIENT: &str = "dev";
/// Its tokens may administer accounts, if they have the scope for it.
pub(super) const ADMIN_CLIENT: &str = "backoffice";
/// Where a token of the demo account is, and one of that client.
pub(super) const USER_TOKEN: &str = "/dev/token";
pub(super) const ADMIN_TOKEN: &str = "/dev/token?client=backoffice&sub=agent&scope=einmal:admin";

pub(super) struct Issuer {
    url: String,
    key: Ed25519KeyPair,
}

/// For whom, by which client, and what for.
#[derive(Deserialize)]
struct TokenRequest {
    sub: Option<String>,
    client: Option<String>,
    scope: Option<String>,
    /// The language of mails, such as `de`.
    locale: Option<String>,
}

impl Issuer {
    /// A fresh key at every start: no token outlives it.
    pub(super) fn new(address: SocketAddr) -> Result<Self, Unspecified> {
        // The service fetches its own key set, and by plain HTTP it does so from loopback only.
        let host = if address.ip().is_loopback() { address.ip() } else { IpAddr::from(Ipv4Addr::LOCALHOST) };
        let url = format!("http://{}/dev/issuer", SocketAddr::new(host, address.port()));
        Ok(Self { url, key: Ed25519KeyPair::generate()? })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    fn token(&self, wanted: &TokenRequest, now: Timestamp) -> String {
        let subject = wanted.sub.as_deref().unwrap_or("demo");
        let client = wanted.client.as_deref().unwrap_or(CLIENT);
        let scope = wanted.scope.as_deref().unwrap_or(SCOPES);
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": KEY_ID });
        let claims = json!({
            "iss": self.url, "sub": subject, "aud": AUDIENCE, "client_id": client, "scope": scope,
            "email": format!("{subject}@example.com"), "email_verified": true, "locale": wanted.locale,
            "iat": now.seconds(), "exp": now.plus_seconds(TOKEN_TTL_SECONDS).seconds(),
        });
        let encode = |part: &[u8]| BASE64URL_NOPAD.encode(part);
        let signed =
            format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let signature = encode(self.key.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }
}

pub(super) fn routes(issuer: Issuer) -> Vec<Route> {
    let discovery = json!({ "issuer": issuer.url, "jwks_uri": format!("{}/jwks", issuer.url) });
    let public_key = BASE64URL_NOPAD.encode(issuer.key.public_key().as_ref());
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KEY_ID, "x": public_key });
    let key_set = json!({ "keys": [key] });
    let issuer = Arc::new(issuer);
    let token = async move |State(context): State<Arc<Context>>, Query(wanted): Query<TokenRequest>| {
        issuer.token(&wanted, context.clock.now())
    };
    vec![
        Route::plain("/dev/issuer/.well-known/openid-configuration", get(async move || Json(discovery))),
        Route::plain("/dev/issuer/jwks", get(async move || Json(key_set))),
        Route::plain("/dev/token", get(token)),
    ]
}
