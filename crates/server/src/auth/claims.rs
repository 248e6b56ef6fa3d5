//! The inside of a token, by strict types: a claim that cannot be read is never taken for one that is absent
//! (the root of CVE-2026-25537), and a list is never taken for the one value in it (CVE-2025-30144).

use super::TokenError;
use super::strict_json::{Loose, MemberNames, Text};
use einmal_core::Timestamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

const MAX_SUBJECT_BYTES: usize = 255;
/// RFC 5646 section 4.4.1: no tag that means something is longer.
const MAX_LOCALE_BYTES: usize = 35;

/// What a token says. True only once its signature has been checked.
#[derive(Default)]
pub(super) struct Claims<'a> {
    iss: Option<Cow<'a, str>>,
    sub: Option<Cow<'a, str>>,
    aud: Option<Audience<'a>>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    scope: Option<Cow<'a, str>>,
    scp: Option<Vec<Text<'a>>>,
    azp: Option<Cow<'a, str>>,
    client_id: Option<Cow<'a, str>>,
    typ: Option<Cow<'a, str>>,
    token_use: Option<Cow<'a, str>>,
    email: Option<Loose<'a>>,
    email_verified: Option<Loose<'a>>,
    locale: Option<Loose<'a>>,
    is_bound: bool,
    is_other_kind: bool,
    repeats_a_member: bool,
}

impl<'a> Claims<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, TokenError> {
        // Strings that are skipped are not checked by the JSON parser.
        let json = std::str::from_utf8(payload).map_err(|_| TokenError::Invalid("claims are no UTF-8"))?;
        let claims: Self = serde_json::from_str(json)
            .map_err(|_| TokenError::Invalid("claims are no JSON object with claims of the right types"))?;
        if claims.repeats_a_member {
            return Err(TokenError::Invalid("a claim is there twice"));
        }
        Ok(claims)
    }

    /// Only to choose whose keys are tried. It goes into no URL, path or query.
    pub(super) fn issuer(&self) -> Result<&str, TokenError> {
        self.iss.as_deref().ok_or(TokenError::Invalid("no iss"))
    }

    pub(super) fn subject(&self) -> Result<&str, TokenError> {
        let subject = self.sub.as_deref().ok_or(TokenError::Invalid("no sub"))?;
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || subject.chars().any(char::is_control) {
            return Err(TokenError::Invalid("sub is empty, too long or has control characters"));
        }
        Ok(subject)
    }

    /// An empty list names nobody, which is as if it were absent.
    pub(super) fn has_audience(&self) -> bool {
        match &self.aud {
            None => false,
            Some(Audience::One(_)) => true,
            Some(Audience::Several(audiences)) => !audiences.is_empty(),
        }
    }

    pub(super) fn require_audience(&self, ours: &[String]) -> Result<(), TokenError> {
        let is_ours = |audience: &str| ours.iter().any(|our| our == audience);
        let is_for_us = match self.aud.as_ref().ok_or(TokenError::Invalid("no aud"))? {
            Audience::One(audience) => is_ours(audience),
            Audience::Several(audiences) => audiences.iter().any(|audience| is_ours(&audience.0)),
        };
        if is_for_us { Ok(()) } else { Err(TokenError::Invalid("aud names no audience of ours")) }
    }

    /// RFC 9068 wants `at+jwt` in the header, but most issuers still say `JWT` and tell by a claim.
    pub(super) fn require_access_token(&self) -> Result<(), TokenError> {
        let is_one_of = |claim: &Option<Cow<str>>, wanted: &[&str]| {
            let is = |value: &str| wanted.iter().any(|wanted| value.eq_ignore_ascii_case(wanted));
            claim.as_deref().is_none_or(is)
        };
        let is_access =
            is_one_of(&self.typ, &["Bearer"]) && is_one_of(&self.token_use, &["access", "access_token"]);
        if self.is_other_kind || !is_access {
            return Err(TokenError::Invalid("not an access token"));
        }
        // RFC 7800: good only for whoever proves a key. Taken as a bearer token it would be good for a thief.
        if self.is_bound {
            return Err(TokenError::Invalid("bound to a key (cnf), which cannot be checked here"));
        }
        Ok(())
    }

    pub(super) fn lifetime(&self) -> Result<Lifetime, TokenError> {
        let expires = self.exp.ok_or(TokenError::Invalid("no exp"))?.0;
        Ok(self.lifetime_or_until(expires))
    }

    /// With another end where the issuer names none.
    pub(super) fn lifetime_or_until(&self, expires: Timestamp) -> Lifetime {
        let expires = self.exp.map_or(expires, |exp| exp.0);
        Lifetime { expires, not_before: self.nbf.map(|nbf| nbf.0) }
    }

    /// The scopes with single spaces between. `scope` (RFC 8693 section 4.2) goes before `scp`.
    pub(super) fn scopes(&self) -> Result<Box<str>, TokenError> {
        match (&self.scope, &self.scp) {
            (Some(scope), _) => Ok(Box::from(&**scope)),
            (None, None) => Ok(Box::default()),
            (None, Some(scopes)) => {
                let mut joined = String::with_capacity(scopes.iter().map(|scope| scope.0.len() + 1).sum());
                for Text(scope) in scopes {
                    if scope.contains(' ') {
                        return Err(TokenError::Invalid("scp has a scope with a space in it"));
                    }
                    joined.push_str(scope);
                    joined.push(' ');
                }
                Ok(joined.into_boxed_str())
            }
        }
    }

    pub(super) fn client(&self) -> Option<&str> {
        self.azp.as_deref().or(self.client_id.as_deref())
    }

    /// Where one that is named in either claim is asked for more.
    pub(super) fn names_client(&self, client: &str) -> bool {
        [&self.azp, &self.client_id].into_iter().any(|named| named.as_deref() == Some(client))
    }

    pub(super) fn verified_email(&self) -> Option<&str> {
        match (&self.email, &self.email_verified) {
            (Some(Loose::Text(email)), Some(Loose::True)) => Some(email),
            _ => None,
        }
    }

    /// OpenID Connect Core section 5.1: a language tag, which nobody has checked.
    pub(super) fn locale(&self) -> Option<&str> {
        match &self.locale {
            Some(Loose::Text(locale)) if locale.len() <= MAX_LOCALE_BYTES => Some(locale),
            _ => None,
        }
    }
}

