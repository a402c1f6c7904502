//! Signals: SIGUSR1 comes from other threads, SIGCHLD from the forks.

use std::cell::RefCell;
use std::rc::Rc;

use rustix::process::{Signal, WaitOptions, wait};
use tevent::{SignalEvent, SignalFlags};

use crate::world::{Done, Stage, Work};

/// One event stays, another comes and goes.
pub(crate) fn signals(stage: &Rc<Stage>) -> Work {
    let (stage, done) = (Rc::clone(stage), Done::default());
    let came = done.clone();
    let usr1 = Signal::USR1.as_raw();
    let stays = stage.ev.add_signal(usr1, SignalFlags::NONE, move |_ev, _se, _delivery| came.up());
    stage.ev.keep(stays.expect("SIGUSR1 can be caught"));
    let children = Signal::CHILD.as_raw();
    let children =
        stage.ev.add_signal(children, SignalFlags::NONE, |_ev, _se, _delivery| reap(WaitOptions::NOHANG));
    stage.ev.keep(children.expect("SIGCHLD can be caught"));
    let comes_and_goes: RefCell<Option<SignalEvent>> = RefCell::default();
    let pulse = move || {
        if stage.below(8) == 0 {
            let mut place = comes_and_goes.borrow_mut();
            *place = match place.take() {
                Some(_) => None,
                None => stage.ev.add_signal(usr1, SignalFlags::SIGINFO, |_ev, _se, _delivery| {}).ok(),
            };
        }
    };
    Work { name: "signals", pulse: Box::new(pulse), done }
}

/// Looks at all children that have ended.
///
/// # Panics
/// If one has not ended well.
pub(crate) fn reap(options: WaitOptions) {
    while let Ok(Some((child, status))) = wait(options) {
        assert!(status.exit_status() == Some(0), "child {child:?} ended with {status:?}");
    }
}
