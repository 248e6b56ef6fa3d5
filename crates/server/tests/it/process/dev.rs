//! `einmal dev`: what a newcomer pastes must work, and nobody else may reach it.

use crate::harness::installation::{Installation, SECRET as NOT_THE_DEMO_SECRET, early_in_a_step};
use crate::harness::program::{PROGRAM, Program, Run, einmal};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const DEMO_SECRET: &str = "PBVDSNDDKZ4HGZ3UG5CHUUSEMJCTCSCU";
/// Enough for two runs of curl.
const SECONDS: u64 = 4;

pub(crate) struct Dev {
    program: Program,
    pub(crate) address: SocketAddr,
}

/// What stands over a line to paste, and the line.
struct Example {
    comment: String,
    command: String,
}

impl Dev {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let arguments = [&["dev", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut program = Program::start(&mut einmal(&arguments));
        let address = program
            .printed("banner", |text| {
                // The whole of it: the last thing that is said is where errors are explained.
                let is_whole = text.contains("/docs/errors\n");
                let line = text.lines().find_map(|line| line.strip_prefix("einmal dev at http://"))?;
                line.parse().ok().filter(|_| is_whole)
            })
            .await;
        Self { program, address }
    }

    fn examples(&self) -> Vec<Example> {
        let text = self.program.stdout();
        let blocks = text.split("\n\n").filter_map(|block| block.strip_prefix("# ")?.split_once('\n'));
        // The last one is comments alone.
        let blocks = blocks.filter(|(_, command)| !command.starts_with('#'));
        blocks
            .map(|(comment, command)| Example { comment: comment.to_owned(), command: command.to_owned() })
            .collect()
    }
}

/// As if pasted into a terminal: the answer's head and body.
pub(super) fn paste(command: &str) -> String {
    let output = Command::new("bash").args(["-c", command]).output().expect("bash runs");
    let run = Run::from(output);
    assert_eq!(run.code, Some(0), "{command}\n{}", run.stderr);
    run.stdout
}

fn status(command: &str) -> u16 {
    status_of(&paste(command))
}

pub(super) fn status_of(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}

#[tokio::test]
async fn the_first_line_verifies_a_live_code_and_pasted_again_is_refused() {
    let dev = Dev::start(&[]).await;
    let first = &dev.examples()[0].command;
    early_in_a_step(SECONDS).await;
    assert_eq!(status(first), 204, "{first}");
    assert_eq!(status(first), 404, "{first}");
}

#[tokio::test]
async fn every_line_does_what_its_comment_says() {
    let dev = Dev::start(&[]).await;
    let examples = dev.examples();
    assert!(examples.len() >= 3);
    for Example { comment, command } in examples {
        let said = comment.split_once(": ").expect("a comment with a status").1;
        let said: u16 = said.get(..3).and_then(|status| status.parse().ok()).expect("a status");
        assert_eq!(status(&command), said, "{comment}\n{command}");
    }
}

#[tokio::test]
async fn a_line_has_the_command_that_computes_the_code_and_not_a_code() {
    let dev = Dev::start(&[]).await;
    let first = &dev.examples()[0].command;
    assert!(first.contains(&format!("$({PROGRAM} code --secret {DEMO_SECRET})")), "{first}");
    assert!(!first.contains(NOT_THE_DEMO_SECRET));
}

#[tokio::test]
async fn it_says_that_it_is_not_for_production() {
    let mut dev = Dev::start(&[]).await;
    dev.program.printed("warning", |log| log.contains("NOT FOR PRODUCTION").then_some(())).await;
}

#[tokio::test]
async fn the_first_session_of_the_readme_ends_as_shown() {
    let dev = Dev::start(&[]).await;
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let session = readme.split_once("```console\n$ ").unwrap().1.split_once("```").unwrap().0;
    // The lines that end in a backslash go on; what follows is the answer.
    let mut lines = session.lines();
    let mut command = String::new();
    for line in lines.by_ref() {
        command.push_str(line);
        command.push('\n');
        if !line.ends_with('\\') {
            break;
        }
    }
    let command = command.replace("127.0.0.1:8080", &dev.address.to_string());
    assert!(command.contains(&dev.address.to_string()) && command.contains("target/release/einmal "));
    let answer = paste(&command.replace("target/release/einmal ", &format!("{PROGRAM} ")));

    let answered: Vec<_> = answer.lines().map(str::trim_end).collect();
    let shown: Vec<_> = lines.collect();
    assert_eq!(answered.first(), shown.first(), "{command}\n{answer}");
    for header in &shown[1..] {
        let is_same = |line: &&str| match header.split_once(": ").unwrap() {
            (name @ ("request-id" | "date"), _) => line.starts_with(name),
            _ => line == header,
        };
        assert!(answered.iter().any(is_same), "{header} is not in\n{answer}");
    }
}

/// The lines of a manual's first console, after which an answer may be shown.
fn console(name: &str) -> Vec<String> {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    let manual = fs::read_to_string(manual).unwrap();
    let lines = manual.split_once("```console\n").unwrap().1.split_once("```").unwrap().0;
    lines.lines().map(str::to_owned).collect()
}

/// With the back office that is built in: what the line answers, with its head.
fn administer(dev: &Dev, line: &str) -> String {
    let token = format!("http://{}/dev/token?client=backoffice&scope=einmal:admin", dev.address);
    let line = line.strip_prefix("$ curl ").unwrap();
    assert!(line.contains("http://127.0.0.1:9090/"), "{line}");
    let line = line.replace("127.0.0.1:9090", &dev.address.to_string());
    paste(&format!("TOKEN=$(curl -s '{token}'); curl -si {line}"))
}

#[tokio::test]
async fn the_lines_of_the_manual_that_administer_accounts_do_so() {
    let dev = Dev::start(&[]).await;
    let answers = console("OPERATIONS.md").into_iter().map(|line| administer(&dev, &line));
    let statuses: Vec<_> = answers.map(|answer| answer.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(statuses, ["201", "200", "204", "201", "200", "204"]);
}

#[tokio::test]
async fn the_line_of_the_guide_for_support_is_answered_in_the_form_that_is_shown() {
    let dev = Dev::start(&[]).await;
    administer(&dev, &console("OPERATIONS.md")[0]);
    let [line, shown] = &*console("HELP_DESK.md") else { panic!("a line and its answer") };
    let answer = administer(&dev, line);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answered: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let shown: Value = serde_json::from_str(shown).unwrap();
    for told in [&answered, &shown] {
        assert_eq!(told["verdict"], "would-be-refused");
        assert!(told["findings"][0]["reason"].is_string() && told["findings"][0]["text"].is_string());
    }
}

#[tokio::test]
async fn a_mail_is_printed_and_in_the_mailbox_as_text_and_for_scripts() {
    let mut dev = Dev::start(&[]).await;
    let curl = |path: &str| paste(&format!("curl -s 'http://{}{path}'", dev.address));
    assert!(curl("/").contains("href=\"/dev/mailbox\"") && curl("/dev/mailbox").contains("No mail yet"));
    assert!(curl("/dev/mailbox/latest").contains("\"not-found\""));
    let mail = |query: &str| {
        let token = curl(&format!("/dev/token{query}"));
        let url = format!("http://{}/user/2025-1/user/otp/sendmail", dev.address);
        status(&format!("curl -i -X POST {url} -H 'Authorization: Bearer {token}'"))
    };
    assert_eq!(mail(""), 204);
    let first: Value = serde_json::from_str(&curl("/dev/mailbox/latest")).unwrap();
    assert_eq!(first["to"], "demo@example.com");
    assert_eq!(mail("?sub=somebody&locale=de"), 204);
    let latest: Value = serde_json::from_str(&curl("/dev/mailbox/latest")).unwrap();
    assert_eq!(latest["to"], "somebody@example.com");
    let code = latest["code"].as_str().unwrap().to_owned();
    assert!(latest["text"].as_str().unwrap().contains(&code), "{latest}");

    let page = curl("/dev/mailbox");
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("no {text} in {page}"));
    assert!(place("somebody@example.com") < place("demo@example.com"), "the newest first");
    assert!(place(&code) < place(first["code"].as_str().unwrap()));
    let printed = dev.program.printed("mail", |text| {
        let (_, mail) = text.split_once("# Mail to somebody@example.com: Ihr Code")?;
        mail.contains("Betreiber").then(|| mail.to_owned())
    });
    assert!(printed.await.contains(&format!("|     {code}\n")));
}

#[tokio::test]
async fn an_address_that_others_reach_is_refused_unless_asked_for() {
    let refused = Program::start(&mut einmal(&["dev", "--listen", "0.0.0.0:0"])).ended().await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("--expose") && refused.stderr.lines().count() == 1, "{}", refused.stderr);

