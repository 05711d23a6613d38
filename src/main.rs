//! The program `watchkeeper`: everything is in the library; only this file ends the process (invariant 7).

use std::process::ExitCode;

fn main() -> ExitCode {
    watchkeeper::cli::run()
}
