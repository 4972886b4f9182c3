//! Lines for a reader, who may be gone.
//!
//! `println!` panics where its reader has closed the pipe, as `head` does, and what was still to be
//! written to files is lost. [`tell!`](crate::tell!) and [`note!`](crate::note!) go on. Any other
//! failure, such as a full disk, is none to be silent about.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// Prints a line to the standard output, whether or not anybody reads it.
#[macro_export]
macro_rules! tell {
    ($($text:tt)*) => { $crate::tell::output(format_args!($($text)*)) };
}

/// Prints a line to the standard error output, whether or not anybody reads it.
#[macro_export]
macro_rules! note {
    ($($text:tt)*) => { $crate::tell::error(format_args!($($text)*)) };
}

/// What [`tell!`](crate::tell!) calls.
///
/// # Panics
/// As `println!`, unless the reader is gone.
pub fn output(text: Arguments<'_>) {
    line(io::stdout(), text);
}

/// What [`note!`](crate::note!) calls.
///
/// # Panics
/// As `eprintln!`, unless the reader is gone.
pub fn error(text: Arguments<'_>) {
    line(io::stderr(), text);
}

fn line(mut to: impl Write, text: Arguments<'_>) {
    match writeln!(to, "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => panic!("cannot print: {error}"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_may_go() {
        line(Broken(ErrorKind::BrokenPipe), format_args!("a"));
    }

    #[test]
    #[should_panic(expected = "cannot print")]
    fn a_disk_must_not_be_full() {
        line(Broken(ErrorKind::StorageFull), format_args!("a"));
    }
}
