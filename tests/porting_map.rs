//! docs/porting.md has every name of the C header, and what it says stands for it is there; so are the search aliases.
//! docs/differences.md has every departure that the clauses ask for.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::collections::{BTreeMap, BTreeSet};

#[path = "porting_map/sources.rs"]
mod sources;
use sources::{Item, items};

const NAMES: &str = include_str!("c_map/names.txt");
const PORTING: &str = include_str!("../docs/porting.md");
const BEHAVIOUR: &str = include_str!("../docs/behaviour.md");
const DIFFERENCES: &str = include_str!("../docs/differences.md");

/// The names of the list with their kinds.
fn names() -> BTreeMap<&'static str, &'static str> {
    let mut kind = "";
    let mut names = BTreeMap::new();
    for line in NAMES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(heading) = line.strip_prefix('[') {
            kind = heading.trim_end_matches(']');
        } else {
            let before = names.insert(line, kind);
            assert_eq!(before, None, "{line} is listed twice");
        }
    }
    assert!(names.len() > 200, "only {} names", names.len());
    names
}

/// A row of the table: the C name, our items, and what is said of them.
struct Row {
    name: &'static str,
    items: Vec<&'static str>,
    note: &'static str,
}

/// The rows of a part of the last chapter.
fn rows(part: &'static str) -> Vec<Row> {
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let mut cells = line.trim_matches('|').splitn(3, '|').map(str::trim);
        let mut next = || cells.next().unwrap_or_else(|| panic!("too few cells: {line}"));
        let (name, items, note) = (next(), next(), next());
        let items = if items == "—" { vec![] } else { items.split(", ").map(unquoted).collect() };
        Row { name: unquoted(name), items, note }
    })
    .collect()
}

fn unquoted(code: &'static str) -> &'static str {
    let inner = code.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    inner.unwrap_or_else(|| panic!("`{code}` is no code"))
}

/// The table of the header, and that of what stands beside it.
fn tables() -> (Vec<Row>, Vec<Row>) {
    let (_, chapter) = PORTING.split_once("\n## Every name of the header\n").unwrap();
    let (header, samba) = chapter.split_once("\n### Samba's requests on sockets\n").unwrap();
    (rows(header), rows(samba))
}

/// Has no row of its own: the macro of the same name has, or the name that it is defined as.
fn stands_for_another(kind: &str) -> bool {
    kind == "expansion" || kind == "compat"
}

/// Of our items those that carry that search alias.
fn carriers<'a>(items: &'a [Item], alias: &str) -> Vec<&'a str> {
    items
        .iter()
        .filter(|item| item.aliases.iter().any(|a| a == alias))
        .map(|item| item.path.as_str())
        .collect()
}

