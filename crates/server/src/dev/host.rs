//! A page in the user's browser must not reach the try-out server by a name that its owner points to loopback
//! (DNS rebinding): only loopback's own names are answered.

use axum::Router;
use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{StatusCode, Version};
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
    // HTTP/1.1 has the name in Host, whatever else stands in the first line.
    let is_http2 = request.version() == Version::HTTP_2;
    let authority = request.uri().authority().filter(|_| is_http2).map(Authority::as_str);
    host.or(authority).is_some_and(|host| names.iter().any(|name| name.eq_ignore_ascii_case(host)))
}

/// As text: this stands in front of the layer that makes error documents.
fn refusal() -> Response {
    (StatusCode::BAD_REQUEST, "This try-out server answers to the names of loopback only.\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn the_name_is_that_of_host_and_with_http_2_that_of_the_authority() {
        let names = names(SocketAddr::from(([127, 0, 0, 1], 8080)));
        let request = |version, authority: &str, host: Option<&str>| {
            let mut request = Request::builder().version(version).uri(format!("http://{authority}/"));
            if let Some(host) = host {
                request = request.header(HOST, host);
            }
            is_named(&request.body(Body::empty()).unwrap(), &names)
        };
        let (good, bad) = ("localhost:8080", "rebound.example");
        assert!(request(Version::HTTP_2, good, None) && !request(Version::HTTP_2, bad, None));
        assert!(request(Version::HTTP_11, bad, Some(good)) && !request(Version::HTTP_11, good, Some(bad)));
        assert!(!request(Version::HTTP_11, good, None) && !request(Version::HTTP_2, good, Some(bad)));
    }

    #[test]
    fn a_client_that_leaves_the_port_out_is_answered_where_it_is_the_usual_one() {
        let names = |port| names(SocketAddr::from(([127, 0, 0, 1], port)));
        assert!(names(80).contains(&"localhost".to_owned()));
        assert!(!names(8080).contains(&"localhost".to_owned()));
    }
}
