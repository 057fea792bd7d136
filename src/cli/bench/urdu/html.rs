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
    let mut sections = String::new();
    for system in &report.systems {
        let names: Vec<&str> = system.corpora.iter().map(|corpus| corpus.name.as_str()).collect();
        let score = |from: &str, to: &str| match from == to {
            true => system.within.iter().find(|folds| folds.corpus == to).map(|folds| folds.mean),
            false => system.across.iter().find(|t| t.from == from && t.to == to).map(|t| t.uar.value),
        };
        let title = "UAR, %: learnt from (rows), tested on (columns)";
        sections +=
            &format!("<section><h2>{}: {}</h2>\n", markdown::title(system.task), escaped(&system.name));
        sections += &heat_map(title, &names, 1.0 / system.labels.len() as f64, score)?;
        sections += &projection(&system.projection, system.labels, &names)?;
        sections += "<h3>Within each corpus</h3>\n";
        for folds in &system.within {
            sections += &confusion(&folds.corpus, system.labels, &folds.confusion)?;
        }
        sections += "<h3>From all others</h3>\n";
        for transfer in &system.from_others {
            sections += &confusion(&transfer.to, system.labels, &transfer.confusion)?;
        }
        sections += "</section>\n";
    }
    Ok(page("Emotions within and across languages", &markdown::report(report), &sections))
}
