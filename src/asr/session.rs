//! Whisper at work: chunks in, segments out, many chunks side by side.
//!
//! The decoder reads all its weights for every step, whether it decodes one token or eight. So chunks share
//! steps: as soon as one is done, the next takes its place. A chunk's result does not depend on its company.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chunk::{Chunk, ChunkSource, Decoded, Next};
use super::engine::{Engine, LEAST_HEARD};
use super::job::{Job, Prompt, Step};
use super::language::{LanguageTracker, unknown};
use super::options::{Chunking, LanguageChoice, Options};
use super::rules::Timestamps;
use super::tokenizer::Tokenizer;
use super::transcript::Task;
use super::{segments, sentences, word_times};
use crate::models::encoding::Encoding;
use crate::models::whisper::{CrossCache, DecoderState, Input, Workspace};
use crate::time::Span;
use crate::{Error, Result};

/// Who hears of results.
pub trait Sink {
    /// Takes the result of a chunk; chunks come in order of time.
    fn decoded(&mut self, decoded: &Decoded);
    /// Whether to stop before all is done.
    fn stopped(&self) -> bool;
}

/// An engine at work on one stream, with what it remembers of it.
pub struct Session {
    engine: Arc<Engine>,
    options: Options,
    timestamps: Timestamps,
    languages: LanguageTracker,
    /// Tokens of the user's prompt and hot-words.
    hotwords: Vec<u32>,
    prompt: Vec<u32>,
    workspace: Workspace,
    states: Vec<DecoderState>,
    /// What idle states listen to.
    silence: Arc<CrossCache>,
    /// Caches of chunks that are done. They are large; making them anew for each chunk fragments the heap.
    spare: Vec<CrossCache>,
    jobs: Vec<Option<Job>>,
    /// What a step decodes, and what came of it for each of the jobs.
    inputs: Vec<Input>,
    steps: Vec<Step>,
    /// Results that wait for an earlier one.
    finished: BTreeMap<usize, Decoded>,
    /// Log-mel frames that the encoder hears at least, silence included.
    least_heard: usize,
    /// Hidden states that are kept of each chunk, and those of the last.
    keep: Vec<usize>,
    kept: Option<Arc<Encoding>>,
    started: usize,
    delivered: usize,
}

impl Session {
    /// A session at the start of a stream.
    ///
    /// # Errors
    /// [`Error::Setting`] where the options contradict each other or the model.
    pub fn new(engine: Arc<Engine>, options: Options) -> Result<Self> {
        let tokenizer = &engine.tokenizer;
        if options.task == Task::Translate && !tokenizer.is_multilingual() {
            return Err(Error::Setting(
                "translation needs a multilingual model; this one knows English only".into(),
            ));
        }
        if options.beam == 0 || options.batch == 0 || options.temperatures.is_empty() {
            return Err(Error::Setting("beam, batch and the list of temperatures must not be empty".into()));
        }
        let languages = match &options.language {
            LanguageChoice::Detect => LanguageTracker::new(tokenizer, &[])?,
            LanguageChoice::Among(codes) => LanguageTracker::new(tokenizer, codes)?,
            LanguageChoice::Fixed(code) => LanguageTracker::new(tokenizer, std::slice::from_ref(code))?,
        };
        let encode = |text: &str| match text.trim() {
            "" => Ok(Vec::new()),
            text => tokenizer.encode(&format!(" {text}")),
        };
        Ok(Self {
            // A text with timestamps may end before its sound does. The next window begins there; chunks are
            // heard once, so theirs goes on to the end, and its times come from alignment.
            timestamps: match options.chunking {
                Chunking::Windows => Timestamps::Within,
                Chunking::Speech { .. } => Timestamps::Without,
            },
            languages,
            hotwords: encode(&options.hotwords)?,
            prompt: encode(&options.prompt)?,
            workspace: Workspace::default(),
            states: Vec::new(),
            silence: Arc::new(engine.model.decoder.narrow_cross_cache()),
            spare: Vec::new(),
            jobs: (0..options.batch).map(|_| None).collect(),
            inputs: Vec::new(),
            steps: vec![Step::More; options.batch],
            finished: BTreeMap::new(),
            least_heard: LEAST_HEARD,
            keep: Vec::new(),
            kept: None,
            started: 0,
            delivered: 0,
            engine,
            options,
        })
    }

    /// Transcribes every chunk of `source` and hands the results to `sink`, in order.
    ///
    /// # Errors
    /// Those of the source and the network; [`Error::Interrupted`] where the sink stopped it, after which the session
    /// can be used again.
    pub fn run(&mut self, source: &mut dyn ChunkSource, sink: &mut dyn Sink) -> Result<()> {
        let done = self.work_off(source, sink);
        if done.is_err() {
            self.jobs.iter_mut().for_each(|job| *job = None);
            self.finished.clear();
            self.delivered = self.started;
        }
        done
    }

