//! What each command does. None of them waits, and none knows where its request came from.

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use regex::bytes::Regex;

use crate::daemon::Daemon;
use crate::resp::{Failure, OK, Reply, number};
use crate::store::{DATABASES, Store};

/// No reply is longer than this.
const MAX_REPLY: usize = 16 << 20;

/// What a connection is to the commands.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) id: usize,
    pub(crate) db: usize,
    pub(crate) name: Vec<u8>,
    /// It has asked to be closed.
    pub(crate) quit: bool,
}

/// To tell a wrong number of arguments from a command that is unknown.
const NAMES: [&str; 21] = [
    "bgsave", "client", "command", "config", "dbsize", "del", "echo", "exists", "expire", "flushall", "get",
    "incr", "info", "keys", "mget", "mset", "ping", "quit", "select", "set", "ttl",
];

type Outcome = Result<Reply, Failure>;

pub(crate) fn execute(args: &[&[u8]], session: &mut Session, daemon: &Rc<Daemon>) -> Outcome {
    let (name, db, store) = (args[0].to_ascii_lowercase(), session.db, || daemon.store.borrow_mut());
    let get = |key: &&[u8]| store().get(db, key).map_or(Reply::Null, Reply::Value);
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let has = |key: &&&[u8]| store().databases[db].contains_key(**key);
    Ok(match (&*name, &args[1..]) {
        (b"get", [key]) => get(key),
        (b"set", [key, value, options @ ..]) => set(&mut store(), db, [key, value], options)?,
        (b"incr", [key]) => incr(&mut store(), db, key)?,
        (b"mget", keys @ [_, ..]) => bounded(keys.iter().map(get).collect())?,
        (b"mset", pairs @ [_, _, ..]) if pairs.len() % 2 == 0 => {
            pairs.chunks(2).try_for_each(|pair| store().set(db, pair[0], pair[1], false))?;
            OK
        }
        (b"del", keys @ [_, ..]) => Reply::int(keys.iter().filter(|key| store().remove(db, key)).count()),
        (b"exists", keys @ [_, ..]) => Reply::int(keys.iter().filter(has).count()),
        (b"expire", [key, seconds]) => {
            let millis = millis("expire", seconds, 1000, -(1 << 62))?;
            Reply::int(store().expire(db, key, millis).into())
        }
        (b"ttl", [key]) => Reply::Int(store().seconds_left(db, key)),
        (b"keys", [glob]) => {
            let (pattern, store) = (pattern(glob)?, store());
            let fitting = store.databases[db].keys().filter(|key| pattern.is_match(key));
            bounded(fitting.cloned().map(Reply::Value).collect())?
        }
        (b"dbsize", []) => Reply::int(store().databases[db].len()),
        (b"flushall", mode @ ([] | [_])) if mode.iter().all(|m| is(m, "sync") || is(m, "async")) => {
            store().clear();
            OK
        }
        (b"flushall" | b"bgsave", [_, ..]) => return Err("ERR syntax error".into()),
        (b"select", [index]) => {
            let index = usize::try_from(integer(index)?).ok().filter(|index| *index < DATABASES);
            session.db = index.ok_or("ERR DB index is out of range")?;
            OK
        }
        (b"ping", []) => Reply::Status("PONG"),
        (b"ping" | b"echo", [text]) => Reply::text(text),
        (b"client", [sub]) if is(sub, "id") => Reply::int(session.id),
        (b"client", [sub]) if is(sub, "getname") && session.name.is_empty() => Reply::Null,
        (b"client", [sub]) if is(sub, "getname") => Reply::text(&session.name),
        (b"client", [sub, name]) if is(sub, "setname") => {
            session.name = name.to_vec();
            OK
        }
        (b"config", [sub, globs @ ..]) if is(sub, "get") && !globs.is_empty() => config_get(daemon, globs)?,
        (b"client" | b"config", [_, ..]) => return Err("ERR unknown subcommand, or wrong use of it".into()),
        (b"command", _) => Reply::Array(Vec::new()), // clients do without
        (b"info", _) => Reply::text(daemon.info()),
        (b"bgsave", []) => daemon.save().map(|()| Reply::Status("Background saving started"))?,
        (b"quit", _) => {
            session.quit = true;
            OK
        }
        _ => return Err(refusal(args)),
    })
}

