//! REQ-13: a request's error, its Unix number, and the errors of others.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

use std::error::Error;
use std::fmt;
use std::io;
use std::num::ParseIntError;
use std::ops::Deref;
use std::os::fd::RawFd;

use tevent::{Context, FdFlags, Queue, QueueError, Req, ReqError, ReqState, SignalFlags};

#[derive(Debug, PartialEq)]
struct Torn;

impl fmt::Display for Torn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the frame is torn")
    }
}

impl Error for Torn {}

/// What a request says that was finished with it.
fn told(error: impl Into<ReqError>) -> ReqError {
    let req = Req::create(());
    assert!(req.error(error));
    req.recv(|()| ()).unwrap_err()
}

#[test]
fn req_13_states_map_to_unix_errors() {
    let expected = [
        (ReqError::TIMED_OUT, libc::ETIMEDOUT),
        (ReqError::NO_MEMORY, libc::ENOMEM),
        (ReqError::from_errno(libc::EPIPE), libc::EPIPE),
        (Req::create(()).result().unwrap_err(), libc::EINVAL),
        (ReqError::new(1 << 40), libc::EINVAL), // no Unix error has this number
        (ReqError::from_errno(-1), libc::EINVAL),
    ];
    for (error, errno) in expected {
        assert_eq!(error.errno(), errno, "{error:?}");
        assert_eq!(error.kind(), io::Error::from_raw_os_error(errno).kind());
        assert_eq!(io::Error::from(error).raw_os_error(), Some(errno));
    }
    let req = Req::create(());
    req.received();
    assert_eq!(req.result().unwrap_err().errno(), libc::EINVAL);
}

#[test]
fn req_13_a_number_is_taken_as_any_type_that_c_has_for_it() {
    for error in
        [ReqError::from(5_i32), ReqError::from(5_u32), ReqError::from(5_u64), ReqError::from_errno(5)]
    {
        assert_eq!((told(error.clone()), error), (ReqError::new(5), ReqError::new(5)));
    }
    assert_eq!(ReqError::from(0xc000_0022_u32).code(), 0xc000_0022, "an NTSTATUS");
    assert_eq!(ReqError::from_errno(-1).code(), u64::MAX, "as C's conversion");
}

#[test]
fn req_13_an_io_error_becomes_a_user_error_with_its_number_and_back() {
    let error = told(io::Error::from_raw_os_error(libc::ECONNREFUSED));
    assert_eq!((error.state(), &error), (ReqState::UserError, &ReqError::from_errno(libc::ECONNREFUSED)));
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::ConnectionRefused);
    // One without a number keeps its cause.
    let error = told(io::Error::new(io::ErrorKind::UnexpectedEof, "half a packet"));
    assert_eq!((error.errno(), error.to_string()), (libc::EPIPE, "half a packet".to_owned()));
    assert!(error.cause().unwrap().is::<io::Error>());
}

#[test]
fn req_13_a_kind_has_the_number_closest_to_it() {
    for errno in [libc::ENOENT, libc::EACCES, libc::ECONNRESET, libc::EADDRINUSE, libc::EPIPE, libc::EAGAIN] {
        let kind = io::Error::from_raw_os_error(errno).kind();
        assert_eq!(ReqError::from(kind), ReqError::from_errno(errno), "{kind:?}");
        assert_eq!(ReqError::from(io::Error::from(kind)).errno(), errno);
    }
    assert_eq!(ReqError::from(io::ErrorKind::OutOfMemory), ReqError::NO_MEMORY);
    assert_eq!(ReqError::from(io::ErrorKind::Other).errno(), libc::EIO);
}

#[test]
fn req_13_an_error_with_a_cause_goes_through_io_error_and_back_as_it_is() {
    // Of these codes no kind tells the number.
    let codes = [ReqError::from_errno(libc::EMSGSIZE), ReqError::new(1 << 40), ReqError::TIMED_OUT];
    for code in codes {
        let error = io::Error::from(ReqError::with_cause(code.clone(), Torn));
        assert_eq!((error.kind(), error.to_string()), (code.kind(), "the frame is torn".to_owned()));
        let back = told(error);
        assert_eq!((back.state(), back.code(), back.errno()), (code.state(), code.code(), code.errno()));
        assert_eq!(back.cause().unwrap().downcast_ref(), Some(&Torn));
    }
}

#[test]
fn req_13_a_code_with_a_cause_is_given_as_whatever_makes_an_error() {
    let bad: ParseIntError = "12x".parse::<u32>().unwrap_err();
    let from_any = [
        ReqError::with_cause(libc::EIO, bad.clone()),
        ReqError::with_cause(5_u64, bad.clone()),
        ReqError::with_cause(io::ErrorKind::Other, bad.clone()),
        ReqError::with_cause(io::Error::from_raw_os_error(libc::EIO), bad.clone()),
        ReqError::with_cause(ReqError::with_cause(5, "another cause"), bad.clone()),
    ];
    for error in from_any {
        assert_eq!((error.errno(), error.to_string()), (libc::EIO, bad.to_string()));
        assert_eq!(error.cause().unwrap().downcast_ref(), Some(&bad));
    }
}

/// A Ref whose owner has gone.
fn gone<T: Deref<Target: Clone>>(owner: T) -> T::Target {
    owner.deref().clone()
}

/// As in a function that makes a request: `?` takes them all.
fn what_cannot_be_added(what: &str) -> Result<(), ReqError> {
    let ctx = Context::new()?;
    let req = Req::create(());
    match what {
        "a negative fd" => drop(ctx.add_fd(-1 as RawFd, FdFlags::READ, |_ev, _fde, _flags| {})?),
        "SIGKILL" => drop(ctx.add_signal(libc::SIGKILL, SignalFlags::NONE, |_ev, _se, _delivery| {})?),
        "a queue that is gone" => gone(Queue::create(what)).add(&ctx, &req, |_req| {})?,
        "a loop that is gone" => gone(ctx).loop_once()?,
        "exabytes" => Vec::<u8>::new().try_reserve(usize::MAX)?,
        _ => unreachable!(),
    }
    Ok(())
}

#[test]
fn req_13_the_errors_of_this_library_become_a_requests_by_a_question_mark() {
    let expected = [
        ("a negative fd", libc::EINVAL),
        ("SIGKILL", libc::EINVAL),
        ("a queue that is gone", libc::EINVAL),
        ("a loop that is gone", libc::ENOTCONN),
        ("exabytes", libc::ENOMEM),
    ];
    for (what, errno) in expected {
        assert_eq!(what_cannot_be_added(what).unwrap_err().errno(), errno, "{what}");
    }
    let error = what_cannot_be_added("a queue that is gone").unwrap_err();
    let freed = QueueError::Freed("a queue that is gone".to_owned());
    assert_eq!(error.cause().unwrap().downcast_ref(), Some(&freed));
    assert_eq!(io::Error::from(freed).kind(), io::ErrorKind::InvalidInput);
}