    /// The vocabulary.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.engine.tokenizer
    }

    /// From now on, how many log-mel frames the encoder hears at least, silence included.
    pub(super) fn set_least_heard(&mut self, frames: usize) {
        self.least_heard = frames;
    }

    /// From now on, which hidden states of a chunk are kept.
    pub(super) fn keep(&mut self, layers: &[usize]) {
        self.keep = layers.to_vec();
    }

    /// What was kept of the chunk that was heard last.
    pub(super) fn take_kept(&mut self) -> Option<Arc<Encoding>> {
        self.kept.take()
    }

    /// From now on, whether to find the times of words.
    pub fn set_word_times(&mut self, wanted: bool) {
        self.options.word_times = wanted;
    }

    /// Forgets the stream.
    pub(super) fn forget(&mut self) {
        self.languages.forget();
    }

    /// What it believes of the stream's languages.
    pub(super) fn languages(&self) -> &LanguageTracker {
        &self.languages
    }

    /// Believes something else of the stream's languages.
    pub(super) fn set_languages(&mut self, languages: LanguageTracker) {
        self.languages = languages;
    }

    fn work_off(&mut self, source: &mut dyn ChunkSource, sink: &mut dyn Sink) -> Result<()> {
        loop {
            if sink.stopped() {
                return Err(Error::Interrupted);
            }
            let more = self.fill(source, sink)?;
            if self.jobs.iter().all(Option::is_none) {
                if more {
                    continue;
                }
                return Ok(());
            }
            self.step();
            while let Some(decoded) = self.finished.remove(&self.delivered) {
                self.delivered += 1;
                source.done(&decoded);
                sink.decoded(&decoded);
            }
        }
    }

    /// Gives every idle place a chunk, while there are any. False once there will be none.
    fn fill(&mut self, source: &mut dyn ChunkSource, sink: &mut dyn Sink) -> Result<bool> {
        while let Some(place) = self.jobs.iter().position(Option::is_none) {
            match source.next()? {
                Next::Chunk(chunk) => self.start(place, chunk)?,
                Next::Wait => return Ok(true),
                Next::End => return Ok(false),
            }
            if sink.stopped() {
                return Err(Error::Interrupted);
            }
        }
        Ok(true)
    }

    fn start(&mut self, place: usize, mut chunk: Chunk) -> Result<()> {
        let engine = &self.engine;
        let mut cross = self.spare.pop().unwrap_or_else(|| engine.model.decoder.narrow_cross_cache());
        let (least, keep) = (self.least_heard, &self.keep);
        let states = engine.threads.run(|| engine.listen(&chunk.samples, least, keep, &mut cross))?;
        self.kept = (!keep.is_empty()).then(|| Arc::new(engine.encoding(chunk.span, states)));
        let cross = Arc::new(cross);
        let width = self.options.beam;
        while self.states.len() < (place + 1) * width {
            self.states.push(self.engine.model.decoder.state(Arc::clone(&cross)));
        }
        for state in &mut self.states[place * width..(place + 1) * width] {
            state.restart(Arc::clone(&cross));
        }
        let language = self.language(place * width, chunk.span, chunk.language.as_ref())?;
        let prompt = self.prompt_of(&chunk, &language);
        let positions = self.engine.model.config.target_positions;
        chunk.draft.truncate(positions.saturating_sub(prompt.tokens.len() + 1));
        self.jobs[place] = Some(Job::new(self.started, chunk, language, prompt, cross, &self.options));
        self.started += 1;
        Ok(())
    }

    /// The language of the sound at `span` that `state` listens to.
    fn language(&mut self, state: usize, span: Span, known: Option<&String>) -> Result<String> {
        let tokenizer = &self.engine.tokenizer;
        if let Some(code) = known {
            return Ok(code.clone());
        }
        if let LanguageChoice::Fixed(code) = &self.options.language {
            return Ok(code.clone());
        }
        if !tokenizer.is_multilingual() {
            return tokenizer.languages().first().cloned().ok_or_else(|| unknown("en", tokenizer));
        }
        let special = tokenizer.special();
        let input = Input { state, token: special.start, wanted: true };
        let (engine, states, workspace) = (&self.engine, &mut self.states, &mut self.workspace);
        engine.threads.run(|| engine.model.decoder.forward(states, &[input], workspace, |_, _| {}));
        let cross = self.states[state].cross();
        self.states[state].restart(cross);
        let logits = self.workspace.logits(1, self.engine.model.config.vocabulary);
        let first = special.first_language as usize;
        let logits = &logits[first..first + tokenizer.languages().len()];
        let index = self.languages.decide(logits, span.seconds());
        Ok(tokenizer.languages()[index].clone())
    }

    /// What the text of a chunk is decoded after.
    fn prompt_of(&self, chunk: &Chunk, language: &str) -> Prompt {
        let tokenizer = &self.engine.tokenizer;
        let special = tokenizer.special();
        let room = self.engine.model.config.target_positions / 2 - 1;
        let mut previous = self.prompt.clone();
        previous.extend(&chunk.previous);
        let hotwords = &self.hotwords[..self.hotwords.len().min(room)];
        let previous = &previous[previous.len().saturating_sub(room - hotwords.len())..];
        let mut tokens = Vec::with_capacity(room + 4);
        if !hotwords.is_empty() || !previous.is_empty() {
            tokens.push(special.previous);
            tokens.extend(hotwords);
            tokens.extend(previous);
        }
        let start = tokens.len();
        tokens.push(special.start);
        if tokenizer.is_multilingual() {
            tokens.extend(tokenizer.language_token(language));
            tokens.push(match self.options.task {
                Task::Transcribe => special.transcribe,
                Task::Translate => special.translate,
            });
        }
        if self.timestamps == Timestamps::Without {
            tokens.push(special.no_timestamps);
        }
        Prompt { tokens, start }
    }

    /// Decodes one token of every hypothesis of every job.
    fn step(&mut self) {
        self.decode();
        for place in 0..self.jobs.len() {
            let is_done = self.steps[place] == Step::Done;
            if let Some(job) = self.jobs[place].take_if(|_| is_done) {
                self.finish(place, job);
            }
        }
    }

    /// Nothing is allocated, but for what a job needs at the end of an attempt or to search by more than greed.
    fn decode(&mut self) {
        let Self { engine, options, timestamps, workspace, states, jobs, inputs, steps, .. } = self;
        inputs.clear();
        for (place, job) in jobs.iter().enumerate() {
            if let Some(job) = job {
                job.inputs(place * options.beam, inputs);
            }
        }
        let wanted = inputs.iter().filter(|input| input.wanted).count();
        let advance = |job: &mut Job, states: &mut [DecoderState], rows: &mut [f32]| {
            job.advance(rows, states, &engine.tokenizer, options, *timestamps)
        };
        engine.threads.run(|| {
            engine.model.decoder.forward(states, inputs, workspace, |_, _| {});
            let vocabulary = engine.model.config.vocabulary;
            let rows = workspace.logits(wanted, vocabulary);
            advance_all(Places { jobs, states, width: options.beam, steps, rows }, vocabulary, &advance);
        });
    }

    fn finish(&mut self, place: usize, job: Job) {
        let index = job.index;
        let mut decoded = segments::from_job(&job, &self.engine.tokenizer, &self.options, self.timestamps);
        let cut = self.options.sentences && self.timestamps == Timestamps::Without;
        if (self.options.word_times || cut) && !decoded.segments.is_empty() {
            let state = place * self.options.beam;
            let (engine, workspace) = (&self.engine, &mut self.workspace);
            let states = &mut self.states[state..=state];
            states[0].restart(job.cross());
            let (task, segments) = (self.options.task, &mut decoded.segments);
            engine.threads.run(|| {
                word_times::align(&engine.model, &engine.tokenizer, task, states, workspace, &job, segments);
            });
            if cut {
                decoded.segments = sentences::split(std::mem::take(&mut decoded.segments), &engine.tokenizer);
            }
            if !self.options.word_times {
                decoded.segments.iter_mut().for_each(|segment| segment.words.clear());
            }
        }
        let cross = job.cross();
        drop(job);
        for state in &mut self.states[place * self.options.beam..(place + 1) * self.options.beam] {
            state.restart(Arc::clone(&self.silence));
        }
        self.spare.extend(Arc::into_inner(cross));
        self.finished.insert(index, decoded);
    }
}

