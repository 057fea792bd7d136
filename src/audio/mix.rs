//! Many channels to one, and numbers that are none to silence.

/// What becomes of the channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Channel {
    /// The mean of all.
    #[default]
    Mix,
    /// One alone, counted from zero.
    Only(usize),
}

/// Samples louder than this are damage. Full scale is 1; float files written at the scale of 16-bit integers,
/// which are common, stay below.
const MAX_AMPLITUDE: f32 = 65_536.0;

/// Appends the mono mix of `interleaved` frames of `channels` samples to `mono`; returns how many samples were
/// not finite or absurdly loud, and were taken as silence.
pub(super) fn mix_into(interleaved: &[f32], channels: usize, channel: Channel, mono: &mut Vec<f32>) -> u64 {
    let mut damaged = 0;
    let mut sound = |sample: f32| {
        // Written so that NaN, which compares as neither, is damage too.
        if sample.abs() <= MAX_AMPLITUDE {
            return sample;
        }
        damaged += 1;
        0.0
    };
    match channel {
        Channel::Only(index) => {
            mono.extend(interleaved.chunks_exact(channels).map(|frame| sound(frame[index])))
        }
        Channel::Mix if channels == 1 => mono.extend(interleaved.iter().map(|&sample| sound(sample))),
        Channel::Mix => {
            let scale = 1.0 / channels as f32;
            mono.extend(
                interleaved
                    .chunks_exact(channels)
                    .map(|frame| frame.iter().map(|&sample| sound(sample)).sum::<f32>() * scale),
            );
        }
    }
    damaged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_averaged_or_picked() {
        let frames = [0.5, -0.25, 0.1, 0.3];
        let mut mono = Vec::new();
        assert_eq!(mix_into(&frames, 2, Channel::Mix, &mut mono), 0);
        assert_eq!(mono, [0.125, 0.2]);
        mono.clear();
        mix_into(&frames, 2, Channel::Only(1), &mut mono);
        assert_eq!(mono, [-0.25, 0.3]);
    }

    #[test]
    fn what_is_no_number_is_silence_and_counted() {
        let frames = [f32::NAN, 0.5, f32::INFINITY, f32::NEG_INFINITY, 1e30, -0.5];
        let mut mono = Vec::new();
        assert_eq!(mix_into(&frames, 1, Channel::Mix, &mut mono), 4);
        assert_eq!(mono, [0.0, 0.5, 0.0, 0.0, 0.0, -0.5]);
    }
}
