//! Against other people's software, which shares no code and no misunderstanding with einmal. `scripts/test` brings
//! it here and says where it is; where it does not, these tests say so, and on a build machine they fail.

mod account_page;
mod authenticators;
mod browser;
mod codes;
mod deployments;
mod jose;
mod jws_vectors;
mod mail_server;
mod opaque_tokens;
mod openapi_document;
mod openid_provider;
mod password_grant;
mod password_hashes;
mod proxies;
mod rolling_restart;
mod schemathesis;

use crate::harness::peer;
