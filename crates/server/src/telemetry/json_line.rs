//! One flat JSON object for each event. The library's own format writes each piece of it through three layers, which was the
//! largest part of what a request's line cost; this one writes into a buffer.

use serde::Serializer as _;
use serde::ser::SerializeMap;
use serde_json::Serializer;
use std::fmt;
use tracing::{Event, Subscriber};
use tracing_serde::{AsSerde, SerdeMapVisitor};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Of a usual line.
const CAPACITY: usize = 512;

pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut timestamp = String::with_capacity(32);
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut line = Vec::with_capacity(CAPACITY);
        write_event(&mut line, &timestamp, event).map_err(|_| fmt::Error)?;
        line.push(b'\n');
        writer.write_str(std::str::from_utf8(&line).map_err(|_| fmt::Error)?)
    }
}

fn write_event(line: &mut Vec<u8>, timestamp: &str, event: &Event<'_>) -> serde_json::Result<()> {
    let mut serializer = Serializer::new(line);
    let mut members = serializer.serialize_map(None)?;
    members.serialize_entry("timestamp", timestamp)?;
    members.serialize_entry("level", &event.metadata().level().as_serde())?;
    let mut visitor = SerdeMapVisitor::new(members);
    event.record(&mut visitor);
    let mut members = visitor.take_serializer()?;
    members.serialize_entry("target", event.metadata().target())?;
    members.end()
}
