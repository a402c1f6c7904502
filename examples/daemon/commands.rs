//! What each command does. None of them waits, and none knows where its request came from.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use globset::{GlobBuilder, GlobMatcher};

use crate::daemon::Daemon;
use crate::reply::{Failure, Reply};
use crate::resp::number;
use crate::store::DATABASES;

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

/// A request on its way through a command.
struct Call<'a> {
    name: &'static str,
    args: &'a [&'a [u8]],
    session: &'a mut Session,
    daemon: &'a Rc<Daemon>,
}

type Outcome = Result<Reply, Failure>;

const OK: Outcome = Ok(Reply::Status("OK"));
const SYNTAX: Outcome = Err(Failure::Borrowed("ERR syntax error"));
const ANY: usize = usize::MAX;

/// The name, how long the request is at least and at most, and what it does.
type Command = (&'static str, usize, usize, fn(&mut Call<'_>) -> Outcome);

const TABLE: [Command; 21] = [
    ("get", 2, 2, |call| Ok(call.get(call.args[1]))),
    ("set", 3, ANY, set),
    ("incr", 2, 2, incr),
    ("ping", 1, 2, |call| Ok(call.args.get(1).map_or(Reply::Status("PONG"), |text| Reply::text(text)))),
    ("mset", 3, ANY, mset),
    ("mget", 2, ANY, |call| bounded(call.args[1..].iter().map(|key| call.get(key)).collect())),
    ("del", 2, ANY, |call| Ok(call.count(|db, key| call.daemon.store.remove(db, key)))),
    ("exists", 2, ANY, |call| Ok(call.count(|db, key| call.daemon.store.get(db, key).is_some()))),
    ("expire", 3, 3, expire),
    ("ttl", 2, 2, |call| Ok(Reply::Int(call.daemon.store.seconds_left(call.session.db, call.args[1])))),
    ("keys", 2, 2, keys),
    ("dbsize", 1, 1, |call| Ok(Reply::int(call.daemon.store.len(call.session.db)))),
    ("flushall", 1, 2, flushall),
    ("select", 2, 2, select),
    ("echo", 2, 2, |call| Ok(Reply::text(call.args[1]))),
    ("info", 1, ANY, |call| Ok(Reply::text(call.daemon.info()))),
    ("config", 3, ANY, config),
    ("command", 1, ANY, |_call| Ok(Reply::Array(Vec::new()))), // clients do without
    ("client", 2, ANY, client),
    ("bgsave", 1, 1, |call| call.daemon.save().map(|()| Reply::Status("Background saving started"))),
    ("quit", 1, ANY, quit),
];

pub(crate) fn execute(args: &[&[u8]], session: &mut Session, daemon: &Rc<Daemon>) -> Outcome {
    let known = TABLE.iter().find(|(name, ..)| args[0].eq_ignore_ascii_case(name.as_bytes()));
    let Some((name, least, most, act)) = known else {
        let shown = |arg: &[u8]| String::from_utf8_lossy(&arg[..arg.len().min(128)]).into_owned();
        let rest: Vec<_> = args[1..].iter().take(8).map(|arg| format!("'{}' ", shown(arg))).collect();
        let (name, rest) = (shown(args[0]), rest.concat());
        return Err(format!("ERR unknown command '{name}', with args beginning with: {rest}").into());
    };
    let mut call = Call { name, args, session, daemon };
    if (*least..=*most).contains(&args.len()) { act(&mut call) } else { call.wrong_number() }
}

impl Call<'_> {
    fn get(&self, key: &[u8]) -> Reply {
        self.daemon.store.get(self.session.db, key).map_or(Reply::Null, Reply::Value)
    }

    /// How many of the keys it is true of.
    fn count(&self, is_true: impl Fn(usize, &[u8]) -> bool) -> Reply {
        Reply::int(self.args[1..].iter().filter(|key| is_true(self.session.db, key)).count())
    }

    /// The argument in upper case, for options and the like; empty if there is none.
    fn upper(&self, n: usize) -> Vec<u8> {
        self.args.get(n).map_or(Vec::new(), |arg| arg.to_ascii_uppercase())
    }

    fn wrong_number(&self) -> Outcome {
        Err(format!("ERR wrong number of arguments for '{}' command", self.name).into())
    }
}

fn integer(text: &[u8]) -> Result<i64, Failure> {
    number(text).ok_or("ERR value is not an integer or out of range".into())
}

