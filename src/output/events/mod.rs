//! Events out: a line each on a stream, in a file, or posted to a URL.
//!
//! | file | idea |
//! |---|---|
//! | `json_lines` | [`JsonLines`]: on a stream such as stdout |
//! | `text_lines` | [`TextLines`]: finals as lines for people |
//! | `file` | [`EventFile`]: in a file that outlives processes |
//! | `webhook` | `Webhook`: to a URL, at least once (feature `webhook`) |
//! | `line_file` | a file of whole lines, whatever happens to the disk or the process |
//! | `losses` | counts what is lost, and tells of it once |
//!
//! An event arrives whole or not at all. One that is lost is counted: the user hears of the first of a row at once
//! (through [`Notify`]), and of all of them from [`EventSink::finish`](crate::pipeline::EventSink::finish).

use std::sync::Arc;

mod file;
mod json_lines;
mod line_file;
mod losses;
mod text_lines;
#[cfg(feature = "webhook")]
mod webhook;

pub use file::EventFile;
pub use json_lines::JsonLines;
pub use text_lines::TextLines;
#[cfg(feature = "webhook")]
pub use webhook::{Timing, Webhook, WebhookOptions};

/// Tells the user one line, without a line's end, while the stream goes on.
pub type Notify = Arc<dyn Fn(&str) + Send + Sync>;
