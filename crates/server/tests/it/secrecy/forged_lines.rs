//! What a client sends is no line of a log and no command to the terminal of whoever reads it.

use super::verify;
use crate::harness::installation::{Installation, Serving};
use crate::harness::program::{Program, Run};
use crate::harness::service::VERIFY;
use crate::http::client::Client;
use data_encoding::BASE64URL_NOPAD;
use rustix::process::Signal;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_sends_cannot_forge_a_line_or_reach_a_terminal_151() {
    for format in ["json", "text"] {
        let site = Installation::new().await;
        let mut command = site.einmal(&["serve"]);
        let serving = serve_in(command.env("EINMAL__LOG__LEVEL", "trace"), format).await;
        let forged = "x\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\n\u{1b}[31mforged\u{1b}[0m\u{9b}31m";
        let header = BASE64URL_NOPAD
            .encode(json!({ "alg": "EdDSA", "kid": forged, "typ": forged }).to_string().as_bytes());
        let claims = json!({ "iss": site.issuer.url(), "sub": forged, "aud": forged, "client_id": forged });
        let claims = BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
        let strange =
            site.token_with("alice\u{1b}[31m", &json!({ "client_id": forged, "azp": forged, "jti": forged }));
        let kid = site.key.token_with_header(&json!({ "kid": forged }), &json!({ "sub": forged }));
        for token in [format!("{header}.{claims}.AAAA"), strange, kid] {
            for body in [json!({ "otp": forged, "types": [forged] }).to_string(), forged.to_owned()] {
                let request = verify(&serving, VERIFY, &token, &body);
                let request = request.header("x-request-id", "forged%0d%0a").header("request-id", "for ged");
                let answer = request.header("user-agent", "forged\\r\\n").send().await.unwrap();
                assert!(!answer.headers()["request-id"].to_str().unwrap().contains("ged"));
                assert!([401, 422].contains(&answer.status().as_u16()));
            }
        }
        let raw = b"POST /\x1b[31mforged HTTP/1.1\r\nHost: a\r\nUser-Agent: \x1b[31mforged\r\nContent-Length: 0\r\n\r\n";
        let refused = Client::connect(serving.address).await.request(raw).await;
        assert_eq!(refused.status, 400);
        let url = format!("http://{}/%0d%0aforged%1b%5b31m", serving.address);
        serving.client.get(url).send().await.unwrap();
        serving.program.signal(Signal::TERM);
        let Run { stdout, stderr, .. } = serving.program.ended().await;
        let written = stdout + &stderr;
        assert!(!written.contains("forged") && !written.contains(['\u{1b}', '\u{9b}', '\r']), "{written}");
        for line in written.lines() {
            if format == "json" {
                assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object(), "{line}");
            } else {
                assert!(line.starts_with("20") && line.contains("einmal"), "{line}");
            }
        }
    }
}

/// The service with logs in this format, which says in either where it is.
async fn serve_in(command: &mut std::process::Command, format: &str) -> Serving {
    if format == "json" {
        return Serving::start(command).await;
    }
    let mut program = Program::start(command.env("EINMAL__LOG__FORMAT", format));
    let find = |log: &str| {
        let line = log.lines().find(|line| line.contains("serving"))?;
        let value =
            |name: &str| line.split_whitespace().find_map(|word| word.strip_prefix(name)?.parse().ok());
        Some((value("address=")?, value("management=")?))
    };
    let (address, management) = program.printed("line that says where it serves", find).await;
    Serving { program, address, management, client: reqwest::Client::builder().no_proxy().build().unwrap() }
}
