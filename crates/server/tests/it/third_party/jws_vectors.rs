//! Signed tokens of two other libraries and what can be made of them, in the classes of Project Wycheproof's JWS
//! vectors, at the door of the real service.

use super::peer;
use crate::harness::clock::NOW;
use crate::harness::service::{Service, VERIFY};
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party");

/// How many vectors there are of a class: good, bad, right but not taken for a reason that is written there, and those
/// that no client of HTTP can send.
#[derive(Default, Debug, PartialEq)]
struct Count {
    good: usize,
    bad: usize,
    not_taken: usize,
    unsendable: usize,
}

#[tokio::test]
async fn no_token_of_the_classes_of_wycheproof_passes_that_is_not_good_and_every_good_one_does_92() {
    let Some(node) = peer("EINMAL_TEST_NODE", "the JWS vectors of jose") else { return };
    let Some(python) = peer("EINMAL_TEST_PYTHON", "the JWS vectors of joserfc") else { return };
    let service = Service::start().await;
    let arguments = [service.issuer.url(), NOW.to_string()];
    let mut jose = Command::new("node");
    let jose = jose.arg(node.join("jose-tokens.mjs")).args(&arguments).current_dir(&node);
    let jose = output(jose, &[]);
    let mut joserfc = Command::new(python);
    let joserfc = joserfc.arg("-B").arg(format!("{SCRIPTS}/jws_vectors.py")).args(&arguments);
    let made: Value = serde_json::from_slice(&output(joserfc, &jose)).unwrap();

    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for round in ["jose", "joserfc", "keys"] {
        service.issuer.publish_jwks(made[round].as_array().unwrap());
        // Else the new keys would not be asked for.
        service.clock.advance(31);
        let of_round = |vector: &&Value| {
            let is_about_keys = vector["class"] == "keys";
            if round == "keys" { is_about_keys } else { vector["library"] == round && !is_about_keys }
        };
        let vectors: Vec<_> = made["vectors"].as_array().unwrap().iter().filter(of_round).collect();
        // The good ones first: the keys are there then, and the forgeries meet a cache that knows what they came from.
        for is_good in [true, false] {
            for vector in vectors.iter().filter(|vector| vector["good"] == is_good) {
                let name = format!("{} {}: {}", vector["library"], vector["class"], vector["name"]);
                let count = counts.entry(vector["class"].as_str().unwrap().to_owned()).or_default();
                judge(&service, &name, vector, count).await;
            }
        }
    }
    let all = |number: fn(&Count) -> usize| counts.values().map(number).sum::<usize>();
    let sum = (
        all(|count| count.good),
        all(|count| count.bad),
        all(|count| count.not_taken),
        all(|count| count.unsendable),
    );
    let classes: Vec<_> =
        counts.iter().map(|(class, count)| format!("{class} {}", count.good + count.bad)).collect();
    let line = format!("JWS vectors (good, bad, not taken, unsendable): {sum:?}; {}\n", classes.join(", "));
    // Past the harness, which would keep it to itself.
    let _ = std::io::stderr().write_all(line.as_bytes());
    assert!(sum.0 >= 140 && sum.1 >= 8_500 && sum.2 == 2, "{counts:#?}");
    assert_eq!(counts.len(), 21, "{counts:#?}");
}

async fn judge(service: &Service, name: &str, vector: &Value, count: &mut Count) {
    let token = vector["token"].as_str().unwrap();
    // HTTP takes white space off the ends of a value: on the wire it would be the token that it was made of.
    let is_trimmed = token != token.trim_matches([' ', '\t']);
    let value = HeaderValue::from_bytes(format!("Bearer {token}").as_bytes()).ok().filter(|_| !is_trimmed);
    let Some(value) = value else {
        count.unsendable += 1;
        return;
    };
    let request = service.client.post(service.url(VERIFY)).header("authorization", value);
    let request =
        request.header("content-type", "application/json").body(json!({ "otp": "123456" }).to_string());
    let answer = request.send().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    // Nobody of that name has an account, which is known only of who has a token.
    let expected = if vector["good"] == true { (404, "otp-invalid") } else { (401, "token-invalid") };
    assert_eq!((status, body["errors"][0]["code"].as_str().unwrap()), expected, "{name}: {token}");
    let kind = match (vector["good"] == true, vector["reason"].is_string()) {
        (true, _) => &mut count.good,
        (false, true) => &mut count.not_taken,
        (false, false) => &mut count.bad,
    };
    *kind += 1;
}

fn output(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
