//! Input and output devices of the system: which there are, and how one is opened.

use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{ErrorKind, SampleFormat, SupportedStreamConfig};
use serde::Serialize;

use super::{MAX_CHANNELS, MAX_RATE, MIN_RATE};
use crate::time::SampleRate;
use crate::{Error, Result};

/// Callbacks a second that are asked for. Devices may choose otherwise.
pub(super) const CALLBACKS_PER_SECOND: u32 = 100;
/// Rates that are looked for among those of a device.
const RATES: [u32; 10] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];
/// ALSA's devices that are none: one is always silent and hears nothing, the other starts a server and writes to stderr. They
/// are neither listed nor meant by a part of their name.
const NO_DEVICES: [&str; 2] = ["null", "jack"];
/// How long the system may take to make a stream.
pub(super) const BUILD: Duration = Duration::from_secs(5);

/// Which way sound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// It is heard: a microphone.
    Input,
    /// It is played: a loudspeaker.
    Output,
}

impl Direction {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }

    /// What to do where there is no device.
    fn advice(self) -> &'static str {
        match (self, cfg!(target_os = "linux")) {
            (Self::Input, true) => {
                "there is no input device; connect a microphone, or start PipeWire or PulseAudio (with its ALSA plugin)"
            }
            (Self::Input, false) => {
                "there is no input device; connect a microphone, and allow this program to hear it"
            }
            (Self::Output, true) => {
                "there is no output device; connect a loudspeaker, or start PipeWire or PulseAudio (with its ALSA plugin)"
            }
            (Self::Output, false) => "there is no output device; connect a loudspeaker",
        }
    }

    fn default_device(self) -> Option<cpal::Device> {
        let host = cpal::default_host();
        match self {
            Self::Input => host.default_input_device(),
            Self::Output => host.default_output_device(),
        }
    }

    /// The device's own choice.
    fn own_config(self, device: &cpal::Device) -> Result<SupportedStreamConfig, cpal::Error> {
        match self {
            Self::Input => device.default_input_config(),
            Self::Output => device.default_output_config(),
        }
    }

    fn offered(self, device: &cpal::Device) -> Result<Vec<cpal::SupportedStreamConfigRange>, cpal::Error> {
        match self {
            Self::Input => Ok(device.supported_input_configs()?.collect()),
            Self::Output => Ok(device.supported_output_configs()?.collect()),
        }
    }
}

/// A device that can be opened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SoundDevice {
    /// What people call it.
    pub name: String,
    /// What the system calls it.
    pub id: String,
    /// Which way sound goes.
    pub direction: Direction,
    /// Whether it is taken where none is asked for.
    pub is_default: bool,
    /// Rate that it is opened with, in Hz.
    pub rate: u32,
    /// Channels that it is opened with.
    pub channels: usize,
    /// How it writes samples: `f32`, `i16`.
    pub format: String,
    /// Usual rates that it can take, in Hz.
    pub rates: Vec<u32>,
}

/// A device that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What people call it.
    pub name: String,
    /// Its rate.
    pub rate: SampleRate,
    /// Its channels.
    pub channels: usize,
    /// How it writes samples: `f32`, `i16`.
    pub format: String,
}

/// All devices of a direction that can be opened, the default one first.
///
/// # Errors
/// [`Error::Device`] where there is none.
pub fn devices(direction: Direction) -> Result<Vec<SoundDevice>> {
    quieten();
    let default = direction.default_device();
    let default_id = default.as_ref().and_then(id);
    let all = cpal::default_host().devices().into_iter().flatten().filter(is_device);
    let mut found: Vec<SoundDevice> = Vec::new();
    for device in default.into_iter().chain(all) {
        let Some(described) = describe(&device, direction, default_id.as_deref()) else { continue };
        if !found.iter().any(|other| other.id == described.id) {
            found.push(described);
        }
    }
    if found.is_empty() { Err(Error::device("sound", direction.advice())) } else { Ok(found) }
}

fn id(device: &cpal::Device) -> Option<String> {
    device.id().ok().map(|id| id.id().to_owned())
}

fn is_device(device: &cpal::Device) -> bool {
    id(device).is_some_and(|id| !NO_DEVICES.contains(&id.as_str()))
}

/// What can be said of a device; none where sound cannot go that way.
fn describe(device: &cpal::Device, direction: Direction, default: Option<&str>) -> Option<SoundDevice> {
    let id = id(device)?;
    let config = choose_config(device, direction).ok()?;
    let ranges = direction.offered(device).ok()?;
    let rates = RATES.into_iter().filter(|&rate| ranges.iter().any(|range| range.contains_rate(rate)));
    Some(SoundDevice {
        name: device.to_string(),
        direction,
        is_default: default == Some(&id),
        id,
        rate: config.sample_rate(),
        channels: usize::from(config.channels()),
        format: config.sample_format().to_string(),
        rates: rates.collect(),
    })
}

