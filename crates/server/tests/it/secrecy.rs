//! Nothing secret leaves. The real program is run with all that it can log, and everything that comes out of it
//! is searched: standard output and error, every answer, every byte of the store's files.

use crate::harness::back_office::ADMIN;
use crate::harness::installation::{Installation, Serving, code_of};
use crate::harness::issuer::SigningKey;
use crate::harness::mail::SENDMAIL;
use crate::harness::mail_server::{END, MailServer, Received, Reply};
use crate::harness::program::{Program, Run};
use crate::harness::service::VERIFY;
use crate::http::client::Client;
use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use einmal::clock::{Clock, SystemClock};
use einmal_core::otp::{Algorithm, Secret, Totp};
use reqwest::RequestBuilder;
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const SECRET: &[u8] = b"canary-secret-2f9a71c4";
const PASSWORD: &str = "canary-password-81d6";
/// Rare enough in a few kilobytes; it is looked for in the store's files alone.
const PIN: &str = "8035";
const MARK: &str = "canary";
const EVENTS: &str = "[events]\noutput = \"events.jsonl\"\n";

/// What must be nowhere, by name.
struct Canaries(Vec<(String, Vec<u8>)>);

impl Canaries {
    fn new(site: &Installation) -> Self {
        let mut canaries = Self(Vec::new());
        canaries.add("mark", MARK);
        canaries.add("secret, base32", BASE32_NOPAD.encode(SECRET));
        canaries.add("secret, base32 in small letters", BASE32_NOPAD.encode(SECRET).to_lowercase());
        canaries.add("secret, hex", HEXLOWER.encode(SECRET));
        canaries.add("secret, HEX", HEXUPPER.encode(SECRET));
        canaries.add("secret, base64", BASE64.encode(SECRET));
        canaries.add("secret, Debug", format!("{SECRET:?}"));
        let keyring = fs::read_to_string(site.path("einmal.keys")).unwrap();
        let key = keyring.trim_end().rsplit_once(':').unwrap().1;
        canaries.add("key", key);
        canaries.add("key, raw", BASE64.decode(key.as_bytes()).unwrap());
        canaries.add("key, hex", HEXLOWER.encode(&BASE64.decode(key.as_bytes()).unwrap()));
        canaries
    }

    fn add(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// The whole token, and each of its parts.
    fn add_token(&mut self, token: &str) {
        for part in token.split('.').skip(1).chain([token]) {
            self.add("token", part);
        }
    }

    fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let is_in = |needle: &[u8]| memchr::memmem::find(bytes, needle).is_some();
        self.0.iter().filter(|(_, value)| is_in(value)).map(|(name, _)| name.as_str()).collect()
    }

    fn are_not_in(&self, place: &str, bytes: &[u8]) {
        let found = self.found_in(bytes);
        assert!(found.is_empty(), "{found:?} in {place}: {}", String::from_utf8_lossy(bytes));
    }
}

/// Eight digits, which no time, port or duration in a log has by chance.
fn code(offset: i64) -> String {
    let totp = Totp::new(Secret::from_bytes(SECRET.to_vec()).unwrap(), Algorithm::Sha256, 8, 120).unwrap();
    let step = totp.step_at(SystemClock.now()).saturating_add_signed(offset);
    totp.code_at(step).as_str().to_owned()
}

fn account(subject: &str) -> serde_json::Value {
    json!({
        "id": subject, "pin": PIN, "password": PASSWORD,
        "deviceTotps": [{ "secret": BASE32_NOPAD.encode(SECRET), "algorithm": "SHA256", "digits": 8, "period": 120 }],
    })
}

fn verify(serving: &Serving, path: &str, token: &str, body: &str) -> RequestBuilder {
    let request = serving.client.post(format!("http://{}{path}", serving.address)).bearer_auth(token);
    request.header("content-type", "application/json").body(body.to_owned())
}

