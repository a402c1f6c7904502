//! Contexts inside other loops: a bare epoll, tokio, and another of our contexts.

#![allow(clippy::unwrap_used, reason = "a test that fails to set itself up has failed")]

mod support;

#[path = "support/signals.rs"]
mod signals;

#[path = "foreign_loops/hosts.rs"]
mod hosts;
#[path = "foreign_loops/life.rs"]
mod life;
#[path = "foreign_loops/outside.rs"]
mod outside;
#[path = "foreign_loops/waking.rs"]
mod waking;
#[path = "foreign_loops/writing.rs"]
mod writing;

// The example's own modules: the socket writer, to be run inside other loops.
macro_rules! example_modules {
    ($($path:literal $name:ident),* $(,)?) => {$(
        #[allow(dead_code, unreachable_pub, reason = "the tests use a part of it")]
        #[path = $path]
        mod $name;
    )*};
}

example_modules! {
    "../examples/socket_writer/args.rs" args,
    "../examples/socket_writer/control.rs" control,
    "../examples/socket_writer/dial.rs" dial,
    "../examples/socket_writer/endpoint.rs" endpoint,
    "../examples/socket_writer/failure.rs" failure,
    "../examples/socket_writer/frame.rs" frame,
    "../examples/socket_writer/incoming.rs" incoming,
    "../examples/socket_writer/parser.rs" parser,
    "../examples/socket_writer/plan.rs" plan,
    "../examples/socket_writer/progress.rs" progress,
    "../examples/socket_writer/reader.rs" reader,
    "../examples/socket_writer/reading_end.rs" reading_end,
    "../examples/socket_writer/report.rs" report,
    "../examples/socket_writer/tally.rs" tally,
    "../examples/socket_writer/verdict.rs" verdict,
    "../examples/socket_writer/writers.rs" writers,
    "../examples/socket_writer/writing_end.rs" writing_end,
}
