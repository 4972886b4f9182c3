//! `report.html`: one page that needs nothing else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::claims::Verdict;
use super::{CONSTRUCTED, JudgedClaim, Report, Row, Section, claim_numbers, figures, svg};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#24292f;--dim:#57606a;--ground:#fff;--card:#f6f8fa;--line:#d0d7de;\
--good:#1a7f37;--best:#0969da;--bad:#b35900;--shade:#0003}\
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9da7b1;--ground:#0d1117;--card:#161b22;\
--line:#30363d;--good:#3fb950;--best:#58a6ff;--bad:#e3933a;--shade:#000a}}\
*{box-sizing:border-box}\
body{margin:0 auto;max-width:68rem;padding:1.5rem 1rem 4rem;background:var(--ground);color:var(--ink);\
font:16px/1.55 system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}\
h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0;text-wrap:balance}h2{font-size:1.25rem;margin:2.5rem 0 .5rem}\
p{max-width:46rem}code{font:0.88em ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}\
.word{display:inline-block;max-width:100%}.key{overflow-wrap:normal}\
.dim{color:var(--dim);font-size:.92rem}\
.note{border-left:4px solid var(--line);background:var(--card);padding:.5rem .8rem;margin:.4rem 0;\
overflow-wrap:anywhere}.note.first{border-color:var(--bad)}\
.counts{display:flex;flex-wrap:wrap;gap:.6rem;padding:0;list-style:none}\
.counts li{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.4rem .8rem}\
.counts b{font-size:1.25rem;margin-right:.35rem}\
nav ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:.2rem 1.5rem;\
margin:1rem 0;padding:0;list-style:none}a{color:var(--best)}nav a{text-decoration:none}nav a:hover{text-decoration:underline}\
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.5rem;margin:.8rem 0;background:\
linear-gradient(to left,var(--ground) 40%,#0000) right/3rem 100% no-repeat local,\
linear-gradient(to left,var(--shade),#0000) right/.8rem 100% no-repeat}\
table{border-collapse:separate;border-spacing:0;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}\
th,td{padding:.4rem .7rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line);vertical-align:top}\
th{font-weight:600;vertical-align:bottom;white-space:normal}thead tr{background:var(--card)}\
tr:last-child td{border-bottom:0}\
th:first-child,td:first-child{text-align:left;white-space:normal;min-width:8rem;position:sticky;left:0;\
background:var(--ground)}th:first-child{background:var(--card)}\
small{display:block;color:var(--dim);font-size:.82rem;white-space:normal}\
td.words{position:static}.stay{position:sticky;left:.7rem;width:fit-content;max-width:min(60rem,100vw - 3.6rem)}\
.left{text-align:left}\
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:.8rem;margin:1rem 0}\
.panels svg{width:100%;max-width:36rem;height:auto;background:var(--card);border:1px solid var(--line);border-radius:.5rem}\
.reproduced{color:var(--good)}.better{color:var(--best)}.missed{color:var(--bad)}.none{color:var(--dim)}\
td.verdict{font-weight:600;text-align:left}summary{cursor:pointer;color:var(--best)}\
@media(max-width:44rem){body{padding:1rem .7rem 3rem}table{font-size:.86rem}th,td{padding:.35rem .4rem}\
th:first-child,td:first-child{min-width:6.5rem}small{font-size:.78rem}\
.claims thead{display:none}.claims tr{display:grid;grid-template-columns:1fr 1fr;gap:.1rem 1rem;padding:.6rem .7rem;\
border-bottom:1px solid var(--line)}.claims tr:last-child{border-bottom:0}\
.claims td{border:0;padding:0;text-align:left;white-space:normal;min-width:0}.claims td:first-child{grid-column:1/-1;position:static}\
.claims [data-name]::before{content:attr(data-name) ' ';color:var(--dim)}}";

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
                    (command(&report.command))
                }
                @for note in &report.cautions { p.note.first { (note) } }
                @for note in report.announcements.iter().chain(&report.made) { p.note { (note) } }
                @let all: Vec<_> = report.claims().collect();
                @if !all.is_empty() {
                    ul.counts {
                        @for verdict in Verdict::ALL {
                            li { b class=(class(verdict)) { (report.count(verdict)) } (verdict.label()) }
                        }
                    }
                    @let constructed = all.iter().filter(|claim| claim.by_construction).count();
                    @if constructed > 0 {
                        p.dim { (constructed) " of these are " (CONSTRUCTED) "." }
                    }
                }
                nav { ul {
                    @for section in &report.sections {
                        li { a href={ "#" (section.declaration.id) } { (section.declaration.title) } }
                    }
                } }
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