/// Sends all kinds of requests and searches every answer. Returns their statuses.
async fn exercise(site: &Installation, serving: &Serving, canaries: &mut Canaries) -> Vec<u16> {
    let token = |changes| site.token_with("alice", &changes);
    let good = token(json!({ "jti": MARK }));
    let stranger = SigningKey::new("EdDSA", Some("canary-kid"));
    let claims =
        json!({ "iss": "http://canary", "sub": "canary-sub", "aud": "einmal", "exp": 9_999_999_999_u64 });
    let codes = [code(0), code(1)];
    for code in &codes {
        canaries.add("code", code.as_str());
    }
    let right = json!({ "otp": codes[0] }).to_string();
    let otp = |otp: &str| json!({ "otp": otp }).to_string();
    let requests = [
        (good.clone(), right.clone()),
        (good.clone(), right.clone()),
        (good.clone(), format!("{{\"otp\":\"{}", codes[1])),
        (good.clone(), format!("{{\"otp\":\"{MARK}-otp\",\"types\":[\"{MARK}-type\"]}}")),
        (good.clone(), json!({ "otp": { "pin": "canary-pin" }, "password": PASSWORD }).to_string()),
        (good.clone(), format!("{{\"otp\":1,\"otp\":\"{MARK}\"}}")),
        (good.clone(), format!("{MARK} {PASSWORD}")),
        (good.clone(), otp("canary-otp")),
        (good.clone(), otp(&BASE32_NOPAD.encode(SECRET))),
        (site.token_with("nobody", &json!({ "jti": MARK })), right.clone()),
        (token(json!({ "exp": 1, "jti": MARK })), right.clone()),
        (token(json!({ "scope": "canary-scope" })), right.clone()),
        (token(json!({ "aud": "canary-audience" })), right.clone()),
        (token(json!({ "iss": "http://canary-issuer" })), right.clone()),
        (stranger.token(&claims), right.clone()),
        (format!("{good}x"), right.clone()),
        ("canary-token".to_owned(), right.clone()),
        (good.clone(), otp("77777777")),
        (good.clone(), otp("77777777")),
        (good.clone(), otp("77777777")),
        (good.clone(), otp("77777777")),
        (good.clone(), otp("77777777")),
        (good.clone(), otp(&codes[1])),
    ];
    let mut statuses = Vec::new();
    for (token, body) in requests {
        canaries.add_token(&token);
        let answer = verify(serving, &format!("{VERIFY}?otp={MARK}"), &token, &body)
            .header("user-agent", format!("{MARK}/1"))
            .header("api-key", MARK)
            .send()
            .await
            .unwrap();
        statuses.push(answer.status().as_u16());
        let mut text = format!("{:?}", answer.headers()).into_bytes();
        text.extend_from_slice(&answer.bytes().await.unwrap());
        canaries.are_not_in("an answer", &text);
    }
    for (offered, expected) in [
        (json!({ "password": PASSWORD, "pin": MARK }), 201),
        (json!({ "password": "canary-password-wrong", "pin": "canary-pin" }), 404),
        (json!({ "password": { "is": PASSWORD } }), 422),
    ] {
        let answer =
            verify(serving, "/user/2025-1/user/otp", &good, &offered.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), expected);
        canaries.are_not_in("an answer", &answer.bytes().await.unwrap());
    }
    enrol_authenticator(
        serving,
        &token(json!({ "scope": "user:device-totps:create", "jti": MARK })),
        canaries,
    )
    .await;
    let public = ["/canary-path?canary", "/docs/errors?canary", "/user/2025-1/user/otp/verify?otp=canary"];
    let private = ["/health/readiness?canary", "/health/liveness", "/metrics?canary"];
    let urls = public.iter().map(|path| format!("http://{}{path}", serving.address));
    for url in urls.chain(private.iter().map(|path| format!("http://{}{path}", serving.management))) {
        let answer = serving.client.get(&url).send().await.unwrap();
        canaries.are_not_in(&url, &answer.bytes().await.unwrap());
    }
    statuses.extend(administer(site, serving, canaries).await);
    statuses
}

