//! The report as one page with drawings.

use super::figures::{Report, System};
use super::markdown;
use crate::Result;
use crate::cli::bench::page::{escaped, from_markdown, page};
use crate::cli::bench::plots::{Cell, scatter, table};

/// The report as a page that needs nothing beside it.
///
/// # Errors
/// Those of drawing.
pub fn report(report: &Report) -> Result<String> {
    let mut body = from_markdown(&markdown::report(report));
    for system in &report.systems {
        body += &format!(
            "<section><h2>{}: {}</h2>\n",
            escaped(markdown::title(system.task)),
            escaped(&system.name)
        );
        body += &heat_map(system)?;
        body += &projection(system)?;
        body += "<h3>Within each corpus</h3>\n";
        for folds in &system.within {
            body += &confusion(&folds.corpus, system, &folds.confusion)?;
        }
        body += "<h3>From all others</h3>\n";
        for transfer in &system.from_others {
            body += &confusion(&transfer.to, system, &transfer.confusion)?;
        }
        body += "</section>\n";
    }
    Ok(page("Emotions within and across languages", &body))
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
