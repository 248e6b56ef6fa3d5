//! What stands in a mail: subject, text and HTML in each language, from templates that are built in or the operator's.
//! All of them are tried at start; a subject never sees the code.

use super::language;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

/// What a template may use, beside `language`.
pub(super) struct Values<'a> {
    pub(super) code: &'a str,
    /// For which the code is good.
    pub(super) minutes: u64,
    pub(super) service: &'a str,
}

pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// One template that is not right.
#[derive(Debug, PartialEq, Eq)]
pub struct TemplateFault {
    pub file: String,
    pub line: Option<usize>,
    pub reason: String,
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.reason),
            None => write!(f, "{}: {}", self.file, self.reason),
        }
    }
}

/// All that is wrong with the templates; never empty.
#[derive(Debug, PartialEq, Eq)]
pub struct TemplateError(pub Vec<TemplateFault>);

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(TemplateFault::to_string).collect();
        f.write_str(&lines.join("\n  "))
    }
}

const SUBJECT: &str = "subject.txt";
const TEXT: &str = "txt";
const HTML: &str = "html";
const PARTS: [&str; 3] = [SUBJECT, TEXT, HTML];
const FALLBACK: &str = "en";

const BUILT_IN: [(&str, &str); 6] = [
    ("en.subject.txt", include_str!("templates/en.subject.txt")),
    ("en.txt", include_str!("templates/en.txt")),
    ("en.html", include_str!("templates/en.html")),
    ("de.subject.txt", include_str!("templates/de.subject.txt")),
    ("de.txt", include_str!("templates/de.txt")),
    ("de.html", include_str!("templates/de.html")),
];

const NAME_EXPECTED: &str = "expected LANGUAGE.subject.txt, LANGUAGE.txt or LANGUAGE.html, such as fr.txt";
const SUBJECT_MAY: &str = "a subject may use minutes, service and language only";
/// What the templates are tried with.
const SAMPLE_CODE: &str = "907346";
const SAMPLE_MINUTES: [u64; 3] = [1, 5, 10];

pub struct Templates {
    environment: Environment<'static>,
    languages: BTreeSet<String>,
}

impl Templates {
    /// Those that are built in, and the operator's over them; tried for a service of this name.
    pub fn read(directory: Option<&Path>, service: &str) -> Result<Self, TemplateError> {
        let mut faults = Vec::new();
        let files = files(directory, &mut faults);
        let languages: BTreeSet<String> =
            files.keys().filter_map(|name| language_of(name)).map(str::to_owned).collect();
        for language in &languages {
            let parts = PARTS.map(|part| format!("{language}.{part}"));
            let missing = parts.iter().filter(|name| !files.contains_key(*name));
            let reason = format!("missing, expected all three: {}", parts.join(", "));
            faults.extend(missing.map(|name| fault(name, reason.clone())));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let escapes = |name: &str| match name.rsplit_once('.') {
            Some((_, HTML)) => AutoEscape::Html,
            _ => AutoEscape::None,
        };
        environment.set_auto_escape_callback(escapes);
        for (name, text) in files {
            if let Err(error) = environment.add_template_owned(name.clone(), text) {
                faults.push(TemplateFault::of(&name, &error));
            }
        }
        let templates = Self { environment, languages };
        if faults.is_empty() {
            templates.try_all(service, &mut faults);
        }
        if faults.is_empty() { Ok(templates) } else { Err(TemplateError(faults)) }
    }

    /// The first of these languages that there is.
    pub(super) fn language(&self, wanted: &[&str]) -> &str {
        wanted.iter().find_map(|tag| language::look_up(tag, &self.languages)).unwrap_or(FALLBACK)
    }

    pub(super) fn render(&self, language: &str, values: &Values<'_>) -> Result<Rendered, TemplateFault> {
        let Values { code, minutes, service } = *values;
        let render = |part: &str, values: minijinja::Value| {
            let name = format!("{language}.{part}");
            let rendered = self.environment.get_template(&name).and_then(|template| template.render(values));
            rendered.map_err(|error| TemplateFault::of(&name, &error))
        };
        let without_code = context! { minutes, service, language };
        let values = context! { code, minutes, service, language };
        Ok(Rendered {
            subject: render(SUBJECT, without_code)?.trim().to_owned(),
            text: render(TEXT, values.clone())? + "\n",
            html: render(HTML, values)? + "\n",
        })
    }

    /// Whether a mail can be made of each.
    fn try_all(&self, service: &str, faults: &mut Vec<TemplateFault>) {
        for language in &self.languages {
            let tried = SAMPLE_MINUTES.iter().find_map(|minutes| {
                let values = Values { code: SAMPLE_CODE, minutes: *minutes, service };
                match self.render(language, &values) {
                    Ok(rendered) => rendered.fault(language),
                    Err(fault) => Some(fault),
                }
            });
            faults.extend(tried);
        }
    }
}

impl Rendered {
    fn fault(&self, language: &str) -> Option<TemplateFault> {
        let name = |part: &str| format!("{language}.{part}");
        if self.subject.is_empty() || self.subject.chars().any(char::is_control) {
            return Some(fault(&name(SUBJECT), "expected one line of text".to_owned()));
        }
        let mut bodies = [(TEXT, &self.text), (HTML, &self.html)].into_iter();
        let (part, _) = bodies.find(|(_, body)| !body.contains(SAMPLE_CODE))?;
        Some(fault(&name(part), "the code is not in it, expected {{ code }}".to_owned()))
    }
}

impl TemplateFault {
    fn of(file: &str, error: &minijinja::Error) -> Self {
        let mut reason = error.kind().to_string();
        if let Some(detail) = error.detail() {
            reason = format!("{reason}: {detail}");
        }
        if file.ends_with(SUBJECT) && error.kind() == minijinja::ErrorKind::UndefinedError {
            reason = format!("{reason}; {SUBJECT_MAY}");
        }
        Self { file: file.to_owned(), line: error.line(), reason }
    }
}

fn fault(file: &str, reason: String) -> TemplateFault {
    TemplateFault { file: file.to_owned(), line: None, reason }
}

/// All templates by their names.
fn files(directory: Option<&Path>, faults: &mut Vec<TemplateFault>) -> BTreeMap<String, String> {
    let mut files = BTreeMap::from(BUILT_IN.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let Some(directory) = directory else { return files };
    match read_directory(directory, faults) {
        Ok(read) => files.extend(read),
        Err(error) => {
            faults.push(fault(&directory.display().to_string(), format!("cannot be read: {error}")));
        }
    }
    files
}

/// The language of a template by the name of its file.
fn language_of(name: &str) -> Option<&str> {
    let (language, part) = name.split_once('.')?;
    (PARTS.contains(&part) && language::is_tag(language)).then_some(language)
}

/// Hidden files are somebody else's. Any other that is no template is refused: with a misspelled name it would be
/// ignored without a word.
fn read_directory(directory: &Path, faults: &mut Vec<TemplateFault>) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if language_of(&name).is_none() {
            faults.push(fault(&name.escape_debug().to_string(), NAME_EXPECTED.to_owned()));
            continue;
        }
        match fs::read_to_string(directory.join(&name)) {
            Ok(text) => files.push((name, text)),
            Err(error) => faults.push(fault(&name, format!("cannot be read: {error}"))),
        }
    }
    // In the same order on every machine.
    faults.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(files)
}
