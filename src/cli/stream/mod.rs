//! What subcommands that hear streams have in common.

mod args;
mod moderation_args;
mod who_args;

use std::io;
use std::sync::Arc;

pub use args::{HearArgs, StreamOutput};

use super::stop::Stop;
use crate::asr::live::SegmentRecognizer;
use crate::asr::{LanguageChoice, Model};
use crate::event::{Action, StreamStart};
use crate::moderation::{CensorStyle, Judges, Moderator};
use crate::output::events::{EventFile, JsonLines, Notify, TextLines};
#[cfg(feature = "view")]
use crate::output::view::View;
use crate::pipeline::{
    ClipWriter, Clips, EventSink, OnlyActions, Outcome, Source, SourcePace, Stream, StreamOptions, Tap,
};
use crate::speaker::LiveSpeakers;
use crate::vad::LiveOptions;
use crate::{Error, Result};

/// A model and the settings to hear streams with.
pub struct Listener<'a> {
    args: &'a HearArgs,
    model: Model,
    judges: Arc<Judges>,
    censor: Option<CensorStyle>,
    speakers: Option<LiveSpeakers>,
    acts: Acts,
    stop: &'a Stop,
}

/// Whether what a policy asks for is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acts {
    AsAsked,
    Not,
}

/// A stream to be heard.
pub struct Heard {
    /// Its name, in every event.
    pub name: String,
    /// Where it comes from, for the record.
    pub origin: String,
    /// Its sound.
    pub source: Box<dyn Source>,
    /// Whether it can wait.
    pub pace: SourcePace,
    /// The channel that is heard; none is the mean of all.
    pub channel: Option<usize>,
    /// Who hears its sound besides.
    pub taps: Vec<Box<dyn Tap>>,
}

impl<'a> Listener<'a> {
    /// Loads the model that `args` name. Sound is censored as `censor` says where the policy does not say how; none does not
    /// censor.
    ///
    /// # Errors
    /// Those of finding, reading and checking the model.
    pub fn load(args: &'a HearArgs, censor: Option<CensorStyle>, stop: &'a Stop) -> Result<Self> {
        // Small files first: what is wrong with them is told before a model is fetched.
        let mut judges = args.moderation.read(&args.model, args.talk(), stop)?;
        if let Some(style) = censor {
            judges.policy = judges.policy.censoring(style);
        }
        let speakers = args.who.load(&judges.policy, args.talk(), stop)?;
        let model =
            args.model.load(args.precision(), &args.options().language, &args.ctc, args.talk(), stop)?;
        args.moderation.check(&judges, &model, &args.model)?;
        Ok(Self { args, model, judges: Arc::new(judges), censor, speakers, acts: Acts::AsAsked, stop })
    }

