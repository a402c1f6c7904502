//! A context as a guest of tokio's loop: requests of tevent beside tokio's own sockets and timers, in one thread.
//!
//! ```sh
//! cargo run --example inside_tokio
//! ```
//!
//! It prints
//!
//! ```text
//! tokio has read "question"
//! tevent has read "answer"
//! a timer of tevent has fired, beside a sleep of tokio
//! the work is done, and the guest is gone
//! ```
//!
//! The recipe is `drive`, and `main` shows how it ends. A context does not leave its thread: on tokio's other runtime `drive` and
//! what uses the context go into a `LocalSet`.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tevent::io::{Stream, read_packet_recv, read_packet_send, writev_recv, writev_send};
use tevent::{Context, ContextRef, LoopFd, wakeup_recv, wakeup_send};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::{runtime, task, time};

/// Turns the guest whenever it has something to do; ends only by an error.
///
/// The guest's fd is silent once its context has been freed, so nothing would end this then: drop it together with the context.
async fn drive(guest: &ContextRef) -> io::Result<Infallible> {
    let fd = watch(guest.loop_fd()?)?;
    loop {
        // tokio tells of a readiness once, so all of it is worked off; others may run between two handlers.
        while guest.dispatch()? {
            task::yield_now().await;
        }
        // Asked before each sleep. tokio rounds it up to milliseconds.
        let sleep = guest.next_timeout().unwrap_or(Duration::MAX);
        if let Ok(ready) = time::timeout(sleep, fd.readable()).await {
            ready?.clear_ready();
        }
    }
}

#[allow(unsafe_code, reason = "whoever gives tokio an fd vouches for it")]
fn watch(fd: LoopFd) -> io::Result<AsyncFd<LoopFd>> {
    // SAFETY: a LoopFd keeps its file open, under the same number, as long as it lives, and the AsyncFd owns it. (Only in a forked
    // child it becomes another, and tokio's runtime does not live on there.)
    let watched = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    Ok(watched?)
}

/// The other end of the socket: tokio alone.
async fn answer(socket: UnixStream) -> Result<(), Box<dyn Error>> {
    socket.set_nonblocking(true)?;
    let mut socket = tokio::net::UnixStream::from_std(socket)?;
    let mut question = [0; 8];
    socket.read_exact(&mut question).await?;
    println!("tokio has read {:?}", String::from_utf8_lossy(&question));
    socket.write_all(b"answer").await?;
    Ok(())
}

/// Requests of tevent, which a task of tokio awaits.
async fn ask(ev: &ContextRef, socket: UnixStream) -> Result<(), Box<dyn Error>> {
    let stream = Stream::new(socket);
    writev_recv(writev_send(ev, None, &stream, false, vec!["question"]).await)?;
    let reading = read_packet_send(ev, &stream, 6, |_packet| Ok::<_, Infallible>(0));
    println!("tevent has read {:?}", String::from_utf8_lossy(&read_packet_recv(reading.await)?));

    let timer = wakeup_send(ev, Duration::from_millis(2));
    time::sleep(Duration::from_millis(1)).await;
    if wakeup_recv(timer.await) {
        println!("a timer of tevent has fired, beside a sleep of tokio");
    }
    Ok(())
}

async fn work(ev: &ContextRef) -> Result<(), Box<dyn Error>> {
    let (near, far) = UnixStream::pair()?;
    tokio::try_join!(ask(ev, near), answer(far))?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let guest = Context::new()?;
    runtime.block_on(async {
        // What ends first takes the other along: an error of the loop ends the work, and the end of the work the driver.
        tokio::select! {
            failed = drive(&guest) => match failed? {},
            done = work(&guest) => done,
        }
    })?;
    drop(guest); // nobody drives it any more
    println!("the work is done, and the guest is gone");
    Ok(())
}
