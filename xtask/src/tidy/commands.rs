//! Commands that documents show are commands that exist.
//!
//! Each line of a shell block that starts with `bss2`, `cargo xtask` or
//! `cargo run ... --` is parsed by the command line it is meant for, so that a
//! renamed flag cannot stay in the README.

use std::fs;
use std::path::Path;

use clap::CommandFactory;

use crate::cli::Arguments;

/// Complaints about the shell blocks of a document.
pub(super) fn check(root: &Path, document: &Path) -> Vec<String> {
    let name = document.strip_prefix(root).unwrap_or(document).display();
    let Ok(text) = fs::read_to_string(document) else {
        return Vec::new(); // the links' rule has complained already
    };
    shell_lines(&text)
        .into_iter()
        .filter_map(|line| Some(format!("{name}: `{line}`: {}", complaint(&line)?)))
        .collect()
}

/// The lines of all shell blocks, prompts and comments removed, continued
/// lines joined.
fn shell_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut in_shell = false;
    let mut open = String::new();
    for line in text.lines() {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            in_shell = !in_shell && matches!(language, "sh" | "bash" | "console" | "shell");
            continue;
        }
        if !in_shell {
            continue;
        }
        let line = line.strip_prefix("$ ").unwrap_or(line);
        let line = line.split(" #").next().unwrap_or_default().trim();
        if let Some(part) = line.strip_suffix('\\') {
            open.push_str(part);
            continue;
        }
        let whole = std::mem::take(&mut open) + line;
        if !whole.is_empty() && !whole.starts_with('#') {
            lines.push(whole);
        }
    }
    lines
}

/// What is wrong with a command, if it is one of ours.
fn complaint(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let words = words.as_slice();
    let parsed = match words {
        ["bss2", rest @ ..] => parse(bss2::cli::command(), rest),
        ["cargo", "xtask", rest @ ..] => parse(Arguments::command(), rest),
        ["cargo", "run", ..] => {
            let rest = words.iter().position(|&word| word == "--")?;
            parse(bss2::cli::command(), &words[rest + 1..])
        }
        _ => return None,
    };
    parsed.err().map(|error| error.kind().to_string())
}

fn parse(command: clap::Command, words: &[&str]) -> Result<(), clap::Error> {
    let words = std::iter::once("command").chain(words.iter().copied());
    match command.try_get_matches_from(words) {
        Err(error) if error.use_stderr() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{complaint, shell_lines};

    #[test]
    fn lines_are_found_and_joined() {
        let text =
            "```sh\n$ bss2 train mnist \\\n  --epochs 3  # short\n# no\n```\n```rust\nbss2\n```";
        assert_eq!(shell_lines(text), ["bss2 train mnist --epochs 3"]);
    }

    #[test]
    fn a_command_that_does_not_exist_is_named() {
        assert_eq!(complaint("bss2 train mnist --epochs 3"), None);
        assert_eq!(complaint("cargo xtask tidy"), None);
        assert_eq!(complaint("cargo run --release -- data check"), None);
        assert!(complaint("bss2 train mnist --no-such-flag").is_some());
        assert!(complaint("cargo xtask nothing").is_some());
        assert!(complaint("ls -l").is_none());
    }
}
