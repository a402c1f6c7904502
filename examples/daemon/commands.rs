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

/// The name, how long the request is at least and at most, and what it does.
const TABLE: [(&str, usize, usize, fn(&mut Call<'_>) -> Outcome); 21] = [
    ("get", 2, 2, |call| Ok(call.get(call.args[1]))),
    ("set", 3, usize::MAX, set),
    ("incr", 2, 2, incr),
    ("ping", 1, 2, |call| {
        Ok(call.args.get(1).map_or(Reply::Status("PONG"), |text| Reply::Text(text.to_vec())))
    }),
    ("mset", 3, usize::MAX, mset),
    ("mget", 2, usize::MAX, |call| bounded(call.args[1..].iter().map(|key| call.get(key)))),
    ("del", 2, usize::MAX, |call| call.count(|db, key| call.daemon.store.remove(db, key))),
    ("exists", 2, usize::MAX, |call| call.count(|db, key| call.daemon.store.get(db, key).is_some())),
    ("expire", 3, 3, expire),
    ("ttl", 2, 2, ttl),
    ("keys", 2, 2, keys),
    ("dbsize", 1, 1, |call| Ok(int(call.daemon.store.len(call.session.db)))),
    ("flushall", 1, 2, flushall),
    ("select", 2, 2, select),
    ("echo", 2, 2, |call| Ok(Reply::Text(call.args[1].to_vec()))),
    ("info", 1, usize::MAX, |call| Ok(Reply::Text(call.daemon.info().into()))),
    ("config", 3, usize::MAX, config),
    ("command", 1, usize::MAX, command),
    ("client", 2, usize::MAX, client),
    ("bgsave", 1, 1, |call| call.daemon.save().map(|()| Reply::Status("Background saving started"))),
    ("quit", 1, usize::MAX, quit),
];

pub(crate) fn execute(args: &[&[u8]], session: &mut Session, daemon: &Rc<Daemon>) -> Outcome {
    let known = TABLE.iter().find(|(name, ..)| args[0].eq_ignore_ascii_case(name.as_bytes()));
    match known {
        Some((name, least, most, act)) => {
            let mut call = Call { name, args, session, daemon };
            if (*least..=*most).contains(&args.len()) { act(&mut call) } else { call.wrong_number() }
        }
        None => {
            let shown = |arg: &[u8]| String::from_utf8_lossy(&arg[..arg.len().min(128)]).into_owned();
            let rest: String = args[1..].iter().take(8).map(|arg| format!("'{}' ", shown(arg))).collect();
            Err(format!("ERR unknown command '{}', with args beginning with: {rest}", shown(args[0])).into())
        }
    }
}

impl Call<'_> {
    fn get(&self, key: &[u8]) -> Reply {
        self.daemon.store.get(self.session.db, key).map_or(Reply::Null, Reply::Value)
    }

    /// How many of the keys it is true of.
    fn count(&self, is_true: impl Fn(usize, &[u8]) -> bool) -> Outcome {
        Ok(int(self.args[1..].iter().filter(|key| is_true(self.session.db, key)).count()))
    }

    /// The argument in upper case, for options and the like.
    fn upper(&self, n: usize) -> Vec<u8> {
        self.args.get(n).map_or(Vec::new(), |arg| arg.to_ascii_uppercase())
    }

    fn wrong_number(&self) -> Outcome {
        Err(format!("ERR wrong number of arguments for '{}' command", self.name).into())
    }

    fn invalid_time(&self) -> Failure {
        format!("ERR invalid expire time in '{}' command", self.name).into()
    }
}

fn int(number: usize) -> Reply {
    Reply::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn integer(text: &[u8]) -> Result<i64, Failure> {
    number(text).ok_or("ERR value is not an integer or out of range".into())
}

/// An array, unless it would be too large.
fn bounded(replies: impl Iterator<Item = Reply>) -> Outcome {
    let mut length = 0;
    let fits = |reply: Reply| {
        length += if let Reply::Value(value) = &reply { value.len() } else { 0 };
        (length <= MAX_REPLY).then_some(reply)
    };
    let replies = replies.map(fits).collect::<Option<_>>();
    replies.map(Reply::Array).ok_or(format!("ERR the reply would be larger than {MAX_REPLY} bytes").into())
}

/// Whether a pattern fits, as in KEYS.
fn pattern(glob: &[u8]) -> Result<GlobMatcher, Failure> {
    let glob = String::from_utf8_lossy(glob).replace('{', "\\{").replace('}', "\\}");
    let glob = GlobBuilder::new(&glob).literal_separator(false).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| format!("ERR {error}").into())
}

fn set(call: &mut Call<'_>) -> Outcome {
    let (db, key, store) = (call.session.db, call.args[1], &call.daemon.store);
    let (mut lifetime, mut if_there, mut n) = (None, None, 3);
    while n < call.args.len() {
        let option = call.upper(n);
        n += 1;
        match (&*option, call.args.get(n)) {
            (b"NX", _) if if_there != Some(true) => if_there = Some(false),
            (b"XX", _) if if_there != Some(false) => if_there = Some(true),
            (b"EX" | b"PX" | b"PXAT", Some(time)) if lifetime.is_none() => {
                let time = u64::try_from(integer(time)?).ok().filter(|time| *time > 0);
                let time = time.ok_or_else(|| call.invalid_time())?;
                let till = || {
                    UNIX_EPOCH
                        .checked_add(Duration::from_millis(time))?
                        .duration_since(SystemTime::now())
                        .ok()
                };
                lifetime = Some(match &*option {
                    b"EX" => Duration::from_secs(time),
                    b"PX" => Duration::from_millis(time),
                    _ => till().unwrap_or_default(),
                });
                n += 1;
            }
            _ => return Err("ERR syntax error".into()),
        }
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
    let (pairs, rest) = call.args[1..].as_chunks();
    if !rest.is_empty() {
        return call.wrong_number();
    }
    pairs.iter().try_for_each(|[key, value]| call.daemon.store.set(call.session.db, key, value, false))?;
    OK
}

fn expire(call: &mut Call<'_>) -> Outcome {
    let lifetime = Duration::from_secs(u64::try_from(integer(call.args[2])?).unwrap_or(0));
    Ok(Reply::Int(call.daemon.store.expire(call.session.db, call.args[1], lifetime).into()))
}

fn ttl(call: &mut Call<'_>) -> Outcome {
    let rounded =
        |left: Duration| (left + Duration::from_millis(500)).as_secs().try_into().unwrap_or(i64::MAX);
    let left = call.daemon.store.lifetime(call.session.db, call.args[1]);
    Ok(Reply::Int(left.map_or(-2, |left| left.map_or(-1, rounded))))
}

fn keys(call: &mut Call<'_>) -> Outcome {
    let (mut keys, pattern) = (call.daemon.store.keys(call.session.db), pattern(call.args[1])?);
    keys.retain(|key| pattern.is_match(OsStr::from_bytes(key)));
    bounded(keys.into_iter().map(Reply::Value))
}

fn flushall(call: &mut Call<'_>) -> Outcome {
    if !matches!(&*call.upper(1), b"" | b"SYNC" | b"ASYNC") {
        return Err("ERR syntax error".into());
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
    let patterns: Vec<_> =
        call.args[2..].iter().map(|glob| pattern(&glob.to_ascii_lowercase())).collect::<Result<_, _>>()?;
    let settings = call.daemon.settings().into_iter();
    let wanted = settings.filter(|(name, _)| patterns.iter().any(|pattern| pattern.is_match(name)));
    Ok(Reply::Array(wanted.flat_map(|(name, value)| [name.into(), value.into()]).map(Reply::Text).collect()))
}

fn command(call: &mut Call<'_>) -> Outcome {
    let names = || TABLE.iter().map(|(name, ..)| Reply::Text((*name).into())).collect();
    match &*call.upper(1) {
        b"LIST" => Ok(Reply::Array(names())),
        b"COUNT" => Ok(int(TABLE.len())),
        b"" | b"DOCS" | b"INFO" => Ok(Reply::Array(Vec::new())), // clients do without
        _ => Err("ERR unknown subcommand of COMMAND".into()),
    }
}

fn client(call: &mut Call<'_>) -> Outcome {
    match (&*call.upper(1), call.args) {
        (b"ID", [_, _]) => Ok(int(call.session.id)),
        (b"GETNAME", [_, _]) if call.session.name.is_empty() => Ok(Reply::Null),
        (b"GETNAME", [_, _]) => Ok(Reply::Text(call.session.name.clone())),
        (b"SETNAME", [_, _, name]) if name.iter().all(u8::is_ascii_graphic) => {
            call.session.name = name.to_vec();
            OK
        }
        (b"SETNAME", [_, _, _]) => {
            Err("ERR Client names cannot contain spaces, newlines or special characters.".into())
        }
        (b"SETINFO", [_, _, _, _]) => OK,
        _ => Err("ERR unknown subcommand of CLIENT, or wrong number of arguments for it".into()),
    }
}

fn quit(call: &mut Call<'_>) -> Outcome {
    call.session.quit = true;
    OK
}
