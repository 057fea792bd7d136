//! One page of HTML with drawings, which needs nothing beside it.

use super::figures::Point;
use crate::Result;
use crate::cli::bench::page::{from_markdown, page as whole_page};
use crate::cli::bench::plots::{Cell, scatter, table};

/// A page of a report in Markdown and what follows it.
pub fn page(title: &str, markdown: &str, sections: &str) -> String {
    whole_page(title, &(from_markdown(markdown) + sections))
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
