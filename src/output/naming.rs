//! A name for each input's outputs, none twice.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use crate::{Error, Result};

/// What an input's outputs can be named after.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The input's path as given.
    pub path: &'a Path,
    /// Its path relative to the folder that was given, or its file name.
    pub relative: &'a Path,
}

/// The path of each input's outputs in the output folder, still without extension.
///
/// `talks/a.wav` becomes `talks/a`; where that is not the only `talks/a`, upper and lower case being one, it stays
/// `talks/a.wav`. Inputs of one relative path are named after their paths as given, where those lead downwards.
///
/// # Errors
/// [`Error::Setting`] where two inputs would still have the same name.
pub fn output_names(inputs: &[Origin]) -> Result<Vec<PathBuf>> {
    let is_only_relative = only(inputs.iter().map(|input| input.relative));
    let files: Vec<&Path> = inputs
        .iter()
        .map(|input| {
            if is_only_relative(input.relative) || !leads_down(input.path) {
                input.relative
            } else {
                input.path
            }
        })
        .collect();
    let stems: Vec<PathBuf> = files.iter().map(|file| file.with_extension("")).collect();
    let is_only_stem = only(stems.iter().map(PathBuf::as_path));
    let names: Vec<PathBuf> = files
        .iter()
        .zip(&stems)
        .map(|(file, stem)| if is_only_stem(stem) { stem.clone() } else { file.to_path_buf() })
        .collect();
    let mut owners = HashMap::new();
    for (name, input) in names.iter().zip(inputs) {
        if let Some(other) = owners.insert(folded(name), input.path) {
            return Err(Error::Setting(format!(
                "{} and {} would have the same output; rename one, transcribe them apart, or give the folder \
                 that holds both, whose tree is kept",
                other.display(),
                input.path.display()
            )));
        }
    }
    Ok(names)
}

/// Tells whether a path is the only one of its name among `paths`.
fn only<'a>(paths: impl Iterator<Item = &'a Path>) -> impl Fn(&Path) -> bool {
    let mut count: HashMap<String, usize> = HashMap::new();
    for path in paths {
        *count.entry(folded(path)).or_default() += 1;
    }
    move |path| count.get(&folded(path)) == Some(&1)
}

/// Whether `path`, put after a folder, stays inside it.
fn leads_down(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// What two names share that some file systems take for one.
fn folded(path: &Path) -> String {
    path.to_string_lossy().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of inputs given as `path` or, from a folder, as `folder//relative`.
    fn named(inputs: &[&str]) -> Result<Vec<String>> {
        let origins: Vec<Origin> = inputs
            .iter()
            .map(|input| {
                let path = Path::new(input);
                let file_name = Path::new(path.file_name().unwrap());
                let relative = input.split_once("//").map_or(file_name, |(_, relative)| Path::new(relative));
                Origin { path, relative }
            })
            .collect();
        Ok(output_names(&origins)?.iter().map(|name| name.display().to_string().replace("//", "/")).collect())
    }

    #[test]
    fn names_are_stems_where_those_are_enough() {
        assert_eq!(named(&["a.wav", "talks/b.v2.mp3", "in//x/a.wav"]).unwrap(), ["a", "b.v2", "x/a"]);
        assert_eq!(named(&["a.wav", "A.mp3", "b.wav"]).unwrap(), ["a.wav", "A.mp3", "b"]);
    }

    #[test]
    fn inputs_of_one_name_keep_the_folders_they_were_given_with() {
        assert_eq!(named(&["x/a.wav", "y/a.wav", "y/b.wav"]).unwrap(), ["x/a", "y/a", "b"]);
        assert_eq!(named(&["x//a.wav", "y//a.wav"]).unwrap(), ["x/a", "y/a"]);
    }

    #[test]
    fn one_name_twice_is_an_error_that_names_both() {
        for inputs in [["/x/a.wav", "/y/a.wav"], ["../a.wav", "../../a.wav"]] {
            let error = named(&inputs).unwrap_err().to_string();
            assert!(inputs.iter().all(|input| error.contains(input)), "{error}");
        }
        assert!(named(&["a.wav", "a.mp3", "a.wav.ogg"]).is_err());
    }
}
