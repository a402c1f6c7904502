//! What a page of Markdown has that can be wrong.

use std::collections::BTreeSet;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// A page.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
    /// Those of pictures too.
    pub(crate) links: Vec<String>,
    /// As links name them.
    pub(crate) headings: BTreeSet<String>,
}

/// A block of code, and what stands beside its fence: `rust,no_run (it needs a printer)`. Nothing where it is indented.
pub(crate) struct Block {
    pub(crate) info: String,
    pub(crate) code: String,
}

impl Block {
    /// Whether it is Rust to rustdoc.
    pub(crate) fn is_rust(&self) -> bool {
        self.words().next().is_none_or(|first| first == "rust" || !self.runs())
    }

    /// Whether all of it that is Rust is compiled and run.
    pub(crate) fn runs(&self) -> bool {
        !self
            .words()
            .any(|word| ["ignore", "no_run", "compile_fail"].contains(&word) || word.starts_with("ignore-"))
    }

    /// Whether a text in brackets follows, which rustdoc takes for a comment.
    pub(crate) fn has_reason(&self) -> bool {
        let reason = self.info.split_once('(').and_then(|(_words, rest)| rest.split_once(')'));
        reason.is_some_and(|(reason, _rest)| reason.len() > 5)
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        let words = self.info.split('(').next().unwrap();
        words.split([',', ' ']).filter(|word| !word.is_empty())
    }
}

impl Page {
    pub(crate) fn read(text: &str) -> Self {
        let (mut page, mut heading, mut block) = (Page::default(), None::<String>, None::<Block>);
        for event in Parser::new_ext(text, pulldown_cmark::Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    let info = match kind {
                        CodeBlockKind::Fenced(info) => info.into_string(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    block = Some(Block { info, code: String::new() });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_level)) => page.note_heading(&heading.take().unwrap()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(block) = &mut block {
                        block.code.push_str(&text);
                    } else if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        page
    }

    /// The second of a name is named `name-1`, and so on.
    fn note_heading(&mut self, text: &str) {
        if self.title.is_empty() {
            text.clone_into(&mut self.title);
        }
        let name = name_of(text);
        let again = (1..).map(|n| format!("{name}-{n}"));
        let free = [name.clone()].into_iter().chain(again).find(|name| !self.headings.contains(name));
        self.headings.extend(free);
    }
}

/// How links name a heading.
fn name_of(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

#[test]
fn a_page_is_read_right() {
    let page = Page::read(
        "# A `_b`, and *c*: d\n\n## E\n\n[x](y.md#z) | ![p](q.svg)\n\n```rust\nlet [a](b) = 1;\n```\n\n## E\n\n    indented\n",
    );
    assert_eq!(page.title, "A _b, and c: d");
    assert!(page.headings.iter().eq(["a-_b-and-c-d", "e", "e-1"]));
    assert_eq!(page.links, ["y.md#z", "q.svg"]);
    let infos: Vec<_> = page.blocks.iter().map(|block| block.info.as_str()).collect();
    assert_eq!(infos, ["rust", ""]);
    assert_eq!(page.blocks[0].code, "let [a](b) = 1;\n");
}

#[test]
fn what_stands_beside_a_fence_is_read_right() {
    let read = |info: &str| {
        let block = Block { info: info.to_owned(), code: String::new() };
        (block.is_rust(), block.runs(), block.has_reason())
    };
    assert_eq!(read("rust"), (true, true, false));
    assert_eq!(read(""), (true, true, false));
    assert_eq!(read("text"), (false, true, false));
    assert_eq!(read("rust,no_run"), (true, false, false));
    assert_eq!(read("rust, ignore"), (true, false, false));
    assert_eq!(read("ignore-windows"), (true, false, false));
    assert_eq!(read("no_run"), (true, false, false));
    assert_eq!(read("rust,no_run (it needs a printer)"), (true, false, true));
    assert_eq!(read("rust,compile_fail (so)"), (true, false, false));
}
