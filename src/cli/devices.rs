//! `awaaz devices`: the microphones that can be heard.

use std::io::{self, Write};

use clap::Args;

use super::Exit;
use crate::audio::capture::{InputDevice, devices};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz devices           what can be heard; * is what is heard where none is asked for
  awaaz devices --json    a JSON array, with the rates that each device can deliver

A name, an identifier, or a part of one can be given to --device of other commands.";

/// List the input devices.
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
/// [`Error::Device`] where there is no input device.
pub fn run(args: &DevicesArgs) -> Result<Exit> {
    let devices = devices()?;
    let mut out = io::stdout().lock();
    let written = if args.json { write_json(&devices, &mut out) } else { write_table(&devices, &mut out) };
    written.map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

fn write_json(devices: &[InputDevice], out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, devices)?;
    writeln!(out)
}

fn write_table(devices: &[InputDevice], out: &mut impl Write) -> io::Result<()> {
    let name = width(devices, "NAME", |device| &device.name);
    let id = width(devices, "ID", |device| &device.id);
    writeln!(out, "  {:name$}  {:id$}  {:>9}  {:>8}  FORMAT", "NAME", "ID", "RATE", "CHANNELS")?;
    for device in devices {
        let mark = if device.is_default { '*' } else { ' ' };
        let InputDevice { rate, channels, format, .. } = device;
        let rate = format!("{rate} Hz");
        writeln!(out, "{mark} {:name$}  {:id$}  {rate:>9}  {channels:>8}  {format}", device.name, device.id)?;
    }
    Ok(())
}

fn width<'a>(devices: &'a [InputDevice], heading: &str, text: impl Fn(&'a InputDevice) -> &'a str) -> usize {
    devices.iter().map(|device| text(device).chars().count()).fold(heading.len(), usize::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> [InputDevice; 2] {
        let desk = InputDevice {
            name: "Desk microphone".to_owned(),
            id: "hw:CARD=Desk,DEV=0".to_owned(),
            is_default: true,
            rate: 48_000,
            channels: 2,
            format: "i16".to_owned(),
            rates: vec![44_100, 48_000],
        };
        let line =
            InputDevice { name: "Line".to_owned(), id: "line".to_owned(), is_default: false, ..desk.clone() };
        [desk, line]
    }

    #[test]
    fn the_table_lines_up_and_marks_the_default() {
        let mut out = Vec::new();
        write_table(&two(), &mut out).unwrap();
        let expected = "\
\x20 NAME             ID                       RATE  CHANNELS  FORMAT
* Desk microphone  hw:CARD=Desk,DEV=0   48000 Hz         2  i16
\x20 Line             line                 48000 Hz         2  i16
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
    }
}
