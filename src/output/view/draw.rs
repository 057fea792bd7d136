//! The state as a picture.
//!
//! Nothing stands to the right of text, and the text ends the row: where a terminal takes another number of columns for
//! a syllable than is reckoned here, or writes a row from right to left, only that row is affected.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use super::lanes::{LaneEntry, Weight};
use super::state::{FinalText, Growing, Picture, ViewState};
use super::wrap::{Firmness, Piece, shorten, wrap};
use crate::asr::languages::has_spaces;

/// From this width on there is room for words where a narrow view has signs.
const WIDE: u16 = 60;
/// The level at the left end of the meter.
const FLOOR_DBFS: f32 = -60.0;
const QUIET_STYLE: Style = Style::new().add_modifier(Modifier::DIM);

const HELP: [&str; 7] = [
    "p, space    freeze the picture, or go",
    "            on; the stream goes on",
    "up, down    scroll the text",
    "PgUp, PgDn  scroll by pages",
    "Home, End   to the oldest, the newest",
    "q, Ctrl-C   end; twice: at once",
    "?           these keys",
];

/// Where things stand.
struct Regions {
    title: Rect,
    level: Rect,
    text: Rect,
    rules: [Rect; 2],
    lanes: Rect,
    status: Rect,
}

impl Regions {
    /// What there is no room for has no height.
    fn of(area: Rect) -> Self {
        let lanes = match area.height {
            0..=9 => 0,
            10..=13 => 1,
            14..=19 => 2,
            _ => 4,
        };
        let upper = u16::from(area.height >= 20);
        let lower = u16::from(area.height >= 14);
        let heights = [1, u16::from(area.height >= 4), upper, 0, lower, lanes, u16::from(area.height >= 3)];
        let mut constraints = heights.map(Constraint::Length);
        constraints[3] = Constraint::Min(0);
        let [title, level, upper, text, lower, lanes, status] = Layout::vertical(constraints).areas(area);
        Self { title, level, text, rules: [upper, lower], lanes, status }
    }
}

/// Draws the state on all of the frame.
pub fn draw(frame: &mut Frame, state: &ViewState) {
    let area = frame.area();
    let regions = Regions::of(area);
    let picture = state.picture();
    frame.render_widget(title(state, regions.title.width), regions.title);
    frame.render_widget(level(picture, regions.level.width), regions.level);
    for rule in regions.rules {
        frame.render_widget(Line::from("─".repeat(rule.width.into())).style(QUIET_STYLE), rule);
    }
    render_rows(frame, regions.text, text(state, regions.text));
    render_rows(frame, regions.lanes, lanes(picture, regions.lanes));
    frame.render_widget(Line::from(status(picture, regions.status.width)), regions.status);
    if state.shows_help() {
        render_help(frame, area);
    }
}

/// The lines of finals that are in view at once.
pub fn page(area: Rect, state: &ViewState) -> usize {
    let text = Regions::of(area).text;
    usize::from(text.height) - growing(state.picture(), text).len()
}

/// The lines that a final takes.
pub fn final_height(area: Rect, text: &FinalText) -> usize {
    final_lines(text, Regions::of(area).text.width).len()
}

/// Puts `lines` at the lower edge of `area`.
fn render_rows(frame: &mut Frame, area: Rect, lines: Vec<Line<'static>>) {
    let free = area.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(u16::MAX));
    for (line, row) in lines.into_iter().zip(area.rows().skip(free.into())) {
        frame.render_widget(line, row);
    }
}

fn title(state: &ViewState, width: u16) -> Line<'static> {
    let picture = state.picture();
    let mut right = String::new();
    for (shown, word) in [
        (state.is_paused(), "paused  "),
        (state.anchor().is_some(), "history  "),
        (picture.has_ended, "ended  "),
    ] {
        if shown {
            right.push_str(word);
        }
    }
    right.push_str(&clock(picture.gauges.position));
    right.push(' ');
    let room = usize::from(width).saturating_sub(right.width());
    let left = shorten(&format!(" awaaz  {}", picture.stream), room.saturating_sub(1));
    let gap = " ".repeat(room.saturating_sub(left.width()));
    Line::from(format!("{left}{gap}{right}")).style(Style::new().add_modifier(Modifier::REVERSED))
}

