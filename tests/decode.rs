//! Every format decodes to the same speech, at the same time, of the same length.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use awaaz::Error;
use awaaz::audio::{AudioInput, AudioStream, Channel, DecodeOptions, RawEncoding, RawFormat};
use awaaz::time::SampleRate;
use proptest::prelude::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures/formats").join(name)
}

fn open(input: AudioInput) -> AudioStream {
    AudioStream::open(input, &DecodeOptions::default()).unwrap()
}

fn open_bytes(bytes: Vec<u8>) -> AudioStream {
    open(AudioInput::from_reader("bytes", Cursor::new(bytes)))
}

fn decode(name: &str) -> Vec<f32> {
    let mut stream = open(AudioInput::File(fixture(name)));
    let samples = stream.read_all().unwrap();
    assert_eq!(stream.warnings(), [], "{name}");
    samples
}

fn reference() -> Vec<f32> {
    decode("reference.flac")
}

/// The shift of `b` against `a`, within `reach`, at which they are most alike, and how alike: the normalised
/// correlation.
fn likeness(a: &[f32], b: &[f32], reach: isize) -> (isize, f64) {
    let energy = |x: &[f32]| x.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>();
    let product = |shift: isize| {
        let (a, b) = if shift >= 0 { (a, &b[shift as usize..]) } else { (&a[-shift as usize..], b) };
        a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>()
    };
    let norm = (energy(a) * energy(b)).sqrt();
    (-reach..=reach).map(|shift| (shift, product(shift) / norm)).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
}

/// How one fixture may differ from the reference.
struct Case {
    name: &'static str,
    codec: &'static str,
    rate: u32,
    channels: usize,
    /// How many samples it may be longer, from a codec that pads and a container that does not say so.
    longer: usize,
    /// How many samples later the speech comes, from a codec whose delay the container does not tell.
    later: isize,
    /// The least likeness.
    alike: f64,
}

#[rustfmt::skip]
const CASES: [Case; 14] = [
    Case { name: "alaw-8k.wav", codec: "pcm_alaw", rate: 8_000, channels: 1, longer: 1, later: 0, alike: 0.95 },
    Case { name: "mulaw-8k.wav", codec: "pcm_mulaw", rate: 8_000, channels: 1, longer: 1, later: 0, alike: 0.95 },
    Case { name: "adpcm-8k.wav", codec: "adpcm_ms", rate: 8_000, channels: 1, longer: 1000, later: 0, alike: 0.95 },
    Case { name: "stereo-44k.mp3", codec: "mp3", rate: 44_100, channels: 2, longer: 0, later: 0, alike: 0.97 },
    Case { name: "mono-22k.mp3", codec: "mp3", rate: 22_050, channels: 1, longer: 1, later: 0, alike: 0.97 },
    Case { name: "stereo-44k.m4a", codec: "aac", rate: 44_100, channels: 2, longer: 100, later: 0, alike: 0.94 },
    Case { name: "stereo-44k.aac", codec: "aac", rate: 44_100, channels: 2, longer: 1000, later: 372, alike: 0.94 },
    Case { name: "stereo-48k.ogg", codec: "vorbis", rate: 48_000, channels: 2, longer: 0, later: 0, alike: 0.97 },
    Case { name: "stereo-48k.mkv", codec: "vorbis", rate: 48_000, channels: 2, longer: 400, later: 0, alike: 0.97 },
    Case { name: "stereo-48k.opus", codec: "opus", rate: 48_000, channels: 2, longer: 0, later: -1, alike: 0.97 },
    Case { name: "stereo-48k.webm", codec: "opus", rate: 48_000, channels: 2, longer: 320, later: -1, alike: 0.97 },
    Case { name: "stereo-48k.mp4", codec: "opus", rate: 48_000, channels: 2, longer: 320, later: -1, alike: 0.97 },
    Case { name: "voice-note.opus", codec: "opus", rate: 48_000, channels: 1, longer: 0, later: -1, alike: 0.93 },
    Case { name: "centre-of-six.opus", codec: "opus", rate: 48_000, channels: 6, longer: 0, later: -1, alike: 0.94 },
];

