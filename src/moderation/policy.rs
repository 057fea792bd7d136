//! What counts as abuse, how sure one must be, and what is done then: a TOML file, `docs/moderation.md` has an example.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::CensorStyle;
use crate::event::Action;
use crate::time::SampleIndex;
use crate::{Error, Result};

/// Bytes of a policy at most.
const LIMIT: u64 = 1 << 20;
/// Category of what no word list named.
pub const ABUSE: &str = "abuse";

/// How verdicts are made and what follows from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// How much each part counts.
    pub weights: Weights,
    /// What a term counts, by its severity from 1 to 5.
    pub severities: [f32; 5],
    /// What a term counts whose list gives no severity.
    pub unrated: f32,
    /// What the log-odds of the score are multiplied by, and what is added then.
    pub calibration: (f32, f32),
    /// Samples of a window within a segment, and from one to the next.
    pub window: (u64, u64),
    /// When the sound alone raises an alert.
    pub alert: Thresholds,
    /// Samples that windows must stay below the release threshold before another alert of the segment.
    pub hold: u64,
    /// What is asked for at an alert; none is what is usual.
    pub alert_actions: Option<Vec<Action>>,
    /// What is asked for where a rule does not say.
    pub usual_actions: Vec<Action>,
    /// When a segment is confirmed; the last is for all.
    pub rules: Vec<Rule>,
    /// What is asked for where people speak whose names these are.
    pub watch: BTreeMap<String, Vec<Action>>,
    /// Seconds before and after a word that are censored with it.
    pub censor_margin: f64,
    /// Where clips go.
    pub clips: Option<PathBuf>,
    /// Seconds around the evidence that a clip keeps.
    pub clip_margin: f64,
    /// Where verdicts are posted.
    pub webhook: Option<String>,
}

/// How much each part counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// The sound.
    pub audio: f32,
    /// The text.
    pub text: f32,
    /// Terms of word lists.
    pub lexicon: f32,
    /// Anger.
    pub anger: f32,
}

/// Where a state begins, and below what it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// From this score on it is so.
    pub raise: f32,
    /// What is so stays so down to this score.
    pub release: f32,
}

/// Thresholds and actions for a language, a category or both.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Code of the language; none is any.
    pub language: Option<String>,
    /// The category; none is any.
    pub category: Option<String>,
    /// When a segment is confirmed.
    pub thresholds: Thresholds,
    /// What is asked for then; none is what is usual.
    pub actions: Option<Vec<Action>>,
}

