//! What benchmarks of heads have in common: how they are trained and tested, figures, and pages.

pub mod figures;
pub mod page;
pub mod protocol;

use std::path::Path;

use serde::Serialize;

use crate::output::write_whole;
use crate::{Error, Result};

/// A measured report in its three forms.
pub struct Forms<'a, T> {
    /// What `report.json` holds.
    pub report: &'a T,
    /// The report in Markdown.
    pub markdown: &'a str,
    /// The report as one page.
    pub html: &'a str,
}

impl<T: Serialize> Forms<'_, T> {
    /// Writes `report.md`, `report.json` and `report.html` into `folder`.
    ///
    /// # Errors
    /// [`Error::Io`] where one cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join("report.json");
        let json =
            serde_json::to_string_pretty(self.report).map_err(|error| Error::io(&path, error.into()))?;
        write_whole(&folder.join("report.md"), self.markdown.as_bytes())?;
        write_whole(&path, (json + "\n").as_bytes())?;
        write_whole(&folder.join("report.html"), self.html.as_bytes())
    }
}
