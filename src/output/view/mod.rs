//! A stream in the terminal.
//!
//! | file | idea |
//! |---|---|
//! | `state` | [`ViewState`]: what is shown, folded from events and gauges |
//! | `lanes` | what events other than text say in one line |
//! | `wrap` | text in lines of so many columns, in any script |
//! | `draw` | [`draw`]: the state as a picture |
//! | `terminal` | [`View`]: the terminal, its keys, and its restoring |
//!
//! The terminal is restored when the view ends, however it ends: finished, dropped, or by a panic anywhere in the
//! process. Only `terminal` touches the outside; nothing here slows the stream, which goes on while the view is paused.

mod draw;
mod lanes;
mod state;
mod terminal;
mod wrap;

pub use draw::draw;
pub use lanes::LaneEntry;
pub use state::{FinalText, Growing, Move, ViewState};
pub use terminal::{View, restore};