fn level(picture: &Picture, width: u16) -> Line<'static> {
    let in_speech = picture.in_speech || picture.gauges.speech >= 0.5;
    let (lamp, word) = if in_speech { ("●", "speech") } else { ("○", "quiet ") };
    let lamp = if in_speech { lamp.green().bold() } else { lamp.dim() };
    let dbfs = format!(" {:>3.0} dB ", picture.gauges.peak_dbfs);
    let mut line = Line::default();
    let mut taken = dbfs.width() + 1;
    if width >= WIDE {
        line.push_span("level ");
        taken += 6 + 1 + word.width();
    }
    line.extend(meter(picture, usize::from(width).saturating_sub(taken)));
    line.push_span(dbfs);
    line.push_span(lamp);
    if width >= WIDE {
        line.push_span(format!(" {word}"));
    }
    line
}

/// A bar of so many columns, from -60 dBFS to full scale, with the held peak in it.
fn meter(picture: &Picture, columns: usize) -> Vec<Span<'static>> {
    let column_of =
        |dbfs: f32| (((dbfs - FLOOR_DBFS) / -FLOOR_DBFS).clamp(0.0, 1.0) * columns as f32) as usize;
    let (level, peak) = (column_of(picture.gauges.peak_dbfs), column_of(picture.peak_hold));
    let colour = |column: usize| match column {
        _ if column >= column_of(-6.0) => Color::Red,
        _ if column >= column_of(-18.0) => Color::Yellow,
        _ => Color::Green,
    };
    let cell = |column: usize| match column {
        _ if column < level => Span::styled("█", colour(column)),
        _ if column + 1 == peak => Span::styled("|", colour(column)),
        _ => Span::styled("·", QUIET_STYLE),
    };
    (0..columns).map(cell).collect()
}

/// The text region: finals, and below them what is not final.
fn text(state: &ViewState, area: Rect) -> Vec<Line<'static>> {
    let growing = growing(state.picture(), area);
    let rows = usize::from(area.height) - growing.len();
    let mut lines = finals(state, area.width, rows);
    lines.extend(growing);
    lines
}

/// The last `rows` lines of the finals up to the anchor.
fn finals(state: &ViewState, width: u16, rows: usize) -> Vec<Line<'static>> {
    let finals = &state.picture().finals;
    let mut anchor = state.anchor();
    // What was anchored has left the history.
    if let (Some(place), Some(oldest)) = (&mut anchor, finals.front())
        && place.number < oldest.number
    {
        (place.number, place.hidden) = (oldest.number, 0);
    }
    let in_view = |text: &&FinalText| anchor.is_none_or(|anchor| text.number <= anchor.number);
    // Collected from the last line upwards, since only so many are needed.
    let mut upwards = Vec::new();
    for text in finals.iter().rev().filter(in_view) {
        let hidden = anchor.filter(|anchor| anchor.number == text.number).map_or(0, |anchor| anchor.hidden);
        upwards.extend(final_lines(text, width).into_iter().rev().skip(hidden));
        if upwards.len() >= rows {
            break;
        }
    }
    upwards.truncate(rows);
    upwards.reverse();
    upwards
}

fn final_lines(text: &FinalText, width: u16) -> Vec<Line<'static>> {
    let prefix = prefix(text.t0, &text.language, width).dim();
    let said = match &text.speaker {
        Some(speaker) => format!("{speaker}: {}", text.text),
        None => text.text.clone(),
    };
    hanging(prefix, wrap([(said.as_str(), Firmness::Stable)], columns_of_text(width)))
}

/// The last lines of what is not final, in at most half of the region.
fn growing(picture: &Picture, area: Rect) -> Vec<Line<'static>> {
    let most = usize::from(area.height.div_ceil(2));
    let mut lines: Vec<Line> =
        picture.growing.iter().flat_map(|growing| growing_lines(growing, area.width)).collect();
    lines.drain(..lines.len().saturating_sub(most));
    lines
}

