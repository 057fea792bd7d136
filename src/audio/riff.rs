//! WAV headers whose sizes cannot be believed.
//!
//! A program that writes WAV to a pipe cannot go back to fill in the sizes: it leaves 0, `0xFFFFFFFF` or
//! another large number. A program that was killed leaves what it had. Files past 4 GiB (RF64, BW64: EBU Tech
//! 3306) keep the true size in a chunk of their own, which symphonia does not read. In all these cases the size
//! in the header is set to "unknown", and the data is read to where it really ends.

use std::time::Duration;

/// How far into a file the `data` chunk is looked for. Behind larger metadata, sizes stay as they are.
pub(super) const HEAD_BYTES: usize = 64 * 1024;

/// What symphonia takes for "until the end".
const UNKNOWN: [u8; 4] = u32::MAX.to_le_bytes();

/// Sizes that sox and others write to pipes: as large as a signed number goes, less the header.
const ENDLESS: std::ops::RangeInclusive<u64> = 0x7FFF_0000..=0x7FFF_FFFF;

/// Whether more bytes of an input that starts with `head` are worth waiting for: it may be a WAV, and its data
/// has not begun.
pub(super) fn wants_more(head: &[u8]) -> bool {
    let form =
        |bytes: &[u8], at: usize, wanted: &[u8]| bytes.iter().skip(at).zip(wanted).all(|(a, b)| a == b);
    let riff = [b"RIFF", b"RF64", b"BW64"].iter().any(|id| form(head, 0, *id)) && form(head, 8, b"WAVE");
    riff && head.len() < HEAD_BYTES && Layout::find(head).is_none()
}

/// What became of a header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mended {
    /// Where the data ends, in bytes from the start, if that is known.
    pub(super) end: Option<u64>,
    /// How long the data lasts, if that is known.
    pub(super) duration: Option<Duration>,
    /// The header promised this many bytes of data more than there are.
    pub(super) missing: Option<u64>,
}

/// Corrects the sizes in `head`, the first bytes of an input of `total` bytes (`None`: unknown). `None` where
/// `head` is no WAV, or its sizes are sound.
pub(super) fn mend_sizes(head: &mut [u8], total: Option<u64>) -> Option<Mended> {
    let wide = matches!(head.get(..4)?, b"RF64" | b"BW64");
    if !wide && head.get(..4)? != b"RIFF" || head.get(8..12)? != b"WAVE" {
        return None;
    }
    let layout = Layout::find(head)?;
    let claimed = if wide { layout.wide_size? } else { u64::from(u32_at(head, layout.data - 4)?) };
    let available = total.map(|total| total.saturating_sub(layout.data as u64));
    let riff_size = u64::from(u32_at(head, 4)?);
    let overlong = available.is_some_and(|available| claimed > available);
    let unset = claimed == u64::from(u32::MAX) || claimed == 0 && !is_whole(riff_size, total);
    let streamed = !wide && (unset || ENDLESS.contains(&claimed) && (overlong || total.is_none()));
    if !(wide || streamed || overlong || riff_size < claimed) {
        return None;
    }

    let known = if streamed {
        available
    } else {
        Some(available.map_or(claimed, |available| available.min(claimed)))
    };
    head[..4].copy_from_slice(b"RIFF");
    head[4..8].copy_from_slice(&UNKNOWN);
    head[layout.data - 4..layout.data].copy_from_slice(&UNKNOWN);
    Some(Mended {
        end: known.map(|bytes| layout.data as u64 + bytes),
        duration: known.filter(|_| layout.byte_rate > 0).map(|bytes| lasting(bytes, layout.byte_rate)),
        missing: available.filter(|_| overlong && !streamed).map(|available| claimed - available),
    })
}

/// Whether a file is as long as its outermost chunk says, to the padding byte.
fn is_whole(riff_size: u64, total: Option<u64>) -> bool {
    total.is_some_and(|total| (riff_size + 8).abs_diff(total) <= 1)
}

