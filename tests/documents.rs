//! The documents: their Rust code is run (as doctests of `src/lib.rs`), and their links lead somewhere.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

#[path = "documents/markdown.rs"]
mod markdown;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use markdown::{Block, Page};

const LIB: &str = include_str!("../src/lib.rs");

/// All pages of the repository, by their paths from its root.
fn pages() -> BTreeMap<PathBuf, Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).unwrap();
                pages.insert(path.strip_prefix(root).unwrap().to_owned(), Page::read(&text));
            }
        }
    }
    assert!(pages.len() > 15, "only {} pages were found", pages.len());
    pages
}

/// The chapters of the tutorial in their order.
fn chapters() -> Vec<(String, Page)> {
    let of_tutorial = |(path, page): (PathBuf, Page)| {
        let name = path.strip_prefix("docs/tutorial").ok()?.to_str()?.to_owned();
        name.starts_with(|first: char| first.is_ascii_digit()).then_some((name, page))
    };
    pages().into_iter().filter_map(of_tutorial).collect()
}

#[test]
fn every_page_with_rust_code_is_run() {
    let mut run = 0;
    for (path, page) in pages() {
        if page.blocks.iter().any(Block::is_rust) {
            let included = format!("include_str!(\"../{}\")", path.display());
            assert!(LIB.contains(&included), "src/lib.rs does not include {}", path.display());
            run += 1;
        }
    }
    assert_eq!(run, LIB.matches("include_str!").count(), "included, and without code");
}

#[test]
fn code_that_is_not_run_says_why() {
    for (path, page) in pages() {
        for block in &page.blocks {
            let first = block.code.lines().next().unwrap_or("");
            let at = format!("{}, `{}`: {first}", path.display(), block.info);
            assert!(!block.info.is_empty(), "the language is not said: {at}");
            assert!(block.runs() || block.has_reason(), "no reason: {at}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = pages();
    let mut dead = Vec::new();
    let mut count = 0;
    for (path, page) in &pages {
        for link in page.links.iter().filter(|link| !link.contains("://")) {
            count += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { resolved(path, file) };
            let is_there = root.join(&target).exists();
            let has_heading = || pages.get(&target).is_some_and(|page| page.headings.contains(heading));
            if !is_there || !heading.is_empty() && !has_heading() {
                dead.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(count > 100, "only {count} links were found");
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

/// A link of that page, from the root.
fn resolved(page: &Path, link: &str) -> PathBuf {
    let mut target = page.parent().unwrap().to_owned();
    for part in Path::new(link) {
        if part == ".." {
            assert!(target.pop(), "{link} in {} leads out of the repository", page.display());
        } else {
            target.push(part);
        }
    }
    target
}

#[test]
fn chapters_are_numbered_and_lead_from_one_to_the_next() {
    let chapters = chapters();
    assert!(chapters.len() > 10, "only {} chapters were found", chapters.len());
    let index = &pages()[Path::new("docs/tutorial/README.md")];
    for (number, (name, page)) in (1..).zip(&chapters) {
        assert!(name.starts_with(&format!("{number:02}-")), "{name} is no chapter {number}");
        assert!(page.title.starts_with(&format!("{number}. ")), "{name} has the title {}", page.title);
        assert!(index.links.contains(name), "the index has no {name}");
        if let Some((next, _page)) = chapters.get(number) {
            assert_eq!(page.links.last(), Some(next), "the last link of {name}");
        }
    }
}
