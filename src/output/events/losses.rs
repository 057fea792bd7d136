//! Counts what is lost, and tells of it once.

/// How much was lost, in all and in the row of losses that is under way.
#[derive(Debug, Default)]
pub struct Losses {
    total: u64,
    row: u64,
}

impl Losses {
    /// Counts one loss; true for the first of a row.
    pub fn add(&mut self) -> bool {
        self.total += 1;
        self.row += 1;
        self.row == 1
    }

    /// Something was not lost: ends the row, and gives its length if there was one.
    pub fn end_row(&mut self) -> Option<u64> {
        match std::mem::take(&mut self.row) {
            0 => None,
            row => Some(row),
        }
    }

    /// All losses so far.
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// `1 event`, `2 events`.
pub fn events(count: u64) -> String {
    format!("{count} event{}", if count == 1 { "" } else { "s" })
}
