//! `store.url` of a PostgreSQL server: what its parts mean, and that nothing of it is ever shown.

use super::*;

fn server(store: &str) -> Postgres {
    match written(&format!("[store]\n{store}\n{MINIMAL}")).config().store.engine {
        Engine::Postgres(server) => *server,
        Engine::Sqlite(path) => panic!("{}", path.display()),
    }
}

fn of_url(url: &str) -> Postgres {
    server(&format!("url = \"{url}\""))
}

fn hosts(url: &str) -> Vec<String> {
    of_url(url).hosts.iter().map(ToString::to_string).collect()
}

#[test]
fn a_url_has_user_password_hosts_and_database() {
    let server = of_url("postgres://ein%40mal:hun%2Fter%3A2@db.example.com:6432/otp%20codes");
    assert_eq!(server.user, "ein@mal");
    assert_eq!(server.password.as_ref().unwrap().expose(), "hun/ter:2");
    assert_eq!(server.database, "otp codes");
    assert_eq!(server.to_string(), "postgres://db.example.com:6432/otp codes");
    assert_eq!((server.connections, server.require_synchronous), (1, false));
    assert_eq!((server.application_name.as_str(), server.options), ("einmal", None));

    let plain = of_url("postgresql://einmal@db");
    assert_eq!((plain.database.as_str(), plain.password), ("einmal", None));
    let parameters = of_url(
        "postgres:///?host=db&port=6432&user=a&password=b%26&dbname=c&options=-csearch_path%3Dd&application_name=e",
    );
    assert_eq!((parameters.user.as_str(), parameters.database.as_str()), ("a", "c"));
    assert_eq!(parameters.password.unwrap().expose(), "b&");
    assert_eq!(parameters.options.unwrap(), "-csearch_path=d");
    assert_eq!(parameters.application_name, "e");
}

#[test]
fn hosts_are_names_addresses_or_sockets_each_with_its_port() {
    assert_eq!(
        hosts("postgres://e@a,b:1,[::1]:2,[fe80::1]/d"),
        ["a:5432", "b:1", "[::1]:2", "[fe80::1]:5432"]
    );
    assert_eq!(hosts("postgres://e@/d?host=a,b&port=1,2"), ["a:1", "b:2"]);
    assert_eq!(hosts("postgres://e@/d?host=a,b&port=1"), ["a:1", "b:1"]);
    let socket = PostgresHost { place: PostgresPlace::Socket("/run/postgresql".into()), port: 5432 };
    for url in ["postgres://e@%2Frun%2Fpostgresql/d", "postgres://e@/d?host=/run/postgresql"] {
        assert_eq!(of_url(url).hosts, std::slice::from_ref(&socket), "{url}");
    }
    assert_eq!(of_url("postgres://e@a/d?target_session_attrs=read-write").hosts.len(), 1);
}

#[test]
fn tls_is_as_libpq_means_it() {
    let tls = |parameters: &str| of_url(&format!("postgres://e@a/d?{parameters}")).tls;
    assert_eq!(tls(""), PostgresTls::Preferred);
    assert_eq!(tls("sslmode=disable"), PostgresTls::Off);
    assert_eq!(tls("sslmode=prefer"), PostgresTls::Preferred);
    assert_eq!(tls("sslmode=require"), PostgresTls::Unverified);
    let (system, file) = (RootCertificates::System, RootCertificates::File("/r.pem".into()));
    assert_eq!(tls("sslmode=require&sslrootcert=/r.pem"), PostgresTls::Trusted(file.clone()));
    assert_eq!(tls("sslmode=verify-ca"), PostgresTls::Trusted(system.clone()));
    assert_eq!(tls("sslmode=verify-ca&sslrootcert=/r.pem"), PostgresTls::Trusted(file.clone()));
    assert_eq!(tls("sslmode=verify-full"), PostgresTls::Verified(system.clone()));
    assert_eq!(tls("sslmode=verify-full&sslrootcert=system"), PostgresTls::Verified(system));
    assert_eq!(tls("sslrootcert=/r.pem&sslmode=verify-full"), PostgresTls::Verified(file));
    let written = written(&format!(
        "[store]\nurl = \"postgres://e@a/d?sslmode=verify-ca&sslrootcert=r.pem\"\n{MINIMAL}"
    ));
    let beside = RootCertificates::File(written.path("r.pem"));
    let Engine::Postgres(server) = written.config().store.engine else { panic!("SQLite") };
    assert_eq!(server.tls, PostgresTls::Trusted(beside), "relative to the configuration");
}

