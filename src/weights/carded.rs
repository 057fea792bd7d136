//! Files of our own making: safetensors, with a card as JSON in the metadata.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::{SafeTensors, View};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A kind of such files.
pub(crate) struct Carded {
    /// What the card is called in the metadata.
    pub key: &'static str,
    /// Changes when files of before cannot be read any more.
    pub version: u32,
    /// Bytes of a file at most.
    pub limit: u64,
    /// What such a file is, with its article.
    pub what: &'static str,
    /// What to do where it is damaged.
    pub remedy: &'static str,
}

#[derive(Serialize, Deserialize)]
struct Versioned<C> {
    version: u32,
    #[serde(flatten)]
    card: C,
}

impl Carded {
    /// The bytes of a file; the same card and tensors always give the same.
    ///
    /// # Errors
    /// [`Error::Setting`] where the format cannot hold it.
    pub fn to_bytes<N: AsRef<str> + Ord + std::fmt::Display, V: View>(
        &self,
        card: &impl Serialize,
        tensors: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Vec<u8>> {
        let refused = |error: &dyn std::fmt::Display| {
            Error::Setting(format!("{} cannot be written: {error}", self.what))
        };
        let json = serde_json::to_string(&Versioned { version: self.version, card })
            .map_err(|error| refused(&error))?;
        let metadata = HashMap::from([(self.key.to_owned(), json)]);
        safetensors::serialize(tensors, Some(metadata)).map_err(|error| refused(&error))
    }

    /// The bytes of the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Model`] where it is too large to be such a file.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let size = fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        if size > self.limit {
            let reason =
                format!("a file of {size} bytes is not {}; at most {} are read", self.what, self.limit);
            return Err(fault(path, reason));
        }
        fs::read(path).map_err(|error| Error::io(path, error))
    }

    /// The card and the tensors of such a file, which errors call `path`.
    ///
    /// # Errors
    /// [`Error::Model`] where it is damaged, of a later version, or another file.
    pub fn open<'a, C: DeserializeOwned>(
        &self,
        path: &Path,
        bytes: &'a [u8],
    ) -> Result<(C, SafeTensors<'a>)> {
        let Self { what, remedy, .. } = self;
        let damaged =
            |error| fault(path, format!("not {what}, or damaged: {error}; {remedy} or copy it again"));
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let json = metadata.metadata().as_ref().and_then(|found| found.get(self.key));
        let json = json.ok_or_else(|| fault(path, format!("it has no card: it is not {what}")))?;
        let card = self.card(path, json)?;
        Ok((card, SafeTensors::deserialize(bytes).map_err(damaged)?))
    }

    /// The version is looked at first: what a later one says may be of another form.
    fn card<C: DeserializeOwned>(&self, path: &Path, json: &str) -> Result<C> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |error| fault(path, format!("its card is not valid: {error}"));
        let Version { version } = serde_json::from_str(json).map_err(damaged)?;
        if version != self.version {
            let (own, remedy) = (self.version, self.remedy);
            let reason =
                format!("it is of version {version}, and version {own} is read; update awaaz or {remedy}");
            return Err(fault(path, reason));
        }
        let Versioned { card, .. } = serde_json::from_str(json).map_err(damaged)?;
        Ok(card)
    }
}

/// Little-endian, as safetensors has them.
pub(crate) fn le_bytes<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u8> {
    values.into_iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn fault(path: &Path, reason: String) -> Error {
    Error::model(path.display().to_string(), reason)
}
