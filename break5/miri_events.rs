#![allow(warnings, clippy::all)]
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;
use tevent_core::*;

#[repr(align(64))]
struct A64(Cell<u8>);
#[repr(align(4096))]
struct A4096(Cell<u8>);

thread_local! { static KEPT: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) }; }

fn ctx() -> Context {
    Context::builder().backend(Backend::Simulated { seed: 1 }).batch(8).build().unwrap()
}
fn real() -> Context {
    Context::builder().batch(8).build().unwrap()
}

#[test]
fn timer_frees_itself_and_context() {
    let ctx = ctx();
    let (a, b) = (A64(Cell::new(0)), A4096(Cell::new(0)));
    let slot: Rc<RefCell<Option<Timer>>> = Rc::default();
    let s = slot.clone();
    let holder: Rc<RefCell<Option<Context>>> = Rc::default();
    let h = holder.clone();
    let t = ctx.add_timer(Duration::ZERO, move |_ev, te, _now| {
        let te2 = te.clone();
        let taken = s.borrow_mut().take();
        drop(taken);
        a.0.set(a.0.get() + 1);
        let _ = format!("{te:?}");
        let c = h.borrow_mut().take();
        drop(c);
        b.0.set(a.0.get());
        assert_eq!(&b as *const _ as usize % 4096, 0);
        assert_eq!(&a as *const _ as usize % 64, 0);
        KEPT.with(|k| k.borrow_mut().push(Box::new(te2)));
    });
    *slot.borrow_mut() = Some(t);
    let ev = (*ctx).clone();
    *holder.borrow_mut() = Some(ctx);
    let _ = ev.loop_once();
    assert!(holder.borrow().is_none());
    let _ = ev.loop_once();
}

struct Nest(RefCell<Option<Box<dyn Any>>>, bool);
impl Drop for Nest {
    fn drop(&mut self) {
        drop(self.0.take());
        if self.1 {
            panic!("drop")
        }
    }
}

#[test]
fn drops_in_drops() {
    for panics in [false, true] {
        let ctx = ctx();
        let mut inner: Box<dyn Any> = Box::new(());
        for i in 0..5 {
            let nest = Nest(RefCell::new(Some(inner)), panics && i == 3);
            inner = match i % 3 {
                0 => Box::new(ctx.add_timer(Duration::from_secs(100), move |_, _, _| {
                    let _ = &nest;
                })),
                1 => Box::new(Immediate::new(move |_, _| {
                    let _ = &nest;
                })),
                _ => Box::new((UnixStream::pair().unwrap(), nest)),
            };
        }
        let c = catch_unwind(AssertUnwindSafe(|| drop(inner)));
        assert_eq!(c.is_err(), panics);
        drop(ctx);
    }
}

fn fds(ctx: Context) {
    ctx.allow_nesting();
    ctx.set_wait_timeout(Some(Duration::ZERO));
    let n = 6;
    let pairs: Vec<_> = (0..n).map(|_| UnixStream::pair().unwrap()).collect();
    let events: Rc<RefCell<Vec<Option<FdEvent>>>> = Rc::default();
    let count = Rc::new(Cell::new(0));
    for (i, (near, far)) in pairs.iter().enumerate() {
        (&*far).write_all(b"x").unwrap();
        let (e, c, al) = (events.clone(), count.clone(), A64(Cell::new(0)));
        let fd = near.as_fd().as_raw_fd();
        let fde = ctx
            .add_fd(&near.as_fd(), FdFlags::READ, move |ev, fde, _| {
                al.0.set(al.0.get().wrapping_add(1));
                c.set(c.get() + 1);
                let k = fde.clone();
                match c.get() % 5 {
                    0 => {
                        let x = e.borrow_mut()[i].take();
                        drop(x);
                    }
                    1 => {
                        let x = e.borrow_mut()[(i + 1) % 6].take();
                        drop(x);
                    }
                    2 => {
                        if c.get() < 30 {
                            let _ = ev.loop_once();
                        }
                    }
                    3 => {
                        let r = ev.re_initialise();
                        let _ = r;
                    }
                    _ => {
                        fde.set_flags(FdFlags::NONE);
                        fde.set_flags(FdFlags::READ | FdFlags::WRITE);
                    }
                }
                KEPT.with(|v| v.borrow_mut().push(Box::new(k)));
                let _ = format!("{fde:?}{}", al.0.get());
            })
            .unwrap();
        events.borrow_mut().push(Some(fde));
    }
    for _ in 0..40 {
        if events.borrow().iter().all(Option::is_none) {
            break;
        }
        let _ = ctx.loop_once();
    }
    let c = events.take();
    drop(ctx);
    drop(c);
}
#[test]
fn fds_sim() {
    fds(ctx())
}
#[test]
fn fds_real() {
    fds(real())
}

#[test]
fn kept_past_everything() {
    std::thread::spawn(|| {
        let ctx = ctx();
        let a = A64(Cell::new(1));
        let t = ctx.add_timer(Duration::from_secs(9), move |_, _, _| a.0.set(2));
        let im = Immediate::new(|_, _| ());
        im.schedule(&ctx);
        let r = (*t).clone();
        KEPT.with(|k| k.borrow_mut().push(Box::new((t, im, r, (*ctx).clone(), ctx))));
    })
    .join()
    .unwrap();
}
