//! The `bss2` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    bss2::cli::main()
}
