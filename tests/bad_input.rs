//! Damaged input ends in one line that names the file and the cause, or gives what can be decoded with a warning.
//! It never panics, hangs, or takes memory that the input does not hold.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use awaaz::audio::{AudioInput, AudioStream, DecodeOptions, RawEncoding, RawFormat, Warning};
use awaaz::time::SampleRate;
use awaaz::{Error, Result};
use proptest::prelude::*;

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures").join(folder)
}

fn decode(input: AudioInput) -> Result<(Vec<f32>, Vec<Warning>)> {
    let mut stream = AudioStream::open(input, &DecodeOptions::default())?;
    let samples = stream.read_all()?;
    Ok((samples, stream.warnings()))
}

/// What must become of a file.
enum Outcome {
    /// An error that says this.
    Error(&'static str),
    /// This many samples, and a warning that says this (empty: none).
    Samples(std::ops::RangeInclusive<usize>, &'static str),
}

use Outcome::{Error as Fails, Samples};

#[rustfmt::skip]
const CASES: [(&str, Outcome); 22] = [
    ("empty.wav", Fails("is empty")),
    ("text.wav", Fails("no known audio format")),
    ("header-only.wav", Samples(0..=0, "no audio")),
    ("no-data-chunk.wav", Fails("ends too early")),
    ("zero-channels.wav", Fails("channel")),
    ("65535-channels.wav", Fails("channels")),
    ("rate-0.wav", Fails("sample rate 0 Hz is outside")),
    ("rate-4-ghz.wav", Fails("sample rate 4000000000 Hz is outside")),
    ("17-bits.wav", Fails("bits per sample")),
    ("unknown-codec.wav", Fails("wave format")),
    ("claims-4-gb.wav", Samples(800..=800, "are missing")),
    ("list-claims-4-gb.wav", Fails("chunk length")),
    ("not-finite.wav", Samples(800..=800, "4 damaged samples")),
    ("half-a-frame.wav", Samples(799..=799, "")),
    ("claims-2-36-samples.flac", Samples(17_011..=17_011, "cut short")),
    ("cut.flac", Samples(4_000..=16_000, "cut short")),
    ("cut.mp3", Samples(7_000..=10_000, "of the 1.1 s")),
    ("id3-claims-256-mb.mp3", Fails("ends too early")),
    ("cut.opus", Fails("ends too early")),
    ("flipped-bits.ogg", Fails("crc mismatch")),
    ("cut.m4a", Fails("no index (moov)")),
    ("cut.webm", Samples(6_000..=14_000, "cut short")),
];

#[test]
fn every_damaged_file_ends_as_it_should() {
    let mut wrong = Vec::new();
    for (name, outcome) in CASES {
        let path = fixtures("bad").join(name);
        let result = decode(AudioInput::File(path.clone()));
        let told = match &result {
            Ok((samples, warnings)) => format!("{name}: {} samples, {warnings:?}", samples.len()),
            Err(error) => format!("{name}: {error}"),
        };
        println!("{told}");
        let fits = match (outcome, result) {
            (Fails(reason), Err(error @ Error::Audio { .. })) => {
                let line = error.to_string();
                line.contains(reason) && line.starts_with(path.to_str().unwrap()) && !line.contains('\n')
            }
            (Samples(count, ""), Ok((samples, _))) => count.contains(&samples.len()),
            (Samples(count, reason), Ok((samples, warnings))) => {
                count.contains(&samples.len())
                    && warnings.iter().any(|warning| warning.to_string().contains(reason))
            }
            _ => false,
        };
        if !fits {
            wrong.push(told);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_not_finite_becomes_silence_in_its_place() {
    let (samples, _) = decode(AudioInput::File(fixtures("bad").join("not-finite.wav"))).unwrap();
    assert_eq!(samples[100..104], [0.0; 4]);
    assert!(samples[104] != 0.0 && samples.iter().all(|s| s.is_finite()));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_io_error_that_names_it() {
    for path in [fixtures("bad").join("missing.wav"), fixtures("bad")] {
        let error = decode(AudioInput::File(path.clone())).unwrap_err();
        assert!(
            matches!(error, Error::Io { .. }) && error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn an_error_of_the_system_half_way_is_not_the_end_of_the_audio() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let bytes = std::fs::read(fixtures("formats").join("stereo-48k.ogg")).unwrap();
    let input = AudioInput::from_reader("socket", Cursor::new(bytes[..8_000].to_vec()).chain(Broken));
    let error = decode(input).unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && error.to_string().starts_with("socket"), "{error}");
}

#[test]
fn raw_pcm_that_ends_inside_a_frame_gives_the_whole_ones() {
    let raw = Some(RawFormat { encoding: RawEncoding::S16Le, rate: SampleRate(16_000), channels: 2 });
    let input = AudioInput::from_reader("raw", Cursor::new(vec![1; 4 * 100 + 3]));
    let mut stream = AudioStream::open(input, &DecodeOptions { raw, ..DecodeOptions::default() }).unwrap();
    assert_eq!(stream.read_all().unwrap().len(), 100);
    assert!(matches!(stream.warnings()[..], [Warning::CutShort(_)]));
}

#[test]
fn large_metadata_is_skipped() {
    let mp3 = std::fs::read(fixtures("formats").join("stereo-44k.mp3")).unwrap();
    let size: u32 = 32 << 20;
    let syncsafe = |n: u32| [n >> 21 & 127, n >> 14 & 127, n >> 7 & 127, n & 127].map(|byte| byte as u8);
    let mut file = b"ID3\x04\0\0".to_vec();
    file.extend(syncsafe(size));
    file.extend(b"APIC");
    file.extend(syncsafe(size - 10));
    file.resize(file.len() + size as usize - 8, 0);
    file.extend(&mp3);
    let (samples, _) = decode(AudioInput::from_reader("picture.mp3", Cursor::new(file))).unwrap();
    assert_eq!(samples.len(), 17_011);
}

/// Ten minutes at 16 kHz: far more than any input here can hold.
const MANY: usize = 600 * 16_000;

fn survives(bytes: Vec<u8>) {
    let Ok(mut stream) =
        AudioStream::open(AudioInput::from_reader("fuzz", Cursor::new(bytes)), &DecodeOptions::default())
    else {
        return;
    };
    let (mut block, mut total) = (Vec::new(), 0);
    while stream.read(&mut block).is_ok_and(|samples| samples > 0) {
        assert!(block.iter().all(|sample| sample.is_finite()));
        total += block.len();
        assert!(total < MANY, "a few kilobytes decode to more than ten minutes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        survives(bytes);
    }

    #[test]
    fn no_damage_to_a_file_does_harm(
        file in 0usize..15,
        keep in 0.0f64..1.0,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
    ) {
        let mut files: Vec<_> = std::fs::read_dir(fixtures("formats")).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| !matches!(path.extension().and_then(|e| e.to_str()), Some("md" | "sh")));
        files.sort();
        let mut bytes = std::fs::read(&files[file % files.len()]).unwrap();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        // Half of the files whole, half cut.
        let len = bytes.len();
        bytes.truncate((len as f64 * (keep * 2.0).min(1.0)) as usize);
        survives(bytes);
    }
}
