//! What `config print` says: everything that is in force, in a form that can be read back, and no secret.

use super::*;

/// What a document prints, and its directory.
fn printed(written: Written) -> (String, TempDir) {
    let (document, directory) = written.document();
    let text = document.and_then(|document| document.print()).unwrap_or_else(|error| panic!("{error}"));
    (text.to_string(), directory)
}

/// The text of everything that a configuration means, but for where it is.
fn meant(text: &str, directory: &TempDir) -> String {
    fs::write(directory.path().join("einmal.toml"), text).unwrap();
    let document = Document::open(Some(&directory.path().join("einmal.toml")), Environment::from([]));
    format!(
        "{:#?}",
        document.and_then(|document| document.service()).unwrap_or_else(|error| panic!("{error}"))
    )
}

const FULL: &str = r#"
[http]
listen = "[::1]:80"
public_url = "https://otp.example.com"
[store]
url = { file = "url" }
migrate = false
[keyring]
file = "quote\"d.keys"
[[issuers]]
name = "cars"
issuer = "https://id.example.com"
audiences = ["einmal", "other"]
algorithms = ["ES256"]
linked_identity = { claim = "/a~1b", provider = "fleet", clients = ["x", "y"] }
[[issuers]]
name = "bikes"
issuer = "https://bikes.example.com"
audiences = ["einmal"]
jwks_uri = "https://bikes.example.com/keys"
[throttle]
status = 429
first_wait = "1m"
"#;

#[test]
fn what_is_printed_means_the_same_when_it_is_read_back() {
    for text in [MINIMAL, FULL] {
        let written = written(text);
        fs::write(written.path("url"), "sqlite:elsewhere.db").unwrap();
        let (printed, directory) = printed(written);
        assert_eq!(meant(&printed, &directory), meant(text, &directory), "{printed}");
    }
}

#[test]
fn every_key_is_printed_with_its_value_and_origin_or_as_not_set() {
    let (text, _directory) = printed(written(MINIMAL).with([("EINMAL__HTTP__DRAIN", "2s")]));
    for line in [
        "listen = \"127.0.0.1:8080\" # default",
        "drain = \"2s\" # EINMAL__HTTP__DRAIN",
        "file = \"einmal.keys\" # line 2",
        "migrate = true # default",
        "name = \"main\" # default",
        "# jwks_uri is not set",
        "failures = 100 # default",
    ] {
        assert!(text.lines().any(|printed| printed == line), "{line}\n{text}");
    }
    let mut known = Vec::new();
    keys::collect(keys::ROOT, "", "0", &mut known);
    // What is inside of these is printed beside them.
    let inner = [
        "admin.",
        "account_page.",
        "mail.",
        "http.tls.",
        "store.url.",
        ".linked_identity.",
        ".introspection.",
        ".password.",
    ];
    let leaves = known.iter().filter(|path| !inner.iter().any(|inner| path.contains(inner)));
    for path in leaves {
        let name = path.rsplit('.').next().unwrap();
        let is_about = |line: &str| {
            let line = line.strip_prefix("# ").unwrap_or(line);
            [format!("{name} = "), format!("{name} is not set"), format!("[{name}]"), format!("[[{name}]]")]
                .iter()
                .any(|start| line.starts_with(start))
        };
        assert!(text.lines().any(is_about), "{path}\n{text}");
    }
}

#[test]
fn a_variable_is_printed_as_the_kind_of_value_that_it_means() {
    let written = written(MINIMAL).with([
        ("EINMAL__TOTP__ISSUER_LABEL", "12345"),
        ("EINMAL__THROTTLE__FAILURES", " 50 "),
        ("EINMAL__STORE__MIGRATE", "false"),
        ("EINMAL__ISSUERS__0__AUDIENCES", "one"),
        ("EINMAL__ISSUERS__0__ALGORITHMS", "[\"ES256\", \"RS256\"]"),
        ("EINMAL__ISSUERS__0__LINKED_IDENTITY__CLAIM", "/a"),
        ("EINMAL__ISSUERS__0__LINKED_IDENTITY__PROVIDER", "fleet"),
        ("EINMAL__ISSUERS__0__LINKED_IDENTITY__CLIENTS", "x"),
    ]);
    let (text, directory) = printed(written);
    for part in [
        "issuer_label = \"12345\" # EINMAL__TOTP__ISSUER_LABEL\n",
        "failures = 50 # EINMAL__THROTTLE__FAILURES\n",
        "migrate = false # EINMAL__STORE__MIGRATE\n",
        "audiences = [\"one\"] # EINMAL__ISSUERS__0__AUDIENCES\n",
        "algorithms = [\"ES256\", \"RS256\"] # EINMAL__ISSUERS__0__ALGORITHMS\n",
        "linked_identity = { claim = \"/a\", provider = \"fleet\", clients = [\"x\"] } # EINMAL__",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    meant(&text, &directory);
}

#[test]
fn no_secret_is_printed_and_what_is_left_without_the_masked_lines_is_a_configuration() {
    let text = format!("[store]\nurl = \"sqlite://einmal:hunter2@x\"\n{MINIMAL}");
    let text = text.replace("file = \"einmal.keys\"", "env = \"SEAL\"");
    let text = format!("{text}jwks_uri = \"https://id.example.com/keys?key=hunter2\"\n");
    let (document, directory) = written(&text).with([("SEAL", "hunter2")]).document();
    let printed = document.and_then(|document| document.print()).unwrap();
    assert!(!printed.contains("hunter2"), "{}", *printed);
    let masked: Vec<_> =
        printed.lines().filter(|line| line.contains("***") && !line.starts_with('#')).collect();
    assert_eq!(
        masked,
        [
            "url = \"sqlite://einmal:***@x\" # line 2",
            "jwks_uri = \"https://id.example.com/keys?***\" # line 8"
        ]
    );
    let rest: Vec<_> = printed.lines().filter(|line| !line.contains("***")).collect();
    let rest = rest.join("\n");
    fs::write(directory.path().join("einmal.toml"), rest).unwrap();
    let environment = Environment::from([("SEAL", "hunter2")]);
    let document = Document::open(Some(&directory.path().join("einmal.toml")), environment).unwrap();
    document.service().unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_faulty_configuration_is_refused_as_a_whole() {
    let (document, _directory) = written("[http]\nlisten = 1\n").document();
    assert!(document.and_then(|document| document.print()).is_err());
}
