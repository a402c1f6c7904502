//! The patterns of KEYS and CONFIG GET, as Redis has them: `*`, `?`, `[a-c]`, `[^a]`, a backslash before what means itself, and nothing
//! else is special.

use crate::random::Random;
use crate::support::{Kind, on_every_backend};
use crate::world::{Client, World, request};

/// The bulk strings in an array, in order.
#[track_caller]
fn bulks(reply: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(reply).unwrap();
    let mut lines = text.strip_suffix("\r\n").unwrap().split("\r\n");
    let count: usize =
        lines.next().unwrap().strip_prefix('*').unwrap_or_else(|| panic!("{text}")).parse().unwrap();
    let lines: Vec<_> = lines.collect();
    assert!(lines.chunks(2).all(|pair| pair[0] == format!("${}", pair[1].len())), "{text}");
    let mut bulks: Vec<_> = lines.chunks(2).map(|pair| pair[1].to_owned()).collect();
    assert_eq!(bulks.len(), count);
    bulks.sort();
    bulks
}

#[track_caller]
fn fitting(world: &World, client: &Client, pattern: &str) -> Vec<String> {
    bulks(&world.exchange(client, &request(["KEYS", pattern])))
}

const KEYS: &[&str] = &[
    "",
    "a",
    "b",
    "c",
    "d",
    "ab",
    "a/b",
    "a/b/c",
    "/",
    "{a}",
    "{a,b}",
    "*",
    "a*",
    "?",
    "[a]",
    "\\",
    "a\\b",
    "-",
    ".",
    ".a",
    "user:{1}:name",
    "user:{2}:name",
    "a\nb",
    "**",
    "!",
];

const FITTING: &[(&str, &[&str])] = &[
    ("*", KEYS),
    ("", &[""]),
    ("a", &["a"]),
    ("A", &[]),
    ("?", &["*", "-", ".", "/", "?", "\\", "!", "a", "b", "c", "d"]),
    ("a?b", &["a\nb", "a/b", "a\\b"]),
    ("a*b", &["a\nb", "a/b", "a\\b", "ab"]),
    ("a*c", &["a/b/c"]),
    ("*/*", &["/", "a/b", "a/b/c"]),
    ("*/*/*", &["a/b/c"]),
    ("[a-c]", &["a", "b", "c"]),
    ("[ac]", &["a", "c"]),
    ("[^a-c]", &["!", "*", "-", ".", "/", "?", "\\", "d"]),
    ("[^a]b", &[]),
    ("a[^a]b", &["a\nb", "a/b", "a\\b"]),
    ("\\*", &["*"]),
    ("a\\*", &["a*"]),
    ("\\?", &["?"]),
    ("\\[a\\]", &["[a]"]),
    ("\\\\", &["\\"]),
    ("\\a", &["a"]),
    ("a\\\\b", &["a\\b"]),
    ("{a}", &["{a}"]),
    ("{a,b}", &["{a,b}"]),
    ("{*", &["{a,b}", "{a}"]),
    ("user:{?}:*", &["user:{1}:name", "user:{2}:name"]),
    ("user:{1}*", &["user:{1}:name"]),
    ("\\{a\\}", &["{a}"]),
    ("[{]a}", &["{a}"]),
    ("[{x]a[}]", &["{a}"]),
    (".*", &[".", ".a"]),
    ("**", KEYS),
    ("**/b", &["a/b"]),
    ("a/**/c", &["a/b/c"]),
    ("a/**/b/c", &[]),
    ("/**/", &[]),
    ("\\**", &["*", "**"]),
];

on_every_backend! {
    fn keys_that_fit(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        assert_eq!(fitting(&world, &client, "*"), [""; 0]);
        for key in KEYS {
            assert_eq!(world.exchange(&client, &request(["SET", key, "1"])), b"+OK\r\n");
        }
        for (pattern, keys) in FITTING {
            let mut keys = keys.to_vec();
            keys.sort_unstable();
            assert_eq!(fitting(&world, &client, pattern), keys, "KEYS {pattern}");
        }
    }

    fn settings_that_fit(backend) {
        let world = World::new(backend, &[]);
        let client = world.connect();
        let found = |patterns: &[&str]| {
            let names = [&["CONFIG", "GET"], patterns].concat();
            bulks(&world.exchange(&client, &request(names)))
        };
        assert_eq!(found(&["*"]), ["", "1000", "300", "appendonly", "maxclients", "no", "save", "timeout"]);
        assert_eq!(found(&["MAX*", "time*"]), ["1000", "300", "maxclients", "timeout"]);
        assert_eq!(found(&["[ns]ave"]), ["", "save"]);
        assert_eq!(found(&["none", "{save}"]), [""; 0]);
    }
}

