//! What is heard is played again, later and censored: on a device, or as PCM for another program.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::values::seconds;
use crate::audio::playout::{PlayOptions, PlayTotals, Player, QUEUE_DELAY};
use crate::moderation::CensorStyle;
use crate::output::events::Notify;
use crate::pipeline::{DeviceOut, EventSink, Flagging, PcmOut, Playback, PlaybackTotals, Tap};
use crate::{Error, Result};

/// Arguments that say what is played.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Playing")]
pub struct PlayArgs {
    /// Play what is heard again, later and censored, on this output device (see `awaaz devices`), or on the system's where
    /// none is named. - writes PCM to stdout instead (s16le, 16 kHz, one channel), for another program to play.
    #[arg(long, value_name = "DEVICE|-", num_args = 0..=1)]
    play: Option<Option<String>>,
    /// How what is played is censored where the policy does not say: silent, or under a tone.
    #[arg(long, value_name = "mute|bleep", default_value = "mute", requires = "play")]
    censor: CensorStyle,
    /// How much later it is played, in seconds. What is found later than this is told of, and was heard.
    #[arg(long, value_name = "SECONDS", default_value = "1.5", value_parser = seconds, requires = "play")]
    delay: Duration,
}

/// Sound that is being played.
pub struct Playing {
    playback: Playback,
    /// Its device; none is stdout.
    player: Option<Player>,
}

/// What tells how it went.
pub struct PlayReport {
    playback: Playback,
    device: Option<Box<dyn Fn() -> PlayTotals>>,
    asked: Duration,
}

impl PlayArgs {
    /// How sound is censored; none where it is not played.
    pub fn style(&self) -> Option<CensorStyle> {
        self.play.as_ref().map(|_| self.censor)
    }

    /// Whether stdout takes the sound.
    pub fn takes_stdout(&self) -> bool {
        matches!(&self.play, Some(Some(name)) if name == "-")
    }

    /// Whether what is asked for can be, before a model is loaded.
    ///
    /// # Errors
    /// Those of the device, which is opened for a moment.
    pub fn check(&self) -> Result<()> {
        self.start(0.0).map(drop)
    }

    /// Begins to play, silence at first; words are censored with `margin` seconds around them. None where nothing is played.
    ///
    /// # Errors
    /// [`Error::Setting`] for a delay that is too short for a device; those of the device.
    pub fn start(&self, margin: f64) -> Result<Option<(Playing, PlayReport)>> {
        let Some(device) = &self.play else { return Ok(None) };
        let delay = self.delay.as_secs_f64();
        let (playback, player) = match self.takes_stdout() {
            true => (Playback::new(delay, margin), None),
            false => {
                if delay <= QUEUE_DELAY {
                    let reason = format!("--delay {delay}: a device needs more than {QUEUE_DELAY} s");
                    return Err(Error::Setting(reason));
                }
                let playback = Playback::new(delay - QUEUE_DELAY, margin);
                let usual = PlayOptions::default();
                let drain = usual.drain + self.delay;
                let options = PlayOptions { device: device.clone(), drain, ..usual };
                (playback.clone(), Some(Player::open(&options, playback)?))
            }
        };
        let report = PlayReport {
            playback: playback.clone(),
            device: player.as_ref().map(|player| Box::new(player.report()) as Box<dyn Fn() -> PlayTotals>),
            asked: self.delay,
        };
        Ok(Some((Playing { playback, player }, report)))
    }
}

impl Playing {
    /// Where it is played.
    pub fn name(&self) -> &str {
        self.player.as_ref().map_or("stdout", |player| &player.info().name)
    }

    /// What hears the stream's sound, and what hears its verdicts and tells `notify` what was too late.
    pub fn ends(self, notify: Notify) -> (Box<dyn Tap>, Box<dyn EventSink>) {
        let flagging = Flagging::new(self.playback.clone(), Arc::clone(&notify));
        let tap: Box<dyn Tap> = match self.player {
            Some(player) => Box::new(DeviceOut::new(self.playback, player)),
            None => Box::new(PcmOut::new(self.playback, io::stdout())),
        };
        (tap, Box::new(flagging))
    }
}

impl PlayReport {
    /// Lines for the user.
    pub fn lines(&self) -> Vec<String> {
        let PlaybackTotals { flagged, late, late_seconds, taken_back } = self.playback.totals();
        let mut lines = vec![format!(
            "{flagged} stretches flagged, {late} too late ({late_seconds:.2} s were heard), {taken_back:.2} s taken back in time"
        )];
        if let Some(totals) = self.device.as_ref().map(|totals| totals()) {
            let delay =
                totals.delay().map_or("nothing".into(), |delay| format!("{delay:.2} s later on average"));
            lines.push(format!(
                "played {delay} ({:.2} s were asked for), {} underruns ({:.2} s silent), the device was opened again {} times",
                self.asked.as_secs_f64(),
                totals.underruns,
                totals.missing,
                totals.reconnects
            ));
        }
        lines
    }
}
