//! Opaque tokens: whom einmal asks about them, how, and which answers are good enough.

mod answers;
mod questions;

use super::{NOW, SCOPE, World};
use crate::harness::issuer::{Answer, INTROSPECTION, Issuer, SigningKey, with};
use einmal::auth::{IntrospectionSettings, IssuerSettings, TokenError};
use einmal::config::Secret;
use serde_json::{Value, json};

pub(super) const TOKEN: &str = "opaque-token";
pub(super) const UNAVAILABLE: Option<TokenError> = Some(TokenError::Unavailable { retry_after_seconds: 5 });

pub(super) fn introspection(issuer: &Issuer) -> IntrospectionSettings {
    IntrospectionSettings {
        url: issuer.introspection_url().parse().unwrap(),
        client_id: "einmal".to_owned(),
        client_secret: Secret::new("geheim"),
        token_prefix: String::new(),
        takes_missing_audience: false,
    }
}

/// A world whose issuer vouches for every opaque token.
pub(super) async fn world() -> World {
    world_with(|_| ()).await
}

pub(super) async fn world_with(change: impl FnOnce(&mut IssuerSettings)) -> World {
    let issuer = Issuer::start(&[&SigningKey::rsa("rsa")]).await;
    let introspection = introspection(&issuer);
    let url = issuer.url();
    let mut world = World::with(|settings| {
        settings.issuer = url;
        settings.introspection = Some(introspection);
        change(settings);
    })
    .await;
    world.issuer = issuer;
    world.issuer.answer(INTROSPECTION, Answer::Json(active(&world, &json!({}))));
    world
}

/// What the issuer says of an active token, with some members set to something else, or removed by null.
pub(super) fn active(world: &World, changes: &Value) -> Value {
    let usual = json!({
        "active": true, "iss": world.issuer.url(), "sub": "alice", "aud": "einmal", "scope": SCOPE,
        "client_id": "app", "exp": NOW + 300, "token_type": "Bearer", "username": "Alice",
    });
    with(&usual, changes)
}
