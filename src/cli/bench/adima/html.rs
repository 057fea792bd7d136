//! The report as one page with drawings.

use super::figures::Report;
use super::markdown;
use crate::Result;
use crate::cli::bench::heads::page::{confusion, heat_map, page, projection};
use crate::cli::bench::page::escaped;

/// The report as a page that needs nothing beside it.
///
/// # Errors
/// Those of drawing.
pub fn report(report: &Report) -> Result<String> {
    let names: Vec<&str> = report.languages.iter().map(|language| language.name.as_str()).collect();
    let mut sections = String::new();
    for system in &report.systems {
        let score = |from: &str, to: &str| {
            system.matrix.iter().find(|s| s.from == from && s.to == to).map(|s| s.macro_f1.value)
        };
        let title = "macro-F1, %: learnt from (rows), tested on (columns)";
        sections += &format!("<section><h2>{}</h2>\n", escaped(&markdown::titled(report, &system.name)));
        sections += &heat_map(title, &names, 0.5, score)?;
        let parts: Vec<&str> = system.parts.iter().map(String::as_str).collect();
        sections += &projection(&system.projection, report.labels, &parts)?;
        sections += "<h3>Each language by itself</h3>\n";
        for scored in &system.monolingual {
            sections += &confusion(&scored.to, report.labels, &scored.confusion)?;
        }
        sections += "<h3>From all other languages</h3>\n";
        for scored in &system.zero_shot {
            sections += &confusion(&scored.to, report.labels, &scored.confusion)?;
        }
        sections += "</section>\n";
    }
    Ok(page(&markdown::titled(report, markdown::TITLE), &markdown::report(report), &sections))
}
