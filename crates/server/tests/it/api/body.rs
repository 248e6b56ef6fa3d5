//! Bodies: what is refused, with which place, and that none of it touches the account.

use crate::harness::service::{SECRET, Service, VERIFY};
use crate::harness::wire::{JSON, request};
use serde_json::json;

/// A service with a device of alice's.
async fn service() -> Service {
    let service = Service::start().await;
    service.provision_device("alice").await;
    service
}

/// Each body is refused with these sources, and alice's code is as good afterwards as before.
async fn are_refused(service: &Service, cases: &[(&str, &[&str])]) {
    let before = service.versions("alice").await;
    for (body, sources) in cases {
        let body = body.replace("CODE", &service.code(0));
        let answer = service.post("alice", &body).await;
        assert_eq!(answer.status, 422, "{body}");
        assert_eq!(answer.sources(), *sources, "{body}");
    }
    assert_eq!(service.versions("alice").await, before);
    assert_eq!(service.verify("alice", &service.code(0)).await, 204);
}

#[tokio::test]
async fn an_otp_that_is_no_string_of_1_to_64_characters_is_422_22_23() {
    let long = format!("{{\"otp\":\"{}\"}}", "7".repeat(65));
    let cases = [
        "{\"otp\":773829}",
        "{\"otp\":true}",
        "{\"otp\":null}",
        "{\"otp\":[]}",
        "{\"otp\":{}}",
        "{\"otp\":[\"CODE\"]}",
        "{\"otp\":\"\"}",
        "{\"OTP\":\"CODE\"}",
        "{}",
        &long,
    ];
    are_refused(&service().await, &cases.map(|body| (body, &["/otp"][..]))).await;
}

#[tokio::test]
async fn a_body_that_is_no_object_is_422_40_41() {
    let service = service().await;
    let cases: [(&str, &[&str]); 6] =
        [("null", &[""]), ("[]", &[""]), ("\"CODE\"", &[""]), ("1", &[""]), ("", &[""]), (" ", &[""])];
    are_refused(&service, &cases).await;
    let bare = service.send(service.verify_request("alice", &[], "")).await;
    assert_eq!((bare.status, bare.code().as_str()), (422, "malformed-json"), "no body, no type");
}

