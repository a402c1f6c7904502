//! Printing a request.

use std::ffi::c_char;

use super::{PrintFn, Req};
use crate::chunk::{Chunk, Parent};
use crate::export::export;
use crate::talloc;

/// In C's format, which programs log.
fn describe(req: Chunk<Req>) -> String {
    let pointer =
        |at: *mut std::ffi::c_void| if at.is_null() { "(nil)".to_owned() } else { format!("{at:p}") };
    let error = req.error.get();
    format!(
        "tevent_req[{:p}/{}]: state[{}] error[{} (0x{error:X})]  state[{} ({})] timer[{}] finish[{}]",
        req.as_ptr(),
        req.created_at,
        req.state.get() as i32,
        error.cast_signed(),
        req.type_name,
        pointer(req.data.get()),
        pointer(req.timer.get().map_or(std::ptr::null_mut(), Chunk::as_ptr)),
        req.finished_at.get(),
    )
}

export! {
    fn tevent_req_default_print(req: Chunk<Req>, parent: Parent) -> *mut c_char {
        talloc::string(parent, &describe(req))
    }

    fn tevent_req_print(parent: Parent, req: Option<Chunk<Req>>) -> *mut c_char {
        match req.map(|req| (req, req.print.get())) {
            None => talloc::string(parent, "tevent_req[NULL]"),
            Some((req, Some(print))) => print.call(req, parent),
            Some((req, None)) => tevent_req_default_print(req, parent),
        }
    }

    fn tevent_req_set_print_fn(req: Chunk<Req>, print: Option<PrintFn>) {
        req.print.set(print);
    }
}
