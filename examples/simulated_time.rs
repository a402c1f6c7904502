//! Time in your own tests: code that tries again after 1, 2, 4 … seconds, on a virtual clock that jumps where the loop would sleep.
//!
//! ```sh
//! cargo run --example simulated_time
//! ```
//!
//! It prints, at once,
//!
//! ```text
//! attempt 1 after 0 s
//! attempt 2 after 1 s
//! attempt 3 after 3 s
//! attempt 4 after 7 s
//! attempt 5 after 15 s
//! connected
//! ```
//!
//! Its tests are run by `cargo test --example simulated_time`.

use std::error::Error;
use std::io;
use std::time::Duration;

use tevent::{Backend, Context, ContextRef, ReqError, wakeup_send};

/// The code under test. It knows nothing of tests: it takes any context, and its pauses are timers of that.
///
/// Tries up to `times`, with pauses in between that double from a second on.
async fn retry(
    ev: ContextRef,
    times: u32,
    mut attempt: impl FnMut() -> Result<(), ReqError>,
) -> Result<(), ReqError> {
    let mut pause = Duration::from_secs(1);
    for _ in 1..times {
        if attempt().is_ok() {
            return Ok(());
        }
        drop(wakeup_send(&ev, pause).await);
        pause *= 2;
    }
    attempt()
}

/// A context for tests.
fn simulated() -> io::Result<Context> {
    let ctx = Context::builder().backend(Backend::Simulated { seed: 1 }).build()?;
    ctx.set_wait_timeout(None); // a loop that nothing can wake any more fails, and says so, in place of waiting for ever
    Ok(ctx)
}

fn refused() -> ReqError {
    io::Error::from(io::ErrorKind::ConnectionRefused).into()
}

fn main() -> Result<(), Box<dyn Error>> {
    let ctx = simulated()?;
    let (ev, start, mut attempts) = (ctx.clone(), ctx.now(), 0);
    ctx.block_on(retry(ctx.clone(), 8, move || {
        attempts += 1;
        println!("attempt {attempts} after {} s", (ev.now() - start).as_secs());
        if attempts < 5 { Err(refused()) } else { Ok(()) }
    }))?;
    println!("connected");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use tevent::ReqState;
    use tevent::io::{Stream, read_packet_recv, read_packet_send};

    use super::*;

    #[test]
    fn gives_up_after_the_last_attempt() -> Result<(), Box<dyn Error>> {
        let ctx = simulated()?;
        let start = ctx.now();
        let outcome = ctx.block_on(retry(ctx.clone(), 4, || Err(refused())));
        assert!(outcome.is_err());
        assert_eq!(ctx.now() - start, Duration::from_secs(1 + 2 + 4)); // to the nanosecond, and no pause after the last
        Ok(())
    }

    /// Sockets are real. A peer that says nothing for half a minute does so at once.
    #[test]
    fn a_silent_peer_is_given_up_in_time() -> Result<(), Box<dyn Error>> {
        let ctx = simulated()?;
        let start = ctx.now();
        let (near, _silent) = UnixStream::pair()?;
        let req = read_packet_send(&ctx, &Stream::new(near), 1, |_packet| Ok::<_, io::Error>(0));
        req.set_endtime(&ctx, Duration::from_secs(30));
        req.poll(&ctx)?;
        assert_eq!(read_packet_recv(req).map_err(|error| error.state()), Err(ReqState::TimedOut));
        assert_eq!(ctx.now() - start, Duration::from_secs(30));
        Ok(())
    }
}