/// A secret that the service makes is in the answer that makes it and, drawn, in the QR code, and nowhere else.
async fn enrol_authenticator(serving: &Serving, token: &str, canaries: &mut Canaries) {
    canaries.add_token(token);
    let authenticators = "/user/2025-1/user/authenticators";
    let proof = json!({ "data": { "type": "authenticator", "attributes": { "password": PASSWORD } } });
    let begun = verify(serving, authenticators, token, &proof.to_string()).send().await.unwrap();
    assert_eq!(begun.status(), 201);
    let begun: serde_json::Value = serde_json::from_slice(&begun.bytes().await.unwrap()).unwrap();
    let secret = begun["data"]["attributes"]["secret"].as_str().unwrap();
    let bytes = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    canaries.add("authenticator, base32", secret);
    canaries.add("authenticator, base32 in small letters", secret.to_lowercase());
    canaries.add("authenticator, hex", HEXLOWER.encode(&bytes));
    canaries.add("authenticator, base64", BASE64.encode(&bytes));
    canaries.add("authenticator, Debug", format!("{bytes:?}"));
    let code = code_of(secret, SystemClock.now().seconds() / 30);
    let id = begun["data"]["id"].as_str().unwrap();
    canaries.add("authenticator, raw", bytes);
    let confirm = format!("{authenticators}/{id}/confirm");
    for (path, body, expected) in [
        (format!("{authenticators}/{id}/qr"), None, 200),
        (authenticators.to_owned(), None, 200),
        (confirm.clone(), Some(json!({ "otp": "canary" })), 403),
        (confirm.clone(), Some(json!({ "otp": { "is": PASSWORD } })), 422),
        (confirm.clone(), Some(json!({ "otp": code })), 204),
        (confirm, Some(json!({ "otp": code })), 404),
        (authenticators.to_owned(), None, 200),
        (format!("{authenticators}/{id}/qr"), None, 404),
    ] {
        let request = match body {
            Some(body) => verify(serving, &path, token, &body.to_string()),
            None => serving.client.get(format!("http://{}{path}", serving.address)).bearer_auth(token),
        };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), expected, "{path}");
        canaries.are_not_in("an answer", &answer.bytes().await.unwrap());
    }
}

