//! Where a collector takes traces, and how it wants them. Both ways carry the same bytes: OTLP over gRPC has five more
//! before them, and headers of its own.

use url::Url;

/// The port of OTLP over HTTP; over gRPC it is 4317.
const HTTP_PORT: u16 = 4318;
const HTTP_PATH: &str = "/v1/traces";
const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub(super) url: Url,
    pub(super) is_grpc: bool,
}

impl Endpoint {
    /// A URL with a path is posted to as it is. Without one the port tells what is spoken there.
    pub fn parse(text: &str) -> Option<Self> {
        let mut url = Url::parse(text).ok()?;
        let is_plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !is_plain || !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return None;
        }
        let has_path = url.path() != "/";
        let is_grpc = !has_path && url.port() != Some(HTTP_PORT);
        if !has_path {
            url.set_path(if is_grpc { GRPC_PATH } else { HTTP_PATH });
        }
        Some(Self { url, is_grpc })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_and_path_tell_what_is_spoken() {
        let parsed =
            |text| Endpoint::parse(text).map(|endpoint| (endpoint.is_grpc, endpoint.url.to_string()));
        let grpc = |base: &str| Some((true, format!("{base}{GRPC_PATH}")));
        assert_eq!(parsed("http://127.0.0.1:4317"), grpc("http://127.0.0.1:4317"));
        assert_eq!(parsed("https://collector/"), grpc("https://collector"));
        assert_eq!(parsed("http://c:4318"), Some((false, "http://c:4318/v1/traces".to_owned())));
        assert_eq!(
            parsed("http://c:9/otlp/v1/traces"),
            Some((false, "http://c:9/otlp/v1/traces".to_owned()))
        );
        for text in ["", "c:4317", "ftp://c", "http://a:b@c:4317", "http://c/?x", "http://c/#x", "file:///c"]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
