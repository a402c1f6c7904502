//! Running the example, and reading what it says.

use std::io::Read;
use std::path::PathBuf;

use crate::programs;
use crate::running::{Program, Said};

/// Where the example is.
pub(crate) fn path() -> PathBuf {
    programs::program("socket_writer")
}

#[track_caller]
pub(crate) fn start(args: &[&str]) -> Program {
    Program::start("socket_writer", args)
}

/// Starts the reading end; gives the address that it prints, too.
#[track_caller]
pub(crate) fn listen(address: &str) -> (Program, String) {
    let mut program = start(&["--listen", address]);
    let line = program.line();
    let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("it said {line:?}"));
    (program, address.to_owned())
}

#[track_caller]
pub(crate) fn run(args: &[&str]) -> Said {
    start(args).end()
}

impl Said {
    /// The value in that row of the table.
    #[track_caller]
    pub(crate) fn row(&self, name: &str) -> &str {
        let value = self.out.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("no row {name:?} in {:?}, {:?}", self.out, self.err)).trim()
    }

    #[track_caller]
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.row(name).replace(',', "").parse().unwrap()
    }

    /// It went well: all frames whole and in order.
    #[track_caller]
    pub(crate) fn assert_perfect(&self, frames: u64) {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""));
        assert_eq!(self.number("frames"), frames);
        assert_eq!((self.row("torn frames"), self.row("out of order")), ("0", "0"));
    }
}

/// Reads exactly so many bytes.
#[track_caller]
pub(crate) fn read_exactly(from: &mut impl Read, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    from.read_exact(&mut bytes).unwrap();
    bytes
}
