//! Methods that no route names itself, on every route there is.

use super::server::{Server, get_request};
use einmal::api::router;

/// A path with something in place of its parameters.
fn filled(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "x".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_says_to_options_what_it_has_and_answers_head_where_it_answers_get() {
    let server = Server::start().await;
    let mut with_get = 0;
    let paths: Vec<String> = router::routes().iter().flat_map(router::Route::paths).collect();
    assert!(paths.len() > 20, "{paths:?}");
    for path in paths.iter().map(|path| filled(path)) {
        let mut client = server.connect().await;
        let options = client.request(get_request(&path).replace("GET", "OPTIONS")).await;
        assert_eq!((options.status, options.code().as_str()), (405, "method-not-allowed"), "{path}");
        let allow: Vec<_> = options.header("allow").unwrap().split(',').map(str::trim).collect();
        assert!(!allow.is_empty() && allow.contains(&"GET") == allow.contains(&"HEAD"), "{path}: {allow:?}");
        let head = get_request(&path).replace("GET", "HEAD");
        let get = client.request(get_request(&path)).await;
        client.send(head).await;
        let head = client.answer_to("HEAD").await;
        assert_eq!(
            (head.status, head.header("content-type")),
            (get.status, get.header("content-type")),
            "{path}"
        );
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        assert_eq!(get.status == 405, !allow.contains(&"GET"), "{path}");
        with_get += usize::from(allow.contains(&"GET"));
    }
    assert!(with_get > 0);
}
