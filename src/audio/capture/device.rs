//! Input devices of the system.

use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{BufferSize, ErrorKind, FromSample, I24, SampleFormat, SizedSample, StreamConfig, U24};
use serde::Serialize;

use super::CaptureOptions;
use super::keeper::{Backend, Device, Opened};
use super::ring::{RingWriter, ring};
use crate::audio::{Channel, MAX_CHANNELS, MAX_RATE, MIN_RATE};
use crate::time::SampleRate;
use crate::{Error, Result};

/// Callbacks a second that are asked for. Devices may choose otherwise.
const CALLBACKS_PER_SECOND: u32 = 100;
/// Rates that are looked for among those of a device.
const RATES: [u32; 10] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];
/// ALSA's devices that are no microphones: one is always silent, the other starts a server and writes to stderr. They
/// are neither listed nor meant by a part of their name.
const NO_MICROPHONES: [&str; 2] = ["null", "jack"];
/// How long the system may take to make a stream.
const BUILD: Duration = Duration::from_secs(5);

/// An input device.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputDevice {
    /// What people call it.
    pub name: String,
    /// What the system calls it.
    pub id: String,
    /// Whether it is heard where none is asked for.
    pub is_default: bool,
    /// Rate that it is opened with, in Hz.
    pub rate: u32,
    /// Channels that it is opened with.
    pub channels: usize,
    /// How it writes samples: `f32`, `i16`.
    pub format: String,
    /// Usual rates that it can deliver, in Hz.
    pub rates: Vec<u32>,
}

/// A device that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What people call it.
    pub name: String,
    /// Its rate, before resampling.
    pub rate: SampleRate,
    /// Its channels, before mixing.
    pub channels: usize,
    /// How it writes samples: `f32`, `i16`.
    pub format: String,
}

/// All input devices that can be opened, the default one first.
///
/// # Errors
/// [`Error::Device`] where there is none.
pub fn devices() -> Result<Vec<InputDevice>> {
    quieten();
    let host = cpal::default_host();
    let default = host.default_input_device();
    let default_id = default.as_ref().and_then(id);
    let all = host.devices().into_iter().flatten().filter(is_microphone);
    let mut found: Vec<InputDevice> = Vec::new();
    for device in default.into_iter().chain(all) {
        let Some(described) = describe(&device, default_id.as_deref()) else { continue };
        if !found.iter().any(|other| other.id == described.id) {
            found.push(described);
        }
    }
    if found.is_empty() { Err(Error::device("sound", NO_DEVICE)) } else { Ok(found) }
}

const NO_DEVICE: &str = if cfg!(target_os = "linux") {
    "there is no input device; connect a microphone, or start PipeWire or PulseAudio (with its ALSA plugin)"
} else {
    "there is no input device; connect a microphone, and allow this program to hear it"
};

fn id(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.id().to_owned())
}

fn is_microphone(device: &cpal::Device) -> bool {
    id(device).is_some_and(|id| !NO_MICROPHONES.contains(&id.as_str()))
}

/// What can be said of a device; none where it cannot be heard.
fn describe(device: &cpal::Device, default: Option<&str>) -> Option<InputDevice> {
    let id = id(device)?;
    let config = choose_config(device).ok()?;
    let ranges: Vec<_> = device.supported_input_configs().ok()?.collect();
    let rates = RATES.into_iter().filter(|&rate| ranges.iter().any(|range| range.contains_rate(rate)));
    Some(InputDevice {
        name: device.to_string(),
        is_default: default == Some(&id),
        id,
        rate: config.sample_rate(),
        channels: usize::from(config.channels()),
        format: config.sample_format().to_string(),
        rates: rates.collect(),
    })
}

/// The device's own choice where it can be used, else the nearest that can.
fn choose_config(device: &cpal::Device) -> Result<cpal::SupportedStreamConfig, String> {
    let usable = |config: &cpal::SupportedStreamConfig| {
        (MIN_RATE.0..=MAX_RATE.0).contains(&config.sample_rate())
            && (1..=MAX_CHANNELS).contains(&usize::from(config.channels()))
            && is_pcm(config.sample_format())
    };
    let own = device.default_input_config().map_err(|error| reason(&error));
    if let Ok(config) = &own
        && usable(config)
    {
        return Ok(*config);
    }
    let offered = device.supported_input_configs().map_err(|error| reason(&error))?;
    let fitting = offered
        .filter_map(|range| RATES.iter().rev().find_map(|&rate| range.try_with_sample_rate(rate)))
        .find(usable);
    match (fitting, own) {
        (Some(config), _) => Ok(config),
        (None, Err(reason)) => Err(reason),
        (None, Ok(_)) => Err(format!("it offers no PCM between {MIN_RATE} and {MAX_RATE}")),
    }
}

