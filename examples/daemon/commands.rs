//! What each command does. None of them waits, and none knows where its request came from.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use globset::{GlobBuilder, GlobMatcher};

use crate::daemon::Daemon;
use crate::resp::{Failure, OK, Reply, number};
use crate::store::{DATABASES, Store};

/// The keys and values of a reply are no longer than this.
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

const NAMES: [&str; 21] = [
    "bgsave", "client", "command", "config", "dbsize", "del", "echo", "exists", "expire", "flushall", "get",
    "incr", "info", "keys", "mget", "mset", "ping", "quit", "select", "set", "ttl",
];

pub(crate) fn execute(args: &[&[u8]], session: &mut Session, daemon: &Rc<Daemon>) -> Result<Reply, Failure> {
    let (name, db, store) = (args[0].to_ascii_lowercase(), session.db, || daemon.store.borrow_mut());
    let get = |key: &&[u8]| store().get(db, key).map_or(Reply::Null, Reply::Value);
    let has = |key: &&&[u8]| store().databases[db].contains_key(**key);
    Ok(match (&*name, &args[1..]) {
        (b"get", [key]) => get(key),
        (b"set", [key, value, options @ ..]) => set(&mut store(), db, (key, value), options)?,
        (b"incr", [key]) => incr(&mut store(), db, key)?,
        (b"mget", keys @ [_, ..]) => bounded(keys.iter().map(get).collect())?,
        (b"mset", pairs @ [_, _, ..]) if pairs.len() % 2 == 0 => {
            pairs.chunks(2).try_for_each(|pair| store().set(db, pair[0], pair[1], false))?;
            OK
        }
        (b"del", keys @ [_, ..]) => Reply::int(keys.iter().filter(|key| store().remove(db, key)).count()),
        (b"exists", keys @ [_, ..]) => Reply::int(keys.iter().filter(has).count()),
        (b"expire", [key, seconds]) => Reply::int(usize::from(match integer(seconds)? {
            seconds @ 1.. => store().expire(db, key, Duration::from_secs(seconds.cast_unsigned())),
            _ => store().remove(db, key),
        })),
        (b"ttl", [key]) => Reply::Int(store().seconds_left(db, key)),
        (b"keys", [glob]) => {
            let (pattern, store) = (pattern(glob)?, store());
            let fitting = store.databases[db].keys().filter(|key| pattern.is_match(OsStr::from_bytes(key)));
            bounded(fitting.cloned().map(Reply::Value).collect())?
        }
        (b"dbsize", []) => Reply::int(store().databases[db].len()),
        (b"flushall", [] | [_]) => {
            store().clear();
            OK
        }
        (b"select", [index]) => {
            let index = usize::try_from(integer(index)?).ok().filter(|index| *index < DATABASES);
            session.db = index.ok_or("ERR DB index is out of range")?;
            OK
        }
        (b"ping", []) => Reply::Status("PONG"),
        (b"ping" | b"echo", [text]) => Reply::text(text),
        (b"client", [sub]) if sub.eq_ignore_ascii_case(b"id") => Reply::int(session.id),
        (b"client", [sub]) if sub.eq_ignore_ascii_case(b"getname") && session.name.is_empty() => Reply::Null,
        (b"client", [sub]) if sub.eq_ignore_ascii_case(b"getname") => Reply::text(&session.name),
        (b"client", [sub, name]) if sub.eq_ignore_ascii_case(b"setname") => {
            session.name = name.to_vec();
            OK
        }
        (b"config", [sub, globs @ ..]) if sub.eq_ignore_ascii_case(b"get") => config_get(daemon, globs)?,
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

fn bounded(values: Vec<Reply>) -> Result<Reply, Failure> {
    let length = |value: &Reply| if let Reply::Value(value) = value { value.len() } else { 0 };
    let fits = values.iter().map(length).sum::<usize>() <= MAX_REPLY;
    if fits { Ok(Reply::Array(values)) } else { Err("ERR the reply would be too large".into()) }
}

/// A pattern as in KEYS.
fn pattern(glob: &[u8]) -> Result<GlobMatcher, Failure> {
    let glob = String::from_utf8_lossy(glob).replace('{', "\\{").replace('}', "\\}");
    let glob = GlobBuilder::new(&glob).literal_separator(false).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| format!("ERR {error}").into())
}

fn set(
    store: &mut Store,
    db: usize,
    (key, value): (&[u8], &[u8]),
    options: &[&[u8]],
) -> Result<Reply, Failure> {
    let (mut lifetime, mut if_there, mut options) = (None, None, options.iter());
    while let Some(option) = options.next() {
        match &*option.to_ascii_uppercase() {
            b"NX" if if_there != Some(true) => if_there = Some(false),
            b"XX" if if_there != Some(false) => if_there = Some(true),
            unit @ (b"EX" | b"PX" | b"PXAT") if lifetime.is_none() => {
                let time = u64::try_from(integer(options.next().ok_or("ERR syntax error")?)?);
                let time =
                    time.ok().filter(|time| *time > 0).ok_or("ERR invalid expire time in 'set' command")?;
                let from_now = |at| (UNIX_EPOCH + at).duration_since(SystemTime::now()).unwrap_or_default();
                lifetime = Some(match unit {
                    b"EX" => Duration::from_secs(time),
                    b"PX" => Duration::from_millis(time),
                    _ => from_now(Duration::from_millis(time)),
                });
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

fn incr(store: &mut Store, db: usize, key: &[u8]) -> Result<Reply, Failure> {
    let old = store.get(db, key).map_or(Ok(0), |value| integer(&value))?;
    let new = old.checked_add(1).ok_or("ERR increment or decrement would overflow")?;
    store.set(db, key, new.to_string().as_bytes(), true)?;
    Ok(Reply::Int(new))
}

/// The settings that clients ask for before they begin.
fn config_get(daemon: &Daemon, globs: &[&[u8]]) -> Result<Reply, Failure> {
    let numbers = [daemon.options.max_clients.to_string(), daemon.options.idle_timeout.to_string()];
    let settings =
        [("save", ""), ("appendonly", "no"), ("maxclients", &numbers[0]), ("timeout", &numbers[1])];
    let mut found = Vec::new();
    for glob in globs {
        let pattern = pattern(&glob.to_ascii_lowercase())?;
        let fitting = settings.iter().filter(|(name, _)| pattern.is_match(name));
        found.extend(fitting.flat_map(|(name, value)| [Reply::text(name), Reply::text(value)]));
    }
    Ok(Reply::Array(found))
}