/// A command, broken between its words only.
fn command(command: &str) -> Markup {
    html! {
        code { @for (place, word) in command.split(' ').enumerate() {
            @if place > 0 { " " }
            span.word { (word) }
        } }
    }
}

/// A key of the configuration, broken at its dots only.
fn key(key: &str) -> Markup {
    html! {
        code.key {
            @for (place, part) in key.split('.').enumerate() {
                @if place > 0 { "." wbr; }
                (part)
            }
        }
    }
}

/// Text whose numbers stay with their units and deviations.
fn together(text: &str) -> String {
    text.replace(" / ", "\u{a0}/\u{a0}")
        .replace(" ± ", "\u{a0}±\u{a0}")
}

/// Text whose names stand in backticks.
fn words(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
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
                th { "claim" } th.left { "verdict" } th { "found" } th { "paper" } th { "band" }
            } }
            tbody {
                @for claim in claims {
                    @let [paper, band, found] = claim_numbers(claim);
                    tr {
                        td {
                            a href={ "#" (claim.experiment) } { (claim.id) } br; (claim.text)
                            small { (claim.unit) }
                            @if claim.by_construction { small { (CONSTRUCTED) } }
                            @if let Some(reason) = &claim.not_run {
                                small { "not run: " (words(reason)) }
                            }
                        }
                        td class={ "verdict " (class(claim.verdict)) } { (claim.verdict.label()) }
                        td data-name="found" { (found) }
                        td data-name="paper" { (paper) }
                        td data-name="band" { (band) }
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
            p { (words(declaration.about.trim())) }
            p.dim { (section.size()) ". " (command(&section.command)) }
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
    let columns = &section.declaration.columns;
    let swept = section.swept();
    let width = 1 + usize::from(swept.is_some()) + columns.len();
    html! {
        div.scroll { table {
            thead { tr {
                th { "what" }
                @if let Some(swept) = &swept { th { (key(swept)) } }
                @for column in columns { th { (together(&section.head(*column))) } }
            } }
            tbody {
                @for row in rows {
                    @if let Some(reason) = row.not_run {
                        (not_run(section, row, reason, width))
                    } @else {
                        tr {
                            td { (row.name) }
                            @if swept.is_some() { td { (row.at.as_deref().unwrap_or("–")) } }
                            @for (cell, column) in row.cells.iter().zip(columns) {
                                td {
                                    (cell.found.map_or("–".to_owned(), |s| together(&column.text(s))))
                                    @if let Some(paper) = cell.paper {
                                        small { "paper " (together(&column.text(paper))) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        } }
    }
}

/// A row of words, which wrap where the reader is and not where the table ends.
fn not_run(section: &Section, row: &Row, reason: &str, width: usize) -> Markup {
    let columns = &section.declaration.columns;
    html! {
        tr { td.words colspan=(width) { div.stay {
            (row.name)
            small {
                "not run: " (words(reason)) "."
                @for (cell, column) in row.cells.iter().zip(columns) {
                    @if let Some(paper) = cell.paper {
                        " Paper: " (section.head(*column)) " " (column.text(paper)) "."
                    }
                }
            }
        } } }
    }
}
