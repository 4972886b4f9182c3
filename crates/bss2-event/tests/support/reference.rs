//! Where reference files lie; tests of several crates include this file.

use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

/// A folder named by a variable, else one beside the project; `None`, and a
/// line that says so, where there is none.
///
/// # Panics
/// Where the variable names a folder that there is not.
pub(crate) fn folder(variable: &str, shared: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable).map(PathBuf::from) {
        let path = named.display();
        assert!(
            named.is_dir(),
            "{variable} names {path}, which is no folder"
        );
        return Some(named);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(shared);
    let path = folder.display();
    if folder.is_dir() {
        return Some(folder);
    }
    skip(&format!("{path} is not there ({variable} names another)"));
    None
}

/// Says why a test is skipped, past the harness, which captures what `eprintln` writes.
pub(crate) fn skip(reason: &str) {
    let _ = writeln!(stderr(), "skipped: {reason}");
}
