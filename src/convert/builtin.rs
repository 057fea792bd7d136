//! The parts of a converter that are built in.

use std::path::Path;

use super::decoder::Decoder;
use super::units::Codebook;
use crate::Result;
use crate::models::vocoder::spectral::SpectralVocoder;
use crate::weights::Sha256;

/// What each is called in errors.
const NAME: &str = "vc";
static CODEBOOK: &[u8] = include_bytes!("../../models/vc/units.safetensors");
static DECODER: &[u8] = include_bytes!("../../models/vc/decoder.safetensors");
static VOCODER: &[u8] = include_bytes!("../../models/vc/vocoder.safetensors");

/// The codebook that is built in, and the SHA-256 of its file; `models/vc` has the card.
///
/// # Errors
/// [`Error::Model`](crate::Error::Model) where the library was built with a damaged file, as also below.
pub fn codebook() -> Result<(Codebook, String)> {
    Ok((Codebook::from_bytes(Path::new(NAME), CODEBOOK)?, Sha256::of_bytes(CODEBOOK).to_string()))
}

/// The decoder that is built in.
///
/// # Errors
/// As [`codebook`].
pub fn decoder() -> Result<Decoder> {
    Decoder::from_bytes(Path::new(NAME), DECODER)
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
    use crate::models::vocoder::spectral::MEL;

    #[test]
    fn parts_that_are_built_in_fit_one_another_and_make_sound() {
        let (codebook, digest) = codebook().unwrap();
        let (decoder, vocoder) = (decoder().unwrap(), vocoder().unwrap());
        let card = decoder.card();
        assert_eq!(card.codebook, digest);
        assert_eq!(card.shape.content, codebook.parts().iter().map(|part| part.width).sum::<usize>());
        assert!(card.steps > 0 && card.data.iter().all(|data| data.licence == "CC BY 4.0"));
        assert!(
            vocoder.card().steps > 0 && codebook.card().data.iter().all(|data| data.licence == "CC BY 4.0")
        );
        let pitch = [120.0; 40];
        let contents = vec![0.0; 20 * card.shape.content];
        let mel = decoder.frames(&contents, &pitch, &vec![0.0625; card.shape.speaker]).unwrap();
        let sound = vocoder.sound(&mel, &pitch, 0).unwrap();
        assert_eq!(sound.len(), 40 * MEL.hop);
        assert!(sound.iter().all(|x| x.abs() < 4.0) && sound.iter().any(|x| x.abs() > 1e-4));
    }
}
