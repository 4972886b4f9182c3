//! The rules of the repository that no compiler checks.
//!
//! Every rule returns its complaints, so that one run names all of them; the
//! test at the foot runs the rules with all other tests.

mod commands;
mod invariants;
mod layers;
mod links;

use std::fs;
use std::path::{Path, PathBuf};

use miette::bail;

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
}

/// Checks every rule.
pub(crate) fn run() -> miette::Result<()> {
    let complaints = check(root());
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("the repository is not tidy:\n{}", complaints.join("\n"))
}

fn check(root: &Path) -> Vec<String> {
    let mut complaints = layers::check(root);
    complaints.extend(invariants::check(root));
    for document in documents(root) {
        complaints.extend(links::check(root, &document));
        complaints.extend(commands::check(root, &document));
    }
    complaints
}

/// The documents that a reader meets: Markdown at the root and in `docs`.
fn documents(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = [root.to_owned(), root.join("docs")]
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        assert_eq!(check(root()), Vec::<String>::new());
    }

    #[test]
    fn documents_are_found() {
        assert!(
            documents(root())
                .iter()
                .any(|path| path.ends_with("CHANGELOG.md"))
        );
    }
}
