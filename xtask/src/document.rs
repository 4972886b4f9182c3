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

/// A document of `docs`, of which parts stand between `<!-- NAME -->` and `<!-- /NAME -->`.
pub(crate) struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    pub(crate) fn open(name: &str) -> miette::Result<Self> {
        let path = path(name);
        let text = fs::read_to_string(&path)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be read", path.display()))?;
        Ok(Self { path, text })
    }

    /// What stands before and after a part.
    pub(crate) fn beside(&self, name: &str) -> miette::Result<[&str; 2]> {
        let (head, _, tail) = self.around(name)?;
        Ok([head, tail])
    }

    pub(crate) fn replace(&mut self, name: &str, content: &str) -> miette::Result<()> {
        let (head, _, tail) = self.around(name)?;
        self.text = [head, content, tail].concat();
        Ok(())
    }

    pub(crate) fn write(&self) -> miette::Result<()> {
        write_atomically(&self.path, self.text.as_bytes())
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be written", self.path.display()))
    }

    fn around(&self, name: &str) -> miette::Result<(&str, &str, &str)> {
        around(&self.text, name)
            .ok_or_else(|| miette!("{} has no place for {name}", self.path.display()))
    }
}

/// A part without its marks, and what stands before and after it with them.
fn around<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let first = text.find(&begin)? + begin.len();
    let last = first + text[first..].find(&end)?;
    Some((&text[..first], &text[first..last], &text[last..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_a_part() {
        let text = "a\n<!-- t -->\nold\n<!-- /t -->\nb\n".to_owned();
        let path = PathBuf::from("a.md");
        let mut document = Document { path, text };
        document.replace("t", "new\n").unwrap();
        assert_eq!(document.text, "a\n<!-- t -->\nnew\n<!-- /t -->\nb\n");
        let beside = ["a\n<!-- t -->\n", "<!-- /t -->\nb\n"];
        assert_eq!(document.beside("t").unwrap(), beside);
        let error = document.replace("u", "new").unwrap_err().to_string();
        assert_eq!(error, "a.md has no place for u");
    }

    #[test]
    fn documents_have_a_place_for_each_part() {
        let has = |document: &str, names: &[&str]| {
            let document = Document::open(document).unwrap();
            for name in names {
                document.beside(name).unwrap();
            }
        };
        has(PERFORMANCE, &["bench", "instructions", "kernels"]);
        let parts = crate::reproduce::documented().unwrap();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        has(RESULTS, &parts);
    }
}
