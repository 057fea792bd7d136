//! Abuse and emotion in a stream of speech: an alert by the sound alone, which the text confirms or takes back.
//!
//! | file | idea |
//! |---|---|
//! | `policy` | [`Policy`]: thresholds, weights and actions, from a file |
//! | `heads` | [`Heads`]: trained heads on the encodings that speech is recognised by |
//! | `fusion` | [`fuse`]: sound, text, terms and anger become one score |
//! | `alerts` | [`Alerts`]: when an alert is raised, and what becomes of it |
//! | `spoken` | which words stand where |
//! | `censor` | [`Censor`]: what is silent or under a tone, without clicks |
//! | `delay` | [`DelayLine`]: sound that is heard later, so that it can be censored |
//!
//! Nothing here does I/O but to read files when it is made, starts a thread or reads a clock. What is judged depends on a
//! segment's sound and text alone.

mod alerts;
mod censor;
mod delay;
mod fusion;
mod heads;
mod policy;
mod spoken;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use alerts::Alerts;
pub use censor::{Censor, CensorStyle, Stretch, flagged_stretches};
pub use delay::{DelayLine, Late};
pub use fusion::fuse;
pub use heads::{Emotion, Heads};
pub use policy::{Policy, Rule, Thresholds, Weights};

use crate::Result;
use crate::asr::live::FinalText;
use crate::event::{Evidence, Parts, Verdict, VerdictStatus};
use crate::models::encoding::Encoding;
use crate::text::lexicon::Hit;
use crate::text::{Lexicon, TextHead, normalise};
use crate::time::Span;
use crate::vad::Windows;

/// Words that a reason names at most.
const MOST_NAMED: usize = 5;

/// All that speech is judged by; streams share it.
#[derive(Debug, Default)]
pub struct Judges {
    /// How.
    pub policy: Policy,
    /// By its sound.
    pub heads: Heads,
    /// By word lists.
    pub lexicon: Option<Lexicon>,
    /// By its text.
    pub text: Option<Box<dyn TextHead>>,
}

impl Judges {
    /// Reads the files; `text` is the classifier of the text.
    ///
    /// # Errors
    /// Those of each file, which they name.
    pub fn read(
        policy: Option<&Path>,
        heads: &[PathBuf],
        lexicons: &[PathBuf],
        text: Option<Box<dyn TextHead>>,
    ) -> Result<Self> {
        Ok(Self {
            policy: policy.map(Policy::read).transpose()?.unwrap_or_default(),
            heads: Heads::read(heads)?,
            lexicon: if lexicons.is_empty() { None } else { Some(Lexicon::read(lexicons)?) },
            text,
        })
    }

    /// Whether there is nothing to judge by.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.lexicon.is_none() && self.text.is_none()
    }
}

/// Judges the segments of one stream, in their order.
pub struct Moderator {
    judges: Arc<Judges>,
    alerts: Alerts,
    /// The language that is spoken, where that is known before it is heard.
    language: String,
}

/// What is said of a whole segment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conclusion {
    /// Where there is a head for it.
    pub emotion: Option<Emotion>,
    /// Where there is anything to say.
    pub verdict: Option<Verdict>,
}

impl Moderator {
    /// A moderator at the start of a stream.
    pub fn new(judges: Arc<Judges>) -> Self {
        Self { judges, alerts: Alerts::default(), language: String::new() }
    }

    /// The same where speech is in the language of this code.
    pub fn for_language(self, language: impl Into<String>) -> Self {
        Self { language: language.into(), ..self }
    }

    /// What it judges by.
    pub fn judges(&self) -> &Judges {
        &self.judges
    }

    /// The windows within segments that it wants to hear: none where no head hears them.
    pub fn windows(&self) -> Option<Windows> {
        let (length, step) = self.judges.policy.window;
        self.judges.heads.has_abuse().then_some(Windows { length, step })
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        self.alerts = Alerts::default();
    }

    /// Judges a window of `segment` by its sound; windows come in the order of their ends. A verdict where that raises an
    /// alert.
    ///
    /// # Errors
    /// Those of the head.
    pub fn hear(&mut self, segment: u64, encoding: &Encoding) -> Result<Option<Verdict>> {
        let policy = &self.judges.policy;
        let parts = Parts { audio: self.judges.heads.abuse(encoding)?, ..Parts::default() };
        let Some(score) = fuse(&parts, policy) else { return Ok(None) };
        let span = encoding.span;
        if !self.alerts.window(segment, span, score, policy) {
            return Ok(None);
        }
        Ok(Some(Verdict {
            segment,
            status: VerdictStatus::Alert,
            category: policy::ABUSE.into(),
            score,
            parts,
            reason: format!("it sounds abusive ({score:.2}); the text is not known yet"),
            evidence: whole(span),
            actions: policy.actions_at_alert().to_vec(),
        }))
    }

