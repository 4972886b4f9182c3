//! The command line, end to end, on small generated data.

mod bad_input;
mod chip;
mod export;
mod import;
mod resume;
mod speech;
mod support;
mod train;
