//! One chunk being decoded: its hypotheses, its temperatures, and when it is done.

use std::io::Write;
use std::sync::Arc;

use super::chunk::Chunk;
use super::loop_guard::loop_start;
use super::options::{Chunking, Options};
use super::rules::{Timestamps, allowed_log_probabilities};
use super::search::{Hypothesis, grow_beam, likeliest, sample};
use super::tokenizer::Tokenizer;
use crate::models::whisper::{CrossCache, DecoderState, Input};

/// Tokens of a text at most: half of what the network allows, as in OpenAI's decoder.
const MAX_TOKENS: usize = 224;

/// A chunk and the search for its text.
pub struct Job {
    /// Its number among all chunks of the run.
    pub index: usize,
    /// The sound.
    pub chunk: Chunk,
    /// Code of its language.
    pub language: String,
    prompt: Prompt,
    cross: Arc<CrossCache>,
    /// Which of the temperatures is being tried.
    attempt: usize,
    /// Tokens that probably come first, until they are checked.
    draft: Vec<u32>,
    live: Vec<Live>,
    ended: Vec<Hypothesis>,
    /// Room for the text of a hypothesis, without timestamps.
    text: Vec<u32>,
    begun: bool,
    no_speech_probability: f32,
    best: Option<Candidate>,
    random: fastrand::Rng,
}

/// What a text is decoded after.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Previous text, the start token, language and task.
    pub tokens: Vec<u32>,
    /// Where the start token is.
    pub start: usize,
}

/// A hypothesis that goes on.
#[derive(Debug)]
struct Live {
    /// Which of the job's states it is decoded in.
    state: usize,
    hypothesis: Hypothesis,
}

impl Live {
    /// An empty one in the first state, with room for a whole text: to grow it allocates nothing.
    fn first() -> Self {
        Self { state: 0, hypothesis: Hypothesis::with_capacity(MAX_TOKENS) }
    }
}

/// A whole text and how good it is.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The tokens.
    pub hypothesis: Hypothesis,
    /// Temperature that they were decoded at.
    pub temperature: f32,
    /// Length of the text over its deflated length.
    pub compression_ratio: f32,
    repetitive: bool,
}

/// Whether a job goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Another step is needed.
    More,
    /// The text is found.
    Done,
}

impl Job {
    /// A job for `chunk`, whose sound is in `cross`.
    pub fn new(
        index: usize,
        chunk: Chunk,
        language: String,
        prompt: Prompt,
        cross: Arc<CrossCache>,
        options: &Options,
    ) -> Self {
        let greedy = options.beam == 1 && options.temperatures.first() == Some(&0.0);
        let draft = chunk.draft.iter().copied().filter(|_| greedy).take(MAX_TOKENS - 1).collect();
        Self {
            draft,
            index,
            language,
            prompt,
            cross,
            attempt: 0,
            live: vec![Live::first()],
            ended: Vec::new(),
            text: Vec::with_capacity(MAX_TOKENS),
            begun: false,
            no_speech_probability: 0.0,
            best: None,
            // The seed depends on the sound alone, so that a run can be repeated.
            random: fastrand::Rng::with_seed(chunk.span.start.0 ^ (chunk.samples.len() as u64) << 32),
            chunk,
        }
    }

    /// The sound.
    pub fn cross(&self) -> Arc<CrossCache> {
        Arc::clone(&self.cross)
    }

    /// The text found.
    pub fn best(&self) -> Option<&Candidate> {
        self.best.as_ref()
    }

    /// Probability that nothing is said.
    pub fn no_speech_probability(&self) -> f32 {
        self.no_speech_probability
    }

    /// Whether `candidate` is a poor guess at a chunk in which probably nothing is said. Chunks that were cut
    /// at pauses have speech in them already by a better judge.
    pub fn is_silent(&self, candidate: &Candidate, options: &Options) -> bool {
        options.chunking == Chunking::Windows
            && candidate.hypothesis.average() < options.logprob_threshold
            && self.no_speech_probability > options.no_speech_threshold
    }

    /// Appends what the next step must decode; the job's states begin at `first_state`.
    pub fn inputs(&self, first_state: usize, inputs: &mut Vec<Input>) {
        if !self.begun {
            let last = self.prompt.tokens.len() - 1;
            inputs.extend(self.prompt.tokens.iter().enumerate().map(|(i, &token)| Input {
                state: first_state,
                token,
                wanted: i == last || i == self.prompt.start,
            }));
            inputs.extend(self.draft.iter().map(|&token| Input { state: first_state, token, wanted: true }));
            return;
        }
        for live in &self.live {
            if let Some(&token) = live.hypothesis.tokens.last() {
                inputs.push(Input { state: first_state + live.state, token, wanted: true });
            }
        }
    }

