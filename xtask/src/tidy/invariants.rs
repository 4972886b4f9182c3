//! Tests that the table of invariants names are tests that exist.

use std::fs;
use std::path::Path;

/// Complaints about the tests that `docs/architecture.md` names.
pub(super) fn check(root: &Path) -> Vec<String> {
    let name = "docs/architecture.md";
    let Ok(text) = fs::read_to_string(root.join(name)) else {
        return vec![format!("{name} cannot be read")];
    };
    let mut sources = String::new();
    read_sources(&root.join("crates"), &mut sources);
    let named = named(&text);
    if named.is_empty() {
        return vec![format!("{name}: its table of invariants names no test")];
    }
    let missing = named
        .into_iter()
        .filter(|test| !sources.contains(&format!("fn {test}(")));
    missing
        .map(|test| format!("{name}: there is no test `{test}`"))
        .collect()
}

/// Words with underscores in backticks, in the last cell of numbered rows.
fn named(text: &str) -> Vec<&str> {
    let numbered = |line: &&str| {
        let number = line
            .strip_prefix("| ")
            .and_then(|rest| rest.split(' ').next());
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let tests = text.lines().filter(numbered).filter_map(|line| {
        let cells = line.trim_end_matches([' ', '|']);
        Some(cells.rsplit_once('|')?.1)
    });
    let quoted = tests.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    quoted
        .filter(|word| word.contains('_') && word.chars().all(letter))
        .collect()
}

/// Adds all Rust of a folder and those below it.
fn read_sources(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            sources.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_last_cell_of_numbered_rows() {
        let text = "`no_test`\n| # | invariant | test |\n|---|---|---|\n\
                    | 1 | of `some_value` | `it_holds` ([here](a.rs)), `it_stays` (`b_c.rs`) |\n";
        assert_eq!(named(text), ["it_holds", "it_stays"]);
    }

    #[test]
    fn a_test_that_does_not_exist_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "docs/architecture.md",
            "| 1 | i | `it_holds`, `it_flies` |\n",
        );
        write("crates/a/tests/b.rs", "fn it_holds() {}");
        let complaints = check(folder.path());
        assert_eq!(
            complaints,
            ["docs/architecture.md: there is no test `it_flies`"]
        );
    }
}
