//! Any bytes through the decoder, as a stream that cannot seek: `AudioStream` must end, with finite samples, in
//! memory that the input warrants.
//!
//! Seeds are `audio-fixtures/formats` and `audio-fixtures/bad`.

#![no_main]

use std::io::Cursor;
use std::sync::Once;

use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
use libfuzzer_sys::fuzz_target;

/// Samples after which an input is long enough: a minute.
const ENOUGH: usize = 60 * 16_000;

static QUIET_HOOK: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // The fuzzer's own hook aborts on every panic, but a panic inside a decoder is caught by `AudioStream` and
    // becomes an error. It is still printed, so that it can be counted and reported; all others still end the run.
    QUIET_HOOK.call_once(|| {
        let _ = std::panic::take_hook();
    });
    let input = AudioInput::from_reader("fuzz", Cursor::new(bytes.to_vec()));
    let Ok(mut stream) = AudioStream::open(input, &DecodeOptions::default()) else { return };
    let (mut block, mut total) = (Vec::new(), 0);
    while total < ENOUGH && stream.read(&mut block).is_ok_and(|samples| samples > 0) {
        assert!(block.iter().all(|sample| sample.is_finite()));
        total += block.len();
    }
    stream.warnings();
});