fn refusal(args: &[&[u8]]) -> Failure {
    let shown = |arg: &&[u8]| String::from_utf8_lossy(&arg[..arg.len().min(128)]).into_owned();
    let name = shown(&args[0]);
    if NAMES.contains(&&*name.to_ascii_lowercase()) {
        return format!("ERR wrong number of arguments for '{}' command", name.to_ascii_lowercase()).into();
    }
    let rest: Vec<_> = args[1..].iter().take(8).map(|arg| format!("'{}' ", shown(arg))).collect();
    format!("ERR unknown command '{name}', with args beginning with: {}", rest.concat()).into()
}

fn integer(text: &[u8]) -> Result<i64, Failure> {
    number(text).ok_or("ERR value is not an integer or out of range".into())
}

fn bounded(values: Vec<Reply>) -> Outcome {
    let length = |value: &Reply| if let Reply::Value(value) = value { value.len() + 16 } else { 5 };
    let fits = values.iter().map(length).sum::<usize>() <= MAX_REPLY;
    if fits { Ok(Reply::Array(values)) } else { Err("ERR the reply would be too large".into()) }
}

/// A pattern as in KEYS, put as a regular expression.
fn pattern(glob: &[u8]) -> Result<Regex, Failure> {
    let (mut regex, mut in_class, mut bytes) = (String::from("(?s-u)^"), false, glob.iter().copied());
    let itself = |byte| format!("\\x{byte:02x}");
    while let Some(byte) = bytes.next() {
        match (byte, in_class) {
            (b'*', false) => regex += ".*",
            (b'?', false) => regex += ".",
            (b'[', false) | (b'^' | b'-' | b']', true) => regex.push(char::from(byte)),
            (b'\\', _) => regex += &itself(bytes.next().unwrap_or(byte)),
            _ => regex += &itself(byte),
        }
        in_class = if in_class { byte != b']' } else { byte == b'[' };
    }
    Regex::new(&(regex + "$")).map_err(|_error| "ERR invalid pattern".into())
}

/// A time in milliseconds. One that no calendar can hold is refused, as Redis does.
fn millis(command: &str, time: &[u8], unit: i64, least: i64) -> Result<i64, Failure> {
    let millis = integer(time)?.checked_mul(unit).filter(|millis| (least..1 << 62).contains(millis));
    millis.ok_or_else(|| format!("ERR invalid expire time in '{command}' command").into())
}

fn set(store: &mut Store, db: usize, [key, value]: [&[u8]; 2], options: &[&[u8]]) -> Outcome {
    let (mut lifetime, mut if_there, mut options) = (None, None, options.iter());
    while let Some(option) = options.next() {
        match &*option.to_ascii_uppercase() {
            b"NX" if if_there != Some(true) => if_there = Some(false),
            b"XX" if if_there != Some(false) => if_there = Some(true),
            unit @ (b"EX" | b"PX" | b"PXAT") if lifetime.is_none() => {
                let time = options.next().ok_or("ERR syntax error")?;
                let time = millis("set", time, if unit == b"EX" { 1000 } else { 1 }, 1)?;
                let since = if unit == b"PXAT" { SystemTime::now() } else { UNIX_EPOCH };
                let passed = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                lifetime = Some(time - i64::try_from(passed).unwrap_or(0));
            }
            _ => return Err("ERR syntax error".into()),
        }
    }
    if if_there.is_some_and(|there| store.get(db, key).is_some() != there) {
        return Ok(Reply::Null);
    }
    store.set(db, key, value, false)?;
    lifetime.map(|lifetime| store.expire(db, key, lifetime));
    Ok(OK)
}

fn incr(store: &mut Store, db: usize, key: &[u8]) -> Outcome {
    let old = store.get(db, key).map_or(Ok(0), |value| integer(&value))?;
    let new = old.checked_add(1).ok_or("ERR increment or decrement would overflow")?;
    store.set(db, key, new.to_string().as_bytes(), true)?;
    Ok(Reply::Int(new))
}

/// The settings that clients ask for before they begin.
fn config_get(daemon: &Daemon, globs: &[&[u8]]) -> Outcome {
    let (clients, timeout) =
        (daemon.options.max_clients.to_string(), daemon.options.idle_timeout.to_string());
    let settings = [("save", ""), ("appendonly", "no"), ("maxclients", &clients), ("timeout", &timeout)];
    let patterns: Vec<_> =
        globs.iter().map(|glob| pattern(&glob.to_ascii_lowercase())).collect::<Result<_, _>>()?;
    let fits = |name: &str| patterns.iter().any(|pattern| pattern.is_match(name.as_bytes()));
    let fitting = settings.iter().filter(|(name, _)| fits(name));
    Ok(Reply::Array(fitting.flat_map(|(name, value)| [Reply::text(name), Reply::text(value)]).collect()))
}