#[tokio::test]
async fn what_is_not_one_json_value_in_utf_8_is_malformed_43_53() {
    let service = service().await;
    let code = service.code(0);
    let good = format!("{{\"otp\":\"{code}\"}}");
    let deep = format!("{{\"otp\":\"{code}\",\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let before = service.versions("alice").await;
    for body in [
        format!("{{\"otp\":\"000000\",\"otp\":\"{code}\"}}").into_bytes(),
        format!("{{\"\\u006ftp\":\"000000\",\"otp\":\"{code}\"}}").into_bytes(),
        format!("{{\"otp\":\"{code}\",\"types\":null,\"types\":[\"login\"]}}").into_bytes(),
        [b"\xef\xbb\xbf", good.as_bytes()].concat(),
        format!("{good}{good}").into_bytes(),
        good.replace('"', "'").into_bytes(),
        good.replace('}', ",}").into_bytes(),
        format!("/**/{good}").into_bytes(),
        [b"{\"otp\":\"".as_slice(), code.as_bytes(), b"\",\"x\":\"\xff\"}"].concat(),
        good.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        deep.into_bytes(),
    ] {
        let answer = service.post("alice", &body).await;
        let text = String::from_utf8_lossy(&body);
        assert_eq!((answer.status, answer.code().as_str()), (422, "malformed-json"), "{text}");
    }
    assert_eq!(service.versions("alice").await, before);
    assert_eq!(service.post("alice", good).await.status, 204);
}

#[tokio::test]
async fn types_that_are_no_array_of_known_names_are_422_44_46() {
    let cases: [(&str, &[&str]); 13] = [
        ("[\"sms\"]", &["/types/0"]),
        ("[\"TOTP\"]", &["/types/0"]),
        ("[\" totp\"]", &["/types/0"]),
        ("[\"totp\\u0000\"]", &["/types/0"]),
        ("[\"totp\",\"x\",\"login\",\"\"]", &["/types/1", "/types/3"]),
        ("\"totp\"", &["/types"]),
        ("{}", &["/types"]),
        ("5", &["/types"]),
        ("true", &["/types"]),
        ("[1]", &["/types/0"]),
        ("[null]", &["/types/0"]),
        ("[[\"totp\"]]", &["/types/0"]),
        ("[\"device-totp\",{}]", &["/types/1"]),
    ];
    let bodies = cases.map(|(types, sources)| (format!("{{\"otp\":\"CODE\",\"types\":{types}}}"), sources));
    let cases = bodies.each_ref().map(|(body, sources)| (body.as_str(), *sources));
    are_refused(&service().await, &cases).await;
}

#[tokio::test]
async fn a_type_named_twice_is_one_guess_and_a_seventeenth_is_422_47() {
    let service = service().await;
    let send = async |otp: &str, count: usize| {
        let body = json!({ "otp": otp, "types": vec!["device-totp"; count] });
        service.post("alice", body.to_string()).await
    };
    assert_eq!(send(&service.wrong_code(0), 16).await.status, 404);
    assert_eq!(service.failures("alice").await, 1);
    let units = service.look("alice", |account| account.devices[0].progress.guess_units).await;
    assert_eq!(units, 300, "three steps of a million codes");
    assert_eq!(send(&service.code(0), 17).await.sources(), ["/types"]);
    assert_eq!(send(&service.code(0), 16).await.status, 204);
}

#[tokio::test]
async fn sixteen_kib_are_handled_and_one_byte_more_is_413_49() {
    let service = service().await;
    let body = |length: usize| {
        let body = format!("{{\"otp\":\"{}\"}}", service.code(0));
        body.clone() + &" ".repeat(length - body.len())
    };
    let chunked = |body: &str| {
        let whole = service.verify_request("alice", &[JSON, "Transfer-Encoding: chunked"], "");
        let head = String::from_utf8(whole).unwrap().replace("Content-Length: 0\r\n", "");
        let (first, second) = body.split_at(9_000);
        format!("{head}{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len())
    };
    let large = service.post("alice", body(16_385)).await;
    assert_eq!((large.status, large.header("connection")), (413, Some("close")));
    assert_eq!(service.send(chunked(&body(16_385))).await.status, 413);
    assert_eq!(service.post("alice", body(16_384)).await.status, 204);
    service.clock.advance(30);
    assert_eq!(service.send(chunked(&body(16_384))).await.status, 204);
}

#[tokio::test]
async fn a_content_coding_or_another_type_is_415_and_nothing_is_looked_at_55_56() {
    let service = service().await;
    let before = service.versions("alice").await;
    let code = service.code(0);
    let good = json!({ "otp": code }).to_string();
    for headers in [
        &[JSON, "Content-Encoding: gzip"][..],
        &[JSON, "Content-Encoding: br"],
        &[JSON, "Content-Encoding: zstd"],
        &[JSON, "Content-Encoding: gzip, gzip"],
        &[JSON, "Content-Encoding: identity", "Content-Encoding: gzip"],
        &["Content-Type: multipart/form-data; boundary=x"],
        &["Content-Type: application/x-www-form-urlencoded"],
        &["Content-Type: text/plain"],
        &["Content-Type: application/json; charset=utf-16"],
        &[JSON, "Content-Type: text/plain"],
        &["Content-Type: json"],
        &[],
    ] {
        let answer = service.send(service.verify_request("alice", headers, &good)).await;
        assert_eq!(answer.status, 415, "{headers:?}");
    }
    assert_eq!(service.versions("alice").await, before);
    let taken = ["Content-Type: Application/Vnd.Api+Json; Charset=\"UTF-8\"", "Content-Encoding: identity"];
    assert_eq!(service.send(service.verify_request("alice", &taken, &good)).await.status, 204);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_only_with_a_good_token_59() {
    let service = service().await;
    let expect = [JSON, "Expect: 100-continue"];
    let body = json!({ "otp": service.code(0) }).to_string();
    let head_of = |request: Vec<u8>| request[..request.len() - body.len()].to_vec();

    let bad = request(
        &format!("POST {VERIFY}"),
        &[&expect[..], &["Authorization: Bearer x"]].concat(),
        body.as_bytes(),
    );
    assert_eq!(service.send(head_of(bad)).await.status, 401);

    let mut client = service.connect().await;
    let interim = client.request(head_of(service.verify_request("alice", &expect, &body))).await;
    assert_eq!(interim.status, 100);
    assert_eq!(client.request(&body).await.status, 204);
    assert_eq!(service.code_of(SECRET, 0), service.code(0));
}
