//! Speech to text with the real base model, from samples to transcript.
//!
//! Skipped, with a message, where the model is not in the cache (`awaaz models pull base`).

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};

use awaaz::Result;
use awaaz::asr::{
    AudioSource, Chunking, Engine, LanguageChoice, Observer, Options, Recognizer, Segment, Task, Transcript,
    WhisperRecognizer,
};
use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
use awaaz::compute::{Precision, Threads};
use awaaz::score::{Normalisation, normalise, word_errors};
use awaaz::time::SampleIndex;
use awaaz::weights::{ModelFiles, PullOptions, Registry, find};

const RATE: usize = 16_000;
/// The reader's one slip of the tongue is within this.
const WORD_ERROR: f64 = 0.03;

fn base() -> Option<ModelFiles> {
    let files = find(Registry::builtin().find("base").unwrap(), &PullOptions::from_env().unwrap());
    if files.is_none() {
        println!("skipped: the base model is not in the cache (awaaz models pull base)");
    }
    files
}

fn engine(threads: usize) -> Option<Engine> {
    Some(Engine::load(&base()?, Threads::new(threads).unwrap(), Precision::F32).unwrap())
}

/// Tests take turns: each uses the processor whole, and models are large.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: OnceLock<Mutex<()>> = OnceLock::new();
    TURN.get_or_init(Mutex::default).lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Word error rate after normalisation of both.
fn word_error(reference: &str, heard: &str) -> f64 {
    let [reference, normalised] = [reference, heard].map(|text| normalise(text, Normalisation::English));
    let rate = word_errors(&reference, &normalised).rate();
    println!("word error {rate:.3}: {heard}");
    rate
}

/// Samples given out in blocks of one size.
struct Blocks<'a> {
    samples: &'a [f32],
    block: usize,
}

impl AudioSource for Blocks<'_> {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        let (now, later) = self.samples.split_at(self.block.min(self.samples.len()));
        block.clear();
        block.extend_from_slice(now);
        self.samples = later;
        Ok(block.len())
    }
}

/// Keeps what it hears of.
#[derive(Default)]
struct Heard {
    segments: Vec<Segment>,
    position: SampleIndex,
}

impl Observer for Heard {
    fn segment(&mut self, segment: &Segment) {
        self.segments.push(segment.clone());
    }
    fn progress(&mut self, position: SampleIndex) {
        assert!(position >= self.position, "progress goes back");
        self.position = position;
    }
    fn warn(&mut self, _: &str) {}
    fn stopped(&self) -> bool {
        false
    }
}

fn transcribe(engine: Engine, options: Options, samples: &[f32], block: usize) -> Transcript {
    let mut heard = Heard::default();
    let mut recognizer = WhisperRecognizer::new(engine, options);
    let transcript = recognizer.transcribe(&mut Blocks { samples, block }, &mut heard).unwrap();
    assert_eq!(heard.segments, transcript.segments, "the observer hears of every segment, in order");
    transcript
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures").join(name)
}

fn sound(name: &str) -> Vec<f32> {
    let input = AudioInput::File(fixture(name).join("audio.flac"));
    AudioStream::open(input, &DecodeOptions::default()).unwrap().read_all().unwrap()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixture(name).join("text.txt")).unwrap()
}

/// The five LibriVox sentences with a second of silence between them, and their text.
fn reading() -> (Vec<f32>, String) {
    let (mut samples, mut words) = (Vec::new(), String::new());
    for name in ["librivox-0870", "librivox-0880", "librivox-0890", "librivox-0920", "librivox-0930"] {
        samples.extend(sound(name));
        samples.extend(std::iter::repeat_n(0.0, RATE));
        words.push_str(&text(name));
        words.push(' ');
    }
    (samples, words)
}

fn noise(seconds: usize, amplitude: f32) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(1u32 << 31) - 1.0) as f32 * amplitude
    };
    (0..seconds * RATE).map(|_| next()).collect()
}