    /// What streams are judged by.
    pub fn judges(&self) -> &Judges {
        &self.judges
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A recogniser that has its memory in place.
    ///
    /// # Errors
    /// Those of the settings and the network.
    pub fn recognizer(&self) -> Result<Box<dyn SegmentRecognizer>> {
        self.model.live_recognizer(self.args.options())
    }

    /// Hears a stream to its end; events go to `sinks`.
    ///
    /// # Errors
    /// Those of the settings and of starting. All that happens later is in the outcome.
    pub fn hear(&self, heard: Heard, sinks: Vec<Box<dyn EventSink>>) -> Result<Outcome> {
        self.hear_with(self.recognizer()?, heard, sinks)
    }

    /// As [`hear`](Self::hear), with a recogniser that was made before the sound began to come.
    ///
    /// # Errors
    /// Those of the settings and of starting.
    pub fn hear_with(
        &self,
        recognizer: Box<dyn SegmentRecognizer>,
        heard: Heard,
        sinks: Vec<Box<dyn EventSink>>,
    ) -> Result<Outcome> {
        let live = match heard.pace {
            SourcePace::Live => self.args.live_options(),
            // Nobody waits for partials of what is heard faster than it was said.
            SourcePace::Batch => LiveOptions { step: None, ..self.args.live_options() },
        };
        let options = StreamOptions {
            name: heard.name.clone(),
            start: StreamStart {
                censor: self.censor.map(CensorStyle::action),
                ..self.args.stream_start(heard.origin.clone(), heard.channel)
            },
            live,
            pace: heard.pace,
            backlog: self.args.backlog(),
            deadline: self.args.deadline(),
        };
        let moderator = (!self.judges.is_empty()).then(|| {
            let moderator = Moderator::new(Arc::clone(&self.judges));
            match self.args.options().language {
                LanguageChoice::Fixed(code) => moderator.for_language(code),
                _ => moderator,
            }
        });
        let Heard { name, source, mut taps, .. } = heard;
        let mut sinks = sinks;
        self.act(&name, &mut taps, &mut sinks)?;
        let speakers = self.speakers.clone();
        let stream = Stream { options, source, recognizer, moderator, speakers, taps, sinks };
        stream.run(&self.stop.flag())
    }

    /// Adds what the policy's actions take.
    fn act(
        &self,
        stream: &str,
        taps: &mut Vec<Box<dyn Tap>>,
        sinks: &mut Vec<Box<dyn EventSink>>,
    ) -> Result<()> {
        let policy = &self.judges.policy;
        if self.acts == Acts::Not || (self.judges.is_empty() && policy.watch.is_empty()) {
            return Ok(());
        }
        if let Some(folder) = policy.clips.as_ref().filter(|_| policy.asks_for(Action::SaveClip)) {
            let clips = Clips::new(folder, stream, policy.clip_margin)?;
            taps.push(Box::new(clips.clone()));
            sinks.push(Box::new(ClipWriter(clips)));
        }
        if let Some(url) = policy.webhook.as_ref().filter(|_| policy.asks_for(Action::Webhook)) {
            #[cfg(not(feature = "webhook"))]
            return Err(Error::Setting(format!(
                "cannot post to {url}: this program was built without webhook"
            )));
            #[cfg(feature = "webhook")]
            {
                use crate::output::events::{Webhook, WebhookOptions};
                let cache = crate::weights::PullOptions::from_env()?.cache;
                let webhook = Webhook::open(&WebhookOptions::new(url.clone(), cache), self.notify(stream))?;
                sinks.push(Box::new(OnlyActions::new(webhook, Action::Webhook)));
            }
        }
        Ok(())
    }

    /// The same without doing what the policy asks for: streams are heard again, and what was done is done.
    pub fn without_actions(self) -> Self {
        Self { acts: Acts::Not, ..self }
    }

    /// The sinks of a stream that the arguments ask for; `usual` is what stdout gets where they do not say.
    ///
    /// # Errors
    /// Those of opening files, and [`Error::Setting`] for a URL that cannot be posted to.
    pub fn sinks(&self, usual: StreamOutput, stream: &str) -> Result<Vec<Box<dyn EventSink>>> {
        let plain = self.notify(stream);
        let (first, notify): (Option<Box<dyn EventSink>>, Notify) = match self.args.output.unwrap_or(usual) {
            StreamOutput::Json => (Some(Box::new(JsonLines::new(io::stdout(), "stdout"))), plain),
            StreamOutput::Text => (Some(Box::new(TextLines::new(io::stdout(), "stdout"))), plain),
            #[cfg(feature = "view")]
            StreamOutput::View => {
                let stop = self.stop.clone();
                let quit = move || {
                    if stop.request() {
                        std::process::exit(super::Exit::Interrupted.code().into());
                    }
                };
                let view = View::open(stream, quit)?;
                let notify = view.notify();
                (Some(Box::new(view)), notify)
            }
            StreamOutput::None => (None, plain),
        };
        let mut sinks = self.files(notify)?;
        sinks.extend(first);
        if sinks.is_empty() {
            return Err(Error::Setting("events go nowhere: give --output, --events or --webhook".into()));
        }
        Ok(sinks)
    }

    /// The sinks that the arguments ask for beside stdout; `notify` tells the user of trouble.
    ///
    /// # Errors
    /// Those of [`sinks`](Self::sinks).
    pub fn files(&self, notify: Notify) -> Result<Vec<Box<dyn EventSink>>> {
        let mut sinks: Vec<Box<dyn EventSink>> = Vec::new();
        if let Some(path) = &self.args.events {
            sinks.push(Box::new(EventFile::append(path, Arc::clone(&notify))?));
        }
        #[cfg(feature = "webhook")]
        if let Some(url) = &self.args.webhook {
            use crate::output::events::{Webhook, WebhookOptions};
            let cache = crate::weights::PullOptions::from_env()?.cache;
            let options = WebhookOptions::new(url.clone(), cache);
            sinks.push(Box::new(Webhook::open(&options, notify)?));
        }
        Ok(sinks)
    }

    /// Tells the user of trouble with a stream, on stderr.
    pub fn notify(&self, stream: &str) -> Notify {
        let name = stream.to_owned();
        Arc::new(move |line: &str| eprintln!("{name}: {line}"))
    }
}
