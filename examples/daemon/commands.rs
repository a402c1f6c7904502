//! What each command does. None of them waits, and none knows where its request came from.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::daemon::Daemon;
use crate::glob;
use crate::reply::Reply;
use crate::resp::{Request, number};
use crate::store::{DATABASES, Full, Store};

/// A reply is no longer than this, and what stands around the keys and values in it.
const MAX_REPLY: usize = 64 << 20;

/// What a connection is to the commands.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) id: i64,
    db: usize,
    name: Vec<u8>,
    /// It has asked to be closed.
    pub(crate) quit: bool,
}

impl Session {
    pub(crate) fn new(id: i64) -> Session {
        Session { id, ..Session::default() }
    }
}

/// A request on its way through a command.
struct Call<'a> {
    args: &'a Request<'a>,
    session: &'a mut Session,
    daemon: &'a Rc<Daemon>,
}

/// What a reply says of a request that failed: its kind, such as ERR, and the rest of the line.
struct Failure(Cow<'static, str>);

type Outcome = Result<Reply, Failure>;

const OK: Outcome = Ok(Reply::Status("OK"));

fn fail<T>(text: impl Into<Cow<'static, str>>) -> Result<T, Failure> {
    Err(Failure(text.into()))
}

impl From<Full> for Failure {
    fn from(_full: Full) -> Self {
        Failure("OOM command not allowed when used memory > 'maxmemory'.".into())
    }
}

/// The name, the arity (the length of the request, negative for at least so many), and what it does.
const TABLE: [(&str, i64, fn(&mut Call<'_>) -> Outcome); 21] = [
    ("get", 2, |call| Ok(call.store().get(call.session.db, &call.args[1]).map_or(Reply::Null, Reply::Value))),
    ("set", -3, set),
    ("incr", 2, incr),
    ("ping", -1, ping),
    ("mset", -3, mset),
    ("mget", -2, mget),
    ("del", -2, |call| {
        Ok(count(call.keys().filter(|key| call.store().remove(call.session.db, key)).count()))
    }),
    ("exists", -2, |call| {
        Ok(count(call.keys().filter(|key| call.store().has(call.session.db, key)).count()))
    }),
    ("expire", 3, expire),
    ("ttl", 2, ttl),
    ("keys", 2, keys),
    ("dbsize", 1, |call| Ok(count(call.store().len(call.session.db)))),
    ("flushall", -1, flushall),
    ("select", 2, select),
    ("echo", 2, |call| Ok(Reply::Text(call.args[1].to_vec()))),
    ("info", -1, |call| Ok(Reply::Text(call.daemon.info().into_bytes()))),
    ("config", -2, config),
    ("command", -1, command),
    ("client", -2, client),
    ("bgsave", 1, |call| {
        call.daemon.save().map_or_else(fail, |()| Ok(Reply::Status("Background saving started")))
    }),
    ("quit", -1, quit),
];

pub(crate) fn execute(args: &Request<'_>, session: &mut Session, daemon: &Rc<Daemon>) -> Reply {
    let known = TABLE.iter().find(|(name, ..)| args[0].eq_ignore_ascii_case(name.as_bytes()));
    let outcome = match known {
        Some((name, arity, act)) => {
            let (length, least) = (args.len(), arity.unsigned_abs() as usize);
            let fits = if *arity < 0 { length >= least } else { length == least };
            if fits { act(&mut Call { args, session, daemon }) } else { wrong_number(name) }
        }
        None => {
            let given: Vec<_> =
                args.from(0).take(8).map(|arg| String::from_utf8_lossy(&arg[..arg.len().min(128)])).collect();
            let rest: String = given[1..].iter().map(|arg| format!("'{arg}' ")).collect();
            fail(format!("ERR unknown command '{}', with args beginning with: {rest}", given[0]))
        }
    };
    outcome.unwrap_or_else(|Failure(text)| Reply::Error(text))
}

fn wrong_number(name: &str) -> Outcome {
    fail(format!("ERR wrong number of arguments for '{name}' command"))
}

fn count(number: usize) -> Reply {
    Reply::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn integer(text: &[u8]) -> Result<i64, Failure> {
    number(text).map_or_else(|| fail("ERR value is not an integer or out of range"), Ok)
}

impl Call<'_> {
    fn store(&self) -> &Store {
        &self.daemon.store
    }

    fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.args.from(1)
    }
}

/// An array, unless it would be too large.
fn values(sizes: impl Iterator<Item = usize>, values: impl Iterator<Item = Reply>) -> Outcome {
    if sizes.sum::<usize>() > MAX_REPLY {
        return fail(format!("ERR the reply would be larger than {MAX_REPLY} bytes"));
    }
    Ok(Reply::Array(values.collect()))
}

fn set(call: &mut Call<'_>) -> Outcome {
    let (db, key) = (call.session.db, &call.args[1]);
    let (mut lifetime, mut if_there) = (None, None);
    let mut options = call.args.from(3);
    while let Some(option) = options.next() {
        match &*option.to_ascii_uppercase() {
            b"NX" if if_there != Some(true) => if_there = Some(false),
            b"XX" if if_there != Some(false) => if_there = Some(true),
            unit @ (b"EX" | b"PX" | b"PXAT") if lifetime.is_none() => {
                let Some(time) = options.next() else { return fail("ERR syntax error") };
                let time = u64::try_from(integer(time)?).ok().filter(|time| *time > 0);
                let Some(time) = time else { return fail("ERR invalid expire time in 'set' command") };
                lifetime = Some(match unit {
                    b"EX" => Duration::from_secs(time),
                    b"PX" => Duration::from_millis(time),
                    _ => (UNIX_EPOCH + Duration::from_millis(time))
                        .duration_since(SystemTime::now())
                        .unwrap_or_default(),
                });
            }
            _ => return fail("ERR syntax error"),
        }
    }
    if if_there.is_some_and(|there| call.store().has(db, key) != there) {
        return Ok(Reply::Null);
    }
    call.store().set(db, key, &call.args[2], false)?;
    if let Some(lifetime) = lifetime {
        call.store().expire(db, key, lifetime);
    }
    OK
}

fn incr(call: &mut Call<'_>) -> Outcome {
    let (db, key) = (call.session.db, &call.args[1]);
    let old = call.store().get(db, key).map_or(Ok(0), |value| integer(&value))?;
    let Some(new) = old.checked_add(1) else { return fail("ERR increment or decrement would overflow") };
    call.store().set(db, key, new.to_string().as_bytes(), true)?;
    Ok(Reply::Int(new))
}

fn ping(call: &mut Call<'_>) -> Outcome {
    match call.args.len() {
        1 => Ok(Reply::Status("PONG")),
        2 => Ok(Reply::Text(call.args[1].to_vec())),
        _ => wrong_number("ping"),
    }
}

fn mset(call: &mut Call<'_>) -> Outcome {
    if call.args.len() % 2 == 0 {
        return wrong_number("mset");
    }
    for n in (1..call.args.len()).step_by(2) {
        call.store().set(call.session.db, &call.args[n], &call.args[n + 1], false)?;
    }
    OK
}

fn mget(call: &mut Call<'_>) -> Outcome {
    let found: Vec<_> = call.keys().map(|key| call.store().get(call.session.db, key)).collect();
    let sizes = found.iter().flatten().map(|value| value.len());
    values(sizes, found.iter().map(|value| value.clone().map_or(Reply::Null, Reply::Value)))
}

fn expire(call: &mut Call<'_>) -> Outcome {
    let lifetime = Duration::from_secs(u64::try_from(integer(&call.args[2])?).unwrap_or(0));
    Ok(Reply::Int(call.store().expire(call.session.db, &call.args[1], lifetime).into()))
}

fn ttl(call: &mut Call<'_>) -> Outcome {
    Ok(match call.store().lifetime(call.session.db, &call.args[1]) {
        None => Reply::Int(-2),
        Some(None) => Reply::Int(-1),
        Some(Some(left)) => {
            Reply::Int((left + Duration::from_millis(500)).as_secs().try_into().unwrap_or(i64::MAX))
        }
    })
}

fn keys(call: &mut Call<'_>) -> Outcome {
    let mut keys = call.store().keys(call.session.db);
    keys.retain(|key| glob::matches(&call.args[1], key));
    values(keys.iter().map(|key| key.len()), keys.iter().cloned().map(Reply::Value))
}

fn flushall(call: &mut Call<'_>) -> Outcome {
    if !call.keys().all(|mode| mode.eq_ignore_ascii_case(b"SYNC") || mode.eq_ignore_ascii_case(b"ASYNC")) {
        return fail("ERR syntax error");
    }
    call.store().clear();
    OK
}

fn select(call: &mut Call<'_>) -> Outcome {
    match usize::try_from(integer(&call.args[1])?) {
        Ok(db) if db < DATABASES => call.session.db = db,
        _ => return fail("ERR DB index is out of range"),
    }
    OK
}

fn config(call: &mut Call<'_>) -> Outcome {
    if !call.args[1].eq_ignore_ascii_case(b"GET") || call.args.len() < 3 {
        return fail("ERR only CONFIG GET is known: this server is configured when it is started");
    }
    let wanted = |name: &str| {
        call.args.from(2).any(|pattern| glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes()))
    };
    let settings = call.daemon.settings().into_iter().filter(|(name, _)| wanted(name));
    let replies =
        settings.flat_map(|(name, value)| [Reply::Text(name.into()), Reply::Text(value.into_bytes())]);
    Ok(Reply::Array(replies.collect()))
}

fn command(call: &mut Call<'_>) -> Outcome {
    match call.keys().next().map(<[u8]>::to_ascii_uppercase).as_deref() {
        None => Ok(Reply::Array(
            TABLE
                .iter()
                .map(|(name, arity, _)| {
                    let (name, none) = (Reply::Text((*name).into()), || Reply::Int(0));
                    Reply::Array(vec![
                        name,
                        Reply::Int(*arity),
                        Reply::Array(Vec::new()),
                        none(),
                        none(),
                        none(),
                    ])
                })
                .collect(),
        )),
        Some(b"COUNT") => Ok(count(TABLE.len())),
        Some(b"DOCS") => Ok(Reply::Array(Vec::new())),
        Some(_) => fail("ERR unknown subcommand of COMMAND"),
    }
}

fn client(call: &mut Call<'_>) -> Outcome {
    match (&*call.args[1].to_ascii_uppercase(), call.args.len()) {
        (b"ID", 2) => Ok(Reply::Int(call.session.id)),
        (b"GETNAME", 2) if call.session.name.is_empty() => Ok(Reply::Null),
        (b"GETNAME", 2) => Ok(Reply::Text(call.session.name.clone())),
        (b"SETNAME", 3) if !call.args[2].iter().all(u8::is_ascii_graphic) => {
            fail("ERR Client names cannot contain spaces, newlines or special characters.")
        }
        (b"SETNAME", 3) => {
            call.session.name = call.args[2].to_vec();
            OK
        }
        (b"SETINFO", 4) => OK,
        _ => fail("ERR unknown subcommand of CLIENT, or wrong number of arguments for it"),
    }
}

fn quit(call: &mut Call<'_>) -> Outcome {
    call.session.quit = true;
    OK
}
