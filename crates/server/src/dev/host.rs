//! A page in the user's browser must not reach the try-out server by a name that its owner points to loopback
//! (DNS rebinding): only loopback's own names are answered.

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::sync::Arc;

pub(super) fn guard(router: Router, address: SocketAddr, expose: bool) -> Router {
    if expose {
        return router;
    }
    let names = Arc::new(names(address));
    router.layer(from_fn(move |request: Request, next: Next| {
        let names = Arc::clone(&names);
        async move { if is_named(&request, &names) { next.run(request).await } else { refusal() } }
    }))
}

fn names(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let hosts = ["localhost", "127.0.0.1", "[::1]"];
    let mut names = hosts.map(|name| format!("{name}:{port}")).to_vec();
    names.push(address.to_string());
    if port == 80 {
        // Clients leave the scheme's own port out.
        names.extend(hosts.map(str::to_owned));
    }
    names
}

fn is_named(request: &Request, names: &[String]) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| names.iter().any(|name| name.eq_ignore_ascii_case(host)))
}

/// As text: this stands in front of the layer that makes error documents.
fn refusal() -> Response {
    (StatusCode::BAD_REQUEST, "This try-out server answers to the names of loopback only.\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_leaves_the_port_out_is_answered_where_it_is_the_usual_one() {
        let names = |port| names(SocketAddr::from(([127, 0, 0, 1], port)));
        assert!(names(80).contains(&"localhost".to_owned()));
        assert!(!names(8080).contains(&"localhost".to_owned()));
    }
}
