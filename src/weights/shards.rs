//! A checkpoint in several files: a small JSON file says which tensor is in which.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::{Error, Result};

/// A shard index is a small JSON file; anything larger is something else.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Whether `path` has the name of a shard index.
pub(super) fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".index.json"))
}

/// The shards that a `*.index.json` names, in the order of their names.
pub(super) fn read(path: &Path) -> Result<Vec<PathBuf>> {
    #[derive(serde::Deserialize)]
    struct ShardIndex {
        weight_map: BTreeMap<String, String>,
    }
    let damaged = |reason: String| Error::model(path.display().to_string(), reason);
    let size = std::fs::metadata(path).map_err(|e| Error::io(path, e))?.len();
    if size > LIMIT {
        return Err(damaged(format!("{size} bytes is too large for a shard index")));
    }
    let text = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let index: ShardIndex =
        serde_json::from_slice(&text).map_err(|e| damaged(format!("shard index is not valid: {e}")))?;
    let mut names: Vec<String> = index.weight_map.into_values().collect();
    names.sort();
    names.dedup();
    let folder = path.parent().unwrap_or(Path::new(""));
    names
        .iter()
        .map(|name| match Path::new(name).components().collect::<Vec<_>>()[..] {
            // A shard lies beside its index; a path that leads elsewhere is not followed.
            [Component::Normal(file)] => Ok(folder.join(file)),
            _ => Err(damaged(format!("shard {name} is not a plain file name"))),
        })
        .collect()
}
