//! Commands by lot, and what a naive database answers.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::world::request;

/// Keys are few, so that commands meet.
type Key = u8;

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Set {
        key: Key,
        value: Value,
        lifetime: Option<u32>,
        if_there: Option<bool>,
    },
    Get(Key),
    Incr(Key),
    Mset(Vec<(Key, Value)>),
    Mget(Vec<Key>),
    Del(Vec<Key>),
    Exists(Vec<Key>),
    Expire(Key, i8),
    Ttl(Key),
    Keys(Key),
    Dbsize,
    Echo(Value),
    Typed(Key),
    Unknown,
    /// Counts what all clients count together.
    Count,
}

/// What a value consists of: these bytes over and over.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    seed: u8,
    length: usize,
}

impl Value {
    fn bytes(&self) -> Vec<u8> {
        // Such as might be taken for protocol; and the shortest are numbers.
        let alphabet: Vec<u8> = [&[self.seed % 10 + b'0'][..], b"\r\n$1\r\n*2\r\n", &[self.seed]].concat();
        alphabet.into_iter().cycle().take(self.length).collect()
    }
}

fn values() -> impl Strategy<Value = Value> {
    let lengths = prop_oneof![4 => 0..3_usize, 4 => 3..300_usize, 1 => 10_000..60_000_usize];
    (any::<u8>(), lengths).prop_map(|(seed, length)| Value { seed, length })
}

pub(crate) fn commands() -> impl Strategy<Value = Command> {
    let key = || 0..6_u8;
    let keys = |most| prop::collection::vec(key(), 1..most);
    let lifetime = prop::option::weighted(0.3, 1..5000_u32);
    prop_oneof![
        4 => (key(), values(), lifetime, prop::option::weighted(0.3, any::<bool>()))
            .prop_map(|(key, value, lifetime, if_there)| Command::Set { key, value, lifetime, if_there }),
        4 => key().prop_map(Command::Get),
        2 => key().prop_map(Command::Incr),
        1 => prop::collection::vec((key(), values()), 1..4).prop_map(Command::Mset),
        2 => keys(20).prop_map(Command::Mget),
        1 => keys(4).prop_map(Command::Del),
        1 => keys(4).prop_map(Command::Exists),
        1 => (key(), -1..5_i8).prop_map(|(key, seconds)| Command::Expire(key, seconds)),
        2 => key().prop_map(Command::Ttl),
        1 => key().prop_map(Command::Keys),
        1 => Just(Command::Dbsize),
        1 => values().prop_map(Command::Echo),
        1 => key().prop_map(Command::Typed),
        1 => Just(Command::Unknown),
        1 => Just(Command::Count),
    ]
}

fn name(key: Key) -> Vec<u8> {
    format!("key:{key}").into_bytes()
}

impl Command {
    /// What it does depends on the clock.
    pub(crate) fn is_timed(&self) -> bool {
        matches!(self, Command::Set { lifetime: Some(_), .. } | Command::Expire(..) | Command::Ttl(_))
    }

    /// The bytes of a client that has that database.
    pub(crate) fn written(&self, db: usize) -> Vec<u8> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        let of_keys = |command: &[u8], keys: &[Key]| {
            std::iter::once(command.to_vec()).chain(keys.iter().map(|key| name(*key))).collect()
        };
        match self {
            Command::Set { key, value, lifetime, if_there } => {
                words.extend([b"SET".to_vec(), name(*key), value.bytes()]);
                if let Some(there) = if_there {
                    words.push(if *there { b"XX".to_vec() } else { b"NX".to_vec() });
                }
                if let Some(ms) = lifetime {
                    words.extend([b"PX".to_vec(), ms.to_string().into_bytes()]);
                }
            }
            Command::Get(key) => words = of_keys(b"GET", &[*key]),
            Command::Incr(key) => words = of_keys(b"INCR", &[*key]),
            Command::Mset(pairs) => {
                words.push(b"MSET".to_vec());
                words.extend(pairs.iter().flat_map(|(key, value)| [name(*key), value.bytes()]));
            }
            Command::Mget(keys) => words = of_keys(b"MGET", keys),
            Command::Del(keys) => words = of_keys(b"DEL", keys),
            Command::Exists(keys) => words = of_keys(b"EXISTS", keys),
            Command::Expire(key, seconds) => {
                words = of_keys(b"EXPIRE", &[*key]);
                words.push(seconds.to_string().into_bytes());
            }
            Command::Ttl(key) => words = of_keys(b"TTL", &[*key]),
            Command::Keys(key) => words = of_keys(b"KEYS", &[*key]),
            Command::Dbsize => words.push(b"DBSIZE".to_vec()),
            Command::Echo(value) => words.extend([b"ECHO".to_vec(), value.bytes()]),
            Command::Typed(key) => return format!("\r\nget key:{key} \n").into_bytes(),
            Command::Unknown => words.push(b"NOPE".to_vec()),
            Command::Count => {
                let db = db.to_string();
                return [&["SELECT", "15"][..], &["INCR", "count"], &["SELECT", &db]].map(request).concat();
            }
        }
        request(words)
    }
}

