//! Where reference files lie.

use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

use bss2_encode::{DataSet, find_mnist};

/// A folder named by a variable, else one beside the project; `None`, and a
/// line that says so, where there is none.
pub(crate) fn folder(variable: &str, shared: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../../shared")
                .join(shared)
        },
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    // The harness captures what `eprintln` writes.
    let _ = writeln!(
        stderr(),
        "skipped: {} is not there ({variable} names another)",
        folder.display()
    );
    None
}

/// The folder of MNIST's files, or `None`.
pub(crate) fn mnist() -> Option<PathBuf> {
    match find_mnist(DataSet::Mnist, Some(&folder("BSS2_DATA", "data")?)) {
        Ok(found) => Some(found.folder),
        Err(error) => {
            // The harness captures what `eprintln` writes.
            let _ = writeln!(stderr(), "skipped: {error}");
            None
        }
    }
}
