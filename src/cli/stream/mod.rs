//! What subcommands that hear streams have in common.

mod args;

use std::io;
use std::sync::Arc;

pub use args::{HearArgs, StreamOutput};

use super::stop::Stop;
use crate::asr::Engine;
use crate::asr::live::LiveRecognizer;
use crate::output::events::{EventFile, JsonLines, Notify, TextLines};
use crate::pipeline::{EventSink, Outcome, Source, SourcePace, Stream, StreamOptions, Tap};
use crate::vad::LiveOptions;
use crate::{Error, Result};

/// A model and the settings to hear streams with.
pub struct Listener<'a> {
    args: &'a HearArgs,
    engine: Arc<Engine>,
    stop: &'a Stop,
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
    /// Loads the model that `args` name.
    ///
    /// # Errors
    /// Those of finding, reading and checking the model.
    pub fn load(args: &'a HearArgs, stop: &'a Stop) -> Result<Self> {
        let engine = args.model.load(args.talk(), stop)?;
        Ok(Self { args, engine: Arc::new(engine), stop })
    }

    /// The model.
    pub fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// Hears a stream to its end; events go to `sinks`.
    ///
    /// # Errors
    /// Those of the settings and of starting. All that happens later is in the outcome.
    pub fn hear(&self, heard: Heard, sinks: Vec<Box<dyn EventSink>>) -> Result<Outcome> {
        let mut recognizer =
            LiveRecognizer::new(Arc::clone(&self.engine), self.args.options(), self.args.context())?;
        recognizer.warm_up()?;
        let live = match heard.pace {
            SourcePace::Live => self.args.live_options(),
            // Nobody waits for partials of what is heard faster than it was said.
            SourcePace::Batch => LiveOptions { step: None, ..self.args.live_options() },
        };
        let options = StreamOptions {
            name: heard.name,
            start: self.args.stream_start(heard.origin, heard.channel),
            live,
            pace: heard.pace,
            backlog: self.args.backlog(),
            deadline: self.args.deadline(),
        };
        let stream = Stream { options, source: heard.source, recognizer, taps: heard.taps, sinks };
        stream.run(&self.stop.flag())
    }

    /// The sinks of a stream that the arguments ask for; `usual` is what stdout gets where they do not say.
    ///
    /// # Errors
    /// Those of opening files, and [`Error::Setting`] for a URL that cannot be posted to.
    pub fn sinks(&self, usual: StreamOutput, stream: &str) -> Result<Vec<Box<dyn EventSink>>> {
        let mut sinks = self.files(stream)?;
        match self.args.output.unwrap_or(usual) {
            StreamOutput::Json => sinks.push(Box::new(JsonLines::new(io::stdout(), "stdout"))),
            StreamOutput::Text => sinks.push(Box::new(TextLines::new(io::stdout(), "stdout"))),
            #[cfg(feature = "view")]
            StreamOutput::View => {
                return Err(Error::Setting("the terminal view is not there yet".into()));
            }
            StreamOutput::None => {}
        }
        if sinks.is_empty() {
            return Err(Error::Setting("events go nowhere: give --output, --events or --webhook".into()));
        }
        Ok(sinks)
    }

    /// The sinks that the arguments ask for beside stdout.
    ///
    /// # Errors
    /// Those of [`sinks`](Self::sinks).
    pub fn files(&self, stream: &str) -> Result<Vec<Box<dyn EventSink>>> {
        let mut sinks: Vec<Box<dyn EventSink>> = Vec::new();
        let name = stream.to_owned();
        let notify: Notify = Arc::new(move |line: &str| eprintln!("{name}: {line}"));
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
}
