//! One page of HTML with drawings, which needs nothing beside it.

use super::figures::Point;
use crate::Result;
use crate::cli::bench::plots::{Cell, scatter, table};

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#111}\
pre{white-space:pre-wrap;background:#f6f6f6;padding:1em;overflow-x:auto}section{border-top:1px solid #ccc;margin-top:2em}\
svg{margin:6px;vertical-align:top;max-width:100%}";

/// A page of a report in Markdown and what follows it.
pub fn page(title: &str, markdown: &str, sections: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{}</title><style>{STYLE}</style></head><body>\n{}{sections}</body></html>\n",
        escaped(title),
        tables(markdown)
    )
}

/// Counts by true class (row) and predicted class (column), as shares of the true class.
///
/// # Errors
/// Those of drawing.
pub fn confusion(name: &str, labels: &[&str], counts: &[Vec<u64>]) -> Result<String> {
    let row = |counts: &Vec<u64>| {
        let whole = counts.iter().sum::<u64>().max(1) as f64;
        counts.iter().map(|&count| Cell { shade: count as f64 / whole, text: count.to_string() }).collect()
    };
    let cells: Vec<Vec<Cell>> = counts.iter().map(row).collect();
    table(&format!("{name}: true (rows), told (columns)"), labels, labels, &cells)
}

/// A score in percent from each of `names` (row) to each (column), as `score` tells it; darker from `chance` up.
///
/// # Errors
/// Those of drawing.
pub fn heat_map(
    title: &str,
    names: &[&str],
    chance: f64,
    score: impl Fn(&str, &str) -> Option<f64>,
) -> Result<String> {
    let cell = |from: &str, to: &str| match score(from, to) {
        Some(value) => Cell { shade: (value / 100.0 - chance) / (1.0 - chance), text: format!("{value:.1}") },
        None => Cell { shade: 0.0, text: String::new() },
    };
    let cells: Vec<Vec<Cell>> =
        names.iter().map(|from| names.iter().map(|to| cell(from, to)).collect()).collect();
    table(title, names, names, &cells)
}

/// Clips on two axes, by class and by part.
///
/// # Errors
/// Those of drawing.
pub fn projection(clips: &[Point], labels: &[&str], parts: &[&str]) -> Result<String> {
    let points =
        |of: fn(&Point) -> usize| clips.iter().map(|point| (point.x, point.y, of(point))).collect::<Vec<_>>();
    let by_class = scatter("two principal axes, by class", labels, &points(|point| point.label))?;
    Ok(by_class + &scatter("the same, by corpus or language", parts, &points(|point| point.part))?)
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

/// Text as HTML has it.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
