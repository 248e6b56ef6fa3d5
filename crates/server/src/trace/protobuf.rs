//! Traces as a collector reads them: `ExportTraceServiceRequest` of OTLP 1, in protobuf. Only what we send is here; the
//! numbers are those of opentelemetry/proto/trace/v1/trace.proto.

use super::{FinishedTrace, SpanId};
use std::time::Instant;

/// A message that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push((value & 0x7f) as u8);
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.key(field, VARINT);
        self.varint(value);
    }

    fn fixed(&mut self, field: u64, value: u64) {
        self.key(field, FIXED_64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, LENGTH_DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn text_attribute(&mut self, field: u64, key: &str, value: &str) {
        self.message(field, |pair| {
            pair.bytes(1, key.as_bytes());
            pair.message(2, |any| any.bytes(1, value.as_bytes()));
        });
    }

    fn number_attribute(&mut self, field: u64, key: &str, value: u64) {
        self.message(field, |pair| {
            pair.bytes(1, key.as_bytes());
            pair.message(2, |any| any.number(3, value));
        });
    }
}

pub(super) fn encode(traces: &[FinishedTrace]) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |resource_spans| {
        resource_spans.message(1, |resource| {
            resource.text_attribute(1, "service.name", "einmal");
            resource.text_attribute(1, "service.version", env!("CARGO_PKG_VERSION"));
        });
        resource_spans.message(2, |scope_spans| {
            scope_spans.message(1, |scope| scope.bytes(1, b"einmal"));
            for trace in traces {
                spans(scope_spans, trace);
            }
        });
    });
    request.0
}

const KIND_INTERNAL: u64 = 1;
const KIND_SERVER: u64 = 2;
const STATUS_ERROR: u64 = 2;

fn spans(scope_spans: &mut Message, finished: &FinishedTrace) {
    let FinishedTrace { trace, stages, ended, answer } = finished;
    let begin = |span: &mut Message, id: SpanId, parent: Option<SpanId>, name: &str, kind| {
        span.bytes(1, &trace.id.0);
        span.bytes(2, &id.0);
        if let Some(parent) = parent {
            span.bytes(4, &parent.0);
        }
        span.bytes(5, name.as_bytes());
        span.number(6, kind);
    };
    let times = |span: &mut Message, started: Instant, ended: Instant| {
        span.fixed(7, trace.unix_nanos(started));
        span.fixed(8, trace.unix_nanos(ended));
    };
    scope_spans.message(2, |span| {
        begin(span, trace.span, trace.parent, "request", KIND_SERVER);
        times(span, trace.started, *ended);
        span.text_attribute(9, "http.request.method", answer.method);
        span.text_attribute(9, "http.route", &answer.route);
        span.number_attribute(9, "http.response.status_code", u64::from(answer.status));
        if answer.status >= 500 {
            span.message(15, |status| status.number(3, STATUS_ERROR));
        }
    });
    for (number, stage) in (1..).zip(stages) {
        scope_spans.message(2, |span| {
            begin(span, trace.span.plus(number), Some(trace.span), stage.name, KIND_INTERNAL);
            times(span, stage.started, stage.ended);
        });
    }
}
