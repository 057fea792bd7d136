//! Loudspeakers of the system.

use std::time::Instant;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{BufferSize, FromSample, SampleFormat, SizedSample, StreamConfig};

use super::feeder::Feeder;
use super::queue::QueueReader;
use super::{Backend, Opened};
use crate::audio::device::{
    BUILD, CALLBACKS_PER_SECOND, DeviceInfo, Direction, by_format, choose_config, find, is_fatal, quieten,
    reason, refused,
};
use crate::time::SampleRate;
use crate::{Error, Result};

const DIRECTION: Direction = Direction::Output;

/// The system's devices.
pub(super) struct System;

impl Backend for System {
    fn open(&mut self, wanted: Option<&str>, prime: &mut dyn FnMut(&mut Feeder)) -> Result<Opened> {
        quieten();
        let device = find(wanted, DIRECTION)?;
        let name = device.to_string();
        let refuse = |reason: &str| refused(&name, wanted, DIRECTION, reason);
        let config = choose_config(&device, DIRECTION).map_err(|reason| refuse(&reason))?;
        let (rate, channels) = (SampleRate(config.sample_rate()), usize::from(config.channels()));
        // Short callbacks keep the delay short; a device that does not make them chooses for itself.
        let short = BufferSize::Fixed(rate.0 / CALLBACKS_PER_SECOND);
        let open = |buffer_size| -> Result<(cpal::Stream, Feeder), OpenError> {
            let stream = StreamConfig { buffer_size, ..config.config() };
            let (feeder, reader) = Feeder::new(rate, channels).map_err(OpenError::Ours)?;
            let tally = feeder.tally().clone();
            let failed = move |error: cpal::Error| {
                if is_fatal(error.kind()) {
                    tally.note_broken();
                }
            };
            let stream =
                build(&device, stream, config.sample_format(), reader, failed).map_err(OpenError::Cpal)?;
            Ok((stream, feeder))
        };
        let (stream, mut feeder) =
            open(short).or_else(|_| open(BufferSize::Default)).map_err(|error| match error {
                OpenError::Cpal(error) => refuse(&reason(&error, DIRECTION)),
                OpenError::Ours(error) => error,
            })?;
        // Before it starts: the first callback finds sound.
        prime(&mut feeder);
        stream.play().map_err(|error| refuse(&reason(&error, DIRECTION)))?;
        let format = config.sample_format().to_string();
        let info = DeviceInfo { name, rate, channels, format };
        Ok(Opened { info, feeder, stream: Box::new(stream) })
    }
}

/// Why a stream could not be made.
enum OpenError {
    Cpal(cpal::Error),
    Ours(Error),
}

fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    reader: QueueReader,
    failed: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<cpal::Stream, cpal::Error> {
    by_format!(format, build_as(device, config, reader, failed))
}

fn build_as<T: SizedSample + FromSample<f32> + 'static>(
    device: &cpal::Device,
    config: StreamConfig,
    mut reader: QueueReader,
    failed: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<cpal::Stream, cpal::Error> {
    let play = move |data: &mut [T], info: &cpal::OutputCallbackInfo| {
        let times = info.timestamp();
        reader.fill(data, times.playback.duration_since(times.callback), Instant::now());
    };
    device.build_output_stream(config, play, failed, Some(BUILD))
}
