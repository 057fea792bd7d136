//! The report as one page with drawings.

use super::figures::{Report, System};
use super::markdown;
use crate::Result;
use crate::cli::bench::plots::{Cell, scatter, table};

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#111}\
pre{white-space:pre-wrap;background:#f6f6f6;padding:1em;overflow-x:auto}section{border-top:1px solid #ccc;margin-top:2em}\
svg{margin:6px;vertical-align:top;max-width:100%}";

/// The report as a page that needs nothing beside it.
///
/// # Errors
/// Those of drawing.
pub fn report(report: &Report) -> Result<String> {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Emotions within and across languages</title>\
         <style>{STYLE}</style></head><body>\n"
    );
    page += &tables(&markdown::report(report));
    for system in &report.systems {
        page += &format!(
            "<section><h2>{}: {}</h2>\n",
            escaped(markdown::title(system.task)),
            escaped(&system.name)
        );
        page += &heat_map(system)?;
        page += &projection(system)?;
        page += "<h3>Within each corpus</h3>\n";
        for folds in &system.within {
            page += &confusion(&folds.corpus, system, &folds.confusion)?;
        }
        page += "<h3>From all others</h3>\n";
        for transfer in &system.from_others {
            page += &confusion(&transfer.to, system, &transfer.confusion)?;
        }
        page += "</section>\n";
    }
    Ok(page + "</body></html>\n")
}

/// Counts by true class (row) and predicted class (column), as shares of the true class.
fn confusion(corpus: &str, system: &System, counts: &[Vec<u64>]) -> Result<String> {
    let row = |counts: &Vec<u64>| {
        let whole = counts.iter().sum::<u64>().max(1) as f64;
        counts.iter().map(|&count| Cell { shade: count as f64 / whole, text: count.to_string() }).collect()
    };
    let cells: Vec<Vec<Cell>> = counts.iter().map(row).collect();
    table(&format!("{corpus}: true (rows), told (columns)"), system.labels, system.labels, &cells)
}

/// The UAR from each corpus (row) to each (column); within a corpus on the diagonal.
fn heat_map(system: &System) -> Result<String> {
    let names: Vec<&str> = system.corpora.iter().map(|corpus| corpus.name.as_str()).collect();
    let chance = 1.0 / system.labels.len() as f64;
    let cell = |from: &str, to: &str| {
        let value = match from == to {
            true => system.within.iter().find(|folds| folds.corpus == to).map(|folds| folds.mean),
            false => system.across.iter().find(|t| t.from == from && t.to == to).map(|t| t.uar.value),
        };
        let value = value.unwrap_or(0.0);
        Cell { shade: (value / 100.0 - chance) / (1.0 - chance), text: format!("{value:.1}") }
    };
    let cells: Vec<Vec<Cell>> =
        names.iter().map(|from| names.iter().map(|to| cell(from, to)).collect()).collect();
    table("UAR, %: learnt from (rows), tested on (columns)", &names, &names, &cells)
}

fn projection(system: &System) -> Result<String> {
    let names: Vec<&str> = system.corpora.iter().map(|corpus| corpus.name.as_str()).collect();
    let points = |of: &dyn Fn(&super::figures::Point) -> usize| {
        system.projection.iter().map(|point| (point.x, point.y, of(point))).collect::<Vec<_>>()
    };
    let by_class = scatter("two principal axes, by class", system.labels, &points(&|point| point.label))?;
    let by_corpus = scatter("the same, by corpus", &names, &points(&|point| point.corpus))?;
    Ok(by_class + &by_corpus)
}

/// Markdown with its headings and tables as HTML.
fn tables(markdown: &str) -> String {
    let mut html = String::new();
    let mut in_table = false;
    for line in markdown.lines() {
        let is_row = line.starts_with('|');
        if is_row != in_table {
            html += if is_row {
                "<table border=\"1\" cellpadding=\"5\" style=\"border-collapse:collapse\">\n"
            } else {
                "</table>\n"
            };
            in_table = is_row;
        }
        let heading = line.bytes().take_while(|&byte| byte == b'#').count();
        if is_row {
            if !line.starts_with("|---") {
                let cells = line.trim_matches('|').split('|');
                let row: String = cells.map(|cell| format!("<td>{}</td>", escaped(cell.trim()))).collect();
                html += &format!("<tr>{row}</tr>\n");
            }
        } else if heading > 0 {
            html += &format!("<h{heading}>{}</h{heading}>\n", escaped(line[heading..].trim()));
        } else if !line.is_empty() {
            html += &format!("<p>{}</p>\n", escaped(line));
        }
    }
    html + if in_table { "</table>\n" } else { "" }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
