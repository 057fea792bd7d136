//! The report as one page with drawings.

use super::figures::Report;
use super::markdown;
use crate::Result;
use crate::cli::bench::page::{from_markdown, page};
use crate::cli::bench::plots::det;

/// The report as a page that needs nothing beside it.
///
/// # Errors
/// Those of drawing.
pub fn report(report: &Report) -> Result<String> {
    let mut body = from_markdown(&markdown::report(report));
    for corpus in &report.corpora {
        let curves = report.det.iter().filter(|curve| curve.corpus == corpus.name);
        let curves: Vec<_> = curves.map(|curve| (curve.system.clone(), curve.points.clone())).collect();
        if !curves.is_empty() {
            body += &det(&format!("{}: misses and false alarms", corpus.name), &curves)?;
        }
    }
    Ok(page("Voices told apart, and who speaks when", &body))
}
