//! `[events]`: whether security events are written, and where. Opens nothing.

use super::keys::Key;
use super::section::Section;
use super::{Engine, KeyringSource, Store};
use crate::events::Output;
use crate::http::TlsFiles;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub(super) const KEYS: &[Key] = &[Key::value("output")];

const EXPECTED: &str = "\"off\", \"stdout\" or the path of a file, such as \"/var/lib/einmal/events.jsonl\"";

/// Of SQLite, beside the store.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What has files of its own, which lines at their end would destroy; `None` where there is no such file.
pub(super) struct Others<'a> {
    pub(super) configuration: Option<&'a Path>,
    pub(super) store: Option<&'a Store>,
    pub(super) keyring: Option<&'a KeyringSource>,
    pub(super) tls: Option<&'a TlsFiles>,
}

/// `None` if they are not.
pub(super) fn read(section: &mut Section<'_>, others: &Others<'_>) -> Option<Output> {
    if !section.has("output") {
        return None;
    }
    // A word that is meant to be one of the two, and misspelled, would be a file in the folder of the configuration.
    let is_a_path = |text: &str| text.contains('/') || text.contains('.');
    let takes = |text: &str| matches!(text, "off" | "stdout") || is_a_path(text);
    let text = section.parsed("output", EXPECTED, |text| takes(text).then(|| text.to_owned()))?;
    let path = match text.as_str() {
        "off" => return None,
        "stdout" => return Some(Output::Stdout),
        path => section.resolve(path),
    };
    if let Some(owner) = others.owner_of(&path) {
        section.refuse("output", format!("found {text:?}, which is {owner}, expected a file of its own"));
        return None;
    }
    Some(Output::File(path))
}

impl Others<'_> {
    fn owner_of(&self, path: &Path) -> Option<&'static str> {
        let path = real(path);
        if self.configuration.is_some_and(|file| real(file) == path) {
            return Some("the configuration");
        }
        if let Some(KeyringSource::File(keyring)) = self.keyring
            && real(&keyring.path) == path
        {
            return Some("the keyring");
        }
        if let Some(TlsFiles { certificate, key }) = self.tls {
            for (file, name) in [(certificate, "the certificate of TLS"), (key, "the key of TLS")] {
                if real(file) == path {
                    return Some(name);
                }
            }
        }
        let Engine::Sqlite(store) = &self.store?.engine else { return None };
        let store = real(store);
        let mut companions = COMPANIONS.iter().map(|end| beside(&store, end));
        (store == path || companions.any(|companion| companion == path)).then_some("a file of the store")
    }
}

fn beside(store: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(store);
    name.push(end);
    name.into()
}

/// Where it leads, by whatever links; of what is not there, its folder does.
fn real(path: &Path) -> PathBuf {
    let of_folder = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(folder.unwrap_or(Path::new(".")).canonicalize().ok()?.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(of_folder).unwrap_or_else(|| path.to_owned())
}
