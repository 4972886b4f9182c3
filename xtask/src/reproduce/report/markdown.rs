//! `report.md`.

use std::fmt::Write;

use super::super::claims::Verdict;
use super::{CONSTRUCTED, JudgedClaim, Report, Section, claim_numbers, counts, figures};

pub(super) fn page(report: &Report) -> String {
    let mut text = format!("# The paper, reproduced\n\n`{}`\n\n", report.command);
    for note in report.notes() {
        text += &format!("> {note}\n");
    }
    text += &format!(
        "\n## Claims\n\n{}.\n\n{}",
        report.counts(),
        judged(report.claims())
    );
    for section in &report.sections {
        text += &format!("\n## {}\n\n", section.declaration.title);
        write_section(&mut text, section, "");
    }
    text
}

/// The claims that the parts of a document tell of, in one table with their counts.
pub(super) fn gathered(text: &str) -> String {
    let (mut lines, mut of_claims) = (vec![HEAD.map(str::to_owned).to_vec()], false);
    for line in text.lines() {
        of_claims = line.starts_with('|') && (of_claims || line.starts_with("| claim "));
        if of_claims && line.starts_with("| `") {
            lines.push(cells(line));
        }
    }
    let ended = |verdict| {
        let cell = Some(cell_of(verdict));
        let found = lines.iter().filter(|line| line.last() == cell.as_ref());
        found.count()
    };
    let constructed = lines
        .iter()
        .filter(|line| line[0].ends_with(&constructed()));
    let counts = counts(ended, constructed.count());
    format!("{counts}.\n\n{}", table(lines))
}

/// Heads of a table of claims.
const HEAD: [&str; 6] = ["claim", "of", "paper", "band", "found", "verdict"];

/// What the words of a claim end with that is to hold by construction.
fn constructed() -> String {
    format!(" ({CONSTRUCTED})")
}

fn cell_of(verdict: Verdict) -> String {
    format!("**{}**", verdict.label())
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
    let claims = claims.map(|claim| {
        let [paper, band, found] = claim_numbers(claim);
        let why = claim.not_run.iter();
        let why: String = why.map(|reason| format!(" (not run: {reason})")).collect();
        let constructed = claim.by_construction.then(constructed).unwrap_or_default();
        let words = format!("`{}` {}{why}{constructed}", claim.id, claim.text);
        let verdict = cell_of(claim.verdict);
        vec![words, claim.unit.clone(), paper, band, found, verdict]
    });
    let head = HEAD.map(str::to_owned).to_vec();
    table(std::iter::once(head).chain(claims).collect())
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

/// What stands in the cells of a line that [`table`] has written.
fn cells(line: &str) -> Vec<String> {
    let mut before = ' ';
    let ends = |c| std::mem::replace(&mut before, c) != '\\' && c == '|';
    let cells = line.trim_matches('|').split(ends);
    cells.map(|cell| cell.trim().replace(STROKE, "|")).collect()
}

/// A stroke within a cell: alone it would end that.
const STROKE: &str = r"\|";

/// A Markdown table whose columns line up, so that it reads well as text too.
fn table(mut lines: Vec<Vec<String>>) -> String {
    for cell in lines.iter_mut().flatten() {
        *cell = cell.replace('|', STROKE);
    }
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
    use super::{HEAD, cells, gathered, table};

    #[test]
    fn columns_line_up() {
        let line = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = table(vec![line(["a", "test"]), line(["long", "97.2 ± 0.1"])]);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths, [widths[0]; 3], "{text}");
        assert!(text.contains("| 97.2 ± 0.1 |"), "{text}");
    }

    #[test]
    fn a_stroke_ends_no_cell() {
        let line = ["`a` |x| < 1", "1 | 2", "|"].map(str::to_owned).to_vec();
        let text = table(vec![line.clone(), line.clone()]);
        let first = text.lines().next().unwrap();
        assert_eq!(first, r"| `a` \|x\| < 1 | 1 \| 2 | \| |");
        assert_eq!(cells(first), line);
    }

    #[test]
    fn claims_of_all_parts_come_into_one_table() {
        let claim = |id: &str, verdict: &str| {
            let cells = [id, "%", "1", "0 to 2", "1.0 ± 0.1", verdict];
            cells.map(str::to_owned).to_vec()
        };
        let (a, b) = (
            claim("`a` |holds|", "**reproduced**"),
            claim("`b` (by construction)", "**not reproduced**"),
        );
        let head = HEAD.map(str::to_owned).to_vec();
        let part = |row: &Vec<String>| table(vec![head.clone(), row.clone()]);
        let other = "| what | b |\n|---|---|\n| `c` | 3 |\n";
        let text = format!("{}\ntext\n\n{other}\n{}", part(&a), part(&b));
        let all = gathered(&text);
        assert!(
            all.starts_with(
                "1 reproduced, 0 better, 1 not reproduced, 0 not run; 1 of these are by \
                 construction."
            ),
            "{all}"
        );
        assert!(all.ends_with(&table(vec![head.clone(), a, b])), "{all}");
    }
}