/// Provisions with secrets, rightly and wrongly, and searches every answer.
async fn administer(site: &Installation, serving: &Serving, canaries: &mut Canaries) -> Vec<u16> {
    let claims = json!({ "client_id": "backoffice", "scope": "einmal:admin", "jti": MARK });
    let token = site.token_with("agent", &claims);
    canaries.add_token(&token);
    let secret = BASE32_NOPAD.encode(SECRET);
    let wrong = json!({
        "id": MARK, "pin": MARK, "password": PASSWORD, "passwordHash": MARK, "email": MARK,
        "deviceTotps": [
            { "secret": MARK },
            { "uri": MARK },
            { "id": MARK, "label": MARK.repeat(12), "secret": secret },
        ],
    });
    let spoken = code(0);
    canaries.add("code", spoken.as_str());
    let requests = [
        ("PUT", "bob", account("bob").to_string()),
        ("PUT", "bob", account("bob").to_string()),
        ("PUT", "bob", wrong.to_string()),
        ("PUT", "bob", json!({ "pin": [PASSWORD], "password": { "a": MARK } }).to_string()),
        ("PUT", "bob", format!("{{\"pin\":\"{MARK}")),
        ("GET", "bob?canary", String::new()),
        ("POST", "bob/unlock", MARK.to_owned()),
        ("POST", "bob/code", MARK.to_owned()),
        ("POST", "bob/diagnose", json!({ "otp": spoken, "pin": MARK }).to_string()),
        ("POST", "bob/diagnose", json!({ "otp": MARK }).to_string()),
        ("POST", "bob/diagnose", json!({ "otp": spoken, "types": [MARK] }).to_string()),
        ("DELETE", "bob", String::new()),
    ];
    let mut statuses = Vec::new();
    for (method, path, body) in requests {
        let url = format!("http://{}/admin/accounts/main/{path}", serving.management);
        let request = serving.client.request(method.parse().unwrap(), url).bearer_auth(&token);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        statuses.push(answer.status().as_u16());
        let mut text = format!("{:?}", answer.headers()).into_bytes();
        text.extend_from_slice(&answer.bytes().await.unwrap());
        canaries.are_not_in("an answer", &text);
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_code_secret_password_key_or_token_comes_out_142_143_145() {
    let site = Installation::with(&format!("{ADMIN}\n{EVENTS}")).await;
    let mut canaries = Canaries::new(&site);
    let lines = [account("alice").to_string(), "{\"id\":\"canary\",\"pin\":5}".to_owned(), MARK.to_owned()];
    let imported = site.import_with(&[], lines.join("\n"));
    assert!(
        imported.stdout.starts_with("1 imported") && imported.stdout.contains("2 refused"),
        "{imported:?}"
    );
    canaries.are_not_in("an import's output", format!("{imported:?}").as_bytes());
    let serving = Serving::start(site.einmal(&["serve"]).env("EINMAL__LOG__LEVEL", "trace")).await;
    let statuses = exercise(&site, &serving, &mut canaries).await;
    let expected = [
        204, 404, 422, 422, 422, 422, 422, 404, 404, 404, 401, 403, 401, 401, 401, 401, 401, 404, 404, 404,
        404, 404, 404, 201, 200, 422, 422, 422, 200, 204, 201, 200, 200, 422, 204,
    ];
    assert_eq!(statuses, expected);

    // While it runs: the write-ahead log and its index are there.
    let mut files = Vec::new();
    for entry in fs::read_dir(site.directory.path()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("einmal.db") {
            let bytes = fs::read(entry.path()).unwrap();
            canaries.are_not_in(&name, &bytes);
            assert_eq!(memchr::memmem::find(&bytes, PIN.as_bytes()), None, "the PIN in {name}");
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{name} is open to others");
            files.push(name);
        }
    }
    files.sort();
    assert_eq!(files, ["einmal.db", "einmal.db-shm", "einmal.db-wal"]);
    serving.program.signal(Signal::TERM);
    let Run { stdout, stderr, .. } = serving.program.ended().await;
    assert!(stdout.lines().count() > statuses.len(), "{stdout}");
    canaries.are_not_in("what it wrote", (stdout + &stderr).as_bytes());
    canaries.are_not_in("the database", &fs::read(site.path("einmal.db")).unwrap());
    let events = fs::read_to_string(site.path("events.jsonl")).unwrap();
    assert!(events.lines().count() > 15, "{events}");
    canaries.are_not_in("the events", events.as_bytes());
    // That the search finds what is there.
    assert_eq!(canaries.found_in(BASE32_NOPAD.encode(SECRET).as_bytes()), ["secret, base32"]);
}

/// Whether six digits are somewhere in a log, beside the numbers that every line has.
fn tells(log: &str, code: &str) -> bool {
    let without_numbers = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        for field in ["timestamp", "time", "request_id", "duration_us", "client", "address", "management"] {
            line.as_object_mut().unwrap().remove(field);
        }
        line.to_string()
    };
    log.lines().any(|line| without_numbers(line).contains(code))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_mailed_code_nor_its_address_nor_the_mail_servers_password_comes_out_140_142() {
    let server = MailServer::start().await;
    let mail = format!(
        "[mail]\nurl = \"smtp://canary-user:canary-mail-password@{}\"\nfrom = \"no-reply@example.com\"\n",
        server.address
    );
    let site = Installation::with(&format!("{mail}{EVENTS}")).await;
    let canaries = Canaries::new(&site);
    let printed = site.run(&["config", "print"]);
    assert!(printed.stdout.contains("smtp://canary-user:***@") && !printed.stdout.contains("mail-password"));
    let serving = Serving::start(site.einmal(&["serve"]).env("EINMAL__LOG__LEVEL", "trace")).await;
    let claims = json!({ "email": "alice.canary@example.org", "email_verified": true, "locale": "canary" });
    let mut statuses = Vec::new();
    for (subject, place, reply) in [
        ("alice", "NOOP", "250 ok"),
        ("alice", "NOOP", "250 ok"),
        ("bob", END, "550 5.7.1 alice.canary@example.org: canary-mail-password"),
        ("carol", "RCPT", "450 <alice.canary@example.org> greylisted"),
        ("dave", "RCPT", "canary"),
        ("erin", "AUTH", "535 canary-user canary-mail-password"),
    ] {
        server.reply(place, Reply::Say(reply));
        let token = site.token_with(subject, &claims);
        let answer = verify(&serving, SENDMAIL, &token, "canary").header("accept-language", "canary");
        let answer = answer.send().await.unwrap();
        statuses.push(answer.status().as_u16());
        let mut text = format!("{:?}", answer.headers()).into_bytes();
        text.extend_from_slice(&answer.bytes().await.unwrap());
        canaries.are_not_in("an answer", &text);
    }
    assert_eq!(statuses, [204, 204, 503, 503, 503, 503]);
    let codes: Vec<String> = server.mails().iter().map(Received::code).collect();
    assert_eq!(codes.len(), 2, "alice's, and bob's that was refused");
    for entry in fs::read_dir(site.directory.path()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let bytes = fs::read(entry.path()).unwrap();
        let is_in = |code: &String| memchr::memmem::find(&bytes, code.as_bytes()).is_some();
        assert!(!name.starts_with("einmal.db") || !codes.iter().any(is_in), "a code in {name}");
    }
    let url = format!("http://{}/metrics", serving.management);
    let metrics = serving.client.get(url).send().await.unwrap().text().await.unwrap();
    canaries.are_not_in("/metrics", metrics.as_bytes());
    serving.program.signal(Signal::TERM);
    let Run { stdout, stderr, .. } = serving.program.ended().await;
    canaries.are_not_in("what it wrote", (stdout.clone() + &stderr).as_bytes());
    assert!(stdout.contains("a mail could not be sent") && stderr.is_empty(), "{stdout}{stderr}");
    let events = fs::read_to_string(site.path("events.jsonl")).unwrap();
    assert!(events.lines().count() == 1 && events.contains("code_mailed"), "{events}");
    canaries.are_not_in("the events", events.as_bytes());
    for code in &codes {
        assert!(
            !tells(&stdout, code) && !tells(&events, code) && !metrics.contains(code),
            "{code} in {stdout}"
        );
    }
    assert!(
        tells(&format!("{{\"error\":\"{}\"}}", codes[0]), &codes[0]),
        "that the search finds what is there"
    );
}

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

/// What a command says that must not do its work.
async fn refusal(site: &Installation, arguments: &[&str]) -> String {
    let run = Program::start(&mut site.einmal(arguments)).ended().await;
    assert!(run.code.is_some_and(|code| code != 0), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    run.stderr
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_file_that_others_can_read_is_refused_148() {
    let site = Installation::new().await;
    let canaries = Canaries::new(&site);
    for mode in [0o640, 0o604, 0o644, 0o660, 0o777, 0o601] {
        fs::set_permissions(site.path("einmal.keys"), fs::Permissions::from_mode(mode)).unwrap();
        let said = refusal(&site, &["serve"]).await;
        assert!(said.contains("einmal.keys") && said.contains("expected mode 0600"), "{said}");
        assert!(said.contains(&format!("{mode:04o}")), "{said}");
        canaries.are_not_in("the refusal", said.as_bytes());
        assert!(!site.path("einmal.db").exists(), "nothing was made");
    }
    fs::set_permissions(site.path("einmal.keys"), fs::Permissions::from_mode(0o400)).unwrap();
    site.serve().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_keyring_does_not_start_on_the_store_146() {
    let site = Installation::new().await;
    site.import(account("alice").to_string());
    fs::rename(site.path("einmal.keys"), site.path("kept.keys")).unwrap();
    let said = refusal(&site, &["serve"]).await;
    assert!(said.contains("einmal.keys") && said.contains("einmal keys generate"), "{said}");

    assert_eq!(site.run(&["keys", "generate"]).code, Some(0));
    let said = refusal(&site, &["serve"]).await;
    assert!(said.contains("einmal.db") && said.contains("this keyring is not the store's"), "{said}");
    Canaries::new(&site).are_not_in("the refusal", said.as_bytes());
    let imported = site.import_with(&[], account("bob").to_string());
    assert!(imported.stderr.contains("this keyring is not the store's"), "{imported:?}");

    // The old keyring's id with the new keyring's key.
    let line = |name: &str| fs::read_to_string(site.path(name)).unwrap().lines().last().unwrap().to_owned();
    let mixed = line("kept.keys")[..8].to_owned() + &line("einmal.keys")[8..];
    fs::write(site.path("einmal.keys"), mixed).unwrap();
    assert!(refusal(&site, &["serve"]).await.contains("this keyring is not the store's"));

    fs::rename(site.path("kept.keys"), site.path("einmal.keys")).unwrap();
    let serving = site.serve().await;
    assert_eq!(serving.verify(&site.token("alice"), &code(0)).await, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_leaves_no_core_and_its_arguments_name_no_secret_148_149() {
    let site = Installation::new().await;
    let canaries = Canaries::new(&site);
    let serving = site.serve().await;
    let proc = |name: &str| fs::read(format!("/proc/{}/{name}", serving.program.id()));
    let limits = String::from_utf8(proc("limits").unwrap()).unwrap();
    let core: Vec<_> =
        limits.lines().find(|line| line.starts_with("Max core")).unwrap().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
    canaries.are_not_in("its arguments", &proc("cmdline").unwrap());
}
