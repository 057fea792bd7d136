//! Where the audio of an MP4 track begins: its edit list, which symphonia reads but does not apply.
//!
//! An AAC encoder puts a thousand samples or two before the first, and says so in the first entry of the list
//! (ISO/IEC 14496-12, section 8.6.6; Apple TN2258). Without it all words come 20 to 130 ms late.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// Boxes that are looked at in one parent, at most. Whole files have a few tens.
const MAX_BOXES: usize = 1_024;

/// The start of a track's audio.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AudioStart {
    /// The track, by its identifier in the file.
    pub(super) track: u32,
    /// When the audio starts, in ticks of the track.
    pub(super) ticks: u64,
    /// Ticks a second.
    pub(super) timescale: u32,
}

impl AudioStart {
    /// Frames at `rate` that come before the audio.
    pub(super) fn frames(&self, rate: u32) -> u64 {
        (u128::from(self.ticks) * u128::from(rate) / u128::from(self.timescale.max(1))) as u64
    }
}

/// Whether `head`, the first bytes of a file, is that of an MP4.
pub(super) fn is_mp4(head: &[u8]) -> bool {
    head.get(4..8) == Some(b"ftyp")
}

/// The start of each track that has an edit list. What cannot be read is left out.
pub(super) fn audio_starts(file: &mut (impl Read + Seek), len: u64) -> Vec<AudioStart> {
    let Some(movie) = find(file, 0..len, b"moov") else { return Vec::new() };
    let tracks = boxes(file, movie).into_iter().filter(|(kind, _)| kind == b"trak");
    tracks.filter_map(|(_, body)| track_start(file, body)).collect()
}

fn track_start(file: &mut (impl Read + Seek), track: Range<u64>) -> Option<AudioStart> {
    let header = find(file, track.clone(), b"tkhd")?;
    let list = find(file, track.clone(), b"edts").and_then(|edits| find(file, edits, b"elst"))?;
    let media = find(file, track, b"mdia").and_then(|media| find(file, media, b"mdhd"))?;
    // Version 1 of each box has times of 64 bits in place of 32.
    let id_at = if wide(file, &header)? { 20 } else { 12 };
    let scale_at = if wide(file, &media)? { 20 } else { 12 };
    Some(AudioStart {
        track: u32::from_be_bytes(bytes(file, &header, id_at)?),
        ticks: first_edit(file, &list)?,
        timescale: u32::from_be_bytes(bytes(file, &media, scale_at)?),
    })
}

/// The media time of the first entry that is not an empty stretch, which has a negative one.
fn first_edit(file: &mut (impl Read + Seek), list: &Range<u64>) -> Option<u64> {
    let wide = wide(file, list)?;
    let entry_bytes = if wide { 20 } else { 12 };
    let entries = u64::from(u32::from_be_bytes(bytes(file, list, 4)?)).min(MAX_BOXES as u64);
    (0..entries).find_map(|entry| {
        let at = 8 + entry * entry_bytes;
        let time = if wide {
            i64::from_be_bytes(bytes(file, list, at + 8)?)
        } else {
            i32::from_be_bytes(bytes(file, list, at + 4)?).into()
        };
        u64::try_from(time).ok()
    })
}

fn wide(file: &mut (impl Read + Seek), body: &Range<u64>) -> Option<bool> {
    Some(bytes::<1>(file, body, 0)?[0] == 1)
}

fn find(file: &mut (impl Read + Seek), parent: Range<u64>, kind: &[u8; 4]) -> Option<Range<u64>> {
    boxes(file, parent).into_iter().find(|found| found.0 == *kind).map(|found| found.1)
}

/// Kind and body of each box in `parent`.
fn boxes(file: &mut (impl Read + Seek), parent: Range<u64>) -> Vec<([u8; 4], Range<u64>)> {
    let mut found = Vec::new();
    let mut at = parent.start;
    while found.len() < MAX_BOXES
        && let Some((kind, body)) = box_at(file, &(at..parent.end))
    {
        at = body.end;
        found.push((kind, body));
    }
    found
}

fn box_at(file: &mut (impl Read + Seek), rest: &Range<u64>) -> Option<([u8; 4], Range<u64>)> {
    let kind = bytes(file, rest, 4)?;
    let (header, size) = match u32::from_be_bytes(bytes(file, rest, 0)?) {
        0 => (8, rest.end - rest.start),
        1 => (16, u64::from_be_bytes(bytes(file, rest, 8)?)),
        size => (8, size.into()),
    };
    let end = rest.start.checked_add(size).filter(|&end| size >= header && end <= rest.end)?;
    Some((kind, rest.start + header..end))
}

/// The `N` bytes that begin `at` bytes into `body`.
fn bytes<const N: usize>(file: &mut (impl Read + Seek), body: &Range<u64>, at: u64) -> Option<[u8; N]> {
    let start = body.start.checked_add(at).filter(|start| start + N as u64 <= body.end)?;
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut read = [0; N];
    file.read_exact(&mut read).ok()?;
    Some(read)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32 + 8).to_be_bytes(), &kind[..], body].concat()
    }

    /// A movie of one track with the edits' media times.
    fn movie(times: &[i32]) -> Vec<u8> {
        let mut header = [0; 84];
        header[15] = 7;
        let mut media = [0; 24];
        media[12..16].copy_from_slice(&44_100u32.to_be_bytes());
        let mut list = [[0; 4], (times.len() as u32).to_be_bytes()].concat();
        for time in times {
            list.extend([[0; 4], time.to_be_bytes(), [0, 1, 0, 0]].concat());
        }
        let edits = boxed(b"edts", &boxed(b"elst", &list));
        let media = boxed(b"mdia", &boxed(b"mdhd", &media));
        let track = boxed(b"trak", &[boxed(b"tkhd", &header), edits, media].concat());
        [boxed(b"ftyp", b"M4A "), boxed(b"mdat", &[0; 99]), boxed(b"moov", &track)].concat()
    }

    #[test]
    fn the_first_edit_is_where_the_audio_starts() {
        for times in [&[2_112][..], &[-1, 2_112], &[2_112, 9_999]] {
            let file = movie(times);
            let starts = audio_starts(&mut Cursor::new(&file), file.len() as u64);
            assert_eq!(starts, [AudioStart { track: 7, ticks: 2_112, timescale: 44_100 }]);
            assert_eq!(starts[0].frames(22_050), 1_056);
        }
        let file = movie(&[-1]);
        assert_eq!(audio_starts(&mut Cursor::new(&file), file.len() as u64), []);
    }

    proptest! {
        #[test]
        fn no_damage_does_harm(at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut file = movie(&[2_112]);
            let at = at.index(file.len());
            file[at] = value;
            file.truncate(cut.index(file.len()));
            audio_starts(&mut Cursor::new(&file), file.len() as u64);
        }
    }
}