fn is_pcm(format: SampleFormat) -> bool {
    format.is_int() || format.is_uint() || format.is_float()
}

/// The system's devices.
pub(super) struct System;

impl Backend for System {
    fn open(&mut self, options: &CaptureOptions) -> Result<Device> {
        quieten();
        let device = find(options.device.as_deref())?;
        let name = device.to_string();
        let config = choose_config(&device).map_err(|reason| refused(&name, options, &reason))?;
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
                ErrorKind::DeviceNotAvailable
                | ErrorKind::HostUnavailable
                | ErrorKind::StreamInvalidated
                | ErrorKind::PermissionDenied => tally.note_broken(),
                // Of all else the heartbeat tells whether it matters.
                _ => {}
            };
            let stream = build(&device, stream, config.sample_format(), writer, failed)?;
            stream.play()?;
            Ok((stream, reader))
        };
        let (stream, reader) = open(short)
            .or_else(|_: cpal::Error| open(BufferSize::Default))
            .map_err(|error| refused(&name, options, &reason(&error)))?;
        let format = config.sample_format().to_string();
        let device = DeviceInfo { name, rate, channels, format };
        Ok(Device { opened: Opened { device, reader }, stream: Box::new(stream) })
    }
}

/// The device that is called so, or has that in its name; the default one where there is no name.
fn find(wanted: Option<&str>) -> Result<cpal::Device> {
    let host = cpal::default_host();
    let Some(wanted) = wanted else {
        return host.default_input_device().ok_or_else(|| Error::device("default input device", NO_DEVICE));
    };
    let all: Vec<_> = host.devices().into_iter().flatten().chain(host.default_input_device()).collect();
    let lower = wanted.to_lowercase();
    let names = |device: &cpal::Device| [Some(device.to_string()), id(device)].into_iter().flatten();
    let exact = all.iter().filter(|device| names(device).any(|name| name == wanted));
    let part = all.iter().filter(|device| {
        is_microphone(device) && names(device).any(|name| name.to_lowercase().contains(&lower))
    });
    exact.chain(part).find(|device| choose_config(device).is_ok()).cloned().ok_or_else(|| {
        Error::device(wanted, "there is no input device of that name; `awaaz devices` lists those there are")
    })
}

fn refused(name: &str, options: &CaptureOptions, reason: &str) -> Error {
    match options.device {
        Some(_) => Error::device(name, format!("{reason}; `awaaz devices` lists what can be opened")),
        None => Error::device("default input device", format!("{reason}; {NO_DEVICE}")),
    }
}

fn reason(error: &cpal::Error) -> String {
    match error.kind() {
        ErrorKind::DeviceNotAvailable => "it is not there".to_owned(),
        ErrorKind::DeviceBusy => "another program uses it".to_owned(),
        ErrorKind::PermissionDenied => "the system does not allow to hear it".to_owned(),
        ErrorKind::UnsupportedOperation => "it is no input".to_owned(),
        _ => format!("it cannot be opened: {}", error.to_string().trim_end_matches('.')),
    }
}

fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    writer: RingWriter,
    failed: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<cpal::Stream, cpal::Error> {
    match format {
        SampleFormat::I8 => build_as::<i8>(device, config, writer, failed),
        SampleFormat::I16 => build_as::<i16>(device, config, writer, failed),
        SampleFormat::I24 => build_as::<I24>(device, config, writer, failed),
        SampleFormat::I32 => build_as::<i32>(device, config, writer, failed),
        SampleFormat::I64 => build_as::<i64>(device, config, writer, failed),
        SampleFormat::U8 => build_as::<u8>(device, config, writer, failed),
        SampleFormat::U16 => build_as::<u16>(device, config, writer, failed),
        SampleFormat::U24 => build_as::<U24>(device, config, writer, failed),
        SampleFormat::U32 => build_as::<u32>(device, config, writer, failed),
        SampleFormat::U64 => build_as::<u64>(device, config, writer, failed),
        SampleFormat::F32 => build_as::<f32>(device, config, writer, failed),
        SampleFormat::F64 => build_as::<f64>(device, config, writer, failed),
        _ => Err(ErrorKind::UnsupportedConfig.into()),
    }
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

/// Keeps ALSA from writing to stderr what this thread does; its reasons come as errors too.
fn quieten() {
    #[cfg(any(target_os = "linux", target_os = "dragonfly", target_os = "freebsd", target_os = "netbsd"))]
    // Where it cannot, it writes on.
    let _ = alsa::Output::local_error_handler();
}
