//! Immediates and timers.

use std::cell::RefCell;
use std::rc::Rc;

use tevent::{Immediate, Timer, When};

use crate::world::{Done, Stage, Work};

/// Scheduled, taken back before they run, or made for one run.
pub(crate) fn immediates(stage: &Rc<Stage>) -> Work {
    let (stage, done) = (Rc::clone(stage), Done::default());
    let counting = |_| {
        let done = done.clone();
        Immediate::new(move |_ev, _im| done.up())
    };
    let pool: Vec<_> = (0..64).map(counting).collect();
    let once = done.clone();
    let pulse = move || {
        for _ in 0..16 {
            let im = &pool[stage.below(pool.len())];
            match stage.below(8) {
                0 => im.reset(),
                1 => {
                    let done = once.clone();
                    let im = stage.ev.keep(Immediate::empty());
                    im.schedule_with(&stage.ev, move |ev, im| {
                        done.up();
                        drop(ev.take(im));
                    });
                }
                _ => im.schedule(&stage.ev),
            }
        }
    };
    Work { name: "immediates", pulse: Box::new(pulse), done }
}

/// A thousand places, in which timers are added, moved, and freed: some before they fire and some after.
pub(crate) fn timers(stage: &Rc<Stage>) -> Work {
    let (stage, done) = (Rc::clone(stage), Done::default());
    let places: RefCell<Vec<Option<Timer>>> = RefCell::new((0..1000).map(|_| None).collect());
    let fired = done.clone();
    let pulse = move || {
        for _ in 0..16 {
            let when = match stage.below(16) {
                0 => When::Zero,
                _ => stage.delay(100).into(),
            };
            let place = &mut places.borrow_mut()[stage.below(1000)];
            match (stage.below(4), &place) {
                (0, _) => *place = None,
                (1, Some(timer)) => _ = timer.update(when),
                _ => {
                    let fired = fired.clone();
                    *place = Some(stage.ev.add_timer(when, move |_ev, _te, _now| fired.up()));
                }
            }
        }
    };
    Work { name: "timers", pulse: Box::new(pulse), done }
}
