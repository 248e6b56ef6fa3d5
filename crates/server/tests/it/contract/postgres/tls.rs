//! `sslmode`: whether the connection is encrypted, with whom, and what an operator hears where it cannot be.

use super::super::accounts::{create, id};
use super::{OwnServer, open_url};
use crate::harness::certificate::Certificate;
use einmal::store::Store;
use std::fs;
use std::path::Path;

/// Whether the connections of the store are encrypted, or why there is none.
async fn encrypted(own: &OwnServer, host: &str, parameters: &str) -> Result<bool, String> {
    let url = own.database.url.replace("127.0.0.1", host);
    let store =
        open_url(&format!("{url}?{parameters}"), "connections = 1").map_err(|error| error.to_string())?;
    store.probe().await.unwrap();
    let sql = "SELECT string_agg(ssl::text, ' ') FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'einmal'";
    match own.server.sql(&own.database.name, sql).as_str() {
        "true true" => Ok(true),
        "false false" => Ok(false),
        other => panic!("{other}"),
    }
}

fn with_tls(certificate: &Certificate) -> Option<OwnServer> {
    let own = OwnServer::start("")?;
    own.server.write("server.crt", &certificate.pem);
    own.server.write("server.key", &certificate.key_pem);
    own.server.sql("postgres", "ALTER SYSTEM SET ssl = on");
    own.server.sql("postgres", "SELECT pg_reload_conf()");
    Some(own)
}

fn roots(directory: &Path, name: &str, certificate: &Certificate) -> String {
    let file = directory.join(name);
    fs::write(&file, &certificate.pem).unwrap();
    format!("sslrootcert={}", file.display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_mode_checks_what_it_says() {
    let certificate = Certificate::new();
    let Some(own) = with_tls(&certificate) else { return };
    let directory = tempfile::tempdir().unwrap();
    let right = roots(directory.path(), "right.pem", &certificate);
    let other = roots(directory.path(), "other.pem", &Certificate::new());
    let (address, name) = ("127.0.0.1", "localhost");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while encrypted(&own, address, "sslmode=require").await != Ok(true) {
        assert!(tokio::time::Instant::now() < deadline, "no TLS:\n{}", own.server.log());
    }
    assert_eq!(encrypted(&own, address, "sslmode=disable").await, Ok(false));
    assert_eq!(encrypted(&own, address, "").await, Ok(true), "prefer");
    assert_eq!(encrypted(&own, name, "sslmode=require").await, Ok(true));
    for mode in ["require", "verify-ca"] {
        assert_eq!(encrypted(&own, name, &format!("sslmode={mode}&{right}")).await, Ok(true), "{mode}");
        let refusal = encrypted(&own, name, &format!("sslmode={mode}&{other}")).await.unwrap_err();
        assert!(refusal.contains("invalid peer certificate"), "{mode}: {refusal}");
    }
    assert_eq!(encrypted(&own, address, &format!("sslmode=verify-full&{right}")).await, Ok(true));
    for (host, parameters) in [
        (name, format!("sslmode=verify-full&{right}")),
        (address, format!("sslmode=verify-full&{other}")),
        (address, "sslmode=verify-full".to_owned()),
        (address, "sslmode=verify-ca".to_owned()),
    ] {
        let refusal = encrypted(&own, host, &parameters).await.unwrap_err();
        assert!(refusal.contains("invalid peer certificate"), "{host} {parameters}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_tls_on_the_server_prefer_goes_on_and_all_else_is_refused() {
    let Some(own) = OwnServer::start("") else { return };
    assert_eq!(encrypted(&own, "127.0.0.1", "").await, Ok(false));
    for mode in ["require", "verify-ca", "verify-full"] {
        let refusal = encrypted(&own, "127.0.0.1", &format!("sslmode={mode}")).await.unwrap_err();
        assert!(refusal.contains("server does not support TLS"), "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn root_certificates_that_are_none_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("roots.pem");
    let url = format!("postgres://einmal@127.0.0.1/d?sslmode=verify-full&sslrootcert={}", file.display());
    for content in [None, Some("nothing")] {
        if let Some(content) = content {
            fs::write(&file, content).unwrap();
        }
        let Err(error) = open_url(&url, "") else { panic!("opened") };
        assert!(
            error.to_string().starts_with(&format!("store.url: sslrootcert {}: ", file.display())),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_password_is_proved_over_tls_and_in_clear_and_never_told() {
    let certificate = Certificate::new();
    let Some(own) = with_tls(&certificate) else { return };
    own.server.sql("postgres", "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'hun%ter@2'");
    own.server.write(
        "pg_hba.conf",
        "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n",
    );
    own.server.sql("postgres", "SELECT pg_reload_conf()");
    let url = own.database.url.replace("einmal@", "guarded@");
    let lines = |password: &str| format!("password = \"{password}\"");
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while open_url(&url, "").is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "no password is asked for");
    }
    for mode in ["disable", "require"] {
        let url = format!("{url}?sslmode={mode}");
        create(&open_url(&url, &lines("hun%ter@2")).unwrap(), &id(mode), 1).await;
        let Err(error) = open_url(&url, &lines("hunter3")) else { panic!("opened") };
        let said = error.to_string();
        assert!(said.contains("password authentication failed") && !said.contains("hunter3"), "{said}");
    }
    let inside = url.replace("guarded@", "guarded:hun%25ter%402@");
    create(&open_url(&inside, "").unwrap(), &id("inside"), 1).await;
}
