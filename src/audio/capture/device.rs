//! Microphones of the system.

use std::time::Instant;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig};

use super::CaptureOptions;
use super::keeper::{Backend, Device, Opened};
use super::ring::{RingWriter, ring};
use crate::audio::Channel;
use crate::audio::device::{
    BUILD, CALLBACKS_PER_SECOND, DeviceInfo, Direction, by_format, choose_config, find, is_fatal, quieten,
    reason, refused,
};
use crate::time::SampleRate;
use crate::{Error, Result};

const DIRECTION: Direction = Direction::Input;

/// The system's devices.
pub(super) struct System;

impl Backend for System {
    fn open(&mut self, options: &CaptureOptions) -> Result<Device> {
        quieten();
        let device = find(options.device.as_deref(), DIRECTION)?;
        let name = device.to_string();
        let refuse = |reason: &str| refused(&name, options.device.as_deref(), DIRECTION, reason);
        let config = choose_config(&device, DIRECTION).map_err(|reason| refuse(&reason))?;
        let (rate, channels) = (SampleRate(config.sample_rate()), usize::from(config.channels()));
        if let Channel::Only(index) = options.channel
            && index >= channels
        {
            return Err(Error::device(name, format!("it has {channels} channels, so none numbered {index}")));
        }
        // Short callbacks keep the delay short; a device that does not make them chooses for itself.
        let short = BufferSize::Fixed(rate.0 / CALLBACKS_PER_SECOND);
        let open = |buffer_size| {
            let stream = StreamConfig { buffer_size, ..config.config() };
            let (writer, reader) = ring(rate, channels, options.ring);
            let tally = reader.tally().clone();
            let failed = move |error: cpal::Error| match error.kind() {
                ErrorKind::Xrun => tally.note_skipped(),
                kind if is_fatal(kind) => tally.note_broken(),
                // Of all else the heartbeat tells whether it matters.
                _ => {}
            };
            let stream = build(&device, stream, config.sample_format(), writer, failed)?;
            stream.play()?;
            Ok((stream, reader))
        };
        let (stream, reader) = open(short)
            .or_else(|_: cpal::Error| open(BufferSize::Default))
            .map_err(|error| refuse(&reason(&error, DIRECTION)))?;
        let format = config.sample_format().to_string();
        let device = DeviceInfo { name, rate, channels, format };
        Ok(Device { opened: Opened { device, reader }, stream: Box::new(stream) })
    }
}

fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    writer: RingWriter,
    failed: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<cpal::Stream, cpal::Error> {
    by_format!(format, build_as(device, config, writer, failed))
}

fn build_as<T: SizedSample + 'static>(
    device: &cpal::Device,
    config: StreamConfig,
    mut writer: RingWriter,
    failed: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<cpal::Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let heard = move |data: &[T], _: &cpal::InputCallbackInfo| writer.write(data, Instant::now());
    device.build_input_stream(config, heard, failed, Some(BUILD))
}