/// Some of a session's places: their jobs, which have states and rows of logits as many as they asked for.
struct Places<'a> {
    jobs: &'a mut [Option<Job>],
    states: &'a mut [DecoderState],
    /// States of a place. There are none yet of places that were never used.
    width: usize,
    steps: &'a mut [Step],
    rows: &'a mut [f32],
}

/// Advances jobs side by side. They are halved until there is one, so that no list of them is made.
fn advance_all(
    places: Places,
    vocabulary: usize,
    advance: &(impl Fn(&mut Job, &mut [DecoderState], &mut [f32]) -> Step + Sync),
) {
    let Places { jobs, states, width, steps, rows } = places;
    if let [job] = jobs {
        if let Some(job) = job {
            steps[0] = advance(job, states, rows);
        }
        return;
    }
    let half = jobs.len() / 2;
    let rows_of_first: usize = jobs[..half].iter().flatten().map(Job::rows).sum();
    let states_of_first = states.len().min(half * width);
    let (jobs, other_jobs) = jobs.split_at_mut(half);
    let (states, other_states) = states.split_at_mut(states_of_first);
    let (steps, other_steps) = steps.split_at_mut(half);
    let (rows, other_rows) = rows.split_at_mut(rows_of_first * vocabulary);
    let first = Places { jobs, states, width, steps, rows };
    let others =
        Places { jobs: other_jobs, states: other_states, width, steps: other_steps, rows: other_rows };
    rayon::join(|| advance_all(first, vocabulary, advance), || advance_all(others, vocabulary, advance));
}

#[cfg(test)]
mod tests;
