//! A name for each input's outputs, none twice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The path of each input's outputs in the output folder, still without extension.
///
/// `inputs` are paths relative to the folder that they were found in. `talks/a.wav` becomes `talks/a`; where
/// that is not the only `talks/a`, upper and lower case being one, it stays `talks/a.wav`.
///
/// # Errors
/// [`Error::Setting`] where two inputs are of the same name altogether.
pub fn output_names(inputs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let stems: Vec<PathBuf> = inputs.iter().map(|input| input.with_extension("")).collect();
    let mut count: HashMap<String, usize> = HashMap::new();
    for stem in &stems {
        *count.entry(folded(stem)).or_default() += 1;
    }
    let is_only = |stem: &Path| count.get(&folded(stem)) == Some(&1);
    let names: Vec<PathBuf> = inputs
        .iter()
        .zip(stems)
        .map(|(input, stem)| if is_only(&stem) { stem } else { input.clone() })
        .collect();
    let mut owners = HashMap::new();
    for (name, input) in names.iter().zip(inputs) {
        if let Some(other) = owners.insert(folded(name), input) {
            return Err(Error::Setting(format!(
                "{} and {} would have the same output; rename one, transcribe them apart, or give the folder \
                 that holds both, whose tree is kept",
                other.display(),
                input.display()
            )));
        }
    }
    Ok(names)
}

/// What two names share that some file systems take for one.
fn folded(path: &Path) -> String {
    path.to_string_lossy().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(inputs: &[&str]) -> Result<Vec<String>> {
        let inputs: Vec<PathBuf> = inputs.iter().map(PathBuf::from).collect();
        Ok(output_names(&inputs)?.iter().map(|name| name.display().to_string()).collect())
    }

    #[test]
    fn names_are_stems_where_those_are_enough() {
        assert_eq!(named(&["a.wav", "b.v2.mp3", "x/a.wav"]).unwrap(), ["a", "b.v2", "x/a"]);
        assert_eq!(named(&["a.wav", "A.mp3", "b.wav"]).unwrap(), ["a.wav", "A.mp3", "b"]);
    }

    #[test]
    fn one_name_twice_is_an_error_that_names_both() {
        let error = named(&["a.wav", "a.wav"]).unwrap_err().to_string();
        assert!(error.contains("a.wav and a.wav"), "{error}");
        assert!(named(&["a.wav", "a.mp3", "a.wav.ogg"]).is_err());
    }
}
