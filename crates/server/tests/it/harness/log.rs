//! The log of a service that runs in the test's own process.

use serde_json::Value;
use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

thread_local! {
    static CAPTURED: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Everything that this thread logs: a test's server runs in its thread.
///
/// One subscriber for the whole process decides for each event whether its thread is captured. Subscribers that
/// come and go with tests lose events, because whether a place logs at all is remembered across threads.
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        CAPTURED.with_borrow_mut(|captured| captured.get_or_insert_default().extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// From now on, as JSON.
    pub(crate) fn capture() {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            let is_captured = dynamic_filter_fn(|_, _| CAPTURED.with_borrow(Option::is_some));
            let lines = tracing_subscriber::fmt::layer().json().with_writer(|| Log).with_filter(is_captured);
            tracing_subscriber::registry().with(lines).init();
        });
        CAPTURED.set(Some(Vec::new()));
    }

    pub(crate) fn text() -> String {
        CAPTURED.with_borrow(|captured| String::from_utf8(captured.clone().unwrap()).unwrap())
    }

    /// The fields of the lines with this message.
    pub(crate) fn lines(message: &str) -> Vec<Value> {
        let text = Self::text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].clone());
        lines.filter(|fields| fields["message"] == message).collect()
    }
}
