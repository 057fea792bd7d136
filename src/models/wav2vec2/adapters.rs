//! Adapters: small files that make a network one for a language (MMS), beside the network that they are for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::weights::Checkpoint;
use crate::{Error, Result};

const BEGINNING: &str = "adapter.";
/// In this order where there are both, as transformers takes them.
const ENDINGS: [&str; 2] = [".safetensors", ".bin"];

/// The adapter of `language` in the folder of a network: `adapter.<language>.safetensors`, or else `.bin`.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be read; [`Error::Model`] where it has no such adapter: which it has is said.
pub fn adapter_file(folder: &Path, language: &str) -> Result<PathBuf> {
    let names = names_in(folder)?;
    // Of what is there, not of what is asked for: a language that is a path leads nowhere.
    let wanted = ENDINGS.map(|ending| format!("{BEGINNING}{language}{ending}"));
    if let Some(name) = wanted.iter().find_map(|name| names.get(name)) {
        return Ok(folder.join(name));
    }
    let known: BTreeSet<&str> = names.iter().filter_map(|name| language_of(name)).collect();
    let reason = match known.is_empty() {
        true => format!("has no adapters, so none for language {language}"),
        false => {
            format!("has no adapter for language {language}; there are {}", some_of(known, language))
        }
    };
    Err(Error::model(folder.display().to_string(), reason))
}

/// The languages that the folder of a network has adapters for, in order of their names.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be read.
pub fn adapter_languages(folder: &Path) -> Result<BTreeSet<String>> {
    Ok(names_in(folder)?.iter().filter_map(|name| language_of(name)).map(str::to_owned).collect())
}

fn names_in(folder: &Path) -> Result<BTreeSet<String>> {
    let entries = std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// The language of an adapter's file.
fn language_of(name: &str) -> Option<&str> {
    let middle = name.strip_prefix(BEGINNING)?;
    ENDINGS.iter().find_map(|ending| middle.strip_suffix(ending))
}

/// Some of the `known` languages, for a message: MMS has more than a thousand. Those that begin like `wanted` are among
/// them.
pub fn some_of<'a>(known: impl IntoIterator<Item = &'a str>, wanted: &str) -> String {
    const MOST: usize = 20;
    let begins_alike =
        |name: &str| std::iter::zip(name.chars(), wanted.chars()).take_while(|(a, b)| a == b).count();
    let mut names: Vec<&str> = known.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(begins_alike(name)));
    let others = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    names.sort_unstable();
    match others {
        0 => names.join(", "),
        _ => format!("{} and {others} others", names.join(", ")),
    }
}

/// The weights of `network` for the language of `adapter`, which must have all adapter layers and the head of the network,
/// and nothing else: as `load_adapter` of transformers.
///
/// # Errors
/// [`Error::Tensor`] that names the adapter's file and the first tensor that is missing or too many.
pub fn with_adapter(network: Checkpoint, adapter: Checkpoint) -> Result<Checkpoint> {
    let parts = |checkpoint: &Checkpoint| -> BTreeSet<String> {
        checkpoint.names().filter_map(adapter_part).map(str::to_owned).collect()
    };
    let wrong = |tensor: &str, reason: &str| Error::Tensor {
        path: adapter.path().to_path_buf(),
        tensor: tensor.to_owned(),
        reason: reason.to_owned(),
    };
    let (wanted, found) = (parts(&network), parts(&adapter));
    if let Some(missing) = wanted.difference(&found).next() {
        return Err(wrong(missing, "missing, but the network has it for each language"));
    }
    let is_wanted = |name: &&str| adapter_part(name).is_some_and(|part| wanted.contains(part));
    if let Some(excess) = adapter.names().find(|name| !is_wanted(name)) {
        return Err(wrong(excess, "is no part of an adapter of this network"));
    }
    Ok(network.overlay(adapter))
}