/// Chords that change every half second.
fn tones(seconds: usize) -> Vec<f32> {
    const CHORDS: [[f32; 3]; 4] =
        [[261.6, 329.6, 392.0], [293.7, 349.2, 440.0], [246.9, 293.7, 392.0], [220.0, 261.6, 329.6]];
    let sample = |n: usize| {
        let t = n as f32 / RATE as f32;
        let chord = CHORDS[(2.0 * t) as usize % CHORDS.len()];
        chord.iter().map(|hertz| (std::f32::consts::TAU * hertz * t).sin()).sum::<f32>() * 0.1
    };
    (0..seconds * RATE).map(sample).collect()
}

#[test]
fn real_speech_is_written_down() {
    let (_turn, Some(engine)) = (turn(), engine(2)) else { return };
    let (samples, words) = reading();
    let transcript = transcribe(engine, Options::default(), &samples, 4096);
    assert!(word_error(&words, &transcript.text()) < WORD_ERROR);
    assert_eq!(transcript.language, "en");
    assert!((transcript.duration - samples.len() as f64 / RATE as f64).abs() < 1e-9);
}

#[test]
fn windows_give_the_same_words_as_chunks() {
    let (_turn, Some(engine)) = (turn(), engine(2)) else { return };
    let (samples, words) = reading();
    let options = Options { chunking: Chunking::Windows, ..Options::default() };
    let transcript = transcribe(engine, options, &samples, 4096);
    assert!(word_error(&words, &transcript.text()) < WORD_ERROR);
}

#[test]
fn beam_search_hears_no_worse() {
    let (_turn, Some(engine)) = (turn(), engine(2)) else { return };
    let (samples, words) = reading();
    let transcript = transcribe(engine, Options { beam: 5, ..Options::default() }, &samples, 4096);
    assert!(word_error(&words, &transcript.text()) < WORD_ERROR);
}

#[test]
fn blocks_threads_and_company_do_not_matter() {
    let _turn = turn();
    let (samples, _) = reading();
    let mut transcripts = Vec::new();
    for (threads, batch, block) in [(1, 1, 160), (2, 5, 4096), (2, 2, 1_000_000)] {
        let Some(engine) = engine(threads) else { return };
        let options = Options { batch, word_times: true, ..Options::default() };
        transcripts.push(transcribe(engine, options, &samples, block));
    }
    assert_eq!(transcripts[0], transcripts[1]);
    assert_eq!(transcripts[0], transcripts[2]);
}

#[test]
fn words_have_times_in_order_where_they_are_spoken() {
    let (_turn, Some(engine)) = (turn(), engine(2)) else { return };
    // Two seconds of silence, so that a constant shift would show.
    let mut samples = vec![0.0; 2 * RATE];
    samples.extend(sound("librivox-0870"));
    let options = Options { word_times: true, ..Options::default() };
    let transcript = transcribe(engine, options, &samples, 4096);
    let words: Vec<_> = transcript.segments.iter().flat_map(|segment| &segment.words).collect();
    assert!(words.len() >= 20, "{words:?}");
    assert!(words.is_sorted_by_key(|word| word.span.start));
    assert!(words[0].span.start.seconds() > 1.5 && words[0].span.start.seconds() < 2.7, "{:?}", words[0]);
    let end = samples.len() as f64 / RATE as f64;
    assert!(words.iter().all(|word| word.span.end.seconds() <= end && word.span.seconds() < 2.0));
    assert!(words.iter().all(|word| (0.0..=1.0).contains(&word.probability)));
    let joined: String = words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(joined.trim(), transcript.text());
}

#[test]
fn nothing_is_heard_in_silence_noise_and_tones() {
    let _turn = turn();
    for (what, samples) in
        [("silence", vec![0.0; 60 * RATE]), ("noise", noise(60, 0.1)), ("tones", tones(60))]
    {
        let Some(engine) = engine(2) else { return };
        let transcript = transcribe(engine, Options::default(), &samples, 4096);
        assert_eq!(transcript.text(), "", "{what}");
        assert_eq!(transcript.duration, 60.0);
    }
}

