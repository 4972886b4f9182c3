//! Files that are either written in whole or not at all.

use std::fs;
use std::path::Path;

pub use bss2_event::files::{TEMPORARY_PREFIX, write_atomically};

use crate::chip::ChipError;

/// Writes texts into a folder, which is made where it is missing, in their order.
pub(crate) fn write_texts(folder: &Path, texts: &[(&str, &str)]) -> Result<(), ChipError> {
    fs::create_dir_all(folder).map_err(|error| ChipError::file(folder, &error))?;
    for (name, text) in texts {
        let path = folder.join(name);
        write_atomically(&path, text.as_bytes()).map_err(|error| ChipError::file(&path, &error))?;
    }
    Ok(())
}
