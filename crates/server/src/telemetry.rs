//! Where log lines go: standard output, as a container's runtime expects them. Must not decide what is logged.

mod json_line;

use crate::config::{Log, LogFormat};
use json_line::JsonLine;
use std::fmt::Debug;
use std::io::{self, IsTerminal};
use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

/// Sets up logging for the rest of the process. Fails if that has been done before.
pub fn init(log: &Log) -> Result<(), TryInitError> {
    subscriber(log, io::stdout, io::stdout().is_terminal()).try_init()
}

fn subscriber<W>(log: &Log, writer: W, colours: bool) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_ansi(colours && log.format == LogFormat::Text);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match log.format {
        LogFormat::Json => layer.event_format(JsonLine).boxed(),
        LogFormat::Text => layer.fmt_fields(debug_fn(write_field).delimited(" ")).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(log.level.clone()))
}

/// The library writes values that were given by Display as they are; a line break in one would forge a line, an
/// escape sequence would reach the operator's terminal.
fn write_field(writer: &mut fmt::format::Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    for c in format!("{value:?}").chars() {
        if c.is_control() { write!(writer, "{}", c.escape_default())? } else { writer.write_char(c)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, Environment};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(format: &str, level: &str) -> Log {
        let environment = Environment::from([
            ("EINMAL__LOG__FORMAT", format),
            ("EINMAL__LOG__LEVEL", level),
            ("EINMAL__KEYRING__FILE", "k"),
            ("EINMAL__ISSUERS", "[{ issuer = \"https://a\", audiences = [\"a\"] }]"),
        ]);
        Document::open(None, environment).unwrap().service().unwrap().log
    }

    fn written(log: &Log, events: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        tracing::subscriber::with_default(subscriber(log, move || writer.clone(), false), events);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const FORGED: &str = "x\n2026-01-01T00:00:00Z  INFO einmal: forged \u{1b}[31m";

    #[test]
    fn a_value_cannot_forge_a_line() {
        for format in ["json", "text"] {
            let text = written(&log(format, "info"), || {
                tracing::info!(debug = ?FORGED, text = FORGED, display = %FORGED, "something happened: {FORGED}");
            });
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }

    #[test]
    fn a_json_line_is_one_flat_object() {
        let text = written(&log("json", "info"), || tracing::info!(step = 7, "accepted"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&line["level"], &line["message"], &line["step"]),
            (&"INFO".into(), &"accepted".into(), &7.into())
        );
    }

    #[test]
    fn libraries_do_not_write_below_info_where_tokens_are() {
        let text = written(&log("text", "trace"), || {
            tracing::trace!(target: "hyper::proto", "authorization: Bearer x");
            tracing::debug!(target: "h2::codec", "authorization: Bearer x");
            tracing::trace!(target: "einmal::auth", "ours");
        });
        assert!(text.contains("ours") && !text.contains("Bearer"), "{text}");
    }
}