    /// Rows of logits that the inputs ask for.
    pub fn rows(&self) -> usize {
        match self.begun {
            false => 1 + usize::from(self.prompt.start + 1 < self.prompt.tokens.len()) + self.draft.len(),
            true => self.live.len(),
        }
    }

    /// Grows the hypotheses by a token, or by what is right of the draft and a token, given the rows of logits that the
    /// inputs asked for.
    pub fn advance(
        &mut self,
        rows: &mut [f32],
        states: &mut [DecoderState],
        tokenizer: &Tokenizer,
        options: &Options,
        timestamps: Timestamps,
    ) -> Step {
        let vocabulary = rows.len() / self.rows();
        let mut rows = rows;
        if !self.begun {
            let start = &rows[..vocabulary];
            self.no_speech_probability = probability(start, tokenizer.special().no_speech);
            rows = &mut rows[(self.rows() - 1 - self.draft.len()) * vocabulary..];
            self.begun = true;
        }
        let temperature = options.temperatures[self.attempt];
        let draft = std::mem::take(&mut self.draft);
        let before_draft = states[0].length() - draft.len();
        let mut confirmed = 0;
        let (ended, looped) = loop {
            let (step, later) = rows.split_at_mut(self.live.len() * vocabulary);
            rows = later;
            for (row, live) in step.chunks_exact_mut(vocabulary).zip(&self.live) {
                allowed_log_probabilities(row, &live.hypothesis.tokens, tokenizer, timestamps);
            }
            let ended = match temperature == 0.0 && options.beam > 1 {
                true => self.grow_beam(step, vocabulary, states, options.beam, tokenizer.special().end),
                false => self.grow_one(step, temperature, tokenizer.special().end),
            };
            let looped = self.looped(tokenizer);
            let newest = self.live.first().and_then(|live| live.hypothesis.tokens.last());
            if ended || looped || newest.is_none() || newest != draft.get(confirmed) {
                break (ended, looped);
            }
            confirmed += 1;
        };
        if !draft.is_empty() {
            states[0].truncate(before_draft + confirmed);
        }
        if !ended && !looped && !self.is_full(states) {
            return Step::More;
        }
        let step = self.conclude(temperature, looped, tokenizer, options);
        if step == Step::More {
            self.restart(&mut states[0]);
        }
        step
    }

    /// Greedy search or sampling. True at the end of the text.
    fn grow_one(&mut self, row: &[f32], temperature: f32, end: u32) -> bool {
        let (token, log_probability) = match temperature > 0.0 {
            true => sample(row, temperature, &mut self.random),
            false => likeliest(row),
        };
        let hypothesis = &mut self.live[0].hypothesis;
        if token == end {
            hypothesis.total += log_probability;
            self.ended.push(std::mem::take(hypothesis));
            return true;
        }
        hypothesis.push(token, log_probability);
        false
    }

    /// Beam search. True when enough hypotheses have ended.
    fn grow_beam(
        &mut self,
        rows: &[f32],
        vocabulary: usize,
        states: &mut [DecoderState],
        width: usize,
        end: u32,
    ) -> bool {
        let rows: Vec<&[f32]> = rows.chunks_exact(vocabulary).collect();
        let beam: Vec<Hypothesis> = self.live.iter().map(|live| live.hypothesis.clone()).collect();
        let step = grow_beam(&beam, &rows, width, end);
        self.ended.extend(step.ended);
        if self.ended.len() >= width || step.alive.is_empty() {
            return true;
        }
        // The first child of a hypothesis keeps its state; the others get copies of it.
        let parents: Vec<usize> = self.live.iter().map(|live| live.state).collect();
        let mut taken = vec![false; width];
        let mut live = Vec::with_capacity(width);
        let mut waiting = Vec::new();
        for (parent, hypothesis) in step.alive {
            let state = parents[parent];
            match std::mem::replace(&mut taken[state], true) {
                false => live.push(Live { state, hypothesis }),
                true => waiting.push(Live { state, hypothesis }),
            }
        }
        for Live { state: parent, hypothesis } in waiting {
            let Some(state) = taken.iter().position(|taken| !taken) else {
                break;
            };
            taken[state] = true;
            if let Ok([to, from]) = states.get_disjoint_mut([state, parent]) {
                to.copy_from(from);
            }
            live.push(Live { state, hypothesis });
        }
        self.live = live;
        false
    }

