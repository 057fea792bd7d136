//! Scores of transcripts against references, in [`abx`] of features against phones, and in [`verification`] of vectors
//! against speakers, in [`diarization`] of who speaks when; and of classes, in [`classification`], with intervals by [`bootstrap`].
//!
//! [`word_errors`] and [`char_errors`] count what differs, [`difference`] shows it word by word, and [`normalise`]
//! first takes away what is no error of hearing: case, punctuation, spelling of contractions. Scores of several
//! recordings are summed as [`Edits`], never averaged as rates.
//!
//! ```
//! use awaaz::score::{Normalisation, normalise, word_errors};
//!
//! let [reference, hypothesis] =
//!     ["Don't stop, Mr. Smith!", "do not stop mister smyth"].map(|text| normalise(text, Normalisation::English));
//! assert_eq!(word_errors(&reference, &hypothesis).rate(), 0.2);
//! ```

pub mod abx;
mod assignment;
pub mod bootstrap;
pub mod classification;
pub mod diarization;
mod normalise;
pub mod speaker_trials;
pub mod verification;
mod wer;

pub(crate) use normalise::{Class, class};
pub use normalise::{Normalisation, normalise};
pub use wer::{Aligned, Edits, char_errors, difference, word_errors};
