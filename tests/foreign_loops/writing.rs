//! The socket writer inside other loops.

use std::rc::Rc;

use tevent::{Context, ContextRef, Req, ReqState};

use super::args::{self, Options, Parsed, Role};
use super::endpoint::Listening;
use super::hosts::{BareEpoll, run_inside_another, run_inside_tokio};
use super::progress::Progress;
use super::reading_end::{ReadingEnd, reading_end_send};
use super::support::Kind;
use super::writing_end::{WritingEnd, writing_end_recv, writing_end_send};

struct Ends {
    reading: Req<ReadingEnd>,
    writing: Req<WritingEnd>,
}

impl Ends {
    /// Eight writers and a reader, over TCP on loopback, as the example does it.
    fn start(ev: &ContextRef) -> Self {
        let arguments = ["--messages", "96", "--size", "4K..256K"].map(Into::into);
        let Ok(Parsed::Run(options)) = args::parse(arguments.into_iter()) else { panic!("bad arguments") };
        let Options { role: Role::Both(endpoint), .. } = &options else { panic!("both ends are here") };
        let listening = Listening::bind(endpoint, options.sndbuf).unwrap();
        let target = listening.endpoint().clone();
        let (arrived, sent) = (Rc::new(Progress::default()), Rc::new(Progress::default()));
        let reading = reading_end_send(ev, listening, &arrived);
        let writing = writing_end_send(ev, &target, &options, &sent);
        Ends { reading, writing }
    }

    fn finished(&self) -> impl Fn() -> bool + 'static {
        let (reading, writing) = (self.reading.clone(), self.writing.clone());
        move || reading.state() != ReqState::InProgress && writing.state() != ReqState::InProgress
    }

    /// Every frame arrived whole, and in order.
    fn check(self) {
        let report = writing_end_recv(self.writing).unwrap();
        assert_eq!(report.complaint(), None);
        drop(self.reading);
    }
}

fn on_each_kernel_backend(run: impl Fn(&Context)) {
    for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_simulated()) {
        println!("{kind:?}");
        run(&kind.context());
    }
}

#[test]
fn the_socket_writer_inside_a_bare_epoll() {
    on_each_kernel_backend(|ctx| {
        let ends = Ends::start(ctx);
        BareEpoll::around(ctx).run_until(ends.finished());
        ends.check();
    });
}

#[test]
fn the_socket_writer_inside_tokio() {
    on_each_kernel_backend(|ctx| {
        let ends = Ends::start(ctx);
        run_inside_tokio(ctx, std::future::ready(()), ends.finished());
        ends.check();
    });
}

#[test]
fn the_socket_writer_inside_another_of_our_contexts() {
    on_each_kernel_backend(|ctx| {
        let host = Context::new().unwrap();
        let ends = Ends::start(ctx);
        run_inside_another(&host, ctx, ends.finished());
        ends.check();
    });
}