    let mut exposed = Program::start(&mut einmal(&["dev", "--listen", "0.0.0.0:0", "--expose"]));
    let lines = exposed.printed("banner", |text| text.contains("/docs/errors\n").then(|| text.to_owned()));
    assert!(lines.await.contains("NOT FOR PRODUCTION"));
}

#[tokio::test]
async fn a_page_whose_name_was_pointed_to_loopback_gets_nothing() {
    let dev = Dev::start(&[]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let port = dev.address.port();
    let token = format!("http://{}/dev/token", dev.address);
    for host in [format!("rebound.example:{port}"), "rebound.example".to_owned(), "127.0.0.1:1".to_owned()] {
        let answer = client.get(&token).header("host", &host).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{host}");
        let body = answer.text().await.unwrap();
        assert!(!body.contains("eyJ"), "{host} gets a token: {body}");
    }
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        let answer = client.get(&token).header("host", &host).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{host}");
    }
    let http2 = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    assert_eq!(http2.get(&token).send().await.unwrap().status(), 200, "HTTP/2 has no Host");
}

#[tokio::test]
async fn a_store_made_for_one_is_refused_by_the_other() {
    let installation = Installation::new().await;
    installation.import("");
    let data = installation.directory.path().to_str().unwrap();
    let dev = Program::start(&mut einmal(&["dev", "--listen", "127.0.0.1:0", "--data", data])).ended().await;
    assert_eq!(dev.code, Some(1), "{dev:?}");
    assert!(dev.stderr.contains("made for service, expected one made for trial"), "{}", dev.stderr);

    fs::remove_file(installation.path("einmal.db")).unwrap();
    drop(Dev::start(&["--data", data]).await);
    let serve = Program::start(&mut installation.einmal(&["serve"])).ended().await;
    assert_eq!(serve.code, Some(1), "{serve:?}");
    assert!(serve.stderr.contains("made for trial, expected one made for service"), "{}", serve.stderr);
    let import = installation.import_with(&[], "");
    assert_eq!(import.code, Some(1), "{import:?}");
}

#[tokio::test]
async fn a_code_stays_spent_over_a_restart_on_the_same_data() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("made by it");
    let data = data.to_str().unwrap();
    early_in_a_step(2 * SECONDS).await;
    for expected in [204, 404] {
        let dev = Dev::start(&["--data", data]).await;
        assert_eq!(status(&dev.examples()[0].command), expected);
    }
}

#[tokio::test]
async fn an_address_in_use_is_one_clear_line() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let run = Program::start(&mut einmal(&["dev", "--listen", &address])).ended().await;
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    let start = format!("error: cannot listen on {address}: ");
    assert!(run.stderr.starts_with(&start) && run.stderr.lines().count() == 1, "{}", run.stderr);
}

/// Without `--data` nothing stays behind.
#[tokio::test]
async fn the_temporary_store_is_gone_after_a_proper_end() {
    let directory = TempDir::new().unwrap();
    let mut command = einmal(&["dev", "--listen", "127.0.0.1:0"]);
    let mut program = Program::start(command.env("TMPDIR", directory.path()));
    program.printed("banner", |text| text.contains("/docs/errors\n").then_some(())).await;
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    program.signal(rustix::process::Signal::INT);
    assert_eq!(program.exit().await.code(), Some(0));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}
