//! Where reference files lie, and how to read arrays from them.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// A folder named by a variable, else one beside the project; `None`, and a
/// line that says so, where there is none.
pub fn folder(variable: &str, shared: &str) -> Option<PathBuf> {
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
    eprintln!(
        "skipped: {} is not there ({variable} names another)",
        folder.display()
    );
    None
}

/// The arrays of one npz file.
pub struct Arrays(npyz::npz::NpzArchive<BufReader<File>>);

impl Arrays {
    pub fn open(path: &Path) -> Self {
        Self(npyz::npz::NpzArchive::open(path).expect("a readable npz file"))
    }

    pub fn get<T: npyz::Deserialize>(&mut self, name: &str) -> Vec<T> {
        let array = self.0.by_name(name).expect("a readable array");
        array
            .expect(name)
            .into_vec()
            .expect("an array of this type")
    }
}
