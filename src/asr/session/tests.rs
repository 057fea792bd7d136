//! What steps of decoding allocate, with a small network of random weights.

use std::path::Path;

use allocation_counter::measure;

use super::*;
use crate::compute::{Precision, Threads};
use crate::models::encoding::EncoderMeter;
use crate::models::whisper::{Config, Whisper};
use crate::time::SampleIndex;
use crate::weights::Checkpoint;

/// Chunks that are decoded side by side.
const BATCH: usize = 5;
/// Steps that must be seen between the first, which makes buffers as long as prompts are, and the end of a text.
const LEAST_STEPS: usize = 12;

/// A vocabulary of 255 texts, the special tokens, and times.
fn tokenizer(vocabulary: usize) -> Tokenizer {
    let texts: Vec<String> = (0..255).map(|id| format!("\"t{id}\": {id}")).collect();
    let special = [
        "endoftext",
        "startoftranscript",
        "en",
        "translate",
        "transcribe",
        "startofprev",
        "nospeech",
        "notimestamps",
    ];
    let special: Vec<String> = (255..)
        .zip(special)
        .map(|(id, name)| format!("{{\"id\": {id}, \"content\": \"<|{name}|>\"}}"))
        .collect();
    let json = format!(
        "{{\"added_tokens\": [{}], \"model\": {{\"vocab\": {{{}}}}}}}",
        special.join(", "),
        texts.join(", ")
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, json).unwrap();
    Tokenizer::load(&path, None, vocabulary).unwrap()
}

fn engine(threads: usize, precision: Precision) -> Arc<Engine> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/whisper/mels80");
    let checkpoint = Checkpoint::open(&folder.join("model.safetensors")).unwrap();
    let config = Config::read(&checkpoint, Some(&folder.join("config.json"))).unwrap();
    let tokenizer = tokenizer(config.vocabulary);
    let model = Whisper::load(&checkpoint, config, precision).unwrap();
    let threads = Threads::new(threads).unwrap();
    Arc::new(Engine { model, tokenizer, threads, meter: EncoderMeter::default() })
}

/// A session in which every place has a chunk, each of a length and sound of its own, and was decoded once.
fn session(engine: &Arc<Engine>) -> Session {
    let options = Options { batch: BATCH, temperatures: vec![0.0], ..Options::default() };
    let mut session = Session::new(Arc::clone(engine), options).unwrap();
    for place in 0..BATCH {
        let pitch = 0.02 * (place + 1) as f32;
        let samples: Vec<f32> = (0..16_000 * (place + 1)).map(|i| (i as f32 * pitch).sin() * 0.3).collect();
        let span = Span::new(SampleIndex(0), SampleIndex(samples.len() as u64));
        let chunk = Chunk { span, samples, previous: Vec::new(), draft: Vec::new(), language: None };
        session.start(place, chunk).unwrap();
    }
    session.decode();
    session
}

/// What steps allocate until a text is near its end.
fn allocations(session: &mut Session) -> Vec<u64> {
    let mut counts = Vec::new();
    loop {
        let used = measure(|| session.decode());
        if session.steps.contains(&Step::Done) {
            return counts;
        }
        counts.push(used.count_total);
    }
}

#[test]
fn a_step_of_greedy_search_allocates_nothing() {
    for precision in [Precision::F32, Precision::Int8] {
        let engine = engine(1, precision);
        let mut session = session(&engine);
        // On the pool's only thread, so that what is done there is counted.
        let counts = engine.threads.run(|| allocations(&mut session));
        assert!(counts.len() >= LEAST_STEPS, "texts end after {} steps", counts.len());
        assert_eq!(counts, vec![0; counts.len()], "{precision}");
    }
}

/// A step that another thread waits for is put into the pool's queue, a list of blocks with room for 63.
#[test]
fn to_hand_a_step_to_the_pool_allocates_a_block_of_its_queue_at_times() {
    let engine = engine(2, Precision::F32);
    let counts = allocations(&mut session(&engine));
    assert!(counts.len() >= LEAST_STEPS, "texts end after {} steps", counts.len());
    assert!(counts.iter().sum::<u64>() <= 1 + counts.len() as u64 / 63, "{counts:?}");
}
