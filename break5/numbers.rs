#![allow(warnings, clippy::all, unsafe_code)]
use std::cell::*; use std::rc::Rc; use std::time::Duration; use std::os::fd::*; use std::os::unix::net::UnixStream; use std::io::Write;
use tevent::*;
const N: usize = 6;
struct Num { raw: i32, readable: bool, far: UnixStream, reopened: u64, keep: Vec<OwnedFd> }
struct Ev { fde: Option<FdEvent>, n: usize, since: u64, gone: bool }
struct W { nums: Vec<Num>, evs: Vec<Ev>, t: u64, rng: u64, calls: u64, log: Vec<String> }
type S = Rc<RefCell<W>>;
fn r(w: &mut W, n: usize) -> usize { w.rng ^= w.rng << 13; w.rng ^= w.rng >> 7; w.rng ^= w.rng << 17; (w.rng >> 11) as usize % n }
fn put(raw: i32, readable: bool, far: &mut Option<UnixStream>, keep: Option<&mut Vec<OwnedFd>>) {
    let (near, mut f) = UnixStream::pair().unwrap();
    if readable { f.write_all(b"x").unwrap(); }
    if let Some(k) = keep { let d = unsafe { libc::dup(raw) }; if d >= 0 { k.push(unsafe { OwnedFd::from_raw_fd(d) }) } }
    assert!(unsafe { libc::dup2(near.as_raw_fd(), raw) } >= 0);
    *far = Some(f);
}
fn add(ev: &ContextRef, s: &S, n: usize) {
    let raw = s.borrow().nums[n].raw;
    let id = s.borrow().evs.len();
    let s2 = s.clone();
    let fde = ev.add_fd(raw, FdFlags::READ, move |ev, fde, flags| {
        { let mut w = s2.borrow_mut(); w.calls += 1; w.log.push(format!("call {id}")); 
          let (e, n) = (&w.evs[id], &w.nums[w.evs[id].n]);
          assert!(!e.gone, "freed event {id} called");
          assert!(!flags.contains(FdFlags::READ) || n.readable || e.since < n.reopened, "event {id} on {} of {} reopened {}: {:?}", n.raw, e.since, n.reopened, { let on = |l: &&String| { let raw = n.raw.to_string(); l.contains(&raw) || w.evs.iter().enumerate().any(|(i, e)| w.nums[e.n].raw == n.raw && (*l == &format!("free {i}") || *l == &format!("none {i}") || *l == &format!("again {i}")|| *l == &format!("more {i}")|| *l == &format!("call {i}"))) || l.starts_with("new") }; w.log.iter().enumerate().filter(|(_, l)| on(l)).collect::<Vec<_>>() });
        }
        for _ in 0..3 { act(ev, &s2); }
    }).unwrap();
    let mut w = s.borrow_mut(); w.t += 1; let since = w.t;
    w.log.push(format!("add {id} on {raw}"));
    w.evs.push(Ev { fde: Some(fde), n, since, gone: false });
}
fn act(ev: &ContextRef, s: &S) {
    let (what, n, e) = { let mut w = s.borrow_mut(); let l = w.evs.len().max(1); (r(&mut w, 12), r(&mut w, N), { let lo = l.saturating_sub(12); lo + r(&mut w, l - lo) }) };
    match what {
        0 | 1 => { // reopen
            let mut w = s.borrow_mut(); w.t += 1; let t = w.t; let readable = r(&mut w, 3) > 0; let kept = r(&mut w, 2) > 0;
            let num = &mut w.nums[n]; let mut far = None; let raw = num.raw;
            put(raw, readable, &mut far, kept.then_some(&mut num.keep));
            if num.keep.len() > 20 { num.keep.clear(); }
            if !kept { num.far = far.unwrap(); } else { { let old = std::mem::replace(&mut num.far, far.unwrap()); num.keep.push(old.into()); } }
            num.readable = readable; num.reopened = t; w.log.push(format!("reopen {raw} readable {readable} kept {kept}"));
        }
        2 | 3 => { let x = { let mut w = s.borrow_mut(); w.log.push(format!("free {e}")); w.evs.get_mut(e).and_then(|e| { e.gone = true; e.fde.take() }) }; drop(x); }
        4 | 5 | 6 => { add(ev, s, n) }
        7 | 8 => { let x = s.borrow().evs.get(e).and_then(|e| e.fde.as_ref().map(|f| (**f).clone())); if let Some(f) = x { f.set_flags(FdFlags::NONE); s.borrow_mut().log.push(format!("none {e}")); } }
        9 => { let x = s.borrow().evs.get(e).and_then(|e| e.fde.as_ref().map(|f| (**f).clone())); if let Some(f) = x { f.set_flags(FdFlags::NONE); f.set_flags(FdFlags::READ); let mut w = s.borrow_mut(); w.log.push(format!("again {e}")); } }
        10 => { let x = s.borrow().evs.get(e).and_then(|e| e.fde.as_ref().map(|f| (**f).clone())); if let Some(f) = x { f.set_flags(FdFlags::READ | FdFlags::ERROR); s.borrow_mut().log.push(format!("more {e}")); } }
        _ => { let w = s.borrow().calls; if w % 3 == 0 { let _ = ev.loop_once(); } }
    }
}
#[test]
fn numbers() {
    let lim = libc::rlimit { rlim_cur: 20000, rlim_max: 20000 }; unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &lim) };
    let from: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut calls = 0;
    for seed in from..from + 1500 {
        for b in [0, 2] { // 1: the simulated one fails, see the report
        let mut k = Context::builder().batch(64);
        if b == 1 { k = k.backend(Backend::Simulated { seed }); }
        if b == 2 { k = k.batch(1); }
        let ctx = k.build().unwrap(); ctx.allow_nesting(); ctx.set_wait_timeout(Some(Duration::ZERO));
        let s: S = Rc::new(RefCell::new(W { nums: vec![], evs: vec![], t: 0, rng: seed.wrapping_mul(0x9e3779b97f4a7c15) | 1, calls: 0, log: vec![] }));
        for n in 0..N { let raw = 15000 + n as i32; let mut far = None; put(raw, true, &mut far, None); s.borrow_mut().nums.push(Num { raw, readable: true, far: far.unwrap(), reopened: 0, keep: vec![] }); }
        s.borrow_mut().log.push(format!("new backend {b} seed {seed}")); for n in 0..N { add(&ctx, &s, n); }
        for _ in 0..120 { let _ = ctx.loop_once(); let few = s.borrow().evs.iter().filter(|e| e.fde.is_some()).count() < 4; if few { act(&ctx, &s); act(&ctx, &s); } }
        calls += s.borrow().calls;
        let evs = std::mem::take(&mut s.borrow_mut().evs); drop(evs);
        for n in 0..N { unsafe { libc::close(15000 + n as i32) }; }
        }
    }
    eprintln!("{calls} calls");
}
