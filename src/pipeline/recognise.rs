//! The stage that recognises speech: work in, partials and finals out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Stage;
use super::instruments::Instruments;
use super::link::Counters;
use super::word_delay::WordDelays;
use super::work::{Utterance, Work};
use crate::Result;
use crate::asr::languages::has_spaces;
use crate::asr::live::{FinalText, Pace, PartialText, SegmentRecognizer};
use crate::asr::romanize::{Script, romanize};
use crate::event::{Compute, Draft, EndReason, EventKind, EventWord, ShedState, ShedWork};
use crate::moderation::{Conclusion, Emotion, Moderator};
use crate::time::{SampleIndex, Span};
use crate::vad::WindowEnd;

/// Recognises the segments of a stream.
pub struct Recognise<R> {
    recognizer: R,
    instruments: Arc<Instruments>,
    /// Of the link that work comes by.
    waiting: Arc<Counters>,
    pace: Pace,
    step: Duration,
    /// The segment that was recognised last, and how far.
    heard: Option<(u64, SampleIndex)>,
    delays: WordDelays,
    script: Script,
    moderator: Option<Moderator>,
}

impl<R: SegmentRecognizer> Recognise<R> {
    /// A stage at the start of a stream, with a partial every `step` of sound where there is time. `waiting` counts
    /// what is on its way to the stage.
    pub fn new(recognizer: R, step: Duration, instruments: Arc<Instruments>, waiting: Arc<Counters>) -> Self {
        Self {
            recognizer,
            instruments,
            waiting,
            pace: Pace::new(step),
            step,
            heard: None,
            delays: WordDelays::default(),
            script: Script::Own,
            moderator: None,
        }
    }

    /// The same with segments judged by `moderator`.
    ///
    /// # Errors
    /// Where the recogniser cannot keep what its heads hear.
    pub fn judged_by(mut self, moderator: Option<Moderator>) -> Result<Self> {
        let layers = moderator.as_ref().map_or(Vec::new(), |moderator| moderator.judges().heads.layers());
        self.recognizer.keep(&layers)?;
        Ok(Self { moderator, ..self })
    }

    /// The same with text in these letters.
    pub fn writing(self, script: Script) -> Self {
        Self { script, ..self }
    }

    /// `text` in Latin letters, where they are wanted.
    fn romanized(&self, text: &str, language: &str) -> Option<String> {
        (self.script == Script::Latin).then(|| romanize(text, language))
    }

    fn partial(&mut self, utterance: &Utterance, output: &mut Vec<Draft>) -> Result<()> {
        let span = utterance.speech.span;
        let new = match self.heard {
            Some((segment, end)) if segment == utterance.segment => span.end - end,
            _ => span.len(),
        };
        // While there is time, the segmenter says when.
        let is_due = |step: Duration| step <= self.step || SampleIndex(new).seconds() >= step.as_secs_f64();
        let due = self.pace.step().is_some_and(is_due);
        if !due || self.waiting.urgent() > 0 {
            return Ok(());
        }
        let start = Instant::now();
        let waiting = &self.waiting;
        let partial =
            self.recognizer.partial(utterance.segment, &utterance.speech, &|| waiting.urgent() > 0)?;
        let took = start.elapsed();
        if let Some(state) = self.pace.took(took) {
            output.push(self.shed(span.end, state));
        }
        self.heard = Some((utterance.segment, span.end));
        self.show(utterance, partial, took, output);
        Ok(())
    }

    /// A window is judged by its sound; nothing makes way for anything but a final.
    fn window(&mut self, utterance: &Utterance, end: WindowEnd, output: &mut Vec<Draft>) -> Result<()> {
        let Some(moderator) = &mut self.moderator else { return Ok(()) };
        let start = Instant::now();
        let layers = moderator.judges().heads.abuse_layers().to_vec();
        let encoding = self.recognizer.encode(&utterance.speech, &layers)?;
        let verdict = moderator.hear(utterance.segment, &encoding)?;
        let took = start.elapsed();
        let mut paths = self.instruments.paths();
        paths.window.add(took);
        if let (WindowEnd::Silence, Some(captured)) = (end, utterance.captured) {
            paths.verdict.add(captured.elapsed());
        }
        drop(paths);
        let draft = |verdict| Draft {
            span: utterance.speech.span,
            kind: EventKind::Verdict(Box::new(verdict)),
            compute: measured(utterance, took),
        };
        output.extend(verdict.map(draft));
        Ok(())
    }

    /// Judges a segment whose final is there.
    fn judge(&mut self, utterance: &Utterance, text: &FinalText, output: &mut Vec<Draft>) -> Result<()> {
        let Some(moderator) = &mut self.moderator else { return Ok(()) };
        let start = Instant::now();
        let (segment, span) = (utterance.segment, utterance.speech.span);
        let encoding = self.recognizer.encoding();
        let Conclusion { emotion, verdict } = moderator.conclude(segment, span, text, encoding.as_deref())?;
        let took = start.elapsed();
        self.instruments.paths().heads.add(took);
        let emotion = emotion.map(|Emotion { label, probabilities, arousal, .. }| EventKind::Emotion {
            segment,
            label,
            probabilities,
            arousal,
        });
        let verdict = verdict.map(|verdict| EventKind::Verdict(Box::new(verdict)));
        for kind in emotion.into_iter().chain(verdict) {
            output.push(Draft { span, kind, compute: measured(utterance, took) });
        }
        Ok(())
    }

