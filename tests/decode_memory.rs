//! Memory does not grow with the length of the audio. A file of its own, so that no other test allocates meanwhile.
#![cfg(target_os = "linux")]

use std::io::Read;

use awaaz::audio::{AudioInput, AudioStream, DecodeOptions, RawEncoding, RawFormat};
use awaaz::time::SampleRate;

#[test]
fn an_hour_needs_no_more_memory_than_seconds() {
    fn resident_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
    let raw = Some(RawFormat { encoding: RawEncoding::S16Le, rate: SampleRate(8_000), channels: 1 });
    let options = DecodeOptions { raw, ..DecodeOptions::default() };
    let hour = AudioInput::from_reader("hour", std::io::repeat(17).take(3600 * 8_000 * 2));
    let mut stream = AudioStream::open(hour, &options).unwrap();
    let (mut block, mut total) = (Vec::new(), 0);
    let mut early = None;
    while stream.read(&mut block).unwrap() > 0 {
        total += block.len();
        if total > 160_000 {
            early.get_or_insert_with(resident_kib);
        }
    }
    assert_eq!(total, 3600 * 16_000);
    // An hour held in memory would be 230 MB.
    let grown = resident_kib().saturating_sub(early.unwrap());
    assert!(grown < 1024, "resident memory grew by {grown} KiB");
}
