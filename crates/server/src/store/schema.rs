//! What engines have in common about versions of their schemas.

/// Whether a schema that is behind may be brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migration {
    Apply,
    Refuse,
    /// As it is, whatever its schema: for a look at it, and for a copy, which one makes before a migration.
    Keep,
}

/// Versions of a schema; 0 is that of an empty database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// When the store was opened.
    pub found: i64,
    /// What this version of einmal needs.
    pub known: i64,
}
