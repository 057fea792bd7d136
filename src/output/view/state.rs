//! What is shown, folded from events and gauges.

use std::collections::VecDeque;

use super::lanes::LaneEntry;
use super::wrap::clean;
use crate::asr::romanize::romanize;
use crate::event::{Event, EventKind, SpeakerTold};
use crate::output::verdicts::speaker;
use crate::pipeline::Gauges;

/// Finals that can be scrolled back to.
const FINALS: usize = 1000;
/// Entries of other events that are kept; the region for them is a few lines high.
const LANES: usize = 20;
/// Seconds that the level's peak is held.
const PEAK_HOLD: f64 = 1.5;
/// Below this a sample of 16 bits is zero.
const SILENCE_DBFS: f32 = -96.0;

/// The text of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct FinalText {
    /// Its place among all finals, from 0.
    pub number: u64,
    /// Where it begins, in seconds of the stream's clock.
    pub t0: f64,
    /// Language code.
    pub language: String,
    /// Who said it, where that is told.
    pub speaker: Option<String>,
    /// What was said.
    pub text: String,
    segment: u64,
}

/// What was understood so far of a segment that has no final.
#[derive(Debug, Clone, PartialEq)]
pub struct Growing {
    /// Number of the segment.
    pub segment: u64,
    /// Where it begins, in seconds of the stream's clock.
    pub t0: f64,
    /// Language code; empty before the first partial.
    pub language: String,
    /// What will not change.
    pub stable: String,
    /// What may.
    pub unstable: String,
}

/// A way through the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// So many lines back.
    Back(usize),
    /// So many lines forth.
    Forth(usize),
}

/// What is known of the stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Picture {
    /// Name of the stream.
    pub stream: String,
    /// The instruments.
    pub gauges: Gauges,
    /// Highest level of the last 1.5 seconds, in decibels of full scale.
    pub peak_hold: f32,
    peak_held_at: f64,
    /// Whether the stream is within a segment.
    pub in_speech: bool,
    /// Oldest first.
    pub finals: VecDeque<FinalText>,
    finals_so_far: u64,
    /// Speakers of segments that have no final yet.
    named: VecDeque<(u64, String)>,
    /// Segments that have no final yet, oldest first.
    pub growing: VecDeque<Growing>,
    /// Oldest first.
    pub lanes: VecDeque<LaneEntry>,
    /// Whether the stream has ended.
    pub has_ended: bool,
}

/// What the view shows, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ViewState {
    live: Picture,
    /// The picture at the moment of the pause.
    frozen: Option<Box<Picture>>,
    /// The last final in view, and how many lines of it and below are hidden; none follows the newest.
    anchor: Option<Anchor>,
    help: bool,
}

/// A place in the history. It stays where it is when finals are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Number of the final at the lower edge.
    pub number: u64,
    /// Lines of it that are below the edge.
    pub hidden: usize,
}

impl ViewState {
    /// The view of a stream of that name, before its first event.
    pub fn new(stream: &str) -> Self {
        let gauges = Gauges { peak_dbfs: SILENCE_DBFS, ..Gauges::default() };
        let live = Picture { stream: clean(stream), gauges, peak_hold: SILENCE_DBFS, ..Picture::default() };
        Self { live, ..Self::default() }
    }

    /// Takes an event.
    pub fn apply(&mut self, event: &Event) {
        self.live.apply(event);
    }

    /// Takes what is measured.
    pub fn gauge(&mut self, gauges: &Gauges) {
        self.live.gauge(gauges);
    }

    /// Takes what the user is told beside the events.
    pub fn notice(&mut self, text: &str) {
        let at = self.live.gauges.position;
        self.live.add_to_lanes(LaneEntry::notice(at, text));
    }

    /// What is to be drawn.
    pub fn picture(&self) -> &Picture {
        self.frozen.as_deref().unwrap_or(&self.live)
    }

    /// Freezes the picture, or lets it go on. The stream goes on in any case.
    pub fn toggle_pause(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some(Box::new(self.live.clone())),
        };
    }

    /// Whether the picture is frozen.
    pub fn is_paused(&self) -> bool {
        self.frozen.is_some()
    }

    /// Shows the keys, or hides them.
    pub fn toggle_help(&mut self) {
        self.help = !self.help;
    }

    /// Whether the keys are shown.
    pub fn shows_help(&self) -> bool {
        self.help
    }

    /// The place in the history, unless the newest is followed.
    pub fn anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    /// Moves through the history; `height` gives the lines that a final takes, `page` the lines in view.
    pub fn scroll(&mut self, way: Move, page: usize, height: impl Fn(&FinalText) -> usize) {
        let heights: Vec<(u64, usize)> =
            self.picture().finals.iter().map(|text| (text.number, height(text).max(1))).collect();
        let all: usize = heights.iter().map(|(_, lines)| lines).sum();
        let most = all.saturating_sub(page);
        let hidden = match way {
            Move::Back(lines) => hidden_below(self.anchor, &heights).saturating_add(lines).min(most),
            Move::Forth(lines) => hidden_below(self.anchor, &heights).saturating_sub(lines),
        };
        self.anchor = anchor_at(hidden, &heights);
    }
}