fn bounded(values: Vec<Reply>) -> Outcome {
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

fn set(call: &mut Call<'_>) -> Outcome {
    let (db, key, store) = (call.session.db, call.args[1], &call.daemon.store);
    let (mut lifetime, mut if_there, mut n) = (None, None, 3);
    while n < call.args.len() {
        match (&*call.upper(n), call.args.get(n + 1)) {
            (b"NX", _) if if_there != Some(true) => if_there = Some(false),
            (b"XX", _) if if_there != Some(false) => if_there = Some(true),
            (unit @ (b"EX" | b"PX" | b"PXAT"), Some(time)) if lifetime.is_none() => {
                let time = u64::try_from(integer(time)?).ok().filter(|time| *time > 0);
                let time = time.ok_or("ERR invalid expire time in 'set' command")?;
                lifetime = Some(match unit {
                    b"EX" => Duration::from_secs(time),
                    b"PX" => Duration::from_millis(time),
                    _ => (UNIX_EPOCH + Duration::from_millis(time))
                        .duration_since(SystemTime::now())
                        .unwrap_or_default(),
                });
                n += 1;
            }
            _ => return SYNTAX,
        }
        n += 1;
    }
    if if_there.is_some_and(|there| store.get(db, key).is_some() != there) {
        return Ok(Reply::Null);
    }
    store.set(db, key, call.args[2], false)?;
    lifetime.map(|lifetime| store.expire(db, key, lifetime));
    OK
}

fn incr(call: &mut Call<'_>) -> Outcome {
    let (db, key, store) = (call.session.db, call.args[1], &call.daemon.store);
    let old = store.get(db, key).map_or(Ok(0), |value| integer(&value))?;
    let new = old.checked_add(1).ok_or("ERR increment or decrement would overflow")?;
    store.set(db, key, new.to_string().as_bytes(), true)?;
    Ok(Reply::Int(new))
}

fn mset(call: &mut Call<'_>) -> Outcome {
    let (pairs, []) = call.args[1..].as_chunks() else { return call.wrong_number() };
    pairs.iter().try_for_each(|[key, value]| call.daemon.store.set(call.session.db, key, value, false))?;
    OK
}

fn expire(call: &mut Call<'_>) -> Outcome {
    let lifetime = Duration::from_secs(u64::try_from(integer(call.args[2])?).unwrap_or(0));
    Ok(Reply::Int(call.daemon.store.expire(call.session.db, call.args[1], lifetime).into()))
}

fn keys(call: &mut Call<'_>) -> Outcome {
    let (mut keys, pattern) = (call.daemon.store.keys(call.session.db), pattern(call.args[1])?);
    keys.retain(|key| pattern.is_match(OsStr::from_bytes(key)));
    bounded(keys.into_iter().map(Reply::Value).collect())
}

fn flushall(call: &mut Call<'_>) -> Outcome {
    if !matches!(&*call.upper(1), b"" | b"SYNC" | b"ASYNC") {
        return SYNTAX;
    }
    call.daemon.store.clear();
    OK
}

fn select(call: &mut Call<'_>) -> Outcome {
    let index = usize::try_from(integer(call.args[1])?).ok().filter(|index| *index < DATABASES);
    call.session.db = index.ok_or("ERR DB index is out of range")?;
    OK
}

fn config(call: &mut Call<'_>) -> Outcome {
    if call.upper(1) != b"GET" {
        return Err("ERR only CONFIG GET is known: this server is configured when it is started".into());
    }
    let mut found = Vec::new();
    for glob in &call.args[2..] {
        let pattern = pattern(&glob.to_ascii_lowercase())?;
        let settings = call.daemon.settings().into_iter().filter(|(name, _)| pattern.is_match(name));
        found.extend(settings.flat_map(|(name, value)| [Reply::text(name), Reply::text(value)]));
    }
    Ok(Reply::Array(found))
}

fn client(call: &mut Call<'_>) -> Outcome {
    match (&*call.upper(1), call.args) {
        (b"ID", [_, _]) => Ok(Reply::int(call.session.id)),
        (b"GETNAME", [_, _]) if call.session.name.is_empty() => Ok(Reply::Null),
        (b"GETNAME", [_, _]) => Ok(Reply::text(&call.session.name)),
        (b"SETNAME", [_, _, name]) => {
            call.session.name = name.to_vec();
            OK
        }
        _ => Err("ERR unknown subcommand of CLIENT, or wrong number of arguments for it".into()),
    }
}

fn quit(call: &mut Call<'_>) -> Outcome {
    call.session.quit = true;
    OK
}