/// The device's own choice where it can be used, else the nearest that can.
pub(super) fn choose_config(
    device: &cpal::Device,
    direction: Direction,
) -> Result<SupportedStreamConfig, String> {
    let usable = |config: &SupportedStreamConfig| {
        (MIN_RATE.0..=MAX_RATE.0).contains(&config.sample_rate())
            && (1..=MAX_CHANNELS).contains(&usize::from(config.channels()))
            && is_pcm(config.sample_format())
    };
    let own = direction.own_config(device).map_err(|error| reason(&error, direction));
    if let Ok(config) = &own
        && usable(config)
    {
        return Ok(*config);
    }
    let offered = direction.offered(device).map_err(|error| reason(&error, direction))?;
    let fitting = offered
        .into_iter()
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

/// The device that is called so, or has that in its name; the default one where there is no name.
pub(super) fn find(wanted: Option<&str>, direction: Direction) -> Result<cpal::Device> {
    let named = direction.name();
    let Some(wanted) = wanted else {
        return direction
            .default_device()
            .ok_or_else(|| Error::device(format!("default {named} device"), direction.advice()));
    };
    let all: Vec<_> =
        cpal::default_host().devices().into_iter().flatten().chain(direction.default_device()).collect();
    let lower = wanted.to_lowercase();
    let names = |device: &cpal::Device| [Some(device.to_string()), id(device)].into_iter().flatten();
    let exact = all.iter().filter(|device| names(device).any(|name| name == wanted));
    let part = all
        .iter()
        .filter(|device| is_device(device) && names(device).any(|name| name.to_lowercase().contains(&lower)));
    let reason = || format!("there is no {named} device of that name; `awaaz devices` lists those there are");
    exact
        .chain(part)
        .find(|device| choose_config(device, direction).is_ok())
        .cloned()
        .ok_or_else(|| Error::device(wanted, reason()))
}

/// The error for a device that cannot be opened; `wanted` is what was asked for.
pub(super) fn refused(name: &str, wanted: Option<&str>, direction: Direction, reason: &str) -> Error {
    match wanted {
        Some(_) => Error::device(name, format!("{reason}; `awaaz devices` lists what can be opened")),
        None => Error::device(
            format!("default {} device", direction.name()),
            format!("{reason}; {}", direction.advice()),
        ),
    }
}

pub(super) fn reason(error: &cpal::Error, direction: Direction) -> String {
    match error.kind() {
        ErrorKind::DeviceNotAvailable => "it is not there".to_owned(),
        ErrorKind::DeviceBusy => "another program uses it".to_owned(),
        ErrorKind::PermissionDenied => "the system does not allow to use it".to_owned(),
        ErrorKind::UnsupportedOperation => format!("it is no {}", direction.name()),
        _ => format!("it cannot be opened: {}", error.to_string().trim_end_matches('.')),
    }
}

/// Whether the device will not go on.
pub(super) fn is_fatal(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::DeviceNotAvailable
            | ErrorKind::HostUnavailable
            | ErrorKind::StreamInvalidated
            | ErrorKind::PermissionDenied
    )
}

/// Keeps ALSA from writing to stderr what this thread does; its reasons come as errors too.
pub(super) fn quieten() {
    #[cfg(any(target_os = "linux", target_os = "dragonfly", target_os = "freebsd", target_os = "netbsd"))]
    // Where it cannot, it writes on.
    let _ = alsa::Output::local_error_handler();
}

/// Calls a function that is generic over the samples of a format with these arguments.
macro_rules! by_format {
    ($format:expr, $build:ident($($argument:expr),*)) => {
        match $format {
            cpal::SampleFormat::I8 => $build::<i8>($($argument),*),
            cpal::SampleFormat::I16 => $build::<i16>($($argument),*),
            cpal::SampleFormat::I24 => $build::<cpal::I24>($($argument),*),
            cpal::SampleFormat::I32 => $build::<i32>($($argument),*),
            cpal::SampleFormat::I64 => $build::<i64>($($argument),*),
            cpal::SampleFormat::U8 => $build::<u8>($($argument),*),
            cpal::SampleFormat::U16 => $build::<u16>($($argument),*),
            cpal::SampleFormat::U24 => $build::<cpal::U24>($($argument),*),
            cpal::SampleFormat::U32 => $build::<u32>($($argument),*),
            cpal::SampleFormat::U64 => $build::<u64>($($argument),*),
            cpal::SampleFormat::F32 => $build::<f32>($($argument),*),
            cpal::SampleFormat::F64 => $build::<f64>($($argument),*),
            _ => Err(cpal::ErrorKind::UnsupportedConfig.into()),
        }
    };
}
pub(super) use by_format;
