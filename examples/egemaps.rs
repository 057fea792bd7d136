//! Prints eGeMAPS of audio files as CSV, a line a file, and to stderr how long that took.
//!
//!     cargo run --release --example egemaps -- FILE...

use std::time::{Duration, Instant};

use awaaz::Result;
use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
use awaaz::dsp::egemaps::{NAMES, egemaps};

fn main() -> Result<()> {
    println!("file,{}", NAMES.join(","));
    let (mut seconds, mut taken) = (0.0, Duration::ZERO);
    for file in std::env::args().skip(1) {
        let mut stream = AudioStream::open(AudioInput::from_arg(&file), &DecodeOptions::default())?;
        let samples = stream.read_all()?;
        let start = Instant::now();
        let values = egemaps(&samples).map(|value| value.to_string());
        taken += start.elapsed();
        seconds += samples.len() as f64 / 16_000.0;
        println!("{file},{}", values.join(","));
    }
    eprintln!("{seconds:.1} s of sound, {:.2} ms each", taken.as_secs_f64() * 1e3 / seconds);
    Ok(())
}