fn lasting(bytes: u64, byte_rate: u32) -> Duration {
    Duration::from_secs_f64(bytes as f64 / f64::from(byte_rate))
}

/// What the chunks before the data say.
struct Layout {
    /// Where the data starts.
    data: usize,
    /// Bytes a second, zero where no `fmt ` chunk came.
    byte_rate: u32,
    /// Bytes of data, from a `ds64` chunk.
    wide_size: Option<u64>,
}

impl Layout {
    fn find(head: &[u8]) -> Option<Self> {
        let mut layout = Self { data: 0, byte_rate: 0, wide_size: None };
        let mut at = 12;
        loop {
            let id = head.get(at..at + 4)?;
            let size = u32_at(head, at + 4)?;
            let body = at + 8;
            match id {
                b"data" => return Some(Self { data: body, ..layout }),
                b"fmt " => layout.byte_rate = u32_at(head, body + 8)?,
                b"ds64" => {
                    let bytes = head.get(body + 8..body + 16)?;
                    layout.wide_size = Some(u64::from_le_bytes(bytes.try_into().ok()?));
                }
                _ => {}
            }
            // Chunks start at even offsets.
            at = body.checked_add(size as usize)?.checked_add(size as usize % 2)?;
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header for 16 kHz mono 16-bit audio.
    fn header(riff_size: u32, data_size: u32) -> Vec<u8> {
        let mut head = Vec::new();
        head.extend_from_slice(b"RIFF");
        head.extend_from_slice(&riff_size.to_le_bytes());
        head.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        head.extend_from_slice(&16_000u32.to_le_bytes());
        head.extend_from_slice(&32_000u32.to_le_bytes());
        head.extend_from_slice(b"\x02\0\x10\0data");
        head.extend_from_slice(&data_size.to_le_bytes());
        head
    }

    #[test]
    fn sound_sizes_are_left_alone() {
        let mut head = header(36 + 32_000, 32_000);
        let before = head.clone();
        assert_eq!(mend_sizes(&mut head, Some(44 + 32_000)), None);
        assert_eq!(mend_sizes(&mut head, None), None);
        assert_eq!(head, before);
        assert_eq!(mend_sizes(&mut header(36, 0), Some(44)), None, "a file that holds no audio says so");
    }

    #[test]
    fn sizes_that_were_never_filled_in_become_unknown() {
        for size in [0, u32::MAX] {
            let mut head = header(size, size);
            let mended = mend_sizes(&mut head, None).unwrap();
            assert_eq!(mended, Mended { end: None, duration: None, missing: None });
            assert_eq!((&head[4..8], &head[40..44]), (&UNKNOWN[..], &UNKNOWN[..]));
            let mended = mend_sizes(&mut header(size, size), Some(44 + 32_000)).unwrap();
            assert_eq!(mended.duration, Some(Duration::from_secs(1)));
            assert_eq!(mended.missing, None);
        }
    }

    #[test]
    fn a_size_past_the_end_of_the_file_is_cut_to_it() {
        let mended = mend_sizes(&mut header(36 + 64_000, 64_000), Some(44 + 32_000)).unwrap();
        assert_eq!(mended.end, Some(44 + 32_000));
        assert_eq!(mended.missing, Some(32_000));
    }

    #[test]
    fn no_more_is_read_than_the_header() {
        let head = header(u32::MAX, u32::MAX);
        assert!((0..head.len()).all(|len| wants_more(&head[..len])));
        assert!(!wants_more(&head));
        assert!(!wants_more(b"OggS"));
        assert!(!wants_more(b"RIFF\0\0\0\0AVI "));
    }

    #[test]
    fn what_is_no_wav_or_too_short_is_left_alone() {
        for bytes in [
            &b""[..],
            b"RIFF",
            b"RIFF\0\0\0\0WAVE",
            b"RIFF\0\0\0\0AVI LIST",
            b"RF64\xFF\xFF\xFF\xFFWAVEdata\0\0\0\0",
        ] {
            assert_eq!(mend_sizes(&mut bytes.to_vec(), None), None);
        }
    }
}
