//! What the user is told while work goes on: on stderr, never among the data.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::time::SampleIndex;

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(200);

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Errors alone.
    Quiet,
    /// A line a file.
    Lines,
    /// A line a file, and a bar while it is worked on.
    Bar,
}

/// Tells how far work is.
pub struct Progress {
    detail: Detail,
    out: Box<dyn Write + Send>,
    current: Option<Current>,
}

/// The file under way.
struct Current {
    name: String,
    duration: Option<Duration>,
    started: Instant,
    bar: ProgressBar,
}

impl Progress {
    /// On stderr: a bar where that is a terminal, lines elsewhere.
    pub fn on_stderr() -> Self {
        let detail = if io::stderr().is_terminal() { Detail::Bar } else { Detail::Lines };
        Self::to(io::stderr(), detail)
    }

    /// Lines to `out`. A bar, where `detail` asks for one, is always drawn on stderr.
    pub fn to(out: impl Write + Send + 'static, detail: Detail) -> Self {
        Self { detail, out: Box::new(out), current: None }
    }

    /// This, telling of errors alone.
    pub fn quietly(self) -> Self {
        Self { detail: Detail::Quiet, ..self }
    }

    /// Begins a file, the `number`th of `count`. `duration` is that of its audio, where known.
    pub fn begin(&mut self, name: &str, number: usize, count: usize, duration: Option<Duration>) {
        // The whole path would leave no room for the bar.
        let short = Path::new(name).file_name().unwrap_or(name.as_ref()).to_string_lossy();
        let prefix = if count > 1 { format!("[{number}/{count}] {short}") } else { short.into_owned() };
        let bar = match self.detail {
            Detail::Bar => bar(duration).with_prefix(prefix),
            Detail::Quiet | Detail::Lines => ProgressBar::hidden(),
        };
        self.current = Some(Current { name: name.to_owned(), duration, started: Instant::now(), bar });
    }

    /// The audio of the file under way is done up to `position`.
    pub fn reach(&mut self, position: SampleIndex) {
        let Some(current) = &self.current else { return };
        let audio = position.seconds();
        current.bar.set_position((audio * 1000.0) as u64);
        current.bar.set_message(status(audio, current.duration, current.started.elapsed().as_secs_f64()));
    }

    /// The file under way is done; its audio was of so many seconds. Returns the time that it took.
    pub fn finish(&mut self, audio_seconds: f64) -> Duration {
        let Some(current) = self.current.take() else { return Duration::ZERO };
        let took = current.started.elapsed();
        current.bar.finish_and_clear();
        self.say(&format!("{}: {}", current.name, pace(audio_seconds, took)));
        took
    }

    /// The file under way ends without success.
    pub fn abandon(&mut self) {
        if let Some(current) = self.current.take() {
            current.bar.finish_and_clear();
        }
    }

    /// A line, unless quiet.
    pub fn say(&mut self, line: &str) {
        if self.detail != Detail::Quiet {
            self.tell(line);
        }
    }

    /// A line, also when quiet.
    pub fn error(&mut self, line: &str) {
        self.tell(line);
    }

    /// Does `work` with the bar out of the way, as for writing to the same terminal.
    pub fn aside<R>(&self, work: impl FnOnce() -> R) -> R {
        match &self.current {
            Some(current) => current.bar.suspend(work),
            None => work(),
        }
    }

    fn tell(&mut self, line: &str) {
        // Nobody may be left to hear it; that stops no work.
        let out = &mut self.out;
        let mut write = || {
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        };
        match &self.current {
            Some(current) => current.bar.suspend(write),
            None => write(),
        }
    }
}

fn bar(duration: Option<Duration>) -> ProgressBar {
    let (bar, template) = match duration {
        Some(duration) => (ProgressBar::new(duration.as_millis() as u64), "{prefix} {wide_bar} {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {prefix} {msg}"),
    };
    if duration.is_none() {
        bar.enable_steady_tick(TICK);
    }
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// `1:02 of 10:00, 21x, 0:26 left`.
fn status(audio: f64, duration: Option<Duration>, elapsed: f64) -> String {
    let speed = audio / elapsed.max(1e-3);
    let (mut total, mut left) = (String::new(), String::new());
    if let Some(duration) = duration.map(|duration| duration.as_secs_f64()) {
        total = format!(" of {}", clock(duration));
        if speed > 0.0 {
            left = format!(", {} left", clock((duration - audio).max(0.0) / speed));
        }
    }
    format!("{}{total}, {}{left}", clock(audio), times(speed))
}

/// `12.3 s of audio in 0.6 s (20x)`.
pub(crate) fn pace(audio_seconds: f64, took: Duration) -> String {
    let speed = audio_seconds / took.as_secs_f64().max(1e-3);
    format!("{} of audio in {} ({})", length(audio_seconds), length(took.as_secs_f64()), times(speed))
}

/// Seconds with a decimal below a minute, a clock above.
fn length(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.1} s") } else { clock(seconds) }
}

fn times(speed: f64) -> String {
    if speed < 9.95 { format!("{speed:.1}x") } else { format!("{speed:.0}x") }
}

/// `m:ss` or `h:mm:ss`.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_is_told_in_words_that_fit_its_size() {
        assert_eq!(pace(12.34, Duration::from_millis(617)), "12.3 s of audio in 0.6 s (20x)");
        assert_eq!(pace(3723.0, Duration::from_secs(1241)), "1:02:03 of audio in 20:41 (3.0x)");
        assert_eq!(pace(0.0, Duration::ZERO), "0.0 s of audio in 0.0 s (0.0x)");
    }

    #[test]
    fn status_tells_what_is_left_where_the_end_is_known() {
        assert_eq!(status(60.0, Some(Duration::from_secs(600)), 3.0), "1:00 of 10:00, 20x, 0:27 left");
        assert_eq!(status(0.0, Some(Duration::from_secs(5)), 0.1), "0:00 of 0:05, 0.0x");
        assert_eq!(status(90.0, None, 30.0), "1:30, 3.0x");
    }
}
