//! Voice activity: the network equals its reference, segments lie where speech is, and block sizes never matter.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use awaaz::time::{SampleIndex, Span};
use awaaz::vad::{
    FRAME_SAMPLES, Segmenter, SegmenterOptions, SileroVad, SpeechDetector, SpeechEvent, SpeechSegment,
    VadOptions,
};
use proptest::prelude::*;
use serde::Deserialize;

const RATE: usize = 16_000;

/// What `tests/reference/silero.py` writes.
#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    clip: String,
    samples: usize,
    probabilities: Vec<f32>,
    speech: Vec<[u64; 2]>,
}

/// The options of `tests/reference/silero.py`: the package's defaults.
fn reference_options() -> VadOptions {
    VadOptions {
        threshold: 0.5,
        negative_threshold: 0.35,
        min_speech: Duration::from_millis(250),
        min_silence: Duration::from_millis(100),
        padding: Duration::from_millis(30),
        max_speech: Duration::from_secs(24 * 3600),
    }
}

/// `signal` of `tests/reference/silero.py`.
fn signal() -> &'static [f32] {
    static SIGNAL: OnceLock<Vec<f32>> = OnceLock::new();
    SIGNAL.get_or_init(|| {
        let bell = |x: f64, width: f64| (-(x / width).powi(2)).exp();
        let (mut noise, mut phase) = (1_u32, 0.0);
        let sample = |n| {
            let t = n as f64 / RATE as f64;
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let pitch = 120.0 + 25.0 * (2.1 * t).sin();
            phase += pitch / RATE as f64;
            let loudness = if t % 4.0 < 2.6 { (TAU * 2.5 * t).sin().max(0.0) } else { 0.0 };
            let (first, second) = (500.0 + 250.0 * (7.0 * t).sin(), 1500.0 + 500.0 * (5.0 * t).sin());
            let voice: f64 = (1..25)
                .map(f64::from)
                .map(|harmonic| {
                    let gain =
                        bell(harmonic * pitch - first, 150.0) + 0.5 * bell(harmonic * pitch - second, 200.0);
                    gain * (TAU * harmonic * phase).sin()
                })
                .sum();
            let noise = f64::from(noise) / f64::from(1_u32 << 31) - 1.0;
            (0.15 * loudness * voice + 0.01 * t / 8.0 * noise) as f32
        };
        (0..8 * RATE).map(sample).collect()
    })
}

fn white_noise(samples: usize, decibel: f32) -> Vec<f32> {
    // Uniform noise of amplitude 1 has a root mean square of 1 / sqrt(3).
    let amplitude = 3_f32.sqrt() * 10_f32.powf(decibel / 20.0);
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    };
    (0..samples).map(|_| amplitude * next()).collect()
}

fn probabilities(samples: &[f32]) -> Vec<f32> {
    let mut vad = SileroVad::new().unwrap();
    let frames = samples.chunks(FRAME_SAMPLES).map(|chunk| {
        let mut frame = [0.0; FRAME_SAMPLES];
        frame[..chunk.len()].copy_from_slice(chunk);
        frame
    });
    frames.map(|frame| vad.process(&frame)).collect()
}

fn speech(options: &VadOptions, samples: &[f32]) -> Vec<Span> {
    let mut detector = SpeechDetector::new(options).unwrap();
    let mut events = Vec::new();
    detector.push(samples, &mut events);
    detector.flush(&mut events);
    let ended = events.iter().filter_map(|event| match event {
        SpeechEvent::End(span) => Some(*span),
        SpeechEvent::Start(_) => None,
    });
    ended.collect()
}

fn segments<'a>(
    options: &SegmenterOptions,
    blocks: impl IntoIterator<Item = &'a [f32]>,
) -> Vec<SpeechSegment> {
    let mut segmenter = Segmenter::new(options).unwrap();
    let mut segments = Vec::new();
    for block in blocks {
        segmenter.push(block, &mut segments);
    }
    segmenter.flush(&mut segments);
    segments
}

fn largest_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn spans(speech: &[[u64; 2]]) -> Vec<Span> {
    speech.iter().map(|&[start, end]| Span::new(SampleIndex(start), SampleIndex(end))).collect()
}

#[test]
fn probabilities_and_segments_equal_the_python_package() {
    let reference: Reference = serde_json::from_str(include_str!("fixtures/silero.json")).unwrap();
    assert_eq!(signal().len(), reference.samples);
    let difference = largest_difference(&probabilities(signal()), &reference.probabilities);
    assert!(difference < 1e-3, "probabilities differ by {difference}");
    assert_eq!(speech(&reference_options(), signal()), spans(&reference.speech));
}

