//! ABX discriminability: whether features tell phones apart, without any training.
//!
//! `A` and `X` are two tokens of one phone, `B` is a token of another; all three have the same phones before and after them.
//! An error is where `X` is nearer to `B` than to `A`, half of one where both are as near. Within speakers all are of one
//! speaker; across speakers `A` and `B` are of one and `X` is of another.
//!
//! - Distance of two frames: the angle between them over π, `arccos(x·y / |x||y|) / π`, in 0 to 1. A frame of zeros is at
//!   0 from another of zeros and at 1 from all others.
//! - Distance of two tokens, of `n` and `m` frames: the sum of the distances along the path from `(1, 1)` to `(n, m)`, in
//!   steps of `(1, 1)`, `(1, 0)` and `(0, 1)`, that has the smallest sum (dynamic time warping), over the number of frame
//!   pairs on it.
//! - Error of a group, the tokens of phones `a` and `b` in one context by one speaker, and of `a` by the speaker of `X`:
//!   `1 - mean of ([d(X, A) < d(X, B)] + ½ [d(X, A) = d(X, B)])` over all triplets in it.
//! - Score: errors of groups are averaged over contexts (and speakers of `X`) for each speaker and ordered pair of phones,
//!   then over speakers for each pair, then over pairs. 0 is perfect, ½ is chance.
//!
//! Source: Schatz et al., "Evaluating speech features with the minimal-pair ABX task" (Interspeech 2013), as the code of
//! Libri-light and of CPC computes it (`facebookresearch/CPC_audio`, `cpc/eval/ABX.py` and `cpc/eval/ABX/`), but in double
//! precision, and with one draw for each group that is too large.
//!
//! ```
//! use awaaz::score::abx::{AbxOptions, AbxTokens, parse_items};
//!
//! let items = "\
//! #file onset offset #phone prev-phone next-phone speaker
//! talk 0.0 0.03 p a t anna
//! talk 0.1 0.13 p a t anna
//! talk 0.2 0.23 b a t anna
//! ";
//! let mut tokens = AbxTokens::new(parse_items("talk.item", items)?);
//! let frame = |index| if index < 20 { [1.0, 0.0] } else { [0.0, 1.0] };
//! let features: Vec<f32> = (0..30).flat_map(frame).collect();
//! tokens.hear("talk", &features, 2, 0.01)?;
//! assert_eq!(tokens.within(&AbxOptions::default()).unwrap().error, 0.0);
//! # Ok::<(), awaaz::Error>(())
//! ```

mod alignment;
mod items;
mod trials;

pub use items::{AbxItem, parse_items, read_items};
pub use trials::{AbxOptions, AbxScore};

use std::collections::HashMap;

use alignment::Frames;

use crate::{Error, Result};

/// Tokens of phones, cut from the features of files.
pub struct AbxTokens {
    items: Vec<AbxItem>,
    /// Of each item, once its file was heard; none where no frame is in it.
    frames: Vec<Option<Frames>>,
    /// Items of each file.
    by_file: HashMap<String, Vec<usize>>,
    /// Values of a frame, once any was heard.
    width: Option<usize>,
}

impl AbxTokens {
    /// The tokens of `items`, none of them heard yet.
    pub fn new(items: Vec<AbxItem>) -> Self {
        let mut by_file: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            by_file.entry(item.file.clone()).or_default().push(index);
        }
        let frames = items.iter().map(|_| None).collect();
        Self { items, frames, by_file, width: None }
    }

    /// The files that there are tokens of, in no order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.by_file.keys().map(String::as_str)
    }

    /// Tokens that there are frames of.
    pub fn heard(&self) -> usize {
        self.frames.iter().flatten().count()
    }

    /// Cuts the tokens of `file` from its features, `[frames, width]`, a frame each `hop` seconds, and tells how many there
    /// are. A token has the frames whose middle is in it but the last, from `ceil(onset / hop - ½)` to before
    /// `floor(offset / hop - ½)`, as the source has it. One with no frame is left out.
    ///
    /// # Errors
    /// [`Error::Setting`] where the frames are not of one width, the hop is not above 0, or a value is no number.
    pub fn hear(&mut self, file: &str, features: &[f32], width: usize, hop: f64) -> Result<usize> {
        self.check(file, features, width, hop)?;
        let Some(items) = self.by_file.get(file) else { return Ok(0) };
        let (count, rate) = (features.len() / width, 1.0 / hop);
        let mut found = 0;
        for &index in items {
            let item = &self.items[index];
            // A negative number becomes 0, one past all frames the largest that there is.
            let start = (rate * item.onset - 0.5).ceil() as usize;
            let end = ((rate * item.offset - 0.5).floor() as usize).min(count);
            if start < end {
                self.frames[index] = Some(Frames::new(&features[start * width..end * width], width));
                found += 1;
            }
        }
        Ok(found)
    }

    fn check(&mut self, file: &str, features: &[f32], width: usize, hop: f64) -> Result<()> {
        let wrong = |reason: String| Err(Error::Setting(format!("features of {file}: {reason}")));
        if !(hop.is_finite() && hop > 0.0) {
            return wrong(format!("a hop of {hop} seconds is not above 0"));
        }
        if width == 0 || !features.len().is_multiple_of(width) {
            return wrong(format!("{} values are no whole frames of {width}", features.len()));
        }
        if let Some(index) = features.iter().position(|x| !x.is_finite()) {
            return wrong(format!("frame {} has a value that is not finite", index / width));
        }
        let before = *self.width.get_or_insert(width);
        if before != width {
            return wrong(format!("frames have {width} values, those before had {before}"));
        }
        Ok(())
    }

    /// The score within speakers; none where no speaker has two tokens of a phone and one of another in one context.
    pub fn within(&self, options: &AbxOptions) -> Option<AbxScore> {
        trials::score(self, options, trials::within)
    }

    /// The score across speakers; none where no two speakers have a phone in the same context as one of them has another.
    pub fn across(&self, options: &AbxOptions) -> Option<AbxScore> {
        trials::score(self, options, trials::across)
    }
}

