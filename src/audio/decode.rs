//! Packets to frames: containers and codecs, by symphonia.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::common::Limit;
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::well_known::{FORMAT_ID_ADTS, FORMAT_ID_MKV, FORMAT_ID_MP3, FORMAT_ID_OGG};
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::TimeBase;

use super::mp4::{self, AudioStart};
use super::opus::OpusAdapter;
use super::raw::{RawFormat, RawPackets};
use super::riff::{self, Mended};
use super::{AudioInfo, AudioInput, MAX_CHANNELS, MAX_RATE, MIN_RATE};
use crate::time::SampleRate;
use crate::{Error, Result};

/// The largest tag that is kept while a header is read; larger ones are skipped.
const MAX_TAG_BYTES: usize = 64 * 1024;
/// How a Matroska or WebM file starts.
const EBML_MAGIC: [u8; 4] = [0x1A, 0x45, 0xDF, 0xA3];
/// Damaged packets in a row after which the rest is given up.
const MAX_DAMAGED_IN_A_ROW: u32 = 1_000;
/// The longest silence put in for one damaged packet. No codec here has packets as long.
const MAX_CONCEALED_SECONDS: u64 = 1;

static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut registry = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut registry);
    registry.register_audio_decoder::<OpusAdapter>();
    registry
});

/// Decoded frames of one rate and layout.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Frames a second.
    pub(super) rate: u32,
    /// Samples a frame.
    pub(super) channels: usize,
    /// Samples, frame after frame.
    pub(super) interleaved: Vec<f32>,
}

/// What the decoder came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// New frames, perhaps none.
    Frames,
    /// A packet was damaged: silence of its length stands for it.
    Damaged(String),
    /// All was read.
    End,
    /// The rest cannot be read, for this reason.
    CutShort(String),
}

/// An opened input.
pub(super) struct Decoder {
    name: String,
    packets: Packets,
    codec: Box<dyn AudioDecoder>,
    pub(super) info: AudioInfo,
    /// Bytes that the header promises beyond the end of the file.
    pub(super) missing: Option<u64>,
    /// The length that the header promises, where it is counted and not guessed from the size of the file.
    pub(super) promised: Option<Duration>,
    /// Nothing marks the end of the audio but the end of the bytes.
    endless: bool,
    damaged_in_a_row: u32,
    /// Frames before the audio that are still to drop.
    lead_in: u64,
}

enum Packets {
    Raw(RawPackets),
    Format { reader: Box<dyn FormatReader>, track: u32, time_base: Option<TimeBase> },
}

impl Decoder {
    /// Opens `input`: by its own header, or as `raw` PCM.
    pub(super) fn open(input: AudioInput, raw: Option<RawFormat>) -> Result<Self> {
        let name = input.to_string();
        let source = Source::open(input)?;
        match raw {
            Some(format) => Self::open_raw(name, source, format),
            None => Self::open_format(name, source),
        }
    }

    fn open_raw(name: String, source: Source, format: RawFormat) -> Result<Self> {
        let codec = make_codec(&name, &format.codec_params()?)?;
        let seconds = |bytes: u64| bytes as f64 / (format.frame_bytes() as f64 * f64::from(format.rate.0));
        let info = AudioInfo {
            container: "raw",
            codec: codec.codec_info().short_name,
            rate: format.rate,
            channels: format.channels,
            duration: source.len().map(|bytes| Duration::from_secs_f64(seconds(bytes))),
        };
        let packets = Packets::Raw(RawPackets::new(source.into_reader(), format));
        Ok(Self {
            name,
            packets,
            codec,
            info,
            missing: None,
            promised: None,
            endless: false,
            damaged_in_a_row: 0,
            lead_in: 0,
        })
    }

