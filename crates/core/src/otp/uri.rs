//! otpauth URIs, as Google Authenticator's key URI format has them.

use super::{Algorithm, Secret, SecretError, Totp, TotpError};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

/// What an otpauth URI says. Only `totp` ones are taken: a counter cannot be moved between systems safely.
pub struct OtpauthUri {
    pub totp: Totp,
    pub issuer: Option<String>,
    /// The account's name in the app.
    pub account: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    #[error("not an otpauth://totp/ URI")]
    NotTotp,
    #[error("the part {0:?} is not percent-encoded UTF-8")]
    Encoding(&'static str),
    #[error("the parameter {0:?} is given twice")]
    Twice(String),
    #[error("the parameter \"secret\" is missing")]
    NoSecret,
    #[error("the parameter {0:?} is not a number")]
    NotANumber(&'static str),
    #[error("{0}")]
    Secret(#[from] SecretError),
    #[error("unknown algorithm, expected SHA1, SHA256 or SHA512")]
    Algorithm,
    #[error("{0}")]
    Totp(#[from] TotpError),
}

/// RFC 3986 unreserved characters stay: apps disagree on `+`, so a space is always `%20`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl OtpauthUri {
    pub fn parse(uri: &str) -> Result<Self, UriError> {
        let rest = strip_prefix_ignoring_case(uri.trim(), "otpauth://totp/").ok_or(UriError::NotTotp)?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (label, query) = rest.split_once('?').unwrap_or((rest, ""));
        let parameters = Parameters::parse(query)?;

        let label = decoded(label).ok_or(UriError::Encoding("label"))?;
        let (prefix, account) = match label.split_once(':') {
            Some((prefix, account)) => (Some(prefix.trim().to_owned()), account.trim_start().to_owned()),
            None => (None, label.trim_start().to_owned()),
        };
        let secret = Secret::from_base32(parameters.secret.as_ref().ok_or(UriError::NoSecret)?)?;
        let algorithm = match &parameters.algorithm {
            Some(name) => name.parse().map_err(|_| UriError::Algorithm)?,
            None => Algorithm::Sha1,
        };
        let digits = number("digits", parameters.digits.as_deref(), Totp::DEFAULT_DIGITS.into())?;
        let period = number("period", parameters.period.as_deref(), Totp::DEFAULT_PERIOD.into())?;
        let issuer =
            parameters.issuer.map(|issuer| issuer.to_string()).or(prefix).filter(|text| !text.is_empty());
        Ok(Self { totp: Totp::new(secret, algorithm, digits, period)?, issuer, account })
    }

    /// Upper-case algorithm, `%20`, no padding, and no `:` inside issuer or account: some apps refuse those. Nor space
    /// around them, which apps drop.
    pub fn to_uri(&self) -> Zeroizing<String> {
        let escape = |text: &str| utf8_percent_encode(text.replace(':', " ").trim(), ESCAPED).to_string();
        let account = escape(&self.account);
        let issuer = self.issuer.as_deref().map(escape).filter(|issuer| !issuer.is_empty());
        let label = issuer.as_ref().map_or_else(|| account.clone(), |issuer| format!("{issuer}:{account}"));
        let issuer = issuer.map(|issuer| format!("&issuer={issuer}")).unwrap_or_default();
        let totp = &self.totp;
        Zeroizing::new(format!(
            "otpauth://totp/{label}?secret={}{issuer}&algorithm={}&digits={}&period={}",
            totp.secret().to_base32().as_str(),
            totp.algorithm(),
            totp.digits(),
            totp.period(),
        ))
    }
}

#[derive(Default)]
struct Parameters {
    secret: Option<Zeroizing<String>>,
    issuer: Option<Zeroizing<String>>,
    algorithm: Option<Zeroizing<String>>,
    digits: Option<Zeroizing<String>>,
    period: Option<Zeroizing<String>>,
}

impl Parameters {
    /// Unknown ones (`image`, `color`) are ignored; a known one given twice could be read two ways.
    fn parse(query: &str) -> Result<Self, UriError> {
        let mut parameters = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = name.to_ascii_lowercase();
            let (place, part) = match name.as_str() {
                "secret" => (&mut parameters.secret, "secret"),
                "issuer" => (&mut parameters.issuer, "issuer"),
                "algorithm" => (&mut parameters.algorithm, "algorithm"),
                "digits" => (&mut parameters.digits, "digits"),
                "period" => (&mut parameters.period, "period"),
                _ => continue,
            };
            let value = decoded(value).ok_or(UriError::Encoding(part))?;
            if place.replace(value).is_some() {
                return Err(UriError::Twice(name));
            }
        }
        Ok(parameters)
    }
}

fn number(name: &'static str, value: Option<&String>, default: u64) -> Result<u64, UriError> {
    value.map_or(Ok(default), |text| text.parse().map_err(|_| UriError::NotANumber(name)))
}

fn decoded(text: &str) -> Option<Zeroizing<String>> {
    percent_decode_str(text).decode_utf8().ok().map(|text| Zeroizing::new(text.into_owned()))
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_uri_gets_the_defaults() {
        let uri = OtpauthUri::parse(
            "otpauth://totp/Example:alice@example.com?secret=JBSWY3DPEHPK3PXP&issuer=Example",
        )
        .unwrap();
        assert_eq!(uri.issuer.as_deref(), Some("Example"));
        assert_eq!(uri.account, "alice@example.com");
        assert_eq!((uri.totp.algorithm(), uri.totp.digits(), uri.totp.period()), (Algorithm::Sha1, 6, 30));
    }

    #[test]
    fn what_is_written_is_read_back_and_no_app_stumbles() {
        let totp = Totp::new(Secret::from_bytes(vec![7; 32]).unwrap(), Algorithm::Sha256, 8, 60).unwrap();
        let uri = OtpauthUri {
            totp,
            issuer: Some("Cars & Co: fuel".to_owned()),
            account: "jörg@example.com".to_owned(),
        };
        let text = uri.to_uri();
        assert!(
            !text.contains('+')
                && !text.contains("secret=&")
                && !text.trim_end_matches(char::is_alphanumeric).ends_with("==")
        );
        assert!(text.contains("Cars%20%26%20Co%20%20fuel:j%C3%B6rg%40example.com?"), "{}", text.as_str());
        assert!(text.contains("algorithm=SHA256&digits=8&period=60"));
        let back = OtpauthUri::parse(&text).unwrap();
        assert_eq!(back.totp.secret().bytes(), uri.totp.secret().bytes());
        assert_eq!(back.issuer.as_deref(), Some("Cars & Co  fuel"));
    }

    #[test]
    fn what_was_read_back_is_written_the_same_again() {
        for label in ["%20b", "X:%20b", ":b", "b", "a:b:%20c", "a%3A:b%3A", "%20:%20", ""] {
            for issuer in ["", "&issuer=X", "&issuer=%20X:", "&issuer=:"] {
                let uri = format!("otpauth://totp/{label}?secret=JBSWY3DPEHPK3PXP{issuer}");
                let written = OtpauthUri::parse(&uri).unwrap().to_uri();
                let again = OtpauthUri::parse(&written).unwrap().to_uri();
                assert_eq!(again.as_str(), written.as_str(), "{uri}");
            }
        }
    }

    #[test]
    fn a_bad_uri_says_what_is_wrong() {
        let refused = |uri: &str| OtpauthUri::parse(uri).err();
        assert_eq!(refused("otpauth://hotp/a?secret=JBSWY3DPEHPK3PXP"), Some(UriError::NotTotp));
        assert_eq!(refused("otpauth://totp/a"), Some(UriError::NoSecret));
        assert_eq!(
            refused("otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&digits=x"),
            Some(UriError::NotANumber("digits"))
        );
        assert_eq!(
            refused("otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&algorithm=MD5"),
            Some(UriError::Algorithm)
        );
        assert_eq!(
            refused("otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&digits=5"),
            Some(TotpError::Digits(5).into())
        );
        assert_eq!(
            refused("otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&SECRET=JBSWY3DPEHPK3PXP"),
            Some(UriError::Twice("secret".to_owned()))
        );
    }
}
