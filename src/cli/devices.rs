//! `awaaz devices`: the microphones that can be heard, and what can play.

use std::io::{self, Write};

use clap::Args;

use super::Exit;
use crate::audio::device::{Direction, SoundDevice, devices};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz devices           what can be heard, and what can play; * is what is taken where none is asked for
  awaaz devices --json    a JSON array, with the direction of each device and the rates that it can take

A name, an identifier, or a part of one can be given to --device of other commands, and to `awaaz listen --play`.";

/// List the input and output devices.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DevicesArgs {
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Error::Device`] where there is no device.
pub fn run(args: &DevicesArgs) -> Result<Exit> {
    let (inputs, outputs) = (devices(Direction::Input), devices(Direction::Output));
    // A machine that can only hear, or only play, is told of with what it can.
    let found = match (inputs, outputs) {
        (Err(error), Err(_)) => return Err(error),
        (inputs, outputs) => [inputs.unwrap_or_default(), outputs.unwrap_or_default()].concat(),
    };
    let mut out = io::stdout().lock();
    let written = if args.json { write_json(&found, &mut out) } else { write_table(&found, &mut out) };
    written.map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

fn write_json(devices: &[SoundDevice], out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, devices)?;
    writeln!(out)
}

fn write_table(devices: &[SoundDevice], out: &mut impl Write) -> io::Result<()> {
    let name = width(devices, "NAME", |device| &device.name);
    let id = width(devices, "ID", |device| &device.id);
    writeln!(
        out,
        "  {:name$}  {:id$}  {:>6}  {:>9}  {:>8}  FORMAT",
        "NAME", "ID", "FOR", "RATE", "CHANNELS"
    )?;
    for device in devices {
        let mark = if device.is_default { '*' } else { ' ' };
        let SoundDevice { rate, channels, format, direction, .. } = device;
        let (rate, direction) = (format!("{rate} Hz"), direction.name());
        writeln!(
            out,
            "{mark} {:name$}  {:id$}  {direction:>6}  {rate:>9}  {channels:>8}  {format}",
            device.name, device.id
        )?;
    }
    Ok(())
}

fn width<'a>(devices: &'a [SoundDevice], heading: &str, text: impl Fn(&'a SoundDevice) -> &'a str) -> usize {
    devices.iter().map(|device| text(device).chars().count()).fold(heading.len(), usize::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> [SoundDevice; 2] {
        let desk = SoundDevice {
            name: "Desk microphone".to_owned(),
            id: "hw:CARD=Desk,DEV=0".to_owned(),
            direction: Direction::Input,
            is_default: true,
            rate: 48_000,
            channels: 2,
            format: "i16".to_owned(),
            rates: vec![44_100, 48_000],
        };
        let line = SoundDevice {
            name: "Line".to_owned(),
            id: "line".to_owned(),
            direction: Direction::Output,
            is_default: false,
            ..desk.clone()
        };
        [desk, line]
    }

    #[test]
    fn the_table_lines_up_and_marks_the_default() {
        let mut out = Vec::new();
        write_table(&two(), &mut out).unwrap();
        let expected = "\
\x20 NAME             ID                     FOR       RATE  CHANNELS  FORMAT
* Desk microphone  hw:CARD=Desk,DEV=0   input   48000 Hz         2  i16
\x20 Line             line                output   48000 Hz         2  i16
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn json_tells_the_rates() {
        let mut out = Vec::new();
        write_json(&two(), &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json[0]["rates"], serde_json::json!([44_100, 48_000]));
        assert_eq!(json[1]["is_default"], false);
        assert_eq!((&json[0]["direction"], &json[1]["direction"]), (&"input".into(), &"output".into()));
    }
}
