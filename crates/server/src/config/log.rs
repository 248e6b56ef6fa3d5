//! `[log]`: how much is written, and in which form.

use super::keys::Key;
use super::section::Section;
use crate::trace::Endpoint;
use tracing_subscriber::filter::{LevelFilter, Targets};

pub(super) const KEYS: &[Key] = &[Key::value("format"), Key::value("level"), Key::value("otlp")];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One object a line. The default, because line breaks inside of a value cannot forge a line.
    #[default]
    Json,
    Text,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    pub format: LogFormat,
    /// What is written, by module.
    pub level: Targets,
    /// Where traces go.
    pub otlp: Option<Endpoint>,
}

impl Log {
    /// For whoever looks at a terminal.
    pub fn for_people() -> Self {
        Self { format: LogFormat::Text, level: everything_at(LevelFilter::INFO), otlp: None }
    }
}

/// Modules of ours begin with this; libraries do not.
const OURS: &str = "einmal";

/// Warns of what clients do, as often as they do it: a line each would be theirs to have.
const QUIET: &str = "h2";

/// Below this, HTTP libraries write headers, and with them tokens.
const MOST_OF_LIBRARIES: LevelFilter = LevelFilter::INFO;

const EXPECTED_LEVEL: &str = "off, error, warn, info, debug or trace, or a list of MODULE=LEVEL such as \
     \"info,einmal::auth=debug\" (libraries: no more than info, because they write tokens below it)";

const OTLP_EXPECTED: &str = "the http or https URL of an OTLP collector, such as http://127.0.0.1:4317 for gRPC or http://127.0.0.1:4318 for HTTP";

pub(super) fn read(section: &mut Section<'_>) -> Log {
    let format = section
        .parsed("format", "\"json\" or \"text\"", |text| match text {
            "json" => Some(LogFormat::Json),
            "text" => Some(LogFormat::Text),
            _ => None,
        })
        .unwrap_or_default();
    let level = section
        .parsed("level", EXPECTED_LEVEL, parse_level)
        .unwrap_or_else(|| everything_at(LevelFilter::INFO));
    let otlp = section.has("otlp").then(|| section.parsed("otlp", OTLP_EXPECTED, Endpoint::parse)).flatten();
    Log { format, level, otlp }
}

fn everything_at(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(MOST_OF_LIBRARIES))
        .with_target(QUIET, level.min(LevelFilter::ERROR))
        .with_target(OURS, level)
}

/// Strict, because a misspelled level would otherwise be taken for a module and silence everything else.
fn parse_level(text: &str) -> Option<Targets> {
    let mut general = LevelFilter::INFO;
    let mut modules = Vec::new();
    for directive in text.split(',').map(str::trim) {
        match directive.split_once('=') {
            None => general = level(directive)?,
            Some((module, name)) => {
                let level = level(name)?;
                let ours = module == OURS
                    || module.starts_with("einmal::")
                    || module == "einmal_core"
                    || module.starts_with("einmal_core::");
                if !is_module(module) || (!ours && level > MOST_OF_LIBRARIES) {
                    return None;
                }
                modules.push((module, level));
            }
        }
    }
    Some(
        modules
            .into_iter()
            .fold(everything_at(general), |targets, (module, level)| targets.with_target(module, level)),
    )
}

fn level(name: &str) -> Option<LevelFilter> {
    Some(match name.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return None,
    })
}

fn is_module(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::filter::LevelFilter;

    fn enabled(level: &str, target: &str, at: LevelFilter) -> bool {
        let at = at.into_level().unwrap();
        parse_level(level).unwrap().would_enable(target, &at)
    }

    #[test]
    fn a_bare_level_is_ours_and_libraries_stay_at_info() {
        assert!(enabled("trace", "einmal::auth", LevelFilter::TRACE));
        assert!(enabled("trace", "rustls::server", LevelFilter::INFO));
        assert!(!enabled("trace", "rustls::server", LevelFilter::DEBUG));
        assert!(!enabled("error", "rustls::server", LevelFilter::WARN));
    }

    #[test]
    fn what_clients_do_to_http_2_is_no_warning_unless_somebody_wants_it() {
        assert!(!enabled("trace", "h2::proto::streams", LevelFilter::WARN));
        assert!(enabled("info", "h2::proto::streams", LevelFilter::ERROR));
        assert!(enabled("info,h2=warn", "h2::proto::streams", LevelFilter::WARN));
    }

    #[test]
    fn a_module_may_have_a_level_of_its_own() {
        assert!(enabled("warn,einmal::auth=debug", "einmal::auth::token", LevelFilter::DEBUG));
        assert!(!enabled("warn,einmal::auth=debug", "einmal::store", LevelFilter::INFO));
    }

    #[test]
    fn what_is_no_level_is_refused() {
        for text in ["", "inof", "h2=debug", "einmal=loud", "info,,warn", "=info", "einmalig=trace"] {
            assert!(parse_level(text).is_none(), "{text:?}");
        }
    }
}
