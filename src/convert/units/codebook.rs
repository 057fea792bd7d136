//! Centroids, and the units of frames.

use super::card::Card;
use crate::compute::Nearest;
use crate::learn::standardise::Moments;
use crate::{Error, Result};

/// Clusters of a block of the features.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The first feature of the block.
    pub start: usize,
    /// Features of the block.
    pub width: usize,
    /// `[k, width]`.
    pub centroids: Vec<f32>,
}

/// On which scale features are compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Standard {
    /// As the encoder gives them.
    AsTheyAre,
    /// Each brought to the mean 0 and the variance 1 of the frames that were clustered.
    Moments(Moments),
}

/// Units of an encoder's frames.
pub struct Codebook {
    pub(super) card: Card,
    pub(super) width: usize,
    pub(super) standard: Standard,
    pub(super) parts: Vec<Part>,
    nearest: Vec<Nearest>,
}

impl Part {
    /// Number of its clusters.
    pub fn clusters(&self) -> usize {
        self.centroids.len() / self.width.max(1)
    }
}

impl Codebook {
    /// A codebook of frames of `width` features.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no part, one lies outside the features or has no cluster, or a number is not finite.
    pub fn new(card: Card, width: usize, standard: Standard, parts: Vec<Part>) -> Result<Self> {
        if let Some(reason) = fault(width, &standard, &parts) {
            return Err(Error::Setting(format!("a codebook {reason}")));
        }
        let nearest = parts.iter().map(|part| Nearest::new(&part.centroids, part.width)).collect();
        Ok(Self { card, width, standard, parts, nearest })
    }

    /// What is known of it.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Features of a frame.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Its parts; a frame has a unit of each.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// On which scale features are compared.
    pub fn standard(&self) -> &Standard {
        &self.standard
    }

    /// Seconds from one unit to the next.
    pub fn hop_seconds(&self) -> f64 {
        crate::time::SampleIndex(self.card.hop as u64).seconds()
    }

    /// The units of `frames`, `[frames, width]`: of each part in turn, the number of the nearest centroid to each frame. Of
    /// centroids that are equally near, the first counts.
    pub fn units(&self, frames: &[f32]) -> Vec<Vec<u32>> {
        let scaled;
        let frames = match &self.standard {
            Standard::AsTheyAre => frames,
            Standard::Moments(moments) => {
                scaled = standardised(frames, moments);
                &scaled
            }
        };
        let of_part = |(part, nearest): (&Part, &Nearest)| match part.width == self.width {
            true => nearest.of(frames),
            false => nearest.of(&block(frames, self.width, part.start, part.width)),
        };
        self.parts.iter().zip(&self.nearest).map(of_part).collect()
    }

    /// What is left of frames whose units, of each part in turn, are `units`: the centroids side by side,
    /// `[frames, widths of all parts]`, on the scale on which they were compared.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are not as many parts, they are not equally long, or there is no such unit.
    pub fn quantised(&self, units: &[Vec<u32>]) -> Result<Vec<f32>> {
        let frames = units.first().map_or(0, Vec::len);
        if units.len() != self.parts.len() || units.iter().any(|units| units.len() != frames) {
            return Err(Error::Setting(format!("these are not units of {} parts", self.parts.len())));
        }
        let width: usize = self.parts.iter().map(|part| part.width).sum();
        let mut values = Vec::with_capacity(frames * width);
        for frame in 0..frames {
            for (part, units) in self.parts.iter().zip(units) {
                let start = units[frame] as usize * part.width;
                let centroid = part.centroids.get(start..start + part.width).ok_or_else(|| {
                    Error::Setting(format!("there is no unit {} of {}", units[frame], part.clusters()))
                })?;
                values.extend_from_slice(centroid);
            }
        }
        Ok(values)
    }
}