    fn open_format(name: String, source: Source) -> Result<Self> {
        let Media { source, mended, starts } = source.into_media(&name)?;
        let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
        let tags = MetadataOptions::default()
            .limit_tag_bytes(Limit::Maximum(MAX_TAG_BYTES))
            .limit_visual_bytes(Limit::Maximum(MAX_TAG_BYTES));
        let probe =
            || symphonia::default::get_probe().probe(&Hint::new(), stream, FormatOptions::default(), tags);
        let reader = guarded(probe).map_err(|fault| match fault {
            Fault::IoError(error) if !is_end(&error) => Error::io(&name, error),
            fault => Error::audio(&name, describe_probe(&fault)),
        })?;
        let (codec, track) = select_track(&name, reader.as_ref())?;
        let params = codec.codec_params();
        let info = AudioInfo {
            container: reader.format_info().short_name,
            codec: codec.codec_info().short_name,
            rate: SampleRate(params.sample_rate.unwrap_or(0)),
            channels: params.channels.as_ref().map_or(0, |channels| channels.count()),
            duration: mended
                .as_ref()
                .and_then(|mended| mended.duration)
                .or_else(|| duration(reader.as_ref(), &track)),
        };
        let format = reader.format_info().format;
        let endless = mended.is_some() || format == FORMAT_ID_MKV;
        let guessed = match format {
            // The tag of LAME that counts the frames tells the delay as well.
            FORMAT_ID_MP3 => track.delay.is_none(),
            format => format == FORMAT_ID_ADTS,
        };
        let promised = info.duration.filter(|_| !guessed && mended.is_none());
        // The start of Opus is cut by its own header.
        let start =
            starts.iter().find(|start| start.track == track.id && codec_id(&track) != Some(CODEC_ID_OPUS));
        let lead_in = start.map_or(0, |start| start.frames(info.rate.0));
        let missing = mended.and_then(|mended| mended.missing);
        let packets = Packets::Format { reader, track: track.id, time_base: track.time_base };
        Ok(Self { name, packets, codec, info, missing, promised, endless, damaged_in_a_row: 0, lead_in })
    }

    /// Decodes the next packet into `frames`.
    ///
    /// # Errors
    /// [`Error::Io`] where the operating system fails, [`Error::Audio`] where a format is out of range.
    pub(super) fn next(&mut self, frames: &mut Frames) -> Result<Step> {
        frames.interleaved.clear();
        let packet = match guarded(|| self.packets.next()) {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(Step::End),
            Err(Fault::ResetRequired) => return self.restart(),
            Err(Fault::IoError(error)) if self.endless && error.kind() == ErrorKind::UnexpectedEof => {
                return Ok(Step::End);
            }
            Err(Fault::IoError(error)) if !is_end(&error) => return Err(Error::io(&self.name, error)),
            Err(fault) => return Ok(Step::CutShort(describe(&fault))),
        };
        match guarded(|| copy_frames(self.codec.decode(&packet)?, frames)) {
            Ok(()) => {
                self.damaged_in_a_row = 0;
                check_layout(&self.name, frames.rate, frames.channels)?;
                self.drop_lead_in(frames);
                Ok(Step::Frames)
            }
            Err(fault) => Ok(self.conceal(&packet, &fault, frames)),
        }
    }

    fn drop_lead_in(&mut self, frames: &mut Frames) {
        let dropped = self.lead_in.min((frames.interleaved.len() / frames.channels) as u64);
        self.lead_in -= dropped;
        frames.interleaved.drain(..dropped as usize * frames.channels);
    }

    /// Puts silence in place of a packet that cannot be decoded, so that what follows stays on time.
    fn conceal(&mut self, packet: &Packet, fault: &Fault, frames: &mut Frames) -> Step {
        self.damaged_in_a_row += 1;
        if self.damaged_in_a_row == MAX_DAMAGED_IN_A_ROW {
            return Step::CutShort(format!(
                "{MAX_DAMAGED_IN_A_ROW} damaged packets in a row: {}",
                describe(fault)
            ));
        }
        // A decoder that stopped half way through a packet must not carry its state into the next.
        if catch_unwind(AssertUnwindSafe(|| self.codec.reset())).is_err() {
            return Step::CutShort(describe(fault));
        }
        if let Packets::Format { time_base: Some(base), .. } = self.packets {
            let seconds = base.calc_duration(packet.dur).map_or(0.0, |time| time.as_secs_f64());
            let lost = (seconds.min(MAX_CONCEALED_SECONDS as f64) * f64::from(frames.rate)).round() as usize;
            frames.interleaved.clear();
            frames.interleaved.resize(lost * frames.channels, 0.0);
        }
        Step::Damaged(describe(fault))
    }

