//! The configuration that einmal is measured with: its defaults, but for what a second store or issuer needs.

use anyhow::{Result, anyhow};
use einmal::config::{Config, Document, Environment};
use serde::Serialize;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Of tokens and of the configuration. Nothing asks it: its keys come from `jwks_uri`.
pub const ISSUER: &str = "https://id.example.com";
pub const AUDIENCE: &str = "einmal";

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Engine {
    Sqlite,
    /// By the URL of its database.
    Postgres(String),
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        })
    }
}

/// Writes the file into a store's directory. Without a `key_set` it is good for work on accounts alone.
pub fn write(directory: &Path, engine: &Engine, key_set: &str, log_level: &str) -> Result<PathBuf> {
    let store = match engine {
        Engine::Sqlite => "sqlite:einmal.db",
        Engine::Postgres(url) => url,
    };
    let key_set = if key_set.is_empty() { String::new() } else { format!("jwks_uri = \"{key_set}\"\n") };
    let text = format!(
        "[http]\nlisten = \"127.0.0.1:0\"\nmanagement_listen = \"127.0.0.1:0\"\ndrain = \"0s\"\n\
         [store]\nurl = \"{store}\"\n[keyring]\nfile = \"einmal.keys\"\n\
         [[issuers]]\nissuer = \"{ISSUER}\"\naudiences = [\"{AUDIENCE}\"]\n{key_set}\
         [log]\nlevel = \"{log_level}\"\n",
    );
    let path = directory.join("einmal.toml");
    fs::write(&path, text)?;
    Ok(path)
}

pub fn read(path: &Path) -> Result<Config> {
    let environment = Environment::from([("", ""); 0]);
    let document = Document::open(Some(path), environment).map_err(|error| anyhow!("{error}"))?;
    document.service().map_err(|error| anyhow!("{error}"))
}