    /// Judges a segment whose text is final; `encoding` is that by which it was recognised.
    ///
    /// # Errors
    /// Those of the heads.
    pub fn conclude(
        &mut self,
        segment: u64,
        span: Span,
        text: &FinalText,
        encoding: Option<&Encoding>,
    ) -> Result<Conclusion> {
        let Judges { policy, heads, lexicon, text: classifier } = &*self.judges;
        let (audio, emotion) = match encoding {
            Some(encoding) => (heads.abuse(encoding)?, heads.emotion(encoding)?),
            None => (None, None),
        };
        let normal = normalise(&text.text);
        let hits = lexicon.as_ref().map(|lexicon| lexicon.find_in(&normal)).unwrap_or_default();
        let counts = |hit: &Hit| {
            let severity = hit.entry.severity.and_then(|severity| severity.checked_sub(1));
            severity.map_or(policy.unrated, |severity| policy.severities[usize::from(severity).min(4)])
        };
        // Of equal ones the first that was said names the category.
        let gravest = hits.iter().rev().max_by(|a, b| counts(a).total_cmp(&counts(b)));
        let is_said = !text.text.trim().is_empty();
        let judged = classifier.as_ref().filter(|_| is_said).map(|head| head.judge(&text.text, &normal));
        let parts = Parts {
            audio,
            text: judged.transpose()?.and_then(|judged| judged.abuse),
            lexicon: lexicon.as_ref().map(|_| gravest.map_or(0.0, counts)),
            anger: emotion.as_ref().and_then(|emotion| emotion.anger),
        };
        let language = if text.language.is_empty() { &self.language } else { &text.language };
        let category = gravest.map_or(policy::ABUSE, |hit| hit.entry.category.as_str());
        let rule = policy.rule(language, category);
        let score = fuse(&parts, policy);
        let alerted = self.alerts.alerted(segment);
        let Some(status) = self.alerts.conclude(segment, score, rule.thresholds) else {
            return Ok(Conclusion { emotion, verdict: None });
        };
        let spans: Vec<Range<usize>> = hits.iter().map(|hit| hit.span.clone()).collect();
        let words = spoken::words_at(&text.text, &text.words, &spans);
        let is_confirmed = status == VerdictStatus::Confirmed;
        let evidence = match words.as_slice() {
            [first, .., last] => Evidence { t0: first.t0, t1: last.t1, words },
            [only] => Evidence { t0: only.t0, t1: only.t1, words },
            [] => whole(alerted.filter(|_| !is_confirmed || parts.text.is_none()).unwrap_or(span)),
        };
        let reason = match is_confirmed {
            true => reason(&parts, &hits, classifier.as_deref(), &text.text),
            false => {
                format!("the whole segment and its text do not bear it out ({:.2})", score.unwrap_or(0.0))
            }
        };
        let verdict = Verdict {
            segment,
            status,
            category: category.into(),
            score: score.unwrap_or(0.0),
            parts,
            reason,
            evidence,
            actions: if is_confirmed { policy.actions_of(rule).to_vec() } else { Vec::new() },
        };
        Ok(Conclusion { emotion, verdict: Some(verdict) })
    }
}

fn whole(span: Span) -> Evidence {
    Evidence { t0: span.start.seconds(), t1: span.end.seconds(), words: Vec::new() }
}

/// Why a segment is confirmed, by the parts that speak for it.
fn reason(parts: &Parts, hits: &[Hit], classifier: Option<&dyn TextHead>, text: &str) -> String {
    let mut reasons = Vec::new();
    for hit in hits.iter().take(MOST_NAMED) {
        let severity = hit.entry.severity.map_or(String::new(), |severity| format!(", severity {severity}"));
        let said = text.get(hit.span.clone()).unwrap_or_default();
        reasons.push(format!("{said} is on a list ({}{severity})", hit.entry.category));
    }
    if let (Some(probability), Some(classifier)) = (parts.text.filter(|&part| part >= 0.5), classifier) {
        let words = classifier.explain(&normalise(text), MOST_NAMED).unwrap_or_default();
        let words: Vec<&str> = words.iter().filter_map(|word| text.get(word.span.clone())).collect();
        let by = if words.is_empty() { String::new() } else { format!(" by {}", words.join(", ")) };
        reasons.push(format!("the text is abusive ({probability:.2}){by}"));
    }
    if let Some(audio) = parts.audio.filter(|&part| part >= 0.5) {
        reasons.push(format!("it sounds abusive ({audio:.2})"));
    }
    if let Some(anger) = parts.anger.filter(|&part| part >= 0.5) {
        reasons.push(format!("it sounds angry ({anger:.2})"));
    }
    if reasons.is_empty() { "all parts together".into() } else { reasons.join("; ") }
}