/// The same on any clips: see `folder` in `tests/reference/silero.py`.
#[test]
fn a_folder_of_clips_equals_the_python_package() {
    let Some(folder) = std::env::var_os("AWAAZ_VAD_REFERENCE") else {
        eprintln!("skipped: AWAAZ_VAD_REFERENCE names no folder written by tests/reference/silero.py");
        return;
    };
    let references = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let references: Vec<PathBuf> =
        references.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    let (mut frames, mut stretches, mut largest) = (0, 0, 0.0_f32);
    for path in &references {
        let reference: Reference = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let bytes = std::fs::read(path.with_extension("f32")).unwrap();
        let samples: Vec<f32> =
            bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let difference = largest_difference(&probabilities(&samples), &reference.probabilities);
        assert!(difference < 1e-3, "{}: probabilities differ by {difference}", reference.clip);
        let found = speech(&reference_options(), &samples);
        assert_eq!(found, spans(&reference.speech), "{}", reference.clip);
        largest = largest.max(difference);
        frames += reference.probabilities.len();
        stretches += found.len();
    }
    eprintln!(
        "{} clips, {frames} frames, {stretches} stretches of speech equal, probabilities to {largest:e}",
        references.len()
    );
    assert!(!references.is_empty(), "no clips in the folder");
}

