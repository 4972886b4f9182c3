//! Files that are either written in whole or not at all.

pub use bss2_event::files::{TEMPORARY_PREFIX, write_atomically};
