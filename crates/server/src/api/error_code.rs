//! Every error there is, in one table: what clients match on, what they are told, and what the page says.

use axum::http::StatusCode;

macro_rules! error_codes {
    ($($variant:ident $status:ident $code:literal, $title:literal, $explanation:literal;)*) => {
        /// A reason for a refusal, as clients may rely on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($variant,)*
        }

        impl ErrorCode {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$variant => StatusCode::$status,)*
                }
            }

            /// The member `status`.
            pub fn status_text(self) -> &'static str {
                match self {
                    $(Self::$variant => StatusCode::$status.as_str(),)*
                }
            }

            /// The member `code`, and the anchor on the page.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The member `title`: the same every time.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }

            /// For the page: when this happens and what to do.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$variant => $explanation,)*
                }
            }
        }
    };
}

impl ErrorCode {
    /// It is about an account, whose throttle bounds how often, or at least about somebody whose token is good.
    pub(super) const fn is_of_an_account(self) -> bool {
        matches!(
            self,
            Self::ProofInvalid
                | Self::OtpInvalid
                | Self::CredentialsInvalid
                | Self::NotSet
                | Self::PinNotSecure
                | Self::LimitReached
                | Self::IdempotencyKeyReused
                | Self::Throttled
        )
    }

    /// Comes with `WWW-Authenticate` (RFC 6750 section 3).
    pub(super) fn challenges(self) -> bool {
        self.status() == StatusCode::UNAUTHORIZED || self == Self::InsufficientScope
    }

    /// May come with `Retry-After`.
    pub(super) fn tells_when_to_retry(self) -> bool {
        let while_throttled =
            [Self::ProofInvalid, Self::OtpInvalid, Self::CredentialsInvalid, Self::Throttled];
        while_throttled.contains(&self) || self == Self::Unavailable
    }
}

error_codes! {
    BadRequest BAD_REQUEST "bad-request", "Request not understood",
        "The request is not proper HTTP: its framing is broken or could be read in two ways, or it has no single valid Host. A connection of HTTP/1.1 is closed. Check the client or the proxy in between.";
    TokenMissing UNAUTHORIZED "token-missing", "Access token missing",
        "There is no Authorization header with the scheme Bearer. Send the user's access token.";
    TokenInvalid UNAUTHORIZED "token-invalid", "Access token invalid",
        "The token is malformed, not from an accepted issuer, not meant for this service, no access token, or its signature is wrong. Get a new one.";
    TokenExpired UNAUTHORIZED "token-expired", "Access token expired",
        "The token was good once. Get a new one and repeat the request.";
    MissingLinkedIdentity UNAUTHORIZED "missing-linked-identity", "Missing linked identity for authorized access",
        "The token is fine, but the account is not linked with the identity that this client needs. Link it at the issuer and get a new token.";
    InsufficientScope FORBIDDEN "insufficient-scope", "Scope missing",
        "The token is fine, but does not have the scope of this operation. The detail and the WWW-Authenticate header name it.";
    ProofInvalid FORBIDDEN "proof-invalid", "Proof missing or wrong",
        "The operation asks for a proof, such as a code, a PIN or the password, and none that was given is right. With a Retry-After header, wait before the next attempt.";
    OtpInvalid NOT_FOUND "otp-invalid", "Code not valid",
        "The code is wrong, expired, already used, of another type than asked for, or there have been too many attempts: which of these is not told. With a Retry-After header, codes are not looked at before that time.";
    CredentialsInvalid NOT_FOUND "credentials-invalid", "Neither PIN nor password is right",
        "None of the given values is right. With a Retry-After header, wait before the next attempt.";
    NotSet NOT_FOUND "not-set", "Not set",
        "The account has no such PIN, password or verified mail address, or it was not set while the request waited.";
    NotFound NOT_FOUND "not-found", "Not found",
        "There is nothing under this path, or no such resource of this account.";
    MethodNotAllowed METHOD_NOT_ALLOWED "method-not-allowed", "Method not allowed",
        "The path exists, but not with this method. The Allow header names those it has.";
    NotAcceptable NOT_ACCEPTABLE "not-acceptable", "No acceptable media type",
        "The Accept header admits none of the media types of this operation. JSON operations answer application/json or application/vnd.api+json, images are image/svg+xml or image/png.";
    PinNotSecure NOT_ACCEPTABLE "pin-not-secure", "PIN not secure enough",
        "A PIN has four digits, at least three of them different, and is no run upwards or downwards. Nothing was consumed: choose another PIN and use the same code.";
    RequestTimeout REQUEST_TIMEOUT "request-timeout", "Request too slow",
        "The request did not arrive completely within ten seconds. A connection of HTTP/1.1 is closed.";
    BodyTooLarge PAYLOAD_TOO_LARGE "body-too-large", "Body too large",
        "A body has at most 16 KiB.";
    UriTooLong URI_TOO_LONG "uri-too-long", "Path too long",
        "No path of this service is anywhere near that long. A connection of HTTP/1.1 is closed.";
    UnsupportedMediaType UNSUPPORTED_MEDIA_TYPE "unsupported-media-type", "Media type not supported",
        "Send the body as application/json or application/vnd.api+json, in UTF-8 and without a content coding, and say so in one Content-Type header.";
    MalformedJson UNPROCESSABLE_ENTITY "malformed-json", "Malformed JSON",
        "The body is not JSON in UTF-8 without a byte order mark, or has a member twice.";
    InvalidValue UNPROCESSABLE_ENTITY "invalid-value", "Invalid value",
        "A value is of the wrong type or outside of what is allowed. The source names the place, the detail what is expected.";
    MissingValue UNPROCESSABLE_ENTITY "missing-value", "Value missing",
        "A value that the operation needs is not there. The source names the place.";
    LimitReached UNPROCESSABLE_ENTITY "limit-reached", "Limit reached",
        "The account has as many of these as it may. Delete one first. Nothing was consumed.";
    IdempotencyKeyReused UNPROCESSABLE_ENTITY "idempotency-key-reused", "Idempotency key used for another request",
        "An earlier request with this key had another body. Use a fresh key for every new request, and the same one only to repeat a request unchanged.";
    Throttled TOO_MANY_REQUESTS "throttled", "Too many requests",
        "There have been too many mails or attempts. Wait for as long as the Retry-After header says.";
    HeadersTooLarge REQUEST_HEADER_FIELDS_TOO_LARGE "headers-too-large", "Header fields too large",
        "A request has at most 100 header lines and 64 KiB of them. A connection of HTTP/1.1 is closed.";
    Internal INTERNAL_SERVER_ERROR "internal", "Internal error",
        "Something broke in the service. The operator finds the cause in the log under the id of the error.";
    Unavailable SERVICE_UNAVAILABLE "unavailable", "Temporarily unavailable",
        "Something that the service needs cannot be reached. Whether the request took effect is not known: repeat it after the time in the Retry-After header.";
}