#[test]
fn a_password_may_stand_by_itself_in_a_file_or_a_variable() {
    let inline = server("url = \"postgres://e@a/d\"\npassword = \"hunter2\"");
    assert_eq!(inline.password.unwrap().expose(), "hunter2");
    let from_file =
        written(&format!("[store]\nurl = \"postgres://e@a/d\"\npassword = {{ file = \"p\" }}\n{MINIMAL}"));
    fs::write(from_file.path("p"), "hunter2\n").unwrap();
    let Engine::Postgres(server) = from_file.config().store.engine else { panic!("SQLite") };
    assert_eq!(server.password.unwrap().expose(), "hunter2");
    assert_eq!(
        refusal("[store]\nurl = \"postgres://e:hunter2@a/d\"\npassword = \"hunter3\""),
        "einmal.toml:3: store.password: store.url has one, too, expected one of them"
    );
    assert_eq!(
        refusal("[store]\nurl = \"sqlite:a.db\"\npassword = \"hunter2\""),
        "einmal.toml:3: store.password: is about PostgreSQL, and store.url names a SQLite file"
    );
}

#[test]
fn further_keys_are_read_and_refused_where_they_protect_nothing() {
    let server = server("url = \"postgres://e@a/d\"\nconnections = 3\nrequire_synchronous = true");
    assert_eq!((server.connections, server.require_synchronous), (3, true));
    assert_eq!(
        refusal("[store]\nrequire_synchronous = true"),
        "einmal.toml:2: store.require_synchronous: is about PostgreSQL, and store.url names a SQLite file"
    );
    assert_eq!(
        refusal("[store]\nconnections = 0"),
        "einmal.toml:2: store.connections: found the number 0, expected a whole number from 1 to 16"
    );
}

#[test]
fn a_url_that_is_not_right_is_refused_and_no_part_of_it_is_shown() {
    for url in [
        "postgres:einmal:hunter2@db/einmal",
        "postgres://einmal:hun/ter2@db/einmal",
        "postgres://einmal:hunter2@db/ein@mal",
        "postgres://einmal:hun@ter2@db/einmal",
        "postgres://einmal:hunter?2@db/einmal",
        "postgres://einmal:hunter#2@db/einmal",
        "postgres://einmal:hun%ffter2@db/einmal",
        "postgres://einmal:hun:ter2@db/einmal",
        "postgres://einmal:hunter2@db:hunter2/einmal",
        "postgres://einmal:hunter2@db:0/einmal",
        "postgres://einmal:hunter2@[::1/einmal",
        "postgres://einmal:hunter2@a,,b/einmal",
        "postgres://einmal:hunter2@/einmal",
        "postgres://:hunter2@db/einmal",
        "postgres://einmal:hunter2@db/einmal?hunter2=x",
        "postgres://einmal:hunter2@db/einmal?sslmode=hunter2",
        "postgres://einmal:hunter2@db/einmal?sslmode",
        "postgres://einmal:hunter2@db/einmal?sslmode=",
        "postgres://einmal:hunter2@db/einmal?sslrootcert=hunter2",
        "postgres://einmal:hunter2@db/einmal?sslmode=prefer&sslrootcert=hunter2",
        "postgres://einmal:hunter2@db/einmal?password=hunter2",
        "postgres://einmal:hunter2@db/einmal?host=hunter2",
        "postgres://einmal:hunter2@a,b/einmal?port=1,2,3",
        "postgres://einmal:hunter2@db/einmal?target_session_attrs=any",
    ] {
        let message = refusal(&format!("[store]\nurl = \"{url}\""));
        assert!(message.starts_with("einmal.toml:2: store.url: "), "{url}: {message}");
        assert!(!message.contains("hun") && !message.contains("ter2"), "{url}: {message}");
    }
}

#[test]
fn a_password_is_in_no_debug_output_and_in_no_printed_configuration() {
    let text = "[store]\nurl = \"postgres://einmal@db/einmal?sslmode=require\"\npassword = \"hunter2\"";
    let (document, _directory) = written(&format!("{text}\n{MINIMAL}")).document();
    let document = document.unwrap();
    let printed = document.print().unwrap();
    assert!(printed.contains("url = \"postgres://***@db/einmal?***\""), "{}", *printed);
    assert!(printed.contains("password = \"***\""), "{}", *printed);
    assert!(!printed.contains("hunter2") && !format!("{:?}", document.service()).contains("hunter2"));
}
