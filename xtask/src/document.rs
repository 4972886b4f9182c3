//! Parts of documents that are measured and not written by hand.

use std::fs;
use std::path::PathBuf;

use bss2::files::write_atomically;
use miette::{IntoDiagnostic, WrapErr, miette};

use crate::tidy;

/// Speeds.
pub(crate) const PERFORMANCE: &str = "performance.md";
/// What is reproduced of the paper.
pub(crate) const RESULTS: &str = "results.md";

fn path(document: &str) -> PathBuf {
    tidy::root().join("docs").join(document)
}

/// Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->` in documents of `docs`.
pub(crate) fn replace(document: &str, parts: &[(&str, String)]) -> miette::Result<()> {
    let path = path(document);
    let text = fs::read_to_string(&path);
    let mut text = text
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be read", path.display()))?;
    for (name, content) in parts {
        let replaced = between(&text, name, content);
        text = replaced.ok_or_else(|| miette!("{} has no place for {name}", path.display()))?;
    }
    write_atomically(&path, text.as_bytes())
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be written", path.display()))
}

fn between(text: &str, name: &str, content: &str) -> Option<String> {
    let (head, rest) = text.split_once(&format!("<!-- {name} -->\n"))?;
    let (_, tail) = rest.split_once(&format!("<!-- /{name} -->"))?;
    Some(format!(
        "{head}<!-- {name} -->\n{content}<!-- /{name} -->{tail}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced() {
        let text = "a\n<!-- t -->\nold\n<!-- /t -->\nb\n";
        let new = between(text, "t", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- t -->\nnew\n<!-- /t -->\nb\n");
        assert_eq!(between(text, "u", "new"), None);
    }

    #[test]
    fn documents_have_a_place_for_each_part() {
        let has = |document: &str, names: &[&str]| {
            let text = fs::read_to_string(path(document)).unwrap();
            for name in names {
                assert!(between(&text, name, "").is_some(), "{name}");
            }
        };
        has(PERFORMANCE, &["bench", "instructions", "kernels"]);
        let parts = crate::reproduce::documented().unwrap();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        has(RESULTS, &parts);
    }
}
