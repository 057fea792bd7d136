//! The parts of a converter that are built in: a codebook and a vocoder. A decoder is not.

use std::path::Path;

use super::units::Codebook;
use crate::Result;
use crate::models::vocoder::spectral::SpectralVocoder;
use crate::weights::Sha256;

/// What they are called in errors.
const NAME: &str = "vc";
static CODEBOOK: &[u8] = include_bytes!("../../models/vc/units.safetensors");
static VOCODER: &[u8] = include_bytes!("../../models/vc/vocoder.safetensors");

/// The codebook that is built in, and the SHA-256 of its file; `models/vc` has the card.
///
/// # Errors
/// [`Error::Model`](crate::Error::Model) where the library was built with a damaged file, as also below.
pub fn codebook() -> Result<(Codebook, String)> {
    Ok((Codebook::from_bytes(Path::new(NAME), CODEBOOK)?, Sha256::of_bytes(CODEBOOK).to_string()))
}

/// The vocoder that is built in.
///
/// # Errors
/// As [`codebook`].
pub fn vocoder() -> Result<SpectralVocoder> {
    SpectralVocoder::from_bytes(Path::new(NAME), VOCODER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{AudioInput, AudioStream, DecodeOptions};
    use crate::dsp::{VocoderMel, pitch};
    use crate::learn::spectral_loss::SpectralLoss;
    use crate::models::vocoder::spectral::MEL;

    #[test]
    fn parts_say_what_they_were_made_of() {
        let (codebook, digest) = codebook().unwrap();
        assert!(digest.len() == 64 && codebook.parts()[0].clusters() == 256);
        assert!(codebook.card().data.iter().all(|data| data.licence == "CC BY 4.0"));
        let vocoder = vocoder().unwrap();
        let card = vocoder.card();
        assert!(card.steps > 0 && card.data.iter().all(|data| data.licence == "CC BY 4.0"));
    }

    /// A sentence of a reader whom it never heard is about as far from its copy as those of speakers who were held out.
    #[test]
    fn the_vocoder_copies_speech() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures/librivox-0870/audio.flac");
        let stream = AudioStream::open(AudioInput::File(path), &DecodeOptions::default());
        let mut samples = stream.unwrap().read_all().unwrap();
        samples.truncate(3 * 16_000);
        let mel = VocoderMel::hifi_gan(MEL).frames(&samples);
        let vocoder = vocoder().unwrap();
        let copy = vocoder.sound(&mel, &pitch(&samples), 0).unwrap();
        let far = |sound: &[f32]| SpectralLoss::new(MEL).of(sound, &samples, 1.0, None).total();
        let found = far(&copy);
        assert!(found < 1.25 * vocoder.card().validation, "{found}");
    }
}
