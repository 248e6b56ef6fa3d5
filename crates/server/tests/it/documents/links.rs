//! Links between documents lead to a file that is there, and to a heading in it; the index has all documents.

use super::{read, root};
use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// All that are written by hand, by their path from the root.
fn documents() -> Vec<PathBuf> {
    let mut documents: Vec<_> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(PathBuf::from).into();
    for folder in ["docs", "docs/decisions", "deploy/ha", "examples"] {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path());
        let markdown = files.filter(|file| file.extension().is_some_and(|extension| extension == "md"));
        documents.extend(markdown.map(|file| file.strip_prefix(root()).unwrap().to_path_buf()));
    }
    documents
}

/// The text without its samples, which have no links and no headings.
fn prose(text: &str) -> String {
    let mut is_sample = false;
    let is_prose = |line: &&str| {
        let is_fence = line.trim_start().starts_with("```");
        is_sample ^= is_fence;
        !is_sample && !is_fence
    };
    text.lines().filter(is_prose).collect::<Vec<_>>().join("\n")
}

/// What headings are called in addresses: in small letters, without signs, with hyphens for spaces.
fn anchors(text: &str) -> Vec<String> {
    let mut seen = HashMap::new();
    let headings = text.lines().filter_map(|line| {
        let heading = line.strip_prefix('#')?.trim_start_matches('#');
        heading.strip_prefix(' ')
    });
    let anchor = |heading: &str| {
        let kept = |character: char| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ => character.is_alphanumeric().then_some(character),
        };
        let name: String = heading.to_lowercase().chars().filter_map(kept).collect();
        let times = seen.entry(name.clone()).and_modify(|times| *times += 1).or_insert(0);
        if *times == 0 { name } else { format!("{name}-{times}") }
    };
    headings.map(anchor).collect()
}

/// Without the steps up that are in it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => assert!(plain.pop(), "{}", path.display()),
            other => plain.push(other),
        }
    }
    plain
}

fn targets(text: &str) -> Vec<String> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let links = links.map(|(target, _)| target).filter(|target| !target.contains("://"));
    links.map(str::to_owned).collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut dead = Vec::new();
    for document in documents() {
        let text = prose(&read(document.to_str().unwrap()));
        for target in targets(&text) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = match file {
                "" => document.clone(),
                file => plain(&document.parent().unwrap().join(file)),
            };
            let is_there = root().join(&path).exists();
            let has_heading = anchor.is_empty()
                || is_there && anchors(&prose(&read(path.to_str().unwrap()))).iter().any(|one| one == anchor);
            if !is_there || !has_heading {
                dead.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn the_index_leads_to_every_document() {
    let linked: Vec<_> = targets(&read("docs/README.md"))
        .iter()
        .map(|target| plain(&Path::new("docs").join(target.split('#').next().unwrap())))
        .collect();
    let is_elsewhere = |document: &PathBuf| document.starts_with("docs/decisions");
    let is_known =
        |document: &PathBuf| ["README.md", "docs/README.md"].iter().any(|name| document == Path::new(name));
    let missing: Vec<_> = documents()
        .into_iter()
        .filter(|document| !linked.contains(document) && !is_elsewhere(document) && !is_known(document))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Of a list without which the tests above would look at nothing.
#[test]
fn headings_are_called_as_in_addresses() {
    let text = "# The guesser's odds\n## `a_b`, and c\nno heading\n#none\n## Twice\n### Twice\n";
    assert_eq!(anchors(text), ["the-guessers-odds", "a_b-and-c", "twice", "twice-1"]);
    assert_eq!(prose("a\n```sh\n# no heading\n```\nb"), "a\nb");
    assert_eq!(plain(Path::new("docs/../README.md")), Path::new("README.md"));
}
