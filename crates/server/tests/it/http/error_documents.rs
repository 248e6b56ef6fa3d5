//! Every refusal is a JSON:API document, whoever makes it: a handler, a fallback or the connection itself.

use super::client::Answer;
use super::server::{PROBE, Server, get_request, probe};
use serde_json::Value;

/// <https://jsonapi.org/format/#errors>, of which we use these members.
fn assert_is_json_api(answer: &Answer) {
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&document), ["errors"], "neither data nor anything else beside them");
    let errors = document["errors"].as_array().unwrap();
    assert!(!errors.is_empty());
    for error in errors {
        for (member, value) in error.as_object().unwrap() {
            match member.as_str() {
                "id" | "status" | "code" | "title" | "detail" => {
                    assert!(value.as_str().is_some_and(|text| !text.is_empty()), "{error}");
                }
                "links" => assert_eq!(keys(value), ["about"]),
                "source" => {
                    let [place] = keys(value).try_into().unwrap();
                    assert!(["pointer", "parameter", "header"].contains(&place.as_str()), "{error}");
                    assert!(value[&place].is_string());
                }
                "meta" => assert!(value.is_object()),
                _ => panic!("{member} is no member of an error"),
            }
        }
        assert_eq!(error["status"], answer.status.to_string());
    }
    assert_eq!(answer.header("content-type"), Some("application/vnd.api+json"));
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    answer.assert_has_common_headers();
}

#[tokio::test]
async fn every_refusal_is_a_json_api_document_188() {
    let server = Server::start().await;
    let good = probe("{\"otp\":\"1\"}");
    let head = "Host: a\r\nAuthorization: Bearer good\r\n";
    for (status, request) in [
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n".to_owned()),
        (
            400,
            format!("POST {PROBE} HTTP/1.1\r\n{head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ),
        (401, good.replace("Authorization: Bearer good\r\n", "")),
        (401, good.replace("good", "wrong")),
        (401, good.replace("good", "expired")),
        (401, good.replace("good", "unlinked")),
        (403, good.replace("good", "without-scope")),
        (404, get_request("/nowhere")),
        (405, get_request(PROBE)),
        (406, good.replace("Host: a\r\n", "Host: a\r\nAccept: text/html\r\n")),
        (413, good.replace("Content-Length: 11", "Content-Length: 16385")),
        (414, format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70 * 1024))),
        (415, good.replace("application/json", "text/plain")),
        (422, probe("{")),
        (422, probe("{}")),
        (422, probe("[]")),
        (422, probe("{\"otp\":5}")),
        (431, format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(101))),
        (500, get_request("/user/2025-1/broken")),
        (500, probe("{}").replace("/probe", "/panic")),
        (503, good.replace("good", "unreachable")),
    ] {
        let mut client = server.connect().await;
        client.try_send(request).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_is_json_api(&answer);
    }
    assert_eq!(server.calls(), 0);
}