/// Lines below the anchor.
fn hidden_below(anchor: Option<Anchor>, heights: &[(u64, usize)]) -> usize {
    let Some(anchor) = anchor else { return 0 };
    let after = heights.iter().filter(|(number, _)| *number > anchor.number).map(|(_, lines)| lines);
    after.sum::<usize>() + anchor.hidden
}

/// The anchor with so many lines below it; none for no line.
fn anchor_at(mut hidden: usize, heights: &[(u64, usize)]) -> Option<Anchor> {
    if hidden == 0 {
        return None;
    }
    for &(number, lines) in heights.iter().rev() {
        if hidden < lines {
            return Some(Anchor { number, hidden });
        }
        hidden -= lines;
    }
    None
}

impl Picture {
    fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StreamStart(_) => self.stream = clean(&event.stream),
            EventKind::SpeechStart { segment } => {
                self.in_speech = true;
                self.grow(*segment, event.t0);
            }
            EventKind::SpeechEnd { .. } => self.in_speech = false,
            EventKind::Partial { segment, stable, unstable, romanized, language } => {
                let shown = |text: &str| match romanized {
                    Some(_) => clean(&romanize(text, language)),
                    None => clean(text),
                };
                let growing = self.grow(*segment, event.t0);
                growing.stable = shown(stable);
                growing.unstable = shown(unstable);
                growing.language.clone_from(language);
            }
            EventKind::Speaker(told) => self.name(told),
            EventKind::Final { segment, text, romanized, language, .. } => {
                // Finals come in order; one that did not get here must not leave its partial behind.
                self.growing.retain(|growing| growing.segment > *segment);
                self.add_final(*segment, event.t0, language, romanized.as_ref().unwrap_or(text));
            }
            EventKind::StreamEnd { .. } => {
                self.in_speech = false;
                self.has_ended = true;
                self.growing.clear();
            }
            EventKind::Verdict(_)
            | EventKind::Emotion { .. }
            | EventKind::Gap { .. }
            | EventKind::Shed { .. }
            | EventKind::Marker { .. }
            | EventKind::Error { .. } => {}
        }
        if let Some(entry) = LaneEntry::of(event) {
            self.add_to_lanes(entry);
        }
    }

    fn grow(&mut self, segment: u64, t0: f64) -> &mut Growing {
        let at = match self.growing.iter().position(|growing| growing.segment == segment) {
            Some(at) => at,
            None => {
                let (language, stable, unstable) = Default::default();
                self.growing.push_back(Growing { segment, t0, language, stable, unstable });
                self.growing.len() - 1
            }
        };
        &mut self.growing[at]
    }

    /// Names the speaker of a final, or of one that is to come.
    fn name(&mut self, told: &SpeakerTold) {
        let Some(name) = speaker(told).map(clean) else { return };
        match self.finals.iter_mut().rev().find(|last| last.segment == told.segment) {
            Some(last) => last.speaker = Some(name),
            None => {
                self.named.push_back((told.segment, name));
                if self.named.len() > LANES {
                    self.named.pop_front();
                }
            }
        }
    }

    fn add_final(&mut self, segment: u64, t0: f64, language: &str, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let number = self.finals_so_far;
        self.finals_so_far += 1;
        let named = self.named.iter().find(|(of, _)| *of == segment);
        let speaker = named.map(|(_, name)| name.clone());
        self.named.retain(|(of, _)| *of > segment);
        let (language, text) = (language.into(), clean(text));
        self.finals.push_back(FinalText { number, t0, language, speaker, text, segment });
        if self.finals.len() > FINALS {
            self.finals.pop_front();
        }
    }

    fn add_to_lanes(&mut self, entry: LaneEntry) {
        self.lanes.push_back(entry);
        if self.lanes.len() > LANES {
            self.lanes.pop_front();
        }
    }

    fn gauge(&mut self, gauges: &Gauges) {
        self.gauges = *gauges;
        // No sound at all is minus infinity, or not a number, which `max` passes over.
        let peak = gauges.peak_dbfs.max(SILENCE_DBFS);
        self.gauges.peak_dbfs = peak.min(0.0);
        let is_old = gauges.position - self.peak_held_at > PEAK_HOLD;
        if is_old || self.gauges.peak_dbfs >= self.peak_hold {
            self.peak_hold = self.gauges.peak_dbfs;
            self.peak_held_at = gauges.position;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{GapReason, VERSION};

    fn event(t0: f64, kind: EventKind) -> Event {
        Event { v: VERSION, id: "x".into(), stream: "s".into(), t0, t1: t0 + 1.0, kind, compute: None }
    }

    fn text(segment: u64) -> Event {
        let kind = EventKind::Final {
            segment,
            text: format!("text {segment}"),
            romanized: None,
            language: "en".into(),
            words: Vec::new(),
            average_logprob: 0.0,
            temperature: 0.0,
        };
        event(segment as f64, kind)
    }

    fn partial(segment: u64, stable: &str, unstable: &str) -> Event {
        let (stable, unstable, language) = (stable.into(), unstable.into(), "en".into());
        event(0.0, EventKind::Partial { segment, stable, unstable, romanized: None, language })
    }

    #[test]
    fn latin_letters_are_shown_where_they_are_asked_for() {
        let mut state = ViewState::new("s");
        let (stable, unstable, language) = ("नमस्ते".into(), "दुनिया".into(), "hi".into());
        let romanized = Some("namaste duniyaa".to_owned());
        let kind = EventKind::Partial { segment: 0, stable, unstable, romanized, language };
        state.apply(&event(0.0, kind));
        let growing = &state.picture().growing[0];
        assert_eq!((growing.stable.as_str(), growing.unstable.as_str()), ("namaste", "duniyaa"));
        let mut last = text(0);
        if let EventKind::Final { romanized, .. } = &mut last.kind {
            *romanized = Some("namaste".into());
        }
        state.apply(&last);
        assert_eq!(state.picture().finals[0].text, "namaste");
    }

    #[test]
    fn a_final_takes_the_place_of_its_partial_only() {
        let mut state = ViewState::new("s");
        state.apply(&event(0.0, EventKind::SpeechStart { segment: 0 }));
        state.apply(&partial(0, "te", "xt"));
        state.apply(&event(3.0, EventKind::SpeechStart { segment: 1 }));
        state.apply(&text(0));
        let growing: Vec<u64> = state.picture().growing.iter().map(|growing| growing.segment).collect();
        assert_eq!(growing, [1]);
        assert_eq!(state.picture().finals[0].text, "text 0");
        assert!(state.picture().in_speech);
    }

    #[test]
    fn a_speaker_is_put_before_a_final_whichever_comes_first() {
        let mut state = ViewState::new("s");
        let who = |segment, name: &str| {
            let told = SpeakerTold { segment, speaker: Some(name.into()), ..SpeakerTold::default() };
            event(0.0, EventKind::Speaker(Box::new(told)))
        };
        for event in [text(0), who(0, "S1"), who(1, "S2"), text(1), text(2)] {
            state.apply(&event);
        }
        let speakers: Vec<_> = state.picture().finals.iter().map(|last| last.speaker.as_deref()).collect();
        assert_eq!(speakers, [Some("S1"), Some("S2"), None]);
    }

    #[test]
    fn a_pause_freezes_the_picture_and_not_the_stream() {
        let mut state = ViewState::new("s");
        state.apply(&text(0));
        state.toggle_pause();
        state.apply(&text(1));
        assert_eq!(state.picture().finals.len(), 1);
        state.toggle_pause();
        assert_eq!(state.picture().finals.len(), 2);
    }

    #[test]
    fn history_is_bounded() {
        let mut state = ViewState::new("s");
        for segment in 0..3 * FINALS as u64 {
            state.apply(&text(segment));
            state.apply(&event(0.0, EventKind::Gap { reason: GapReason::Overrun }));
        }
        assert_eq!(state.picture().finals.len(), FINALS);
        assert_eq!(state.picture().finals[0].number, 2 * FINALS as u64);
        assert_eq!(state.picture().lanes.len(), LANES);
    }

    #[test]
    fn scrolled_history_stays_in_place_and_within_bounds() {
        let mut state = ViewState::new("s");
        for segment in 0..10 {
            state.apply(&text(segment));
        }
        let two_lines = |_: &FinalText| 2;
        state.scroll(Move::Back(3), 4, two_lines);
        assert_eq!(state.anchor(), Some(Anchor { number: 8, hidden: 1 }));
        state.apply(&text(10));
        assert_eq!(state.anchor(), Some(Anchor { number: 8, hidden: 1 }), "a new final does not move it");
        state.scroll(Move::Back(1000), 4, two_lines);
        assert_eq!(state.anchor(), Some(Anchor { number: 1, hidden: 0 }), "a page is left above");
        state.scroll(Move::Forth(1000), 4, two_lines);
        assert_eq!(state.anchor(), None);
    }

    #[test]
    fn the_peak_is_held_and_then_falls() {
        let mut state = ViewState::new("s");
        let mut level = |position, peak_dbfs| {
            state.gauge(&Gauges { position, peak_dbfs, ..Gauges::default() });
            state.picture().peak_hold
        };
        assert_eq!(level(0.1, -6.0), -6.0);
        assert_eq!(level(1.0, -30.0), -6.0);
        assert_eq!(level(1.7, -30.0), -30.0);
        assert_eq!(level(4.0, f32::NEG_INFINITY), SILENCE_DBFS);
        assert_eq!(level(4.1, f32::NAN), SILENCE_DBFS);
    }
}