/// The name of a tensor that each language has its own of, without the network's prefix.
fn adapter_part(name: &str) -> Option<&str> {
    let part = name.find("encoder.layers.").map_or(name, |start| &name[start..]);
    (part.contains(".adapter_layer.") || part.starts_with("lm_head.")).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(names: &[&str]) -> Checkpoint {
        let values =
            candle_core::Tensor::zeros(2, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
        let tensors = names.iter().map(|name| (*name, &values));
        Checkpoint::from_bytes(
            format!("{} tensors", names.len()),
            safetensors::serialize(tensors, None).unwrap(),
        )
        .unwrap()
    }

    const NETWORK: [&str; 5] = [
        "wav2vec2.encoder.layers.0.adapter_layer.norm.bias",
        "wav2vec2.encoder.layers.0.final_layer_norm.bias",
        "wav2vec2.encoder.layers.1.adapter_layer.norm.bias",
        "lm_head.weight",
        "lm_head.bias",
    ];

    #[test]
    fn an_adapter_has_all_that_the_network_has_for_each_language_and_nothing_else() {
        struct Case {
            adapter: Vec<&'static str>,
            reason: Option<&'static str>,
        }
        let whole = || vec![NETWORK[0], NETWORK[2], NETWORK[3], NETWORK[4]];
        let cases = [
            Case { adapter: whole(), reason: None },
            Case {
                adapter: whole().iter().map(|name| name.trim_start_matches("wav2vec2.")).collect(),
                reason: None,
            },
            Case {
                adapter: whole()[1..].to_vec(),
                reason: Some("3 tensors: tensor encoder.layers.0.adapter_layer.norm.bias: missing"),
            },
            Case {
                adapter: [whole(), vec![NETWORK[1]]].concat(),
                reason: Some("5 tensors: tensor wav2vec2.encoder.layers.0.final_layer_norm.bias: is no part"),
            },
            Case {
                adapter: [whole(), vec!["lm_head.scale"]].concat(),
                reason: Some("tensor lm_head.scale: is no part"),
            },
        ];
        for case in cases {
            let found = with_adapter(checkpoint(&NETWORK), checkpoint(&case.adapter));
            match (found, case.reason) {
                (Ok(found), None) => {
                    let mut names = NETWORK;
                    names.sort_unstable();
                    assert_eq!(found.names().collect::<Vec<_>>(), names, "{:?}", case.adapter);
                }
                (Err(error), Some(reason)) => assert!(error.to_string().contains(reason), "{error}"),
                (found, reason) => panic!("{:?}: {:?}, expected {reason:?}", case.adapter, found.err()),
            }
        }
    }

    #[test]
    fn of_many_languages_those_that_begin_alike_are_told() {
        let names: Vec<String> = ('a'..='z').map(|letter| format!("{letter}in")).collect();
        let told = some_of(names.iter().map(String::as_str), "zi");
        assert!(told.starts_with("ain, bin, cin, ") && told.ends_with("sin, zin and 6 others"), "{told}");
    }

    #[test]
    fn the_languages_that_there_are_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let found = |language| {
            let found = adapter_file(folder.path(), language).map_err(|error| error.to_string())?;
            Ok::<_, String>(found.strip_prefix(folder.path()).unwrap().display().to_string())
        };
        assert!(found("hin").unwrap_err().ends_with("has no adapters, so none for language hin"));
        for name in ["adapter.tam.bin", "adapter.hin.bin", "adapter.hin.safetensors", "model.safetensors"] {
            std::fs::write(folder.path().join(name), []).unwrap();
        }
        assert_eq!(found("hin").unwrap(), "adapter.hin.safetensors");
        assert_eq!(found("tam").unwrap(), "adapter.tam.bin");
        assert_eq!(adapter_languages(folder.path()).unwrap(), ["hin", "tam"].map(str::to_owned).into());
        for language in ["eng", "", "../tam", "tam.bin"] {
            assert!(found(language).unwrap_err().ends_with("; there are hin, tam"), "{language}");
        }
    }
}
