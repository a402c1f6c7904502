#![allow(warnings, clippy::all, unsafe_code)]
use std::cell::*;
use std::rc::Rc;
use std::sync::atomic::*;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tevent::*;
fn alarm(name: &'static str) {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(60));
        eprintln!("HANG in {name}");
        std::process::exit(99)
    });
}

#[test]
fn freed_context() {
    let ctx = Context::new().unwrap();
    let ev = (*ctx).clone();
    drop(ctx);
    let req = Req::from_thread(&ev, || Ok::<_, ReqError>(3));
    println!("{:?} {:?}", req.state(), future_recv(req));
}
static LIVE: AtomicIsize = AtomicIsize::new(0);
struct Count;
impl Count {
    fn new() -> Self {
        LIVE.fetch_add(1, Ordering::SeqCst);
        Count
    }
}
impl Drop for Count {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::SeqCst);
    }
}
#[test]
fn thousands_dropped_everywhere() {
    alarm("thousands");
    for backend in 0..2 {
        let ctx = if backend == 0 {
            Context::new().unwrap()
        } else {
            Context::builder().backend(Backend::Simulated { seed: 3 }).build().unwrap()
        };
        let done = Rc::new(Cell::new(0));
        for round in 0..2000 {
            let d = done.clone();
            let req = Req::from_thread(&ctx, move || {
                let c = Count::new();
                if round % 3 == 0 {
                    thread::yield_now()
                }
                if round % 11 == 0 {
                    std::panic::resume_unwind(Box::new("x"))
                }
                Ok::<_, ReqError>(c)
            });
            match round % 5 {
                0 => drop(req),
                1 => {
                    let _ = req.cancel();
                    drop(future_recv(req));
                }
                2 => {
                    req.set_endtime(&ctx, Duration::ZERO);
                    ctx.add_subreq(req, move |_, r| {
                        d.set(d.get() + 1);
                        drop(future_recv(r))
                    });
                }
                3 => {
                    let r = (*req).clone();
                    ctx.add_subreq(req, move |_, r| {
                        d.set(d.get() + 1);
                        let _ = future_recv(r);
                    });
                    std::mem::forget(r);
                }
                _ => {
                    ctx.add_subreq(req, move |_, r| {
                        d.set(d.get() + 1);
                        drop(r)
                    });
                }
            }
            if round % 50 == 0 {
                ctx.set_wait_timeout(Some(Duration::ZERO));
                let _ = ctx.loop_once();
                ctx.set_wait_timeout(None);
            }
        }
        println!("before {}", done.get());
        ctx.loop_wait().unwrap();
        println!("after {}", done.get());
        assert_eq!(done.get(), 1200);
        drop(ctx);
        for _ in 0..100 {
            if LIVE.load(Ordering::SeqCst) == 0 {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        println!("live {}", LIVE.load(Ordering::SeqCst));
    }
}
#[test]
fn in_a_forked_child() {
    alarm("fork");
    let ctx = Context::new().unwrap();
    let (go, gone) = mpsc::channel::<()>();
    let req = Req::from_thread(&ctx, move || {
        let _ = gone.recv();
        Ok::<_, ReqError>(1)
    });
    ctx.set_wait_timeout(Some(Duration::ZERO));
    let _ = ctx.loop_once();
    ctx.set_wait_timeout(None);
    let child = unsafe { libc::fork() };
    if child == 0 {
        unsafe { libc::alarm(10) };
        drop(req);
        let again = Req::from_thread(&ctx, || Ok::<_, ReqError>(7));
        let p = again.poll(&ctx);
        let r = future_recv(again);
        eprintln!("child: {p:?} {r:?}");
        let w = ctx.loop_wait();
        eprintln!("child loop_wait: {w:?}");
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    unsafe { libc::waitpid(child, &mut status, 0) };
    eprintln!("child status {status:x}");
    go.send(()).unwrap();
    req.poll(&ctx).unwrap();
    println!("{:?}", future_recv(req));
    assert_eq!(status, 0);
}
struct Bad;
impl Drop for Bad {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("in the drop of a result")
        }
    }
}
#[test]
fn result_that_panics_as_it_drops() {
    alarm("bad");
    let ctx = Context::new().unwrap();
    let (go, gone) = mpsc::channel::<()>();
    let req = Req::from_thread(&ctx, move || {
        gone.recv().unwrap();
        Ok::<_, ReqError>(Bad)
    });
    drop(req);
    go.send(()).unwrap();
    ctx.loop_wait().unwrap();
    // result dropped in loop
    let req = Req::from_thread(&ctx, || Ok::<_, ReqError>(Bad));
    req.poll(&ctx).unwrap();
    let r = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(req)));
    println!("{}", r.is_err());
    ctx.loop_wait().unwrap();
}
#[test]
fn no_thread_to_be_had() {
    alarm("nothread");
    let ctx = Context::new().unwrap();
    let child = unsafe { libc::fork() };
    if child == 0 {
        unsafe { libc::alarm(10) };
        let lim = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &lim); assert_eq!(libc::setresuid(65534, 65534, 65534), 0); }
        let req = Req::from_thread(&ctx, || Ok::<_, ReqError>(7));
        let w = req.poll(&ctx);
        let e = future_recv(req);
        eprintln!("{w:?} {e:?} {:?}", ctx.loop_wait());
        unsafe { libc::_exit(if e.is_err() { 0 } else { 3 }) };
    }
    let mut status = 0;
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert_eq!(status, 0);
}