    fn likely(&mut self, utterance: &Utterance, output: &mut Vec<Draft>) -> Result<()> {
        let start = Instant::now();
        let partial = self.recognizer.prepare(utterance.segment, &utterance.speech)?;
        self.show(utterance, partial, start.elapsed(), output);
        Ok(())
    }

    fn show(
        &mut self,
        utterance: &Utterance,
        text: Option<PartialText>,
        took: Duration,
        output: &mut Vec<Draft>,
    ) {
        let Some(PartialText { stable, unstable, language }) = text else { return };
        self.delays.show(Instant::now(), &format!("{stable} {unstable}"));
        let between = if has_spaces(&language) { " " } else { "" };
        let romanized = self.romanized(format!("{stable}{between}{unstable}").trim(), &language);
        output.push(Draft {
            span: utterance.speech.span,
            kind: EventKind::Partial { segment: utterance.segment, stable, unstable, romanized, language },
            compute: measured(utterance, took),
        });
    }

    fn last(&mut self, utterance: &Utterance, reason: EndReason, output: &mut Vec<Draft>) -> Result<()> {
        let start = Instant::now();
        let text = self.recognizer.finish(&utterance.speech)?;
        let compute = measured(utterance, start.elapsed());
        self.measure_path(utterance, reason, &text);
        let mut judged = Vec::new();
        self.judge(utterance, &text, &mut judged)?;
        let word = |word: &crate::asr::Word| EventWord {
            text: word.text.trim().to_owned(),
            romanized: self.romanized(word.text.trim(), &text.language),
            t0: word.span.start.seconds(),
            t1: word.span.end.seconds(),
            probability: word.probability,
        };
        output.push(Draft {
            span: utterance.speech.span,
            kind: EventKind::Final {
                segment: utterance.segment,
                words: text.words.iter().map(word).collect(),
                romanized: self.romanized(&text.text, &text.language),
                text: text.text,
                language: text.language,
                average_logprob: text.average_logprob,
                temperature: text.temperature,
            },
            compute,
        });
        output.append(&mut judged);
        if let Some(state) = self.pace.caught_up().filter(|_| self.waiting.urgent() == 0) {
            output.push(self.shed(utterance.speech.span.end, state));
        }
        Ok(())
    }

    fn measure_path(&mut self, utterance: &Utterance, reason: EndReason, text: &FinalText) {
        let Some(captured) = utterance.captured else { return };
        let when = |at: SampleIndex| {
            let seconds = |samples: u64| Duration::from_secs_f64(SampleIndex(samples).seconds());
            captured + seconds(at - utterance.offset) - seconds(utterance.offset - at)
        };
        let delays = self.delays.finish(&text.words, reason == EndReason::Length, |word| when(word.span.end));
        let mut paths = self.instruments.paths();
        paths.last.add(captured.elapsed());
        delays.into_iter().for_each(|delay| paths.word.add(delay));
    }

    fn shed(&self, at: SampleIndex, state: ShedState) -> Draft {
        let step = self.pace.step().unwrap_or_default().as_secs_f64();
        Draft::new(Span::new(at, at), EventKind::Shed { work: ShedWork::Partials, state, step })
    }
}

fn measured(utterance: &Utterance, took: Duration) -> Compute {
    Compute {
        latency: utterance.captured.map(|at| at.elapsed().as_secs_f64()),
        took: Some(took.as_secs_f64()),
        ..Compute::default()
    }
}

impl<R: SegmentRecognizer> Stage for Recognise<R> {
    type Input = Work;
    type Output = Draft;

    fn name(&self) -> &'static str {
        "recognise"
    }

    /// For a final of ordinary length; partials step aside for it.
    fn budget(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn push(&mut self, input: Work, output: &mut Vec<Draft>) -> Result<()> {
        let start = Instant::now();
        let done = match input {
            Work::Grown(utterance) => self.partial(&utterance, output),
            Work::Window(utterance, end) => self.window(&utterance, end, output),
            Work::Likely(utterance) => self.likely(&utterance, output),
            Work::Final(utterance, reason) => self.last(&utterance, reason, output),
            Work::Marker(name, at) => {
                output.push(Draft::new(Span::new(at, at), EventKind::Marker { name }));
                Ok(())
            }
        };
        self.instruments.worked(start.elapsed());
        done
    }

    /// Nothing is held back: the end of a stream ends its last segment.
    fn flush(&mut self, _: &mut Vec<Draft>) -> Result<()> {
        Ok(())
    }

    fn reset(&mut self) {
        self.recognizer.reset();
        self.pace = Pace::new(self.step);
        self.heard = None;
        self.delays = WordDelays::default();
        if let Some(moderator) = &mut self.moderator {
            moderator.reset();
        }
    }
}
