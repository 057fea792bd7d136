//! Heads that are built into the library.

use std::path::Path;

use super::Head;
use crate::{Error, Result};

/// A head that is built in.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    /// By which it is asked for.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// The licence of what it was trained on, in a few words.
    pub licence: &'static str,
    bytes: &'static [u8],
}

/// All of them; `models/` has a card for each.
pub const BUILTIN: [Builtin; 1] = [Builtin {
    name: "emotion",
    about: "anger, happiness, neutral and sadness by the sound, with Whisper base",
    licence: "research and non-commercial use",
    bytes: include_bytes!("../../../models/emotion/emotion.safetensors"),
}];

impl Builtin {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        BUILTIN.into_iter().find(|builtin| builtin.name == name)
    }

    /// The head.
    ///
    /// # Errors
    /// [`Error::Model`] where the library was built with a damaged file.
    pub fn head(&self) -> Result<Head> {
        Head::from_bytes(Path::new(self.name), self.bytes)
    }
}

impl Head {
    /// The built-in head of that name, where there is no such file; else that of the file.
    ///
    /// # Errors
    /// Those of [`Head::load`]; where there is no such file the error names the heads that are built in.
    pub fn open(name: &Path) -> Result<Self> {
        if let Some(builtin) = name.to_str().and_then(Builtin::named).filter(|_| !name.exists()) {
            return builtin.head();
        }
        Self::load(name).map_err(|error| match error {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                let names: Vec<&str> = BUILTIN.iter().map(|builtin| builtin.name).collect();
                let known = names.join(", ");
                Error::model(
                    name.display().to_string(),
                    format!("no such file; heads that are built in: {known}"),
                )
            }
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_head_can_be_used_and_says_what_it_is_of() {
        for builtin in BUILTIN {
            let head = Head::open(Path::new(builtin.name)).unwrap();
            assert!(
                !head.card().data.is_empty() && head.card().figures.contains_key("uar"),
                "{}",
                builtin.name
            );
            let told = head.probabilities(&vec![0.0; head.width()]).unwrap();
            assert!((told.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn a_name_of_nothing_is_told_with_those_that_are_there() {
        let error = Head::open(Path::new("emotions")).unwrap_err().to_string();
        assert!(error.contains("emotions") && error.contains("emotion"), "{error}");
    }
}