/// From when until when a token is good.
#[derive(Clone, Copy)]
pub(super) struct Lifetime {
    pub(super) expires: Timestamp,
    not_before: Option<Timestamp>,
}

impl Lifetime {
    /// The issuer's clock and ours may differ by so much.
    const LEEWAY_SECONDS: u64 = 30;

    pub(super) fn check(self, now: Timestamp) -> Result<(), TokenError> {
        if now >= self.expires.plus_seconds(Self::LEEWAY_SECONDS) {
            return Err(TokenError::Expired);
        }
        match self.not_before {
            Some(start) if start > now.plus_seconds(Self::LEEWAY_SECONDS) => {
                Err(TokenError::Invalid("not good yet (nbf)"))
            }
            _ => Ok(()),
        }
    }
}

/// RFC 7519 section 2. Rounded up: the comparisons with a clock of whole seconds come out as with the fraction.
#[derive(Clone, Copy)]
pub(super) struct NumericDate(pub(super) Timestamp);

/// Above it not every whole number is one of JSON's (RFC 8259 section 6): two readers could differ.
const NUMBER_LIMIT: u64 = 1 << 53;

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Clone, Copy)]
        struct DateVisitor;
        impl Visitor<'_> for DateVisitor {
            type Value = NumericDate;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number below 2^53")
            }
            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Self::Value, E> {
                if seconds >= NUMBER_LIMIT {
                    return Err(E::custom("number too large"));
                }
                Ok(NumericDate(Timestamp::from_seconds(seconds)))
            }
            // Before 1970: as good as 1970, for no clock of ours is earlier.
            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Self::Value, E> {
                self.visit_u64(seconds.unsigned_abs())?;
                self.visit_u64(u64::try_from(seconds).unwrap_or(0))
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "whole and within the limit when it is cast; below zero becomes zero"
            )]
            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Self::Value, E> {
                let whole = seconds.ceil();
                if whole.abs() >= NUMBER_LIMIT as f64 {
                    return Err(E::custom("number too large"));
                }
                self.visit_u64(whole as u64)
            }
        }
        deserializer.deserialize_any(DateVisitor)
    }
}

enum Audience<'a> {
    One(Cow<'a, str>),
    Several(Vec<Text<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Audience<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AudienceVisitor;
        impl<'de> Visitor<'de> for AudienceVisitor {
            type Value = Audience<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or an array of strings")
            }
            fn visit_borrowed_str<E>(self, audience: &'de str) -> Result<Self::Value, E> {
                Ok(Audience::One(Cow::Borrowed(audience)))
            }
            fn visit_str<E>(self, audience: &str) -> Result<Self::Value, E> {
                Ok(Audience::One(Cow::Owned(audience.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut audiences = Vec::new();
                while let Some(audience) = items.next_element()? {
                    audiences.push(audience);
                }
                Ok(Audience::Several(audiences))
            }
        }
        deserializer.deserialize_any(AudienceVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Claims<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ClaimsVisitor;
        impl<'de> Visitor<'de> for ClaimsVisitor {
            type Value = Claims<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a claims set")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut claims = Claims::default();
                let mut names = MemberNames::with_capacity(24);
                while let Some(Text(name)) = members.next_key()? {
                    claims.read(&name, &mut members)?;
                    names.push(name);
                }
                claims.repeats_a_member = names.have_a_repetition();
                Ok(claims)
            }
        }
        deserializer.deserialize_map(ClaimsVisitor)
    }
}

impl<'de> Claims<'de> {
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<(), A::Error> {
        let text = |members: &mut A| members.next_value::<Text<'de>>().map(|text| Some(text.0));
        match name {
            "iss" => self.iss = text(members)?,
            "sub" => self.sub = text(members)?,
            "aud" => self.aud = Some(members.next_value()?),
            "exp" => self.exp = Some(members.next_value()?),
            "nbf" => self.nbf = Some(members.next_value()?),
            // Its type is checked as the others' is; its value is not judged.
            "iat" => drop(members.next_value::<NumericDate>()?),
            "scope" => self.scope = text(members)?,
            "scp" => self.scp = Some(members.next_value()?),
            "azp" => self.azp = text(members)?,
            "client_id" => self.client_id = text(members)?,
            "typ" => self.typ = text(members)?,
            "token_use" => self.token_use = text(members)?,
            "email" => self.email = Some(members.next_value()?),
            "locale" => self.locale = Some(members.next_value()?),
            "email_verified" => self.email_verified = Some(members.next_value()?),
            other => {
                self.is_bound |= other == "cnf";
                // Claims that only ID tokens (OpenID Connect Core 3.1.3.6, 3.3.2.11) and security events
                // such as logout tokens (RFC 8417) have, for issuers that tell them apart by nothing else.
                self.is_other_kind |= matches!(other, "at_hash" | "c_hash" | "events");
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