#[test]
fn neither_silence_nor_noise_nor_tones_are_speech() {
    let minute = 60 * RATE;
    let tone = |hertz: f64, amplitude: f64| -> Vec<f32> {
        (0..minute / 4).map(|n| (amplitude * (TAU * hertz * n as f64 / RATE as f64).sin()) as f32).collect()
    };
    let mut cases = vec![("silence".to_owned(), vec![0.0; minute])];
    for decibel in [-80.0, -60.0, -50.0, -40.0, -30.0, -20.0, -10.0] {
        cases.push((format!("white noise at {decibel} dB"), white_noise(minute / 4, decibel)));
    }
    for (hertz, amplitude) in [(50.0, 0.1), (440.0, 0.01), (440.0, 0.5), (1000.0, 0.1), (3000.0, 0.9)] {
        cases.push((format!("tone of {hertz} Hz at {amplitude}"), tone(hertz, amplitude)));
    }
    for (name, samples) in cases {
        let found = speech(&VadOptions::default(), &samples);
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

#[test]
fn silence_and_an_empty_stream_give_no_segment() {
    for samples in [&[][..], &[0.0][..], &[0.0; 5000][..]] {
        assert_eq!(segments(&SegmenterOptions::default(), [samples]), []);
    }
}

/// Clips of real speech, from Debian's `pocketsphinx-testdata`: 16 kHz, 16 bits.
fn real_clips() -> Vec<Vec<f32>> {
    let folder = Path::new("/usr/share/pocketsphinx/test/data");
    let clips = ["cards/001.wav", "cards/002.wav", "cards/003.wav", "cards/004.wav", "cards/005.wav"];
    let read = |clip: &str| {
        let samples = hound::WavReader::open(folder.join(clip)).ok()?.into_samples::<i16>();
        Some(samples.map(|sample| f32::from(sample.unwrap()) / 32768.0).collect())
    };
    clips.into_iter().filter_map(read).collect()
}

/// The first and last 10 ms whose level is within 30 dB of the loudest.
fn audible(clip: &[f32]) -> Span {
    let energy: Vec<f32> = clip.chunks(160).map(|chunk| chunk.iter().map(|x| x * x).sum()).collect();
    let floor = energy.iter().fold(0.0_f32, |a, &b| a.max(b)) * 1e-3;
    let first = energy.iter().position(|&e| e > floor).unwrap() as u64;
    let last = energy.iter().rposition(|&e| e > floor).unwrap() as u64;
    Span::new(SampleIndex(first * 160), SampleIndex((last + 1) * 160))
}

#[test]
fn boundaries_lie_where_real_speech_starts_and_ends() {
    let clips = real_clips();
    if clips.is_empty() {
        eprintln!("skipped: install Debian's pocketsphinx-testdata");
        return;
    }
    let pause = vec![0.0; 2 * RATE];
    let (mut stream, mut expected) = (pause.clone(), Vec::new());
    for clip in &clips {
        let (offset, place) = (stream.len() as u64, audible(clip));
        expected.push(Span::new(place.start + offset, place.end + offset));
        stream.extend(clip);
        stream.extend(&pause);
    }
    let options = VadOptions { padding: Duration::ZERO, ..VadOptions::default() };
    let found = speech(&options, &stream);
    assert_eq!(found.len(), expected.len(), "{found:?} for {expected:?}");
    let error = |a: SampleIndex, b: SampleIndex| (a.seconds() - b.seconds()).abs();
    let pairs = found.iter().zip(&expected);
    let mut errors: Vec<f64> =
        pairs.flat_map(|(f, e)| [error(f.start, e.start), error(f.end, e.end)]).collect();
    errors.sort_by(f64::total_cmp);
    // The network itself hears some soft onsets late; padding is there for them.
    let (median, largest) = (errors[errors.len() / 2], errors[errors.len() - 1]);
    assert!(median < 0.1 && largest < 0.3, "{errors:.3?} s");
    // With padding no onset and no end is lost.
    let padded = speech(&VadOptions::default(), &stream);
    for (padded, expected) in padded.iter().zip(&expected) {
        assert!(padded.start <= expected.start && padded.end >= expected.end, "{padded:?} for {expected:?}");
    }
}

#[test]
fn speech_without_a_pause_is_cut_below_the_limit_and_loses_nothing() {
    // The loud part of the signal, over and over, has no pause of half a second.
    let stream: Vec<f32> = (0..40).flat_map(|_| &signal()[5 * RATE..][..RATE]).copied().collect();
    let vad = VadOptions { max_speech: Duration::from_secs(7), ..VadOptions::default() };
    let found = segments(&SegmenterOptions { vad, ..SegmenterOptions::default() }, [&stream[..]]);
    assert!(found.len() > 5, "{} segments", found.len());
    assert!(found.iter().all(|segment| segment.span.seconds() <= 7.0));
    for pair in found.windows(2) {
        let gap = pair[1].span.start - pair[0].span.end;
        assert!(pair[0].span.end <= pair[1].span.start && gap < RATE as u64 / 2, "{gap} samples lost");
    }
}

#[test]
fn a_gap_decides_what_shares_a_segment() {
    let mut stream = signal().to_vec();
    stream.extend(vec![0.0; 10 * RATE]);
    stream.extend(signal());
    let segments_with = |max_gap| {
        let options =
            SegmenterOptions { max_gap: Duration::from_secs(max_gap), ..SegmenterOptions::default() };
        segments(&options, [&stream[..]])
    };
    let apart = segments_with(0);
    assert_eq!(apart.iter().map(|s| s.span).collect::<Vec<_>>(), speech(&VadOptions::default(), &stream));
    assert_eq!(segments_with(4).len(), 2);
    let [together] = &segments_with(12)[..] else { panic!("one segment expected") };
    assert_eq!(together.span, Span::new(apart[0].span.start, apart.last().unwrap().span.end));
}

#[test]
fn a_segment_is_released_before_the_next_speech() {
    let mut segmenter = Segmenter::new(&SegmenterOptions::default()).unwrap();
    let mut found = Vec::new();
    segmenter.push(&signal()[..3 * RATE], &mut found);
    assert!(found.is_empty());
    segmenter.push(&[0.0; 3 * RATE], &mut found);
    assert!(!found.is_empty(), "released after the longest gap of 2 s");
}

#[test]
fn flush_starts_a_new_stream() {
    let mut segmenter = Segmenter::new(&SegmenterOptions::default()).unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for found in [&mut first, &mut second] {
        segmenter.push(signal(), found);
        segmenter.flush(found);
    }
    assert_eq!(first, second);
}

#[test]
fn options_out_of_range_are_refused() {
    let defaults = VadOptions::default;
    let cases = [
        VadOptions { threshold: 1.5, ..defaults() },
        VadOptions { threshold: f32::NAN, ..defaults() },
        VadOptions { negative_threshold: -0.1, ..defaults() },
        VadOptions { threshold: 0.3, ..defaults() },
        VadOptions { max_speech: Duration::from_secs(1), ..defaults() },
        VadOptions { padding: Duration::from_secs(20), ..defaults() },
    ];
    for options in cases {
        let error = SpeechDetector::new(&options).unwrap_err().to_string();
        assert!(error.starts_with("vad "), "{error}");
    }
}

#[test]
fn a_step_does_not_allocate() {
    let mut vad = SileroVad::new().unwrap();
    let frame = signal()[RATE..].first_chunk().unwrap();
    let allocations = allocation_counter::measure(|| {
        vad.process(frame);
    });
    assert_eq!(allocations.count_total, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn block_sizes_do_not_matter(sizes in prop::collection::vec(1_usize..9000, 1..40)) {
        let options = SegmenterOptions { max_gap: Duration::from_millis(900), ..SegmenterOptions::default() };
        let (mut rest, mut blocks) = (signal(), Vec::new());
        for size in sizes.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (block, later) = rest.split_at(size.min(rest.len()));
            blocks.push(block);
            rest = later;
        }
        let found = segments(&options, blocks);
        prop_assert!(!found.is_empty());
        for segment in &found {
            let Span { start, end } = segment.span;
            prop_assert_eq!(&segment.samples[..], &signal()[start.0 as usize..end.0 as usize]);
        }
        prop_assert_eq!(found, segments(&options, [signal()]));
    }
}
