//! `[store]`: where accounts are kept. The URL may hold a password, so no message shows it.

use super::keys::Key;
use super::section::Section;
use std::path::PathBuf;

pub(super) const KEYS: &[Key] = &[Key::secret("url"), Key::value("migrate")];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    pub sqlite_path: PathBuf,
    /// Whether every command that opens the store brings its schema up to date.
    pub migrate: bool,
}

const DEFAULT_PATH: &str = "einmal.db";

/// `None` if it is not usable, and then there is a fault.
pub(super) fn read(section: &mut Section<'_>) -> Option<Store> {
    let migrate = section.boolean("migrate").unwrap_or(true);
    if !section.has("url") {
        return Some(Store { sqlite_path: section.resolve(DEFAULT_PATH), migrate });
    }
    let url = section.secret("url")?;
    match sqlite_path(url.expose()) {
        Ok(path) => Some(Store { sqlite_path: section.resolve(path), migrate }),
        Err(message) => {
            section.refuse("url", message);
            None
        }
    }
}

fn sqlite_path(url: &str) -> Result<&str, &'static str> {
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return Err("PostgreSQL is not supported by this version of einmal, expected sqlite:PATH");
    }
    let path = url.strip_prefix("sqlite:").ok_or("expected sqlite:PATH")?;
    // Both spellings are common: sqlite:einmal.db and sqlite://einmal.db.
    let path = path.strip_prefix("//").unwrap_or(path);
    match path {
        "" => Err("expected a path after sqlite:"),
        // Codes that were spent would come back with every start.
        ":memory:" => Err("a store in memory forgets which codes are spent, expected sqlite:PATH"),
        _ if path.contains(['?', '#']) => Err("expected sqlite:PATH without parameters"),
        _ => Ok(path),
    }
}
