//! Tables of `docs/performance.md` that are measured and not written by hand.

use std::fs;

use bss2::files::write_atomically;
use miette::{IntoDiagnostic, WrapErr, miette};

use crate::tidy;

/// Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->`.
pub(super) fn replace(name: &str, content: &str) -> miette::Result<()> {
    let path = tidy::root().join("docs/performance.md");
    let text = fs::read_to_string(&path);
    let text = text
        .into_diagnostic()
        .wrap_err_with(|| format!("{} cannot be read", path.display()))?;
    let replaced = between(&text, name, content);
    let replaced = replaced.ok_or_else(|| miette!("{} has no place for {name}", path.display()))?;
    write_atomically(&path, replaced.as_bytes())
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
    fn the_document_has_a_place_for_each_table() {
        let text = fs::read_to_string(tidy::root().join("docs/performance.md")).unwrap();
        for name in ["bench", "instructions", "kernels"] {
            assert!(between(&text, name, "").is_some(), "{name}");
        }
    }
}
