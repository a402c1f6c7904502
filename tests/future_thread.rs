//! Work for a thread of its own, as a request.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use support::on_every_backend;
use tevent::{Req, ReqError, ReqState, When, future_recv};

/// Tells when it goes, and in which thread.
struct TellDrop(mpsc::Sender<thread::ThreadId>);

impl Drop for TellDrop {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

on_every_backend! {
    fn loop_wait_waits_for_the_thread_and_its_result(backend) {
        let ctx = backend.context();
        let (go, gone) = mpsc::channel::<()>();
        let req = Req::from_thread(&ctx, move || {
            gone.recv().unwrap(); // not before the loop turns
            Ok::<_, ReqError>(thread::current().id())
        });
        let result = Rc::new(RefCell::new(None));
        let into = Rc::clone(&result);
        ctx.add_subreq(req, move |_ev, req| drop(into.replace(Some(future_recv(req)))));
        ctx.keep(ctx.add_timer(When::Zero, move |_ev, _te, _now| go.send(()).unwrap()));
        ctx.loop_wait().unwrap();
        let worker = result.take().unwrap().unwrap();
        assert_ne!(worker, thread::current().id());
    }

    fn what_the_work_fails_with_the_request_fails_with(backend) {
        let ctx = backend.context();
        let req = Req::from_thread(&ctx, || Err::<(), _>(io::Error::from_raw_os_error(28)));
        req.poll(&ctx).unwrap();
        assert_eq!(future_recv(req).unwrap_err().errno(), 28); // ENOSPC
    }

    fn a_panic_in_the_thread_is_an_error_of_the_request(backend) {
        let ctx = backend.context();
        let req = Req::from_thread(&ctx, || -> Result<(), ReqError> {
            std::panic::resume_unwind(Box::new("no message on stderr"))
        });
        req.poll(&ctx).unwrap();
        let error = future_recv(req).unwrap_err();
        assert_eq!((error.errno(), error.to_string().as_str()), (5, "the thread that did the work has panicked"));
        ctx.loop_wait().unwrap(); // nothing is left to wait for
    }

    fn a_request_that_is_dropped_leaves_the_result_to_its_thread(backend) {
        let ctx = backend.context();
        let ((go, gone), (tell, told)) = (mpsc::channel::<()>(), mpsc::channel());
        let req = Req::from_thread(&ctx, move || {
            gone.recv().unwrap();
            Ok::<_, ReqError>(TellDrop(tell))
        });
        drop(req);
        go.send(()).unwrap();
        assert_ne!(told.recv().unwrap(), thread::current().id());
        ctx.loop_wait().unwrap();
    }

    fn a_context_that_goes_first_harms_nobody(backend) {
        let ctx = backend.context();
        let ((go, gone), (tell, told)) = (mpsc::channel::<()>(), mpsc::channel());
        let req = Req::from_thread(&ctx, move || {
            gone.recv().unwrap();
            Ok::<_, ReqError>(TellDrop(tell))
        });
        drop(ctx);
        go.send(()).unwrap();
        assert!(req.is_in_progress());
        drop(req);
        told.recv().unwrap();
    }

    fn req_7_it_can_be_cancelled_while_the_thread_works_on(backend) {
        let ctx = backend.context();
        let (go, gone) = mpsc::channel::<()>();
        let req = Req::from_thread(&ctx, move || {
            gone.recv().unwrap();
            Ok::<_, ReqError>(())
        });
        assert!(req.cancel());
        assert_eq!(req.state(), ReqState::UserError);
        go.send(()).unwrap();
        assert_eq!(future_recv(req).unwrap_err().errno(), 125); // ECANCELED
        ctx.loop_wait().unwrap();
    }
}
