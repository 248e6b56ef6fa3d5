//! The linked identity that an operator may demand.

use super::World;
use einmal::auth::LinkedIdentitySettings;
use serde_json::{Value, json};

async fn demanding(claim: &str, clients: &[&str]) -> World {
    let linked = LinkedIdentitySettings {
        claim: claim.to_owned(),
        provider: "fleet".to_owned(),
        clients: clients.iter().map(|client| (*client).to_owned()).collect(),
    };
    World::with(|settings| settings.linked_identity = Some(linked)).await
}

async fn is_missing(world: &World, claims: Value) -> bool {
    world.accepts(&world.token(&claims)).await.linked_identity_missing
}

#[tokio::test]
async fn a_linked_identity_is_found_in_each_of_its_forms_91() {
    let world = demanding("/linked", &[]).await;
    for linked in [
        json!("fleet"),
        json!(["other", "fleet"]),
        json!({ "fleet": { "id": 1 } }),
        json!({ "fleet": "x" }),
        json!({ "provider": "fleet", "id": 1 }),
        json!([{ "provider": "other" }, { "provider": "fleet" }]),
    ] {
        assert!(!is_missing(&world, json!({ "linked": linked })).await, "{linked}");
    }
}

#[tokio::test]
async fn a_token_without_the_linked_identity_is_authentic_but_lacks_it_91() {
    let world = demanding("/linked", &[]).await;
    for linked in [
        json!(null),
        json!(""),
        json!("Fleet"),
        json!("fleet2"),
        json!("other fleet"),
        json!([]),
        json!([["fleet"]]),
        json!(["other"]),
        json!({}),
        json!({ "other": "fleet" }),
        json!({ "provider": "other" }),
        json!({ "provider": ["fleet"] }),
        json!([{ "name": "fleet" }]),
        json!([{ "fleet": true }]),
        json!(true),
    ] {
        assert!(is_missing(&world, json!({ "linked": linked })).await, "{linked}");
    }
    assert!(is_missing(&world, json!({ "other": "fleet" })).await);
}

#[tokio::test]
async fn a_linked_identity_is_demanded_of_the_named_clients_only() {
    let world = demanding("/linked", &["fleet-app"]).await;
    assert!(!is_missing(&world, json!({ "azp": "app" })).await);
    assert!(!is_missing(&world, json!({ "azp": null })).await);
    assert!(is_missing(&world, json!({ "azp": "fleet-app" })).await);
    assert!(is_missing(&world, json!({ "azp": null, "client_id": "fleet-app" })).await);
    assert!(is_missing(&world, json!({ "azp": "app", "client_id": "fleet-app" })).await);
    assert!(!is_missing(&world, json!({ "azp": "app", "client_id": "other" })).await);
    assert!(!is_missing(&world, json!({ "azp": "fleet-app", "linked": "fleet" })).await);
}

#[tokio::test]
async fn the_claim_is_found_by_a_pointer_into_the_token() {
    let world = demanding("/https:~1~1id.example/links/0", &[]).await;
    assert!(!is_missing(&world, json!({ "https://id.example": { "links": ["fleet"] } })).await);
    assert!(is_missing(&world, json!({ "https://id.example": { "links": ["other", "fleet"] } })).await);
    assert!(is_missing(&world, json!({ "links": "fleet" })).await);
}

#[tokio::test]
async fn a_claim_with_a_member_twice_is_refused_whichever_would_be_taken() {
    let world = demanding("/linked", &[]).await;
    let good = world.claims(&json!({})).to_string();
    let open = good.strip_suffix('}').unwrap();
    let sign = |linked: &str| {
        let claims = format!("{open},\"linked\":{linked}}}");
        world.key.token_of(world.key.header().to_string(), claims.as_bytes())
    };
    assert!(!world.accepts(&sign("{\"provider\":\"fleet\"}")).await.linked_identity_missing);
    for twice in [
        "{\"provider\":\"other\",\"provider\":\"fleet\"}",
        "{\"provider\":\"fleet\",\"provid\\u0065r\":\"other\"}",
        "[{\"provider\":\"fleet\"},{\"x\":1,\"x\":1}]",
    ] {
        world.refuses(twice, &sign(twice)).await;
    }
}

#[tokio::test]
async fn without_a_demand_nothing_is_missing() {
    assert!(!is_missing(&World::new().await, json!({})).await);
}
