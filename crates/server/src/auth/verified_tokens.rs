//! Tokens seen before, so that their signature is not checked again. The key is a hash of the whole token,
//! signature included (CVE-2026-35039: a hash of a part of it lets another token pass).

use super::VerifiedToken;
use super::key_set::KeySet;
use aws_lc_rs::digest;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// About 30 MB when full.
const CAPACITY: usize = 65_536;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash([u8; digest::SHA256_OUTPUT_LEN]);

impl TokenHash {
    pub(super) fn of(token: &str) -> Self {
        let mut hash = [0; digest::SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }
}

/// A token and what it was verified with: good only while that is still the issuer's key set.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) token: Arc<VerifiedToken>,
    pub(super) issuer_index: usize,
    pub(super) keys: Arc<KeySet>,
}

pub(super) struct VerifiedTokens(Cache<TokenHash, Entry>);

impl VerifiedTokens {
    pub(super) fn new() -> Self {
        Self(Cache::new(CAPACITY))
    }

    pub(super) fn get(&self, hash: &TokenHash) -> Option<Entry> {
        self.0.get(hash)
    }

    pub(super) fn insert(&self, hash: TokenHash, entry: Entry) {
        self.0.insert(hash, entry);
    }
}
