//! `report.md`.

use std::fmt::Write;

use super::super::claims::Verdict;
use super::{JudgedClaim, Report, Section, claim_numbers, figures};

pub(super) fn page(report: &Report) -> String {
    let mut text = format!("# The paper, reproduced\n\n`{}`\n\n", report.command);
    for note in report.notes() {
        text += &format!("> {note}\n");
    }
    text += &format!("\n## Claims\n\n{}", claims(report));
    for section in &report.sections {
        text += &format!("\n## {}\n\n", section.declaration.title);
        write_section(&mut text, section, "");
    }
    text
}

/// Counts and the table of all claims.
pub(super) fn claims(report: &Report) -> String {
    let counts = Verdict::ALL.map(|v| format!("{} {}", report.count(v), v.label()));
    format!("{}.\n\n{}", counts.join(", "), judged(report.claims()))
}

/// A section of a document that has titles of its own, with its claims; `stamp` says when
/// and by what it was made.
pub(super) fn part(section: &Section, stamp: &str) -> String {
    let mut text = String::new();
    write_section(&mut text, section, &format!("; {stamp}"));
    if !section.claims.is_empty() {
        text += &format!("\n{}", judged(section.claims.iter()));
    }
    text
}

fn judged<'a>(claims: impl Iterator<Item = &'a JudgedClaim>) -> String {
    let head = ["claim", "of", "paper", "band", "found", "verdict"].map(str::to_owned);
    let claims = claims.map(|claim| {
        let [paper, band, found] = claim_numbers(claim);
        let verdict = format!("**{}**", claim.verdict.label());
        let why = claim.not_run.iter();
        let why: String = why.map(|reason| format!(" (not run: {reason})")).collect();
        let words = format!("`{}` {}{why}", claim.id, claim.text);
        vec![words, claim.unit.clone(), paper, band, found, verdict]
    });
    table(std::iter::once(head.to_vec()).chain(claims).collect())
}

fn write_section(text: &mut String, section: &Section, stamp: &str) {
    let declaration = section.declaration;
    *text += &format!("{}\n\n", declaration.about.trim());
    *text += &format!("{}; `{}`{stamp}\n\n", section.size(), section.command);
    for (name, _) in figures::files(section) {
        writeln!(text, "![{}](figures/{name})\n", declaration.title).expect("text grows");
    }
    let published = section.published();
    let mut head = vec!["what".to_owned()];
    head.extend(section.swept().map(|key| format!("`{key}`")));
    for (column, published) in declaration.columns.iter().zip(&published) {
        if *published {
            head.push(format!("paper: {}", section.head(*column)));
        }
        head.push(section.head(*column));
    }
    let mut lines = vec![head];
    for row in section.rows() {
        let name = match row.not_run {
            Some(reason) => format!("{} (not run: {reason})", row.name),
            None => row.name.to_owned(),
        };
        let mut line = vec![name];
        if section.swept().is_some() {
            line.push(row.at.clone().unwrap_or_else(|| "–".to_owned()));
        }
        let columns = declaration.columns.iter().zip(&published);
        for (cell, (column, published)) in row.cells.iter().zip(columns) {
            let spread = |spread| match spread {
                Some(spread) => column.text(spread),
                None => "–".to_owned(),
            };
            if *published {
                line.push(spread(cell.paper));
            }
            line.push(spread(cell.found));
        }
        lines.push(line);
    }
    *text += &table(lines);
}

/// A Markdown table whose columns line up, so that it reads well as text too.
fn table(lines: Vec<Vec<String>>) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            write!(text, "| {cell:width$} ").expect("text grows");
        }
        text += "|\n";
        if i == 0 {
            for width in &widths {
                write!(text, "|{}", "-".repeat(width + 2)).expect("text grows");
            }
            text += "|\n";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up() {
        let line = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(vec![line(["a", "test"]), line(["long", "97.2 ± 0.1"])]);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths, [widths[0]; 3], "{text}");
        assert!(text.contains("| 97.2 ± 0.1 |"), "{text}");
    }
}
