//! The ported half of `main.c`: an async function that C calls as `greet_send` and `greet_recv`, and that calls C's `echo`.
#![allow(unsafe_code, reason = "functions of C are called, and functions for C defined")]

use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use tevent_capi::bridge::{self, CContext, CReq, FromC, Out, TallocCtx, Text};
use tevent_core::{ContextRef, FutureState, Req, ReqError, future_recv, wakeup_recv, wakeup_send};

unsafe extern "C" {
    fn echo_send(parent: TallocCtx, ev: CContext, text: *const c_char) -> Option<CReq>;
    fn echo_recv(req: CReq, text: *mut u8, size: usize) -> isize;
}

/// C's request, in a Rust dress.
fn echo(ev: CContext, text: &CStr) -> Option<Req<FromC>> {
    // SAFETY: the text ends in NUL, and C copies it before it returns.
    let req = unsafe { echo_send(TallocCtx::NONE, ev, text.as_ptr()) };
    bridge::from_c(req?)
}

fn echoed(req: Req<FromC>) -> Result<String, ReqError> {
    req.recv(|state| {
        let mut text = [0; 100];
        // SAFETY: the request is one of `echo_send`'s that is done, and the room is as large as is said.
        let length = unsafe { echo_recv(state.c_req(), text.as_mut_ptr(), text.len()) };
        String::from_utf8_lossy(&text[..usize::try_from(length).unwrap_or(0)]).into_owned()
    })
}

/// What has been ported.
async fn greet(ctx: ContextRef, ev: CContext, name: CString) -> Result<String, ReqError> {
    if name.as_c_str() == c"panic" {
        panic!("as asked");
    }
    let request = echo(ev, &name).ok_or(ReqError::NO_MEMORY)?;
    let name = echoed(request.await)?;
    let rested = wakeup_recv(wakeup_send(&ctx, Duration::from_millis(1)).await);
    println!("greet: rested {rested}");
    Ok(format!("Hello, {name}!"))
}

/// For C.
#[unsafe(no_mangle)]
pub extern "C" fn greet_send(parent: TallocCtx, ev: CContext, name: Text) -> Option<CReq> {
    let ctx = bridge::context(ev)?;
    let name = name.c_str()?.to_owned();
    bridge::into_c(parent, ev, Req::from_future(&ctx, greet(ctx.clone(), ev, name)))
}

/// For C: 0, or the Unix error number.
#[unsafe(no_mangle)]
pub extern "C" fn greet_recv(req: CReq, parent: TallocCtx, greeting: Out<*mut c_char>) -> i32 {
    let Some(inside) = bridge::recv::<FutureState<String>>(req) else { return libc::EINVAL };
    match future_recv(inside) {
        Ok(text) => {
            greeting.put(bridge::talloc_string(parent, &text));
            0
        }
        Err(error) => error.errno(),
    }
}