impl Default for Policy {
    /// Windows of 2 s each second; alerts from 0.8, confirmed from 0.5; nothing is asked for but to tell. The numbers are
    /// chosen, not learned: measure on speech of your own.
    fn default() -> Self {
        Self {
            weights: Weights { audio: 1.0, text: 1.0, lexicon: 1.0, anger: 0.2 },
            severities: [0.3, 0.5, 0.7, 0.85, 0.95],
            unrated: 0.7,
            calibration: (1.0, 0.0),
            window: (32_000, 16_000),
            alert: Thresholds { raise: 0.8, release: 0.5 },
            hold: 16_000,
            alert_actions: None,
            usual_actions: vec![Action::Alert],
            rules: vec![Rule {
                language: None,
                category: None,
                thresholds: Thresholds { raise: 0.5, release: 0.35 },
                actions: None,
            }],
            watch: BTreeMap::new(),
            censor_margin: 0.05,
            clips: None,
            clip_margin: 0.5,
            webhook: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    weights: WeightsTable,
    #[serde(default)]
    lexicon: LexiconTable,
    #[serde(default)]
    calibration: CalibrationTable,
    #[serde(default)]
    window: WindowTable,
    #[serde(default)]
    alert: AlertTable,
    #[serde(default)]
    rule: Vec<RuleTable>,
    #[serde(default)]
    watch: Vec<WatchTable>,
    #[serde(default)]
    censor: CensorTable,
    #[serde(default)]
    clip: ClipTable,
    #[serde(default)]
    webhook: WebhookTable,
}

type Number = Option<Spanned<f64>>;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WeightsTable {
    audio: Number,
    text: Number,
    lexicon: Number,
    anger: Number,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct LexiconTable {
    severity: Option<Spanned<Vec<f64>>>,
    unrated: Number,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct CalibrationTable {
    scale: Number,
    bias: Number,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WindowTable {
    length: Number,
    step: Number,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct AlertTable {
    raise: Number,
    release: Number,
    hold: Number,
    actions: Option<Spanned<Vec<String>>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RuleTable {
    language: Option<String>,
    category: Option<String>,
    raise: Number,
    release: Number,
    actions: Option<Spanned<Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WatchTable {
    name: Spanned<String>,
    #[serde(default)]
    actions: Option<Spanned<Vec<String>>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct CensorTable {
    margin: Number,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ClipTable {
    folder: Option<PathBuf>,
    margin: Number,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct WebhookTable {
    url: Option<String>,
}

/// A policy's text, for messages that name the line.
struct Text<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Text<'_> {
    fn fault(&self, at: usize, key: &str, reason: &str) -> Error {
        let at = at.min(self.text.len());
        let line = self.text.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
        Error::Setting(format!("{}, line {line}: {key}: {reason}", self.path.display()))
    }

    /// `number`, or `usual`; it must be from `least` to `most`.
    fn number(&self, number: &Number, key: &str, usual: f64, (least, most): (f64, f64)) -> Result<f64> {
        let Some(number) = number else { return Ok(usual) };
        let value = *number.get_ref();
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        Err(self.fault(
            number.span().start,
            key,
            &format!("is {value}; give a number from {least} to {most}"),
        ))
    }

    fn thresholds(&self, raise: &Number, release: &Number, usual: Thresholds) -> Result<Thresholds> {
        let raised = self.number(raise, "raise", usual.raise.into(), (0.0, 1.0))?;
        let released = self.number(release, "release", f64::from(usual.release).min(raised), (0.0, 1.0))?;
        if released > raised {
            let at = release.as_ref().map_or(0, |number| number.span().start);
            let reason = format!("is {released}, above raise, {raised}; give a number up to that");
            return Err(self.fault(at, "release", &reason));
        }
        Ok(Thresholds { raise: raised as f32, release: released as f32 })
    }

    fn actions(&self, actions: Option<&Spanned<Vec<String>>>) -> Result<Option<Vec<Action>>> {
        let Some(actions) = actions else { return Ok(None) };
        let action = |name: &String| match name.as_str() {
            "alert" => Ok(Action::Alert),
            "mute" => Ok(Action::Mute),
            "bleep" => Ok(Action::Bleep),
            "webhook" => Ok(Action::Webhook),
            "save-clip" => Ok(Action::SaveClip),
            _ => {
                let reason =
                    format!("there is no {name:?}; there are alert, mute, bleep, webhook, save-clip");
                Err(self.fault(actions.span().start, "actions", &reason))
            }
        };
        let mut all = actions.get_ref().iter().map(action).collect::<Result<Vec<_>>>()?;
        all.sort_unstable();
        all.dedup();
        if all.contains(&Action::Mute) && all.contains(&Action::Bleep) {
            let reason = "has mute and bleep; give one of them";
            return Err(self.fault(actions.span().start, "actions", reason));
        }
        Ok(Some(all))
    }

    fn severities(&self, given: &LexiconTable, usual: [f32; 5]) -> Result<[f32; 5]> {
        let Some(list) = &given.severity else { return Ok(usual) };
        let values: Vec<f32> = list.get_ref().iter().map(|&value| value as f32).collect();
        match <[f32; 5]>::try_from(values) {
            Ok(five) if five.iter().all(|value| (0.0..=1.0).contains(value)) => Ok(five),
            _ => Err(self.fault(
                list.span().start,
                "severity",
                "give five numbers from 0 to 1, from mild to grave",
            )),
        }
    }
}

impl Policy {
    /// Reads the file at `path`; what it leaves out is as usual.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Setting`], naming the line and the key, where it is no policy.
    pub fn read(path: &Path) -> Result<Self> {
        let size = fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        if size > LIMIT {
            let reason =
                format!("{}: a file of {size} bytes is no policy; at most {LIMIT} are read", path.display());
            return Err(Error::Setting(reason));
        }
        let text = fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        Self::parse(&text, path)
    }

    /// Reads a policy in memory, which errors call `path`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let usual = Self::default();
        let source = Text { path, text };
        let document: Document = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text[..at.min(text.len())].rsplit('\n').next().unwrap_or_default();
            let key = line.split('=').next().unwrap_or_default().trim();
            source.fault(at, if key.is_empty() { "policy" } else { key }, error.message())
        })?;
        let weight = |number: &Number, key: &str, usual: f32| {
            source.number(number, key, usual.into(), (0.0, 10.0)).map(|value| value as f32)
        };
        let samples = |seconds: f64| SampleIndex::from_seconds(seconds).0;
        let seconds = |samples: u64| SampleIndex(samples).seconds();
        let Document { weights, lexicon, calibration, window, alert, rule, watch, censor, clip, webhook } =
            document;
        let length = source.number(&window.length, "length", seconds(usual.window.0), (0.5, 10.0))?;
        let step = source.number(&window.step, "step", seconds(usual.window.1), (0.1, 10.0))?;
        let mut rules = Vec::with_capacity(rule.len() + 1);
        let all = &usual.rules[0];
        for table in rule {
            rules.push(Rule {
                thresholds: source.thresholds(&table.raise, &table.release, all.thresholds)?,
                actions: source.actions(table.actions.as_ref())?,
                language: table.language,
                category: table.category,
            });
        }
        rules.push(all.clone());
        let mut watched = BTreeMap::new();
        for table in watch {
            let actions = source.actions(table.actions.as_ref())?.unwrap_or_else(|| vec![Action::Alert]);
            let (at, name) = (table.name.span().start, table.name.into_inner().trim().to_owned());
            if name.is_empty() || watched.insert(name, actions).is_some() {
                return Err(source.fault(at, "name", "is empty or given twice; give each person once"));
            }
        }
        let policy = Self {
            weights: Weights {
                audio: weight(&weights.audio, "audio", usual.weights.audio)?,
                text: weight(&weights.text, "text", usual.weights.text)?,
                lexicon: weight(&weights.lexicon, "lexicon", usual.weights.lexicon)?,
                anger: weight(&weights.anger, "anger", usual.weights.anger)?,
            },
            severities: source.severities(&lexicon, usual.severities)?,
            unrated: source.number(&lexicon.unrated, "unrated", usual.unrated.into(), (0.0, 1.0))? as f32,
            calibration: (
                source.number(&calibration.scale, "scale", 1.0, (0.01, 100.0))? as f32,
                source.number(&calibration.bias, "bias", 0.0, (-100.0, 100.0))? as f32,
            ),
            window: (samples(length), samples(step)),
            alert: source.thresholds(&alert.raise, &alert.release, usual.alert)?,
            hold: samples(source.number(&alert.hold, "hold", seconds(usual.hold), (0.0, 60.0))?),
            alert_actions: source.actions(alert.actions.as_ref())?,
            usual_actions: usual.usual_actions,
            rules,
            watch: watched,
            censor_margin: source.number(&censor.margin, "margin", usual.censor_margin, (0.0, 5.0))?,
            clips: clip.folder,
            clip_margin: source.number(&clip.margin, "margin", usual.clip_margin, (0.0, 10.0))?,
            webhook: webhook.url,
        };
        policy.check(path)?;
        Ok(policy)
    }

    /// What is asked for must be possible.
    fn check(&self, path: &Path) -> Result<()> {
        let missing = |table: &str, key: &str, action: &str| {
            Error::Setting(format!(
                "{}: [{table}] {key}: is missing, and an action is {action}; give it",
                path.display()
            ))
        };
        if self.asks_for(Action::SaveClip) && self.clips.is_none() {
            return Err(missing("clip", "folder", "save-clip"));
        }
        if self.asks_for(Action::Webhook) && self.webhook.is_none() {
            return Err(missing("webhook", "url", "webhook"));
        }
        Ok(())
    }

    /// Whether any rule asks for `action`.
    pub fn asks_for(&self, action: Action) -> bool {
        self.rules
            .iter()
            .map(|rule| self.actions_of(rule))
            .chain([self.actions_at_alert()])
            .chain(self.watch.values().map(Vec::as_slice))
            .any(|all| all.contains(&action))
    }

    /// What `rule` asks for.
    pub fn actions_of<'a>(&'a self, rule: &'a Rule) -> &'a [Action] {
        rule.actions.as_deref().unwrap_or(&self.usual_actions)
    }

    /// What an alert by the sound alone asks for.
    pub fn actions_at_alert(&self) -> &[Action] {
        self.alert_actions.as_deref().unwrap_or(&self.usual_actions)
    }

    /// The same where rules that do not say what is asked for ask to censor so.
    pub fn censoring(mut self, style: CensorStyle) -> Self {
        self.usual_actions = vec![Action::Alert, style.action()];
        self
    }

    /// The rule for a segment in `language` and of `category`: that for both comes before that for the category, that for
    /// the language and that for all; of equals, the first.
    pub fn rule(&self, language: &str, category: &str) -> &Rule {
        let fits = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        let mut best = &self.rules[self.rules.len() - 1];
        let rank = |rule: &Rule| (u8::from(rule.category.is_some()) << 1) | u8::from(rule.language.is_some());
        for rule in self.rules.iter().rev() {
            if fits(&rule.language, language) && fits(&rule.category, category) && rank(rule) >= rank(best) {
                best = rule;
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy> {
        Policy::parse(text, Path::new("policy.toml"))
    }

    #[test]
    fn what_is_left_out_is_as_usual() {
        let policy = parse("").unwrap();
        assert_eq!(policy.rules.len(), 1);
        assert_eq!(Policy { rules: Policy::default().rules, ..policy }, Policy::default());
    }

    #[test]
    fn the_most_special_rule_counts() {
        let policy = parse(
            "[[rule]]\nraise = 0.9\n[[rule]]\nlanguage = \"hi\"\nraise = 0.6\n[[rule]]\ncategory = \"threat\"\nraise = 0.4\n\
             [[rule]]\nlanguage = \"hi\"\ncategory = \"threat\"\nraise = 0.3\nactions = [\"mute\"]\n",
        )
        .unwrap();
        let raise = |language, category| policy.rule(language, category).thresholds.raise;
        assert_eq!(raise("en", "abuse"), 0.9);
        assert_eq!(raise("hi", "abuse"), 0.6);
        assert_eq!(raise("en", "threat"), 0.4);
        assert_eq!(raise("hi", "threat"), 0.3);
        assert_eq!(policy.actions_of(policy.rule("hi", "threat")), [Action::Mute]);
        assert_eq!(policy.actions_of(policy.rule("hi", "abuse")), [Action::Alert]);
        let policy = policy.censoring(CensorStyle::Bleep);
        assert_eq!(policy.actions_of(policy.rule("hi", "abuse")), [Action::Alert, Action::Bleep]);
        assert_eq!(
            policy.actions_of(policy.rule("hi", "threat")),
            [Action::Mute],
            "who says what is asked for is heard"
        );
        assert_eq!(policy.actions_at_alert(), [Action::Alert, Action::Bleep]);
    }

    #[test]
    fn errors_name_the_file_the_line_and_the_key() {
        let cases = [
            ("[alert]\nraise = 1.5\n", "policy.toml, line 2: raise: is 1.5"),
            ("\n[[rule]]\nraise = 0.5\nrelease = 0.6\n", "policy.toml, line 4: release: is 0.6"),
            ("[alert]\nactions = [\"shout\"]\n", "policy.toml, line 2: actions: there is no \"shout\""),
            (
                "[alert]\nactions = [\"mute\", \"bleep\"]\n",
                "policy.toml, line 2: actions: has mute and bleep",
            ),
            ("[weights]\nvideo = 1\n", "policy.toml, line 2: "),
            ("[window]\nlength = \"long\"\n", "policy.toml, line 2: length"),
            ("[lexicon]\nseverity = [1.0]\n", "policy.toml, line 2: severity: give five"),
            ("[[rule]]\nactions = [\"save-clip\"]\n", "policy.toml: [clip] folder: is missing"),
            ("[alert]\nactions = [\"webhook\"]\n", "policy.toml: [webhook] url: is missing"),
            ("[alert\n", "policy.toml, line 1: "),
            ("[[watch]]\nname = \"\"\n", "policy.toml, line 2: name: is empty"),
            (
                "[[watch]]\nname = \"a\"\nactions = [\"save-clip\"]\n",
                "policy.toml: [clip] folder: is missing",
            ),
        ];
        for (text, expected) in cases {
            let told = parse(text).unwrap_err().to_string();
            assert!(told.starts_with(expected), "{told:?} for {text:?}");
        }
        assert!(parse("[weights]\nvideo = 1\n").unwrap_err().to_string().contains("video"));
    }

    #[test]
    fn the_example_of_the_documentation_is_a_policy() {
        let page = include_str!("../../docs/moderation.md");
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let policy = parse(example).unwrap();
        assert!(policy.asks_for(Action::Bleep) && policy.asks_for(Action::SaveClip));
    }
}
