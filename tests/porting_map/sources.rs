//! The public items of the workspace, as the sources have them.

use std::fs;
use std::path::Path;

/// A public item that can be named in the table of docs/porting.md.
#[derive(Debug)]
pub(crate) struct Item {
    /// As the face crate has it: `ContextRef::add_fd`, `queue::wait_send`.
    pub(crate) path: String,
    pub(crate) aliases: Vec<String>,
    /// A function or a type whose docs have no line with its C equivalent.
    pub(crate) lacks_equivalent: bool,
}

/// What stands above an item: its docs and attributes.
#[derive(Default)]
struct Above {
    aliases: Vec<String>,
    equivalent: bool,
}

impl Above {
    fn read(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("#[doc(alias = \"") {
            self.aliases.push(rest.split('"').next().unwrap().to_owned());
        }
        self.equivalent |= line.starts_with("///") && line.contains("C equivalent: ");
    }

    fn into_item(self, path: String, needs_equivalent: bool) -> Item {
        Item { path, aliases: self.aliases, lacks_equivalent: needs_equivalent && !self.equivalent }
    }
}

/// Of all crates.
pub(crate) fn items() -> Vec<Item> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for (folder, module) in [("tevent-core", ""), ("tevent-queue", "queue::"), ("tevent-io", "io::")] {
        let src = root.join(folder).join("src");
        let mut found = Vec::new();
        read_below(&src, &mut found);
        let exported = exports(&fs::read_to_string(src.join("lib.rs")).unwrap());
        found.retain(|item| exported.iter().any(|name| *name == item.path.split("::").next().unwrap()));
        for item in &mut found {
            // The queue's types stand at the root of the face: tests/face.rs.
            if !item.path.starts_with("Queue") {
                item.path.insert_str(0, module);
            }
        }
        all.append(&mut found);
    }
    all
}

/// The names that a crate's root exports by `pub use`.
fn exports(lib: &str) -> Vec<String> {
    let statements = lib.split("pub use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    statements
        .flat_map(|statement| {
            let names = statement.rsplit("::").next().unwrap();
            let names = names.trim_start_matches('{').trim_end_matches('}').split(',');
            names.map(|name| name.trim().to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

fn read_below(folder: &Path, into: &mut Vec<Item>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_below(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            read_file(&fs::read_to_string(path).unwrap(), into);
        }
    }
}

/// Goes by what rustfmt does: an `impl`, `enum` or `struct` begins and ends in the first column, what is in it stands four to
/// the right.
fn read_file(source: &str, into: &mut Vec<Item>) {
    let mut owner: Option<String> = None;
    let mut above = Above::default();
    for line in source.lines() {
        let text = line.trim_start();
        if text.starts_with("///") || text.starts_with("#[") {
            above.read(text);
            continue;
        }
        let above = std::mem::take(&mut above);
        if line == "}" {
            owner = None;
        } else if let Some(arguments) = line.strip_prefix("event_ref!(") {
            of_events(arguments, into);
        } else if let Some(declared) = line.strip_prefix("pub ") {
            if let Some((kind, name)) = named(declared) {
                into.push(above.into_item(name.to_owned(), kind != "const"));
                owner = line.ends_with('{').then(|| name.to_owned());
            }
        } else if line.starts_with("impl") && !line.contains(" for ") {
            owner = Some(implemented(line).to_owned());
        } else if let (Some(owner), Some(inner)) = (&owner, line.strip_prefix("    ")) {
            if let Some((kind, name)) = inner.strip_prefix("pub ").and_then(named) {
                into.push(above.into_item(format!("{owner}::{name}"), kind == "fn"));
            } else if inner.starts_with(|first: char| first.is_ascii_uppercase()) {
                into.push(above.into_item(format!("{owner}::{}", identifier(inner)), false));
            }
        }
    }
}

/// What the macro of that name makes for every kind of event; `event.rs` has their docs.
fn of_events(arguments: &str, into: &mut Vec<Item>) {
    let arguments: Vec<_> = arguments.split(',').map(str::trim).collect();
    for (method, alias) in [("set_tag", arguments[2]), ("tag", arguments[3])] {
        let alias = alias.trim_end_matches(");").trim_matches('"').to_owned();
        let path = format!("{}::{method}", arguments[1]);
        into.push(Item { path, aliases: vec![alias], lacks_equivalent: false });
    }
}

/// The kind and the name of a declaration: `const fn new(…` gives `fn` and `new`.
fn named(declaration: &str) -> Option<(&str, &str)> {
    let declaration = declaration.strip_prefix("const fn ").map_or(declaration, |_| &declaration[6..]);
    let (kind, rest) = declaration.split_once(' ')?;
    matches!(kind, "fn" | "struct" | "enum" | "trait" | "type" | "const").then(|| (kind, identifier(rest)))
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The type of `impl<S: 'static> Req<S> {`.
fn implemented(line: &str) -> &str {
    let mut rest = &line["impl".len()..];
    if rest.starts_with('<') {
        let mut depth = 0;
        let end = rest.find(|c| {
            depth += i32::from(c == '<') - i32::from(c == '>');
            depth == 0
        });
        rest = &rest[end.unwrap() + 1..];
    }
    identifier(rest.trim_start())
}
