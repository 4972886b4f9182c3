//! Where reference files lie.

#[path = "../../../bss2-event/tests/support/reference.rs"]
mod reference;

use std::path::PathBuf;

use bss2_encode::{DataSet, find_mnist};

pub(crate) use reference::{folder, skip};

/// The folder of MNIST's files, or `None`.
pub(crate) fn mnist() -> Option<PathBuf> {
    match find_mnist(DataSet::Mnist, Some(&folder("BSS2_DATA", "data")?)) {
        Ok(found) => Some(found.folder),
        Err(error) => {
            skip(&error.to_string());
            None
        }
    }
}
