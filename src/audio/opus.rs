//! Opus for symphonia, which reads its containers but has no decoder for it: an adapter around `ruopus`.
//!
//! The decoder's delay (pre-skip) and the output gain of the identification header (RFC 7845, section 5.1) are
//! applied here, for Ogg, WebM and MP4 alike; the end is trimmed where the container says so.

use ruopus::ogg::{ChannelMapping, OpusHead};
use ruopus::{MultistreamDecoder, OpusDecoder};
use symphonia::core::audio::{
    AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef,
};
use symphonia::core::codecs::CodecInfo;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{
    AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult,
};
use symphonia::core::codecs::registry::{RegisterableAudioDecoder, SupportedAudioCodec};
use symphonia::core::errors::{Error, Result};
use symphonia::core::packet::PacketRef;

/// Opus decodes to this rate, whatever was encoded.
const RATE: u32 = 48_000;
/// The longest packet, 120 ms (RFC 6716, section 3.2.5).
const MAX_PACKET_FRAMES: usize = RATE as usize * 120 / 1000;

const CODEC: SupportedAudioCodec = SupportedAudioCodec {
    id: CODEC_ID_OPUS,
    info: CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] },
};

/// An Opus stream, of one or of many coupled parts.
pub(super) struct OpusAdapter {
    params: AudioCodecParameters,
    head: OpusHead,
    streams: Streams,
    /// Output gain as a factor.
    gain: f32,
    /// Frames at the start still to drop.
    pre_skip_left: usize,
    buffer: AudioBuffer<f32>,
}

enum Streams {
    One(Box<OpusDecoder>),
    Many(MultistreamDecoder),
}

impl Streams {
    fn new(head: &OpusHead) -> Self {
        match &head.channel_mapping {
            ChannelMapping::Family0 => Self::One(Box::new(OpusDecoder::new(usize::from(head.channel_count)))),
            ChannelMapping::Table { stream_count, coupled_count, mapping, .. } => Self::Many(
                MultistreamDecoder::with_rate(RATE, (*stream_count).into(), (*coupled_count).into(), mapping),
            ),
        }
    }

    /// Interleaved samples of one packet.
    fn decode(&mut self, data: &[u8]) -> Result<Vec<f32>> {
        let samples = match self {
            Self::One(decoder) => decoder.decode_packet(data),
            Self::Many(decoder) => decoder.decode_packet(data),
        };
        samples.map_err(|_| Error::DecodeError("opus: malformed packet"))
    }
}

/// The identification header. MP4 keeps it as version 0 with numbers big endian ("Encapsulation of Opus in ISO
/// Base Media File Format", section 4.3.2); elsewhere they are little endian.
fn parse_head(data: &[u8]) -> Result<OpusHead> {
    let mut head = data.to_vec();
    if data.len() >= 19 && data[8] == 0 {
        head[10..12].reverse();
        head[12..16].reverse();
        head[16..18].reverse();
    }
    OpusHead::parse(&head).map_err(|_| Error::DecodeError("opus: malformed identification header"))
}

impl OpusAdapter {
    fn new(params: &AudioCodecParameters) -> Result<Self> {
        let head = match &params.extra_data {
            Some(data) => parse_head(data)?,
            None => return Err(Error::Unsupported("opus: no identification header")),
        };
        let channels = Channels::Discrete(u16::from(head.channel_count));
        Ok(Self {
            params: params.clone(),
            streams: Streams::new(&head),
            gain: 10f32.powf(f32::from(head.output_gain_q8) / (20.0 * 256.0)),
            pre_skip_left: usize::from(head.pre_skip),
            buffer: AudioBuffer::new(AudioSpec::new(RATE, channels), MAX_PACKET_FRAMES),
            head,
        })
    }

    fn fill(&mut self, packet: &PacketRef<'_>) -> Result<()> {
        let samples = self.streams.decode(packet.data)?;
        let frames = samples.len() / usize::from(self.head.channel_count);
        if frames > MAX_PACKET_FRAMES {
            return Err(Error::DecodeError("opus: packet longer than 120 ms"));
        }
        self.buffer.render_uninit(Some(frames));
        self.buffer.copy_from_slice_interleaved(&samples);
        if self.head.output_gain_q8 != 0 {
            self.buffer.apply(|sample| sample * self.gain);
        }
        // Browsers write a pre-skip of several packets.
        let end = packet.trim_end.get().try_into().unwrap_or(usize::MAX).min(frames);
        let start = self.pre_skip_left.min(frames - end);
        self.pre_skip_left -= start;
        self.buffer.trim(start, end);
        Ok(())
    }
}

impl AudioDecoder for OpusAdapter {
    fn reset(&mut self) {
        self.streams = Streams::new(&self.head);
    }

    fn codec_info(&self) -> &CodecInfo {
        &CODEC.info
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.buffer.clear();
        self.fill(packet)?;
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for OpusAdapter {
    fn try_registry_new(
        params: &AudioCodecParameters,
        _: &AudioDecoderOptions,
    ) -> Result<Box<dyn AudioDecoder>> {
        Ok(Box::new(Self::new(params)?))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &[CODEC]
    }
}