#[test]
fn the_table_has_every_name_once_and_no_other() {
    let names = names();
    let (header, _samba) = tables();
    let mut seen = BTreeSet::new();
    for row in &header {
        assert!(seen.insert(row.name), "{} has two rows", row.name);
        let kind = names.get(row.name).unwrap_or_else(|| panic!("{} is on no list", row.name));
        assert!(!stands_for_another(kind), "{} needs no row", row.name);
        assert_eq!(row.note.starts_with("newer"), *kind == "newer", "newer or not: {}", row.name);
    }
    let missing: Vec<_> =
        names.iter().filter(|(name, kind)| !stands_for_another(kind) && !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[test]
fn what_a_macro_calls_has_the_name_of_the_macro() {
    let names = names();
    for (name, _kind) in names.iter().filter(|(_name, kind)| **kind == "expansion") {
        let public = name.trim_start_matches('_');
        assert!(names.contains_key(public), "{name}");
    }
}

#[test]
fn a_row_without_an_item_says_why() {
    let (header, samba) = tables();
    assert!(samba.len() > 10, "only {} rows", samba.len());
    for row in header.iter().chain(&samba) {
        assert!(!row.items.is_empty() || row.note.len() > 5, "{}", row.name);
    }
}

#[test]
fn the_items_of_the_table_are_public() {
    let items = items();
    assert!(items.len() > 300, "only {} items were found", items.len());
    let paths: BTreeSet<_> = items.iter().map(|item| item.path.as_str()).collect();
    let (header, samba) = tables();
    for row in header.iter().chain(&samba) {
        for item in &row.items {
            assert!(paths.contains(item), "there is no `{item}` for {}", row.name);
        }
    }
    for typo in ["ContextRef::add_fds", "Req::add_fd", "wait_send", "FdSlot", "When::Never"] {
        assert!(!paths.contains(typo), "{typo}");
    }
}

#[test]
fn names_that_have_an_item_are_found_by_the_search_of_the_docs() {
    let items = items();
    let (header, _samba) = tables();
    let missing: Vec<_> = header
        .iter()
        .filter(|row| {
            let carriers = carriers(&items, row.name);
            !row.items.is_empty() && !row.items.iter().any(|item| carriers.contains(item))
        })
        .map(|row| format!("#[doc(alias = \"{}\")] on {}", row.name, row.items.join(" or ")))
        .collect();
    assert!(missing.is_empty(), "there is no\n{}", missing.join("\n"));
}

#[test]
fn search_aliases_are_names_of_the_table() {
    let (header, _samba) = tables();
    let of_tevent = |alias: &&String| alias.trim_start_matches('_').to_lowercase().starts_with("tevent_");
    for item in items() {
        for alias in item.aliases.iter().filter(of_tevent) {
            let row = header.iter().find(|row| row.name == alias);
            let row = row.unwrap_or_else(|| panic!("{} has the alias {alias}, which is no name", item.path));
            assert!(
                row.items.contains(&item.path.as_str()),
                "the row of {alias} does not name {}",
                item.path
            );
        }
    }
}

#[test]
fn what_stands_for_a_c_name_says_so_in_its_docs() {
    let of_tevent = |item: &Item| {
        item.aliases.iter().any(|alias| alias.trim_start_matches('_').to_lowercase().starts_with("tevent_"))
    };
    let silent: Vec<_> = items()
        .into_iter()
        .filter(|item| item.lacks_equivalent && of_tevent(item))
        .map(|item| item.path)
        .collect();
    assert!(silent.is_empty(), "no line `C equivalent: …` in the docs of {silent:?}");
}

/// The clauses that a text names: `(TIMER-4, 6, spec)` has two.
fn clauses_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for bracket in text.split('(').skip(1).filter_map(|rest| rest.split(')').next()) {
        let mut kind = "";
        for word in bracket.split([',', ' ']).filter(|word| !word.is_empty()) {
            if let Some((k, number)) = word.split_once('-')
                && k.bytes().all(|b| b.is_ascii_uppercase())
                && number.parse::<u32>().is_ok()
            {
                kind = k;
                found.insert(word.to_owned());
            } else if word.parse::<u32>().is_ok() && !kind.is_empty() {
                found.insert(format!("{kind}-{word}"));
            }
        }
    }
    found
}

#[test]
fn every_departure_that_the_clauses_ask_for_is_explained() {
    let explained: BTreeSet<_> = DIFFERENCES
        .lines()
        .flat_map(|line| clauses_in(line).into_iter().filter(|_| line.contains("spec)")))
        .collect();
    let mut missing = Vec::new();
    let mut count = 0;
    for clause in BEHAVIOUR.split("\n- ").skip(1) {
        let name = clause.split_whitespace().next().unwrap();
        if clause.contains("MUST DIFFER") {
            count += 1;
            if !explained.contains(name) {
                missing.push(name);
            }
        }
    }
    assert!(count > 10, "only {count} clauses were found");
    assert!(missing.is_empty(), "differences.md does not explain {missing:?}");
}

#[test]
fn clauses_in_brackets_are_read_right() {
    let read: Vec<_> =
        clauses_in("x (TIMER-4, 6, spec) y (FD-10) z LOOP-1 (24.8 days)").into_iter().collect();
    assert_eq!(read, ["FD-10", "TIMER-4", "TIMER-6"]);
}