#[test]
fn every_format_decodes_to_the_same_speech() {
    let reference = reference();
    assert_eq!(reference.len(), 17_011);
    let mut wrong = Vec::new();
    for case in CASES {
        let stream = open(AudioInput::File(fixture(case.name)));
        let info = stream.info();
        assert_eq!(
            (info.codec, info.rate.0, info.channels),
            (case.codec, case.rate, case.channels),
            "{}",
            case.name
        );
        let samples = decode(case.name);
        let (shift, alike) = likeness(&reference, &samples, 1500);
        let told = format!("{}: {} samples, {shift} later, likeness {alike:.4}", case.name, samples.len());
        println!("{told}, {:?}", info.duration);
        let length = (17_011..=17_011 + case.longer).contains(&samples.len());
        if !length || shift != case.later || alike < case.alike {
            wrong.push(told);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A WAV file of 16 kHz mono: the format tag, bits a sample, and the data with the size that the header gives.
fn wav(tag: u16, bits: u16, data: &[u8], size: u32) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&if size == 0 || size == u32::MAX { size } else { size + 36 }.to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0");
    file.extend_from_slice(&tag.to_le_bytes());
    file.extend_from_slice(&1u16.to_le_bytes());
    file.extend_from_slice(&16_000u32.to_le_bytes());
    file.extend_from_slice(&(16_000 * u32::from(bits / 8)).to_le_bytes());
    file.extend_from_slice(&(bits / 8).to_le_bytes());
    file.extend_from_slice(&bits.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&size.to_le_bytes());
    file.extend_from_slice(data);
    file
}

fn pcm16(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|&s| ((s * 32_768.0) as i16).to_le_bytes()).collect()
}

#[test]
fn wav_of_every_width_is_exact() {
    const PCM: u16 = 1;
    const FLOAT: u16 = 3;
    // The reference has 16 bits, so wider formats hold it exactly and 8 bits to half a step.
    let reference = reference();
    let integers = |shift: u32, bytes: usize| -> Vec<u8> {
        let wide = reference.iter().map(|&s| ((s * 32_768.0) as i32) << shift);
        wide.flat_map(|s| s.to_le_bytes()[..bytes].to_vec()).collect()
    };
    let cases = [
        (PCM, 16, pcm16(&reference)),
        (PCM, 24, integers(8, 3)),
        (PCM, 32, integers(16, 4)),
        (FLOAT, 32, reference.iter().flat_map(|s| s.to_le_bytes()).collect()),
        (FLOAT, 64, reference.iter().flat_map(|&s| f64::from(s).to_le_bytes()).collect()),
    ];
    for (tag, bits, data) in cases {
        let size = data.len() as u32;
        let mut stream = open_bytes(wav(tag, bits, &data, size));
        assert_eq!(stream.info().duration, Some(Duration::from_secs_f64(17_011.0 / 16_000.0)));
        assert_eq!(stream.read_all().unwrap(), reference, "format {tag}, {bits} bits");
    }
    let bytes: Vec<u8> = reference.iter().map(|s| (s * 128.0).round() as i8 as u8 ^ 0x80).collect();
    let decoded = open_bytes(wav(PCM, 8, &bytes, bytes.len() as u32)).read_all().unwrap();
    assert_eq!(decoded.len(), reference.len());
    assert!(decoded.iter().zip(&reference).all(|(a, b)| (a - b).abs() <= 0.5 / 128.0));
}

#[test]
fn a_wav_of_unknown_length_is_read_to_its_end() {
    let reference = reference();
    for size in [0, u32::MAX, 0x7FFF_F000] {
        let mut stream = open_bytes(wav(1, 16, &pcm16(&reference), size));
        assert_eq!(stream.read_all().unwrap(), reference, "size {size:#x}");
        assert_eq!(stream.warnings(), []);
    }
}

/// Gives a few bytes at a time, as a pipe may.
struct Trickle<R>(R, usize);

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let some = buffer.len().min(self.1);
        self.0.read(&mut buffer[..some])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn how_the_bytes_arrive_changes_nothing(index in 0..CASES.len(), step in 1usize..5000) {
        // MP4 keeps its index wherever it likes, and may need to seek.
        prop_assume!(!CASES[index].name.ends_with(".m4a") && !CASES[index].name.ends_with(".mp4"));
        let bytes = std::fs::read(fixture(CASES[index].name)).unwrap();
        let mut stream = open(AudioInput::from_reader("trickle", Trickle(Cursor::new(bytes), step)));
        prop_assert_eq!(stream.read_all().unwrap(), decode(CASES[index].name));
    }
}

#[test]
fn raw_pcm_is_what_the_options_say() {
    let reference = reference();
    let raw = |encoding| {
        let raw = Some(RawFormat { encoding, rate: SampleRate(16_000), channels: 1 });
        DecodeOptions { raw, ..DecodeOptions::default() }
    };
    let read = |encoding, bytes: Vec<u8>| {
        let input = AudioInput::from_reader("raw", Trickle(Cursor::new(bytes), 7));
        AudioStream::open(input, &raw(encoding)).unwrap().read_all().unwrap()
    };
    assert_eq!(read(RawEncoding::S16Le, pcm16(&reference)), reference);
    let swapped = pcm16(&reference).chunks(2).flat_map(|b| [b[1], b[0]]).collect();
    assert_eq!(read(RawEncoding::S16Be, swapped), reference);
    assert_eq!(read(RawEncoding::F32Le, reference.iter().flat_map(|s| s.to_le_bytes()).collect()), reference);
    assert_eq!(
        read(RawEncoding::F64Be, reference.iter().flat_map(|&s| f64::from(s).to_be_bytes()).collect()),
        reference
    );
}

#[test]
fn one_channel_can_be_picked() {
    let read = |channel| {
        let options = DecodeOptions { channel, ..DecodeOptions::default() };
        AudioStream::open(AudioInput::File(fixture("centre-of-six.opus")), &options)?.read_all()
    };
    let loud = |samples: Vec<f32>| samples.iter().any(|s| s.abs() > 0.05);
    // Opus orders six channels as Vorbis does: left, centre, right, ...
    assert!(!loud(read(Channel::Only(0)).unwrap()));
    assert!(loud(read(Channel::Only(1)).unwrap()));
    let error = read(Channel::Only(6)).unwrap_err();
    assert!(matches!(error, Error::Audio { .. }) && error.to_string().contains("6 channels"), "{error}");
}

#[test]
fn durations_are_known_before_decoding() {
    for case in CASES.iter().filter(|case| !case.name.ends_with(".aac")) {
        let duration =
            open(AudioInput::File(fixture(case.name))).info().duration.unwrap_or_default().as_secs_f64();
        assert!((duration - 17_011.0 / 16_000.0).abs() < 0.065, "{}: {duration}", case.name);
    }
}
