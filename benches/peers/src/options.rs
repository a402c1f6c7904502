//! Programs with options, each with a value: `--name VALUE`.

use std::error::Error;
use std::process::ExitCode;

/// The whole of such a program. `help` names each option at the beginning of a line; `take` is given each with its value, and `run` is
/// called when all are taken.
pub fn with_options<O>(
    help: &str,
    mut options: O,
    mut take: impl FnMut(&mut O, &str, String) -> Result<(), String>,
    run: impl FnOnce(&O) -> Result<(), Box<dyn Error>>,
) -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        if option == "--help" {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
        let is_known = option.starts_with("--") && help.contains(&format!("\n  {option} "));
        let taken = match arguments.next() {
            _ if !is_known => Err(format!("there is no option {option}")),
            None => Err(format!("{option} wants a value")),
            Some(value) => take(&mut options, &option, value),
        };
        if let Err(error) = taken {
            eprintln!("{error}; --help tells what there is");
            return ExitCode::from(2);
        }
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