fn growing_lines(growing: &Growing, width: u16) -> Vec<Line<'static>> {
    let prefix = prefix(growing.t0, &growing.language, width).cyan();
    let between = if has_spaces(&growing.language) { " " } else { "" };
    let parts = [
        (growing.stable.as_str(), Firmness::Stable),
        (between, Firmness::Unstable),
        (growing.unstable.as_str(), Firmness::Unstable),
    ];
    let mut lines = wrap(parts, columns_of_text(width));
    if lines.is_empty() {
        lines.push(vec![Piece { text: "…".into(), firmness: Firmness::Unstable }]);
    }
    hanging(prefix, lines)
}

/// Lines of text after a prefix, and below it after as much space.
fn hanging(prefix: Span<'static>, lines: Vec<Vec<Piece>>) -> Vec<Line<'static>> {
    let indent = " ".repeat(prefix.width());
    let mut first = Some(prefix);
    let with_prefix = |pieces: Vec<Piece>| {
        let mut line = Line::from(first.take().unwrap_or_else(|| indent.clone().into()));
        line.extend(pieces.into_iter().map(|piece| match piece.firmness {
            Firmness::Stable => Span::raw(piece.text),
            Firmness::Unstable => Span::styled(piece.text, QUIET_STYLE),
        }));
        line
    };
    lines.into_iter().map(with_prefix).collect()
}

/// Time and language before a text.
fn prefix(t0: f64, language: &str, width: u16) -> String {
    let language = shorten(language, 3);
    match width {
        WIDE.. => format!("{} {language:<3} ", clock(t0)),
        _ => format!("{} {language:<3}", short_clock(t0)),
    }
}

/// What the prefix leaves; a column is left free for terminals that reckon otherwise.
fn columns_of_text(width: u16) -> usize {
    let prefix = if width >= WIDE { 12 } else { 9 };
    usize::from(width).saturating_sub(prefix + 1)
}

fn lanes(picture: &Picture, area: Rect) -> Vec<Line<'static>> {
    let skipped = picture.lanes.len().saturating_sub(area.height.into());
    picture.lanes.iter().skip(skipped).map(|entry| lane(entry, area.width)).collect()
}

fn lane(entry: &LaneEntry, width: u16) -> Line<'static> {
    let (time, lane) = match width {
        WIDE.. => (format!("{} ", clock(entry.at)), format!("{:<10} ", entry.lane)),
        _ => (format!("{} ", short_clock(entry.at)), format!("{} ", entry.lane)),
    };
    let colour = match entry.weight {
        Weight::Note => Color::Blue,
        Weight::Warning => Color::Yellow,
        Weight::Failure => Color::Red,
    };
    let room = usize::from(width).saturating_sub(time.width() + lane.width() + 1);
    Line::from(vec![time.dim(), Span::styled(lane, colour), Span::raw(shorten(&entry.text, room))])
}

/// Latency, load and keys, as much as there is room for.
fn status(picture: &Picture, width: u16) -> String {
    let gauges = &picture.gauges;
    // Before the first final there is no latency.
    let seconds = |value: f64| if value > 0.0 { format!("{value:.2} s") } else { "-".into() };
    let (p50, p95) = (seconds(gauges.final_p50), seconds(gauges.final_p95));
    let load = format!("{:.0} %", gauges.load * 100.0);
    let backlog = format!("{:.1} s", gauges.backlog);
    let width = usize::from(width);
    let wide = format!("final p50 {p50}  p95 {p95}  load {load}  backlog {backlog}");
    let middle = format!("p95 {p95}  load {load}  wait {backlog}");
    for (left, right) in
        [(&wide, "p pause  q quit  ? help"), (&wide, "? help"), (&middle, "? help"), (&middle, "?")]
    {
        if left.width() + 2 + right.width() <= width {
            let gap = " ".repeat(width - left.width() - right.width());
            return format!("{left}{gap}{right}");
        }
    }
    shorten(&middle, width)
}

fn render_help(frame: &mut Frame, area: Rect) {
    let columns = HELP.iter().map(|line| line.width()).max().unwrap_or(0) as u16;
    let room = area.centered(Constraint::Length(columns + 2), Constraint::Length(HELP.len() as u16 + 2));
    let lines: Vec<Line> = HELP.iter().map(|&line| Line::from(line)).collect();
    frame.render_widget(Clear, room);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" keys ")), room);
}

/// Seconds as `h:mm:ss`.
fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Seconds as `mm:ss`; minutes grow past two digits.
fn short_clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}