    /// Takes up the next of several streams that are chained in one file, as Ogg allows.
    fn restart(&mut self) -> Result<Step> {
        let Packets::Format { reader, track, time_base } = &mut self.packets else {
            return Ok(Step::End);
        };
        let (codec, next) = select_track(&self.name, reader.as_ref())?;
        (*track, *time_base) = (next.id, next.time_base);
        self.codec = codec;
        Ok(Step::Frames)
    }
}

impl Packets {
    fn next(&mut self) -> Result<Option<Packet>, Fault> {
        match self {
            Self::Raw(packets) => {
                let data = packets.next()?;
                Ok(data.map(|data| Packet::new(0, 0.into(), 0u32.into(), data)))
            }
            Self::Format { reader, track, .. } => loop {
                match reader.next_packet()? {
                    Some(packet) if packet.track_id != *track => {}
                    packet => return Ok(packet),
                }
            },
        }
    }
}

fn copy_frames(
    decoded: symphonia::core::audio::GenericAudioBufferRef<'_>,
    frames: &mut Frames,
) -> Result<(), Fault> {
    frames.rate = decoded.spec().rate();
    frames.channels = decoded.spec().channels().count();
    decoded.copy_to_vec_interleaved(&mut frames.interleaved);
    Ok(())
}

fn select_track(name: &str, reader: &dyn FormatReader) -> Result<(Box<dyn AudioDecoder>, Track)> {
    let track = reader
        .default_track(TrackType::Audio)
        .ok_or_else(|| Error::audio(name, "holds no audio track of a known codec"))?;
    let Some(CodecParameters::Audio(params)) = &track.codec_params else {
        return Err(Error::audio(name, "the audio track does not say how it is coded"));
    };
    Ok((make_codec(name, params)?, track.clone()))
}

fn make_codec(name: &str, params: &AudioCodecParameters) -> Result<Box<dyn AudioDecoder>> {
    // A decoder allocates by these numbers, so they are judged before it is made. A codec may leave them open.
    check_layout(
        name,
        params.sample_rate.unwrap_or(MIN_RATE.0),
        params.channels.as_ref().map_or(1, |channels| channels.count()),
    )?;
    guarded(|| CODECS.make_audio_decoder(params, &AudioDecoderOptions::default())).map_err(
        |fault| match fault {
            Fault::Unsupported(_) => {
                Error::audio(name, format!("codec is not supported ({})", describe(&fault)))
            }
            _ => Error::audio(name, describe(&fault)),
        },
    )
}

fn check_layout(name: &str, rate: u32, channels: usize) -> Result<()> {
    if !(MIN_RATE..=MAX_RATE).contains(&SampleRate(rate)) {
        return Err(Error::audio(name, format!("sample rate {rate} Hz is outside {MIN_RATE} to {MAX_RATE}")));
    }
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(Error::audio(name, format!("{channels} channels are not 1 to {MAX_CHANNELS}")));
    }
    Ok(())
}

/// The length that the container tells, of the track or, as Matroska has it, of the whole.
fn duration(reader: &dyn FormatReader, track: &Track) -> Option<Duration> {
    let whole = reader.media_info();
    let (base, ticks) = track.time_base.zip(track.duration).or(whole.time_base.zip(whole.duration))?;
    // Of Opus in Ogg, symphonia counts the delay at the start as part of the length.
    let opus = reader.format_info().format == FORMAT_ID_OGG && codec_id(track) == Some(CODEC_ID_OPUS);
    let delay = track.delay.filter(|_| opus).unwrap_or(0);
    let time = base.calc_duration(ticks.saturating_sub(delay.into()))?;
    Duration::try_from_secs_f64(time.as_secs_f64()).ok()
}

fn codec_id(track: &Track) -> Option<AudioCodecId> {
    match &track.codec_params {
        Some(CodecParameters::Audio(params)) => Some(params.codec),
        _ => None,
    }
}

/// Runs a piece of symphonia, and takes a panic in it for damaged input.
///
/// Its demuxers and decoders, and ruopus, are meant never to panic and are fuzzed for it, but they parse input
/// that anyone may have made, and one bad file must not end a run over ten thousand. What panicked is not used
/// again, save by a reset.
fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or(Err(Fault::DecodeError("the decoder failed on damaged data")))
}

fn is_end(error: &io::Error) -> bool {
    // Symphonia makes errors of kind `Other` itself, for one where a seek is asked of a pipe.
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::Other | ErrorKind::InvalidData)
}

