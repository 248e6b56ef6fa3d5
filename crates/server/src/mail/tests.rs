//! What a recipient sees, and which templates an operator may not have.

use super::*;
use crate::entropy::SystemEntropy;
use insta::assert_snapshot;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The same bytes each time.
struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        for (number, byte) in (0..).zip(bytes) {
            *byte = number;
        }
        Ok(())
    }
}

struct Nowhere;

impl Outbox for Nowhere {
    fn send(&self, _: Mail, _: Duration) -> Sending<'_> {
        Box::pin(async { Ok(()) })
    }
}

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn mailer_of(templates: Templates, service: &str) -> Mailer {
    let from = Sender::parse("einmal <no-reply@example.com>").unwrap();
    Mailer::new(from, service.to_owned(), templates, Box::new(Nowhere))
}

fn written(mailer: &Mailer, locale: Option<&str>, seconds: u64, entropy: &dyn Entropy) -> Mail {
    let code = Code::parse("048213").unwrap();
    let letter = Letter {
        to: Address::parse("alice@example.org").unwrap(),
        languages: locale.into_iter().collect(),
        code: &code,
        expires_at: NOW.plus_seconds(seconds),
    };
    mailer.write(&letter, NOW, entropy).unwrap()
}

fn built_in(language: &str, seconds: u64) -> Mail {
    let mailer = mailer_of(Templates::read(None, "einmal").unwrap(), "einmal");
    written(&mailer, Some(language), seconds, &Fixed)
}

#[test]
fn a_mail_in_english() {
    let mail = built_in("en", 600);
    assert_snapshot!(format!("{}\n\n{}", mail.subject, mail.text));
    assert_snapshot!(mail.html);
}

#[test]
fn a_mail_in_german() {
    let mail = built_in("de", 119);
    assert_snapshot!(format!("{}\n\n{}", mail.subject, mail.text));
    assert_snapshot!(mail.html);
}

#[test]
fn a_mail_on_the_wire() {
    assert_snapshot!(String::from_utf8(built_in("de", 600).message().unwrap()).unwrap());
}

