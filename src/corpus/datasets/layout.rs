//! How a corpus lies on disk.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::names::{EMO_DB, EMOVO, LIBRISPEECH, RAVDESS, SAVEE, Scheme, URDU, VCTK};
use super::record::Record;
use super::{adima, adima_parquet, detect, macd, manifest};
use crate::{Error, Result};

/// How a corpus lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// ADIMA as its makers give it out: abuse in clips of ten Indian languages (Gupta et al., ICASSP 2022). Speakers are not
    /// known.
    Adima,
    /// ADIMA as Parquet tables.
    AdimaParquet,
    /// URDU: emotions in Urdu talk shows (Latif et al., FIT 2018).
    Urdu,
    /// EMO-DB: emotions acted in German (Burkhardt et al., Interspeech 2005).
    EmoDb,
    /// SAVEE: emotions acted in English by four men (Haq and Jackson, AVSP 2009).
    Savee,
    /// EMOVO: emotions acted in Italian (Costantini et al., LREC 2014).
    Emovo,
    /// RAVDESS: emotions acted in English (Livingstone and Russo, PLOS ONE 2018).
    Ravdess,
    /// LibriSpeech: read English of many speakers (Panayotov et al., ICASSP 2015).
    LibriSpeech,
    /// VCTK: read English in many accents (Yamagishi et al., 2019).
    Vctk,
    /// MACD: abuse in comments of five Indian languages, which are texts (Gupta et al., NeurIPS 2022).
    Macd,
    /// A list of clips with their labels.
    Manifest,
}

/// The records of a corpus. Those of Parquet tables are read as they are asked for; after an error there are no more.
pub struct Records {
    rest: Rest,
}

enum Rest {
    Read(std::vec::IntoIter<Record>),
    Tables(Box<adima_parquet::Tables>),
}

impl Layout {
    /// All layouts.
    pub const ALL: [Self; 11] = [
        Self::Adima,
        Self::AdimaParquet,
        Self::Urdu,
        Self::EmoDb,
        Self::Savee,
        Self::Emovo,
        Self::Ravdess,
        Self::LibriSpeech,
        Self::Vctk,
        Self::Macd,
        Self::Manifest,
    ];

    /// Its name: `adima`, `adima-parquet`, `urdu`, `emo-db`, `savee`, `emovo`, `ravdess`, `librispeech`, `vctk`, `macd`
    /// or `manifest`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adima => "adima",
            Self::AdimaParquet => "adima-parquet",
            Self::Urdu => "urdu",
            Self::EmoDb => "emo-db",
            Self::Savee => "savee",
            Self::Emovo => "emovo",
            Self::Ravdess => "ravdess",
            Self::LibriSpeech => "librispeech",
            Self::Vctk => "vctk",
            Self::Macd => "macd",
            Self::Manifest => "manifest",
        }
    }

    /// The layout of what lies at `path`: a folder, or a table of a corpus.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Corpus`] where it is of no layout, with what was found and expected.
    pub fn detect(path: &Path) -> Result<Self> {
        detect::detect(path)
    }

    /// The records of what lies at `path`: a folder, or a table of one.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Corpus`] where something is not as the layout has it, with an example,
    /// or a clip of a table is missing. Tables of Parquet are opened when their turn comes.
    pub fn read(self, path: &Path) -> Result<Records> {
        let read = match self {
            Self::Adima => adima::read(path),
            Self::AdimaParquet => {
                return Ok(Records { rest: Rest::Tables(Box::new(adima_parquet::open(path)?)) });
            }
            Self::Urdu => URDU.read(path),
            Self::EmoDb => EMO_DB.read(path),
            Self::Savee => SAVEE.read(path),
            Self::Emovo => EMOVO.read(path),
            Self::Ravdess => RAVDESS.read(path),
            Self::LibriSpeech => LIBRISPEECH.read(path),
            Self::Vctk => VCTK.read(path),
            Self::Macd => macd::read(path),
            Self::Manifest => manifest::read(path),
        }?;
        Ok(Records { rest: Rest::Read(read.into_iter()) })
    }

    /// How clips are named, where names say everything.
    pub(super) fn scheme(self) -> Option<Scheme> {
        match self {
            Self::Urdu => Some(URDU),
            Self::EmoDb => Some(EMO_DB),
            Self::Savee => Some(SAVEE),
            Self::Emovo => Some(EMOVO),
            Self::Ravdess => Some(RAVDESS),
            Self::LibriSpeech => Some(LIBRISPEECH),
            Self::Vctk => Some(VCTK),
            Self::Adima | Self::AdimaParquet | Self::Macd | Self::Manifest => None,
        }
    }

    /// What lies there, in a few words.
    pub(super) fn form(self) -> &'static str {
        match self {
            Self::Adima => adima::FORM,
            Self::AdimaParquet => adima_parquet::FORM,
            Self::Urdu => URDU.form,
            Self::EmoDb => EMO_DB.form,
            Self::Savee => SAVEE.form,
            Self::Emovo => EMOVO.form,
            Self::Ravdess => RAVDESS.form,
            Self::LibriSpeech => LIBRISPEECH.form,
            Self::Vctk => VCTK.form,
            Self::Macd => macd::FORM,
            Self::Manifest => manifest::FORM,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Layout {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|layout| layout.name() == name);
        named.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::Setting(format!("no layout of a corpus is called {name}; there are {names}"))
        })
    }
}

impl Iterator for Records {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        match &mut self.rest {
            Rest::Read(records) => records.next().map(Ok),
            Rest::Tables(tables) => tables.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for layout in Layout::ALL {
            assert_eq!(layout.to_string().parse::<Layout>().unwrap(), layout);
        }
        let error = "timit".parse::<Layout>().unwrap_err().to_string();
        assert!(error.contains("timit") && error.contains("emo-db"), "{error}");
    }
}
