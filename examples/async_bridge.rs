//! Old callbacks and new async code on one loop: a request made of callbacks is awaited, and a future is a request for callbacks.
//!
//! ```sh
//! cargo run --example async_bridge
//! ```
//!
//! It prints
//!
//! ```text
//! sent 4 bytes, and "ping" came back
//! sent 4 bytes, and "pong" came back
//! the callback has been told: 8 bytes
//! ```

use std::cell::RefCell;
use std::error::Error;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Poll;

use tevent::io::{Stream, writev_recv, writev_send};
use tevent::{Context, ContextRef, FdFlags, FutureState, Req, ReqError, future_recv};

/// As it is ported from C: the state, `_send`, `_recv`.
struct ReadSome {
    socket: Rc<UnixStream>,
    text: String,
}

fn read_some_send(ev: &ContextRef, socket: &Rc<UnixStream>) -> Req<ReadSome> {
    let req = Req::create(ReadSome { socket: Rc::clone(socket), text: String::new() });
    let watched = req.add_fd(ev, Rc::clone(socket), FdFlags::READ, |req, _flags| {
        req.advance(|state| {
            let mut buffer = [0; 64];
            match (&*state.socket).read(&mut buffer) {
                Ok(n) => {
                    state.text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                    Poll::Ready(Ok(()))
                }
                Err(e) => Poll::Ready(Err(e.into())),
            }
        });
    });
    if let Err(e) = watched {
        req.error(e);
        return req.post(ev);
    }
    req
}

fn read_some_recv(req: Req<ReadSome>) -> Result<String, ReqError> {
    req.recv(|state| std::mem::take(&mut state.text))
}

/// New code, which callers of the old kind use like any other request.
fn chat_send(ev: &ContextRef, near: &Stream, far: &Rc<UnixStream>) -> Req<FutureState<usize>> {
    let (in_loop, near, far) = (ev.clone(), near.clone(), Rc::clone(far));
    Req::from_future(ev, async move {
        let mut total = 0;
        for word in ["ping", "pong"] {
            let sent = writev_recv(writev_send(&in_loop, None, &near, false, vec![word]).await)?;
            let text = read_some_recv(read_some_send(&in_loop, &far).await)?;
            println!("sent {sent} bytes, and {text:?} came back");
            total += sent;
        }
        Ok(total)
    })
}

fn chat_recv(req: Req<FutureState<usize>>) -> Result<usize, ReqError> {
    future_recv(req)
}

fn main() -> Result<(), Box<dyn Error>> {
    let ctx = Context::new()?;
    let (near, far) = UnixStream::pair()?;
    let (near, far) = (Stream::new(near), Rc::new(far));
    let outcome = Rc::new(RefCell::new(None));
    let result = Rc::clone(&outcome);
    ctx.add_subreq(chat_send(&ctx, &near, &far), move |_ctx, req| {
        result.replace(Some(chat_recv(req)));
    });
    ctx.loop_wait()?;
    let total = outcome.take().ok_or("the chat has not ended")??;
    println!("the callback has been told: {total} bytes");
    Ok(())
}
