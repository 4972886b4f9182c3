//! Relative links in documents lead somewhere.

use std::fs;
use std::path::Path;

/// Complaints about the links and pictures of a document.
pub(super) fn check(root: &Path, document: &Path) -> Vec<String> {
    let name = document.strip_prefix(root).unwrap_or(document).display();
    let text = match fs::read_to_string(document) {
        Ok(text) => text,
        Err(error) => return vec![format!("{name}: {error}")],
    };
    let folder = document.parent().unwrap_or(root);
    targets(&text)
        .into_iter()
        .filter(|target| !folder.join(target).exists())
        .map(|target| format!("{name}: the link to {target} leads nowhere"))
        .collect()
}

/// The relative targets of all `[text](target)`, without their anchors. Code
/// blocks hold no links.
fn targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for part in line.split("](").skip(1) {
            let Some((target, _)) = part.split_once(')') else {
                continue;
            };
            let path = target.split(['#', ' ']).next().unwrap_or_default();
            let elsewhere = path.contains("://") || path.starts_with("mailto:");
            if !path.is_empty() && !elsewhere {
                found.push(path);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn only_relative_links_count() {
        let text = "[a](docs/a.md#part) ![p](p.svg \"title\") [w](https://example.org) [s](#here)\n\
                    ```\n[code](none)\n```\n[b](../b)";
        assert_eq!(targets(text), ["docs/a.md", "p.svg", "../b"]);
    }
}