    fn looped(&mut self, tokenizer: &Tokenizer) -> bool {
        /// Tokens between looks; loops are long, looking is not free.
        const INTERVAL: usize = 8;
        let text = &mut self.text;
        self.live.iter().any(|live| {
            let tokens = &live.hypothesis.tokens;
            if tokens.is_empty() || !tokens.len().is_multiple_of(INTERVAL) {
                return false;
            }
            text.clear();
            text.extend(text_tokens(tokens, tokenizer));
            loop_start(text).is_some()
        })
    }

    fn is_full(&self, states: &[DecoderState]) -> bool {
        self.live.iter().any(|live| {
            let state = &states[live.state];
            live.hypothesis.tokens.len() >= MAX_TOKENS || state.length() >= state.capacity()
        })
    }

    /// Judges the hypothesis found at `temperature`, and decides whether to try the next.
    fn conclude(&mut self, temperature: f32, looped: bool, tokenizer: &Tokenizer, options: &Options) -> Step {
        // What has not ended counts only where nothing has.
        let alive = std::mem::take(&mut self.live).into_iter().map(|live| live.hypothesis).collect();
        let found = Some(std::mem::take(&mut self.ended)).filter(|ended| !ended.is_empty()).unwrap_or(alive);
        let Some(hypothesis) = best_of(found) else {
            return Step::Done;
        };
        let text = tokenizer.decode(&hypothesis.tokens);
        let compression_ratio = compression_ratio(&text);
        let poor = hypothesis.average() < options.logprob_threshold;
        let repetitive = looped || compression_ratio > options.compression_ratio_threshold;
        let candidate = Candidate { hypothesis, temperature, compression_ratio, repetitive };
        let silent = self.is_silent(&candidate, options);
        let good = !repetitive && !poor;
        if good || self.best.as_ref().is_none_or(|best| candidate.is_better_than(best)) {
            self.best = Some(candidate);
        }
        if !good && !silent && self.attempt + 1 < options.temperatures.len() {
            self.attempt += 1;
            return Step::More;
        }
        if let Some(best) = self.best.as_mut().filter(|best| best.repetitive) {
            cut_loop(&mut best.hypothesis, tokenizer);
        }
        Step::Done
    }

    fn restart(&mut self, state: &mut DecoderState) {
        state.restart(self.cross());
        self.live = vec![Live::first()];
        self.begun = false;
    }
}

impl Candidate {
    /// Neither is good. A loop can be cut, but words drawn at random cannot be mended: it takes a text that is
    /// not much less likely to beat a loop.
    fn is_better_than(&self, other: &Self) -> bool {
        const LOOP_PENALTY: f32 = 2.0;
        let merit = |candidate: &Self| {
            candidate.hypothesis.average() - if candidate.repetitive { LOOP_PENALTY } else { 0.0 }
        };
        merit(self) > merit(other)
    }
}

/// The hypothesis whose tokens are likeliest on average.
fn best_of(hypotheses: Vec<Hypothesis>) -> Option<Hypothesis> {
    hypotheses.into_iter().max_by(|a, b| a.average().total_cmp(&b.average()))
}

/// Probability of `token` by `logits`.
fn probability(logits: &[f32], token: u32) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|x| (x - max).exp()).sum();
    (logits[token as usize] - max).exp() / sum
}

/// Length of `text` over its length when deflated.
fn compression_ratio(text: &str) -> f32 {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory does not fail; if it did, the text would count as incompressible.
    let deflated = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default();
    text.len() as f32 / deflated.len().max(1) as f32
}

fn text_tokens(tokens: &[u32], tokenizer: &Tokenizer) -> impl Iterator<Item = u32> {
    tokens.iter().copied().filter(|&token| !tokenizer.is_timestamp(token))
}

/// Cuts a loop at the end of a hypothesis to its first round.
fn cut_loop(hypothesis: &mut Hypothesis, tokenizer: &Tokenizer) {
    let text: Vec<u32> = text_tokens(&hypothesis.tokens, tokenizer).collect();
    let Some(kept) = loop_start(&text) else {
        return;
    };
    let is_text = |&(_, &token): &(usize, &u32)| !tokenizer.is_timestamp(token);
    let end = hypothesis.tokens.iter().enumerate().filter(is_text).nth(kept).map(|(at, _)| at);
    if let Some(end) = end {
        hypothesis.truncate(end);
    }
}
