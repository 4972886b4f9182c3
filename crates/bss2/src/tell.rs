//! Lines for a reader, who may be gone.
//!
//! `println!` panics where its reader has closed the pipe, as `head` does, and what was still to be
//! written to files is lost. [`tell!`](crate::tell!) and [`note!`](crate::note!) go on.

use std::fmt::Arguments;
use std::io::Write;

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
pub fn output(text: Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What [`note!`](crate::note!) calls.
pub fn error(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