/// A reply, in bytes; that of `Count` has a number that only the others know.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    Bytes(Vec<u8>),
    Counted,
}

/// One client's database. Times are milliseconds.
#[derive(Default)]
pub(crate) struct Naive {
    pub(crate) now: u64,
    entries: BTreeMap<Key, (Vec<u8>, Option<u64>)>,
}

impl Naive {
    pub(crate) fn reply(&mut self, command: &Command) -> Reply {
        let now = self.now;
        self.entries.retain(|_key, (_value, end)| end.is_none_or(|end| end > now));
        Reply::Bytes(match command {
            Command::Set { key, value, lifetime, if_there } => {
                if if_there.is_some_and(|there| self.entries.contains_key(key) != there) {
                    return Reply::Bytes(b"$-1\r\n".to_vec());
                }
                self.entries.insert(*key, (value.bytes(), lifetime.map(|ms| now + u64::from(ms))));
                b"+OK\r\n".to_vec()
            }
            Command::Get(key) | Command::Typed(key) => self.bulk(*key),
            Command::Incr(key) => return Reply::Bytes(self.incr(*key)),
            Command::Mset(pairs) => {
                self.entries.extend(pairs.iter().map(|(key, value)| (*key, (value.bytes(), None))));
                b"+OK\r\n".to_vec()
            }
            Command::Mget(keys) => {
                let values = keys.iter().flat_map(|key| self.bulk(*key));
                format!("*{}\r\n", keys.len()).into_bytes().into_iter().chain(values).collect()
            }
            Command::Del(keys) => {
                integer(keys.iter().filter(|key| self.entries.remove(key).is_some()).count())
            }
            Command::Exists(keys) => {
                integer(keys.iter().filter(|key| self.entries.contains_key(key)).count())
            }
            Command::Expire(key, seconds) => match u64::try_from(*seconds) {
                Ok(seconds @ 1..) => integer(self.entries.get_mut(key).map_or(0, |(_value, end)| {
                    *end = Some(now + seconds * 1000);
                    1
                })),
                _ => integer(usize::from(self.entries.remove(key).is_some())),
            },
            Command::Ttl(key) => match self.entries.get(key) {
                None => b":-2\r\n".to_vec(),
                Some((_value, None)) => b":-1\r\n".to_vec(),
                Some((_value, Some(end))) => format!(":{}\r\n", (end - now + 500) / 1000).into_bytes(),
            },
            Command::Keys(key) if self.entries.contains_key(key) => [b"*1\r\n", &*bulk(&name(*key))].concat(),
            Command::Keys(_key) => b"*0\r\n".to_vec(),
            Command::Dbsize => integer(self.entries.len()),
            Command::Echo(value) => bulk(&value.bytes()),
            Command::Unknown => b"-ERR unknown command 'NOPE', with args beginning with: \r\n".to_vec(),
            Command::Count => return Reply::Counted,
        })
    }

    fn bulk(&self, key: Key) -> Vec<u8> {
        self.entries.get(&key).map_or(b"$-1\r\n".to_vec(), |(value, _end)| bulk(value))
    }

    fn incr(&mut self, key: Key) -> Vec<u8> {
        let (value, _end) = self.entries.entry(key).or_insert((b"0".to_vec(), None));
        // Values by lot have no other numbers.
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let Some(number) = digits.then(|| String::from_utf8_lossy(value).parse::<u64>().unwrap()) else {
            return b"-ERR value is not an integer or out of range\r\n".to_vec();
        };
        *value = (number + 1).to_string().into_bytes();
        format!(":{}\r\n", number + 1).into_bytes()
    }
}

fn integer(number: usize) -> Vec<u8> {
    format!(":{number}\r\n").into_bytes()
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