#[test]
fn the_code_is_in_no_header_and_nothing_is_linked_or_loaded_140() {
    for language in ["en", "de"] {
        let mailer = mailer_of(Templates::read(None, "einmal").unwrap(), "einmal");
        let mail = written(&mailer, Some(language), 600, &SystemEntropy);
        let message = String::from_utf8(mail.message().unwrap()).unwrap();
        let (head, body) = message.split_once("\r\n\r\n").unwrap();
        assert!(!head.contains("048213") && body.matches("048213").count() == 2, "{message}");
        for forbidden in ["http:", "https:", "href", "src=", "url(", "@import", "<script", "<form"] {
            assert!(!mail.html.contains(forbidden) && !mail.text.contains(forbidden), "{forbidden}");
        }
        assert!(mail.html.contains(&format!("lang=\"{language}\"")));
    }
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let mailer = mailer_of(Templates::read(None, "einmal").unwrap(), "einmal");
            let message = written(&mailer, None, 600, &SystemEntropy).message().unwrap();
            let message = String::from_utf8(message).unwrap();
            message.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned()
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn the_name_of_the_service_is_text_whatever_it_looks_like() {
    let service = "<b>Ünal & \"Co\"</b>, Bcc=a@b";
    let mailer = mailer_of(Templates::read(None, service).unwrap(), service);
    let mail = written(&mailer, None, 600, &Fixed);
    assert!(mail.html.contains("&lt;b&gt;Ünal &amp;") && !mail.html.contains("<b>"), "{}", mail.html);
    assert!(mail.text.contains(service));
    let message = String::from_utf8(mail.message().unwrap()).unwrap();
    let head = message.split_once("\r\n\r\n").unwrap().0;
    let names: Vec<_> = head
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(
        names,
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    );
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn refusal(files: &[(&str, &str)]) -> String {
    let directory = directory(files);
    Templates::read(Some(directory.path()), "einmal").err().expect("taken").to_string()
}

const FRENCH: [(&str, &str); 3] = [
    ("fr.subject.txt", "Votre code {{ service }}\n"),
    ("fr.txt", "Code : {{ code }}, {{ minutes }} min\n"),
    ("fr.html", "<html lang=\"{{ language }}\"><p>{{ code }}</p></html>\n"),
];

#[test]
fn an_operator_may_have_own_templates_and_further_languages() {
    let directory =
        directory(&[FRENCH.as_slice(), &[("en.txt", "Just {{ code }}."), (".hidden", "{{")]].concat());
    let mailer = mailer_of(Templates::read(Some(directory.path()), "einmal").unwrap(), "einmal");
    let french = written(&mailer, Some("fr-CA"), 300, &Fixed);
    assert_eq!(
        (french.subject.as_str(), french.text.as_str()),
        ("Votre code einmal", "Code : 048213, 5 min\n")
    );
    let english = written(&mailer, Some("nl"), 300, &Fixed);
    assert_eq!((english.subject.as_str(), english.text.as_str()), ("Your einmal code", "Just 048213.\n"));
    assert!(english.html.contains("048213"), "what is not overridden stays");
    assert_eq!(written(&mailer, Some("de"), 300, &Fixed).subject, "Ihr Code für einmal");
}

#[test]
fn a_template_that_is_not_right_is_refused_with_file_and_line() {
    for (file, text, expected) in [
        ("en.txt", "a\nb {{ code }\n", "en.txt:2: syntax error: "),
        ("en.html", "{{ code }}\n{% if %}", "en.html:2: syntax error: "),
        ("de.txt", "{{ code }}\n\n{{ name }}", "de.txt:3: undefined value"),
        ("de.txt", "{{ code }}{% if name %}x{% endif %}", "de.txt:1: undefined value"),
        ("de.html", "{{ code|shout }}", "de.html:1: unknown filter: filter shout is unknown"),
        ("de.html", "{{ code }}{% if minutes == 1 %}{{ oops }}{% endif %}", "de.html:1: undefined value"),
        ("en.txt", "Good for {{ minutes }} minutes", "en.txt: the code is not in it, expected {{ code }}"),
        ("en.html", "<p>Hello</p>", "en.html: the code is not in it, expected {{ code }}"),
        ("en.txt", "{% if minutes > 5 %}{{ code }}{% endif %}", "en.txt: the code is not in it"),
        ("en.subject.txt", "Code {{ code }}", "en.subject.txt:1: undefined value; a subject may use minutes"),
        ("en.subject.txt", "one\ntwo", "en.subject.txt: expected one line of text"),
        ("en.subject.txt", "one\r\nBcc: a@b", "en.subject.txt: expected one line of text"),
        ("en.subject.txt", " \n", "en.subject.txt: expected one line of text"),
        ("fr.txt", "{{ code }}", "fr.html: missing, expected all three: fr.subject.txt, fr.txt, fr.html"),
        (
            "english.txt",
            "{{ code }}",
            "english.txt: expected LANGUAGE.subject.txt, LANGUAGE.txt or LANGUAGE.html",
        ),
        ("en.text", "{{ code }}", "en.text: expected LANGUAGE.subject.txt"),
        ("en.txt~", "{{ code }}", "en.txt~: expected LANGUAGE.subject.txt"),
    ] {
        let message = refusal(&[(file, text)]);
        assert!(message.lines().any(|line| line.trim_start().starts_with(expected)), "{file}: {message}");
    }
    let both = refusal(&[("en.txt", "{{"), ("de.txt", "{%")]);
    assert!(both.contains("en.txt:1: ") && both.contains("de.txt:1: "), "all at once: {both}");
    let utf_16 = TempDir::new().unwrap();
    fs::write(utf_16.path().join("en.txt"), b"\xff\xfe{").unwrap();
    let message = Templates::read(Some(utf_16.path()), "einmal").err().unwrap().to_string();
    assert!(message.starts_with("en.txt: cannot be read: "), "{message}");
    let message = Templates::read(Some(Path::new("/nowhere")), "einmal").err().unwrap().to_string();
    assert!(message.starts_with("/nowhere: cannot be read: "), "{message}");
}