#[test]
fn speech_that_the_model_cannot_follow_does_not_loop() {
    let _turn = turn();
    // Taken for the wrong language, these make the base model repeat one token to the end of its room.
    for name in ["espeak-ur", "espeak-hi", "espeak-ta"] {
        for chunking in [Options::default().chunking, Chunking::Windows] {
            let Some(engine) = engine(2) else { return };
            let transcript =
                transcribe(engine, Options { chunking, ..Options::default() }, &sound(name), 4096);
            let text = transcript.text();
            let characters: Vec<char> = text.chars().collect();
            assert!(characters.len() < 200, "{name}: {text}");
            let repeated = characters.windows(12).any(|run| run.iter().all(|&c| c == run[0]));
            assert!(!repeated, "{name}: {text}");
        }
    }
}

#[test]
fn the_language_is_found_among_those_allowed() {
    let _turn = turn();
    let cases = [
        ("librivox-0870", LanguageChoice::Detect, "en"),
        ("espeak-ta", LanguageChoice::Among(vec!["ta".into(), "ur".into()]), "ta"),
        ("espeak-ur", LanguageChoice::Fixed("ur".into()), "ur"),
        ("espeak-hi", LanguageChoice::Fixed("hi".into()), "hi"),
    ];
    for (name, language, expected) in cases {
        let Some(engine) = engine(2) else { return };
        let transcript = transcribe(engine, Options { language, ..Options::default() }, &sound(name), 4096);
        assert_eq!(transcript.language, expected, "{name}: {}", transcript.text());
        let in_script = |c: char| match expected {
            "ta" => ('\u{0B80}'..='\u{0BFF}').contains(&c),
            "ur" => ('\u{0600}'..='\u{06FF}').contains(&c),
            "hi" => ('\u{0900}'..='\u{097F}').contains(&c),
            _ => c.is_ascii_alphabetic(),
        };
        assert!(transcript.text().chars().filter(|&c| in_script(c)).count() > 10, "{}", transcript.text());
    }
}

#[test]
fn unknown_languages_and_impossible_settings_are_errors() {
    let (_turn, Some(engine)) = (turn(), engine(2)) else { return };
    let mut recognizer = WhisperRecognizer::new(
        engine,
        Options { language: LanguageChoice::Fixed("xx".into()), ..Options::default() },
    );
    let error =
        recognizer.transcribe(&mut Blocks { samples: &[], block: 1 }, &mut Heard::default()).unwrap_err();
    assert!(error.to_string().contains("xx"), "{error}");
}

#[test]
fn a_prompt_sets_the_spelling() {
    let _turn = turn();
    let samples = sound("librivox-0870");
    let said = |prompt: &str, hotwords: &str| {
        let options = Options { prompt: prompt.into(), hotwords: hotwords.into(), ..Options::default() };
        Some(transcribe(engine(2)?, options, &samples, 4096).text())
    };
    let Some(plain) = said("", "") else { return };
    assert!(plain.contains("Dashwood"), "{plain}");
    for (prompt, hotwords) in [("A letter to Mr. John Dashwoode.", ""), ("", "Dashwoode")] {
        let prompted = said(prompt, hotwords).unwrap_or_default();
        assert!(prompted.contains("Dashwoode"), "{prompted}");
    }
}

#[test]
fn translation_is_english() {
    let (_turn, Some(engine)) = (turn(), engine(2)) else { return };
    let options =
        Options { task: Task::Translate, language: LanguageChoice::Fixed("ta".into()), ..Options::default() };
    let text = transcribe(engine, options, &sound("espeak-ta"), 4096).text();
    assert!(text.chars().filter(|c| c.is_ascii_alphabetic()).count() > 5, "{text}");
    assert!(!text.chars().any(|c| ('\u{0B80}'..='\u{0BFF}').contains(&c)), "{text}");
}
