//! Showing a request (REQ-11).

use std::fmt;

use super::named::{Plain, ReqFn};
use super::{Req, ReqRef, ReqState};
use crate::stack::bounded_drop;

impl<S: 'static> ReqRef<S> {
    /// One line about the request: its creation place, state, error code, type, and finish place; or what its print
    /// function says.
    ///
    /// C equivalent: `tevent_req_print`. Spec: REQ-11.
    ///
    /// ```
    /// use tevent_core::{Req, ReqError};
    ///
    /// let req = Req::create(0_u8);
    /// req.error(ReqError::new(5));
    /// let line = req.print();
    /// assert!(line.starts_with("Req<u8> created at "));
    /// assert!(line.contains("UserError, error 5 (0x5), finished at "));
    /// ```
    #[doc(alias = "tevent_req_print")]
    #[doc(alias = "tevent_req_default_print")]
    #[must_use]
    pub fn print(&self) -> String {
        let print = self.0.had_rare().and_then(|rare| rare.print.borrow().clone());
        let line = match &print {
            Some(print) => print.call(self, ()),
            None => self.default_print(),
        };
        bounded_drop(print);
        line
    }

    /// What [`print`](Self::print) says without a print function.
    ///
    /// C equivalent: `tevent_req_default_print`. Spec: REQ-11.
    #[doc(alias = "tevent_req_default_print")]
    #[must_use]
    pub fn default_print(&self) -> String {
        let code = self.result().map_or_else(|error| error.code(), |()| 0);
        let finished = match self.finish_location() {
            Some(place) => format!(", finished at {place}"),
            None => String::new(),
        };
        format!(
            "Req<{}> created at {}: {:?}, error {code} ({code:#x}){finished}",
            self.type_name(),
            self.location(),
            self.state(),
        )
    }

    /// Sets what [`print`](Self::print) says.
    ///
    /// C equivalent: `tevent_req_set_print_fn`. Spec: REQ-11.
    ///
    /// ```
    /// use tevent_core::Req;
    ///
    /// let req = Req::create("smb.example");
    /// req.set_print_fn(|req| format!("looking for {:?}", req.with_state(|s| *s)));
    /// assert_eq!(req.print(), r#"looking for Some("smb.example")"#);
    /// ```
    #[doc(alias = "tevent_req_set_print_fn")]
    #[doc(alias = "tevent_req_print_fn")]
    pub fn set_print_fn(&self, print: impl Fn(&ReqRef<S>) -> String + 'static) {
        if self.state() != ReqState::Received {
            bounded_drop(self.0.rare().print.replace(Some(ReqFn::new(Plain(print)))));
        }
    }
}

impl<S: 'static> fmt::Debug for ReqRef<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.default_print())
    }
}

impl<S: 'static> fmt::Debug for Req<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