#[test]
fn a_pattern_that_is_none_is_refused() {
    let world = World::new(Kind::Simulated, &[]);
    let client = world.connect();
    for pattern in ["[", "[a", "a[b-"] {
        for command in ["KEYS", "CONFIG GET"] {
            let reply = world.ask(&client, &format!("{command} {pattern}"));
            assert!(
                reply.starts_with("-ERR ") && reply.matches('|').count() == 1,
                "{command} {pattern}: {reply}"
            );
        }
    }
    assert_eq!(world.ask(&client, "PING"), "+PONG|");
}

#[test]
fn bytes_that_are_no_text_fit_where_nothing_asks_for_them() {
    let world = World::new(Kind::Simulated, &[]);
    let client = world.connect();
    world.exchange(&client, &request([&b"SET"[..], b"a\xff\xfeb", b"1"]));
    for pattern in [&b"*"[..], b"a*", b"a??b", b"a[^a]?b", b"a\xff*"] {
        let reply = world.exchange(&client, &request([&b"KEYS"[..], pattern]));
        assert_eq!(reply, b"*1\r\n$4\r\na\xff\xfeb\r\n", "{}", pattern.escape_ascii());
    }
}

/// One piece of a pattern.
enum Piece {
    Any,
    One,
    Itself(char),
    Escaped(char),
    Class { negated: bool, chars: Vec<char> },
}

impl Piece {
    fn draw(lot: &mut Random) -> Piece {
        let mut draw = |from: &str| from.chars().nth(lot.below(from.chars().count())).unwrap();
        match draw("****???ieecn") {
            '*' => Piece::Any,
            '?' => Piece::One,
            'i' => Piece::Itself(draw("ab/{},.-!")),
            'e' => Piece::Escaped(draw("ab/{},.-!*?[]\\")),
            kind => {
                let chars = (0..3).map(|_| draw("ab/{},.!*?")).collect();
                Piece::Class { negated: kind == 'n', chars }
            }
        }
    }

    fn written(&self) -> String {
        match self {
            Piece::Any => "*".to_owned(),
            Piece::One => "?".to_owned(),
            Piece::Itself(char) => char.to_string(),
            Piece::Escaped(char) => format!("\\{char}"),
            // It would negate where it stands first, as in other shells.
            Piece::Class { negated, chars } => {
                let chars = String::from_iter(chars).replace('!', "a");
                format!("[{}{chars}]", if *negated { "^" } else { "" })
            }
        }
    }
}

/// Whether a key fits, tried in every way.
fn fits(pattern: &[Piece], key: &[char]) -> bool {
    let Some((piece, pattern)) = pattern.split_first() else { return key.is_empty() };
    let one = |wanted: &dyn Fn(char) -> bool| {
        key.split_first().is_some_and(|(first, key)| wanted(*first) && fits(pattern, key))
    };
    match piece {
        Piece::Any => (0..=key.len()).any(|skipped| fits(pattern, &key[skipped..])),
        Piece::One => one(&|_| true),
        Piece::Itself(char) | Piece::Escaped(char) => one(&|first| first == *char),
        Piece::Class { negated, chars } => {
            one(&|first| chars.iter().any(|char| first == if *char == '!' { 'a' } else { *char }) != *negated)
        }
    }
}

#[test]
fn random_keys_fit_random_patterns_as_a_naive_search_finds() {
    let world = World::new(Kind::Simulated, &[]);
    let client = world.connect();
    let mut lot = Random(1);
    let mut hits = 0;
    for _ in 0..60 {
        let keys: Vec<String> = (0..30)
            .map(|_| {
                let alphabet: Vec<char> = "aab//{},.-!*?[]\\".chars().collect();
                (0..lot.below(5)).map(|_| alphabet[lot.below(alphabet.len())]).collect()
            })
            .collect();
        for key in &keys {
            world.exchange(&client, &request(["SET", key, "1"]));
        }
        for _ in 0..20 {
            let pieces: Vec<_> = (0..lot.below(5)).map(|_| Piece::draw(&mut lot)).collect();
            let pattern: String = pieces.iter().map(Piece::written).collect();
            let chars = |key: &String| key.chars().collect::<Vec<_>>();
            let mut expected: Vec<_> =
                keys.iter().filter(|key| fits(&pieces, &chars(key))).cloned().collect();
            expected.sort();
            expected.dedup();
            assert_eq!(fitting(&world, &client, &pattern), expected, "KEYS {pattern} of {keys:?}");
            hits += expected.len();
        }
        world.ask(&client, "FLUSHALL");
    }
    assert!(hits > 1000, "{hits}");
}
