//! The outside of a token: its three parts (RFC 7515 section 7.1) and its header. Nothing here fetches or
//! trusts anything a token names: `jwk`, `jku`, `x5u` and `x5c` are as if they were not there.

use super::TokenError;
use super::algorithm::Algorithm;
use super::strict_json::{MemberNames, Text};
use data_encoding::BASE64URL_NOPAD;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use zeroize::Zeroizing;

/// Longer tokens are refused unread: what comes before the signature check is work for anybody who asks.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A token taken apart. Nothing in it is believed yet.
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    pub(super) signing_input: &'a [u8],
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    pub(super) fn split(token: &'a str) -> Result<Self, TokenError> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(NOT_THREE_PARTS)?;
        let (header, payload) = signing_input.split_once('.').ok_or(NOT_THREE_PARTS)?;
        // A fourth part would leave a dot in the payload, which no base64url has.
        let header = decode(header)?;
        let header = parse_header(&header)?;
        Ok(Self {
            algorithm: header.algorithm()?,
            kid: header.kid(),
            signing_input: signing_input.as_bytes(),
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }
}

/// Whether nobody but its issuer can read it: it is text, and does not begin as a JWT or JWE of any kind does,
/// however broken it is after that. The beginning is under the signature, so that nobody can make one look opaque
/// and keep it good.
pub(super) fn is_opaque(token: &str) -> bool {
    let is_header = |part: &str| {
        decode(part).is_ok_and(|json| serde_json::from_slice::<serde_json::Map<_, _>>(&json).is_ok())
    };
    let begins_as_jwt =
        token.starts_with('{') || token.split_once('.').is_some_and(|(header, _)| is_header(header));
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) && !begins_as_jwt
}

/// The claims of a signed JWT, whoever signed it and with whatever: for those that came from where they are to be
/// believed. `None` if it is none.
pub(super) fn claims_of_any_jwt(token: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut parts = token.split('.');
    let (header, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    let is_header = |json: Vec<u8>| serde_json::from_slice::<serde_json::Map<_, _>>(&json).is_ok();
    if parts.next().is_some() || !decode(header).is_ok_and(is_header) {
        return None;
    }
    decode(payload).map(Zeroizing::new).ok()
}

const NOT_THREE_PARTS: TokenError = TokenError::Invalid("not of three parts");

/// Padding, white space and stray bits in the last character are refused, so that one token has one spelling.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenError::Invalid("a part is no strict base64url"))
}

#[derive(Default)]
struct Header<'a> {
    alg: Option<Cow<'a, str>>,
    /// `None` if absent or null.
    kid: Option<Cow<'a, str>>,
    typ: Option<Cow<'a, str>>,
    has_crit: bool,
    has_b64: bool,
    repeats_a_member: bool,
}

fn parse_header(json: &[u8]) -> Result<Header<'_>, TokenError> {
    let json = std::str::from_utf8(json).map_err(|_| TokenError::Invalid("header is no UTF-8"))?;
    let header: Header = serde_json::from_str(json)
        .map_err(|_| TokenError::Invalid("header is no JSON object with members of the right types"))?;
    if header.repeats_a_member {
        return Err(TokenError::Invalid("header has a member twice"));
    }
    // RFC 7515 section 4.1.11: whoever does not understand an extension in `crit` must refuse. We know none.
    if header.has_crit || header.has_b64 {
        return Err(TokenError::Invalid("header demands an extension"));
    }
    if !header.typ.as_deref().is_none_or(is_access_token_type) {
        return Err(TokenError::Invalid("header typ is not that of an access token"));
    }
    Ok(header)
}

/// RFC 9068 section 4 for `at+jwt`; media types compare without regard to case.
fn is_access_token_type(typ: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"].iter().any(|wanted| typ.eq_ignore_ascii_case(wanted))
}

impl Header<'_> {
    fn algorithm(&self) -> Result<Algorithm, TokenError> {
        let name = self.alg.as_deref().ok_or(TokenError::Invalid("header has no alg"))?;
        Algorithm::from_name(name).ok_or(TokenError::Invalid("alg is unknown"))
    }

    /// An empty one names nothing.
    fn kid(self) -> Option<String> {
        self.kid.filter(|kid| !kid.is_empty()).map(Cow::into_owned)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Header<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;
        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = Header<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JOSE header")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut header = Header::default();
                let mut names = MemberNames::with_capacity(8);
                while let Some(Text(name)) = members.next_key()? {
                    match &*name {
                        "alg" => header.alg = Some(members.next_value::<Text>()?.0),
                        "kid" => header.kid = members.next_value::<Option<Text>>()?.map(|kid| kid.0),
                        "typ" => header.typ = Some(members.next_value::<Text>()?.0),
                        other => {
                            header.has_crit |= other == "crit";
                            header.has_b64 |= other == "b64";
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                    names.push(name);
                }
                header.repeats_a_member = names.have_a_repetition();
                Ok(header)
            }
        }
        deserializer.deserialize_map(HeaderVisitor)
    }
}