/// What is wrong with the numbers of a codebook.
pub(super) fn fault(width: usize, standard: &Standard, parts: &[Part]) -> Option<String> {
    if width == 0 || parts.is_empty() {
        return Some("has no features or no clusters".into());
    }
    for (number, part) in parts.iter().enumerate() {
        let end = part.start.checked_add(part.width);
        if part.width == 0 || end.is_none_or(|end| end > width) {
            let Part { start, width: block, .. } = part;
            return Some(format!("has part {number} of {block} features from {start} on, of {width}"));
        }
        if part.centroids.is_empty() || !part.centroids.len().is_multiple_of(part.width) {
            return Some(format!("has part {number} without whole centroids"));
        }
        if part.centroids.iter().any(|value| !value.is_finite()) {
            return Some(format!("has part {number} with a number that is not finite"));
        }
    }
    match standard {
        Standard::Moments(Moments { means, deviations }) => {
            let whole = means.len() == width && deviations.len() == width;
            let sound =
                means.iter().all(|x| x.is_finite()) && deviations.iter().all(|&x| x > 0.0 && x.is_finite());
            (!(whole && sound)).then(|| "has means and deviations that do not fit its features".into())
        }
        Standard::AsTheyAre => None,
    }
}

/// Frames on the scale of `moments`.
pub(crate) fn standardised(frames: &[f32], moments: &Moments) -> Vec<f32> {
    let mut scaled = frames.to_vec();
    scaled.chunks_exact_mut(moments.means.len()).for_each(|frame| moments.apply(frame));
    scaled
}

/// Features `start..start + block` of each frame.
pub(crate) fn block(frames: &[f32], width: usize, start: usize, block: usize) -> Vec<f32> {
    frames.chunks_exact(width).flat_map(|frame| &frame[start..start + block]).copied().collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::learn::head::Encoder;

    pub fn card() -> Card {
        Card {
            encoder: Encoder { name: "base".into(), sha256: None },
            layer: 5,
            hop: 320,
            centre: 0,
            data: Vec::new(),
            frames: 10,
            inertia: 0.5,
            method: "full".into(),
            seed: 3,
            created_by: "awaaz".into(),
        }
    }

    /// Two parts over three features: one over all, one over the last two.
    pub fn codebook() -> Codebook {
        let parts = vec![
            Part { start: 0, width: 3, centroids: vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0] },
            Part { start: 1, width: 2, centroids: vec![0.0, 1.0, 1.0, 0.0, 5.0, 5.0] },
        ];
        let moments = Moments { means: vec![1.0, 0.0, 0.0], deviations: vec![2.0, 1.0, 1.0] };
        Codebook::new(card(), 3, Standard::Moments(moments), parts).unwrap()
    }

    #[test]
    fn a_frame_has_a_unit_of_each_part() {
        let codebook = codebook();
        let units = codebook.units(&[1.0, 0.1, 0.9, 3.0, 4.0, 4.0]);
        assert_eq!(units, [vec![0, 1], vec![0, 2]]);
        let values = codebook.quantised(&units).unwrap();
        assert_eq!(values, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 5.0, 5.0]);
        assert!((codebook.hop_seconds() - 0.02).abs() < 1e-12);
        for wrong in [vec![vec![0]], vec![vec![0], vec![0, 1]], vec![vec![2], vec![0]]] {
            assert!(codebook.quantised(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let part = |start, width, centroids: &[f32]| Part { start, width, centroids: centroids.to_vec() };
        let told = |standard: Standard, parts: Vec<Part>| {
            Codebook::new(card(), 2, standard, parts).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let plain = |parts| told(Standard::AsTheyAre, parts);
        assert!(plain(vec![]).contains("no clusters"));
        assert!(plain(vec![part(1, 2, &[0.0; 2])]).contains("2 features from 1 on, of 2"));
        assert!(plain(vec![part(usize::MAX, 2, &[0.0; 2])]).contains("part 0"));
        assert!(plain(vec![part(0, 2, &[0.0; 3])]).contains("whole centroids"));
        assert!(plain(vec![part(0, 1, &[f32::NAN])]).contains("not finite"));
        let moments = Moments { means: vec![0.0; 2], deviations: vec![1.0, 0.0] };
        assert!(told(Standard::Moments(moments), vec![part(0, 1, &[0.0])]).contains("deviations"));
    }
}