fn describe(fault: &Fault) -> String {
    match fault {
        Fault::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => "ends too early".into(),
        fault => fault.to_string(),
    }
}

fn describe_probe(fault: &Fault) -> String {
    match fault {
        Fault::Unsupported(reason) if reason.starts_with("core (probe)") => {
            "is in no known audio format (wav, flac, mp3, ogg, opus, m4a, aac, webm, aiff, caf)".into()
        }
        Fault::Unsupported(reason) if reason.contains("missing moov") => {
            "has no index (moov), or has it behind the audio and comes through a pipe: give it whole, as a file".into()
        }
        fault => describe(fault),
    }
}

/// An input as symphonia takes it, and what was learnt of it before.
struct Media {
    source: Box<dyn MediaSource>,
    mended: Option<Mended>,
    /// Of MP4, where the audio of each track starts.
    starts: Vec<AudioStart>,
}

/// The bytes of an input, before anything is known of them.
enum Source {
    File(File, u64),
    /// What can only be read forwards.
    Stream(Box<dyn Read + Send + Sync>),
}

/// Makes a reader `Sync`, which symphonia asks for, by never sharing it: the lock is only ever reached through
/// an exclusive reference.
struct Exclusive(Mutex<Box<dyn Read + Send>>);

impl Read for Exclusive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.get_mut() {
            Ok(reader) => reader.read(buffer),
            Err(poisoned) => poisoned.into_inner().read(buffer),
        }
    }
}

impl Source {
    fn open(input: AudioInput) -> Result<Self> {
        match input {
            AudioInput::Stdin => Ok(Self::Stream(Box::new(io::stdin()))),
            AudioInput::Reader { reader, .. } => Ok(Self::Stream(Box::new(Exclusive(Mutex::new(reader))))),
            AudioInput::File(path) => {
                let file = File::open(&path).map_err(|e| Error::io(&path, e))?;
                let meta = file.metadata().map_err(|e| Error::io(&path, e))?;
                if meta.is_dir() {
                    return Err(Error::io(&path, ErrorKind::IsADirectory.into()));
                }
                if !meta.is_file() {
                    return Ok(Self::Stream(Box::new(file)));
                }
                Ok(Self::File(file, meta.len()))
            }
        }
    }

    fn len(&self) -> Option<u64> {
        match self {
            Self::File(_, len) => Some(*len),
            Self::Stream(_) => None,
        }
    }

    fn into_reader(self) -> Box<dyn Read + Send + Sync> {
        match self {
            Self::File(file, _) => Box::new(file),
            Self::Stream(reader) => reader,
        }
    }

    /// Looks at the first bytes, mends what symphonia does not, and hands it the whole.
    fn into_media(mut self, name: &str) -> Result<Media> {
        let mut head = Vec::new();
        let read = match &mut self {
            Self::File(file, _) => read_head(file, &mut head),
            Self::Stream(reader) => read_head(reader, &mut head),
        };
        read.map_err(|e| Error::io(name, e))?;
        if head.is_empty() {
            return Err(Error::audio(name, "is empty"));
        }

        let mended = riff::mend_sizes(&mut head, self.len());
        // Symphonia refuses a Matroska file if it can see that it is cut; read as a stream it gives what is there.
        let as_stream = mended.is_some() || head.starts_with(&EBML_MAGIC);
        if !as_stream && let Self::File(mut file, len) = self {
            let starts = if mp4::is_mp4(&head) { mp4::audio_starts(&mut file, len) } else { Vec::new() };
            file.seek(SeekFrom::Start(0)).map_err(|e| Error::io(name, e))?;
            return Ok(Media { source: Box::new(file), mended: None, starts });
        }
        let whole = Cursor::new(head).chain(self.into_reader());
        let source: Box<dyn MediaSource> = match mended.as_ref().and_then(|mended| mended.end) {
            Some(end) => Box::new(ReadOnlySource::new(whole.take(end))),
            None => Box::new(ReadOnlySource::new(whole)),
        };
        Ok(Media { source, mended, starts: Vec::new() })
    }
}

/// Reads as far as a WAV header goes, and of all else a little; never waits for audio behind the header.
fn read_head(reader: &mut impl Read, head: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0; 4096];
    while riff::wants_more(head) {
        match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => head.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