/// Brings each of the `width` values of a frame to mean 0 and variance 1 over all frames of `features`,
/// `[frames, width]`, as the scores of CPC were measured (`--seq_norm` of the source, with the unbiased variance). A single
/// frame stays as it is.
pub fn normalise_over_time(features: &mut [f32], width: usize) {
    /// What the source adds to the variance.
    const EPS: f64 = 1e-8;
    let frames = features.len() / width.max(1);
    if frames < 2 {
        return;
    }
    for value in 0..width {
        let column = || features.iter().skip(value).step_by(width).map(|&x| f64::from(x));
        let mean = column().sum::<f64>() / frames as f64;
        let variance = column().map(|x| (x - mean).powi(2)).sum::<f64>() / (frames - 1) as f64;
        let scale = (variance + EPS).sqrt().recip();
        for x in features.iter_mut().skip(value).step_by(width) {
            *x = ((f64::from(*x) - mean) * scale) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_standardised_over_time() {
        let mut features = [1.0, 5.0, 3.0, 5.0, 5.0, 5.0];
        normalise_over_time(&mut features, 2);
        assert_eq!(features, [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let mut one = [2.0, 3.0];
        normalise_over_time(&mut one, 2);
        assert_eq!(one, [2.0, 3.0]);
    }

    fn tokens(onset: f64, offset: f64) -> AbxTokens {
        let (file, phone, context, speaker) = ("f".into(), "p".into(), "a+b".into(), "s".into());
        AbxTokens::new(vec![AbxItem { file, onset, offset, phone, context, speaker }])
    }

    #[test]
    fn a_token_has_the_frames_whose_middle_is_in_it_but_the_last() {
        let features: Vec<f32> = (0..20).map(|x| x as f32 + 1.0).collect();
        for (onset, offset, frames) in [
            (0.0, 0.1, 9),
            (0.0, 0.02, 1),
            (0.0, 0.014, 0),
            (0.015, 0.045, 3),
            (0.016, 0.045, 2),
            (0.17, 9.0, 3),
            (0.25, 9.0, 0),
        ] {
            let mut tokens = tokens(onset, offset);
            let found = tokens.hear("f", &features, 1, 0.01).unwrap();
            assert_eq!(found, usize::from(frames > 0), "{onset} to {offset}");
            assert_eq!(tokens.frames[0].as_ref().map_or(0, Frames::count), frames, "{onset} to {offset}");
        }
    }

    #[test]
    fn features_of_no_use_are_refused() {
        struct Case {
            features: &'static [f32],
            width: usize,
            hop: f64,
            reason: &'static str,
        }
        let cases = [
            Case { features: &[1.0; 3], width: 2, hop: 0.01, reason: "3 values are no whole frames of 2" },
            Case { features: &[], width: 0, hop: 0.01, reason: "no whole frames of 0" },
            Case { features: &[1.0; 2], width: 2, hop: 0.0, reason: "a hop of 0 seconds" },
            Case { features: &[1.0, f32::NAN], width: 1, hop: 0.01, reason: "frame 1 has a value" },
            Case { features: &[1.0; 2], width: 2, hop: 0.01, reason: "those before had 1" },
        ];
        let mut tokens = tokens(0.0, 1.0);
        tokens.hear("f", &[1.0; 5], 1, 0.01).unwrap();
        assert_eq!(tokens.hear("another", &[1.0; 5], 1, 0.01).unwrap(), 0);
        for case in cases {
            let error = tokens.hear("f", case.features, case.width, case.hop).unwrap_err().to_string();
            assert!(error.contains("features of f: ") && error.contains(case.reason), "{error}");
        }
    }
}
