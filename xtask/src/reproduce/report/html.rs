//! `report.html`: one page that needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::claims::Verdict;
use super::{JudgedClaim, Report, Row, Section, claim_numbers, figures, svg};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#24292f;--dim:#57606a;--ground:#fff;--card:#f6f8fa;--line:#d0d7de;\
--good:#1a7f37;--best:#0969da;--bad:#b35900}\
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9da7b1;--ground:#0d1117;--card:#161b22;\
--line:#30363d;--good:#3fb950;--best:#58a6ff;--bad:#e3933a}}\
*{box-sizing:border-box}\
body{margin:0 auto;max-width:68rem;padding:1.5rem 1rem 4rem;background:var(--ground);color:var(--ink);\
font:16px/1.55 system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}\
h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.25rem;margin:2.5rem 0 .5rem}\
p{max-width:46rem}code{font:0.88em ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}\
.dim{color:var(--dim);font-size:.92rem}\
.note{border-left:4px solid var(--bad);background:var(--card);padding:.5rem .8rem;margin:.4rem 0}\
.counts{display:flex;flex-wrap:wrap;gap:.6rem;padding:0;list-style:none}\
.counts li{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.4rem .8rem}\
.counts b{font-size:1.25rem;margin-right:.35rem}\
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.5rem;margin:.8rem 0}\
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}\
th,td{padding:.4rem .7rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}\
tr:last-child td{border-bottom:0}th{background:var(--card);font-weight:600;vertical-align:bottom}\
th:first-child,td:first-child{text-align:left;white-space:normal;min-width:11rem}\
.words{text-align:left;white-space:normal}\
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:.8rem;margin:1rem 0}\
.panels svg{width:100%;max-width:44rem;height:auto;background:var(--card);border:1px solid var(--line);border-radius:.5rem}\
.reproduced{color:var(--good)}.better{color:var(--best)}.missed{color:var(--bad)}.none{color:var(--dim)}\
td.verdict{font-weight:600}summary{cursor:pointer;color:var(--best)}nav a{margin-right:.9rem}a{color:var(--best)}";

pub(super) fn page(report: &Report) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "The paper, reproduced" }
                style { (PreEscaped(STYLE)) (PreEscaped(svg::STYLE)) }
            }
            body {
                h1 { "Surrogate gradients for analog neuromorphic computing, reproduced" }
                p.dim {
                    "Cramer et al., PNAS 2022, on an emulated BrainScaleS-2 chip. Made by "
                    code { (report.command) } "."
                }
                @for note in &report.notes { p.note { (note) } }
                ul.counts {
                    @for verdict in Verdict::ALL {
                        li { b class=(class(verdict)) { (report.count(verdict)) } (verdict.label()) }
                    }
                }
                nav {
                    @for section in &report.sections {
                        a href={ "#" (section.declaration.id) } { (section.declaration.title) } " "
                    }
                }
                @let all: Vec<_> = report.claims().collect();
                @if !all.is_empty() {
                    h2 { "Claims" }
                    (claims(&all))
                }
                @for section in &report.sections { (section_of(section)) }
            }
        }
    };
    page.into_string()
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Reproduced => "reproduced",
        Verdict::Better => "better",
        Verdict::NotReproduced => "missed",
        Verdict::NotRun => "none",
    }
}

fn claims(claims: &[&JudgedClaim]) -> Markup {
    html! {
        div.scroll { table.claims {
            thead { tr {
                th { "claim" } th { "verdict" } th { "found" } th { "paper" } th { "band" } th { "of" }
            } }
            tbody {
                @for claim in claims {
                    @let [paper, band, found] = claim_numbers(claim);
                    tr {
                        td { a href={ "#" (claim.experiment) } { (claim.id) } br; (claim.text) }
                        td class={ "verdict " (class(claim.verdict)) } { (claim.verdict.label()) }
                        td data-name="found" { (found) }
                        td data-name="paper" { (paper) }
                        td data-name="band" { (band) }
                        td data-name="of" { (claim.unit) }
                    }
                }
            }
        } }
    }
}

fn section_of(section: &Section) -> Markup {
    let declaration = section.declaration;
    html! {
        section id=(declaration.id) {
            h2 { (declaration.title) }
            p { (declaration.about.trim()) }
            p.dim { (section.size()) ". " code { (section.command) } }
            @let pictures = figures::of(section);
            @if !pictures.is_empty() {
                div.panels { @for picture in pictures { (PreEscaped(picture.whole(false))) } }
            }
            @let rows = section.rows();
            @if rows.len() > LONG {
                details {
                    summary { "All numbers, " (rows.len()) " rows" }
                    (table(section, &rows))
                }
            } @else {
                (table(section, &rows))
            }
        }
    }
}

/// Rows of a table that is folded away.
const LONG: usize = 14;

fn table(section: &Section, rows: &[Row]) -> Markup {
    let (columns, published) = (&section.declaration.columns, section.published());
    let width = columns.len() + published.iter().filter(|p| **p).count();
    html! {
        div.scroll { table {
            thead { tr {
                th { "what" }
                @if let Some(key) = section.swept() { th { code { (key) } } }
                @for (column, published) in columns.iter().zip(&published) {
                    @if *published { th { "paper: " (column.label()) } }
                    th { (column.label()) }
                }
            } }
            tbody {
                @for row in rows {
                    tr {
                        td { (row.name) }
                        @if section.swept().is_some() { td { (row.at.as_deref().unwrap_or("–")) } }
                        @if let Some(reason) = row.not_run {
                            td.words.none colspan=(width) {
                                @for (cell, column) in row.cells.iter().zip(columns) {
                                    @if let Some(paper) = cell.paper {
                                        "paper: " (column.label()) " " (column.text(paper)) "; "
                                    }
                                }
                                "not run: " (reason)
                            }
                        } @else {
                            @for (cell, (column, published)) in
                                row.cells.iter().zip(columns.iter().zip(&published)) {
                                @if *published {
                                    td.none { (cell.paper.map_or("–".to_owned(), |s| column.text(s))) }
                                }
                                td { (cell.found.map_or("–".to_owned(), |s| column.text(s))) }
                            }
                        }
                    }
                }
            }
        } }
    }
}
