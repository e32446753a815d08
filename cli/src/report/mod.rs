//! The report of a training: `report.html`, one file for people, and `report.json`, the same for
//! programs.
//!
//! The page is made by `maud`: what is not markup is escaped, whoever it came from, and a tag that
//! is not closed does not compile. Charts are SVG in the page; a library that draws them would be
//! larger than this program and knows neither night nor paper.

mod chart;
mod content;
mod curves;
mod html;
mod names;
mod number;
mod picture;
mod predictions;
mod sections;

use std::io;
use std::path::Path;

pub use content::*;
pub use curves::{Chart, Curves, Series, thinned};
pub use predictions::{ErrorHistogram, Predictions};

use crate::file;

impl RunReport {
    /// The page: HTML that needs neither network nor scripts, for screens by day and night, and for
    /// paper.
    #[must_use]
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// Writes `report.html` and `report.json` to a folder that is there. Each is written beside and
    /// then renamed, so that an older one is replaced as a whole.
    ///
    /// # Errors
    /// What the file system reports; a serialised number or text cannot fail.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let json = serde_json::to_vec(self)?;
        file::replace(&folder.join("report.html"), self.html().as_bytes())?;
        file::replace(&folder.join("report.json"), &json)
    }
}
