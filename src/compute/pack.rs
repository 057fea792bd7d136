//! Weights as kernels want them, kept in a file, so that the next start need not make them again. The file is mapped, not
//! read: what is not used is not loaded, and processes share its pages.
//!
//! ```text
//! arrays, each from a multiple of 64 bytes on
//! index: JSON of what the weights were made from, and of the arrays of each layer
//! where the index begins and how long it is (u64, little-endian), "AWZPACK1"
//! ```
//!
//! A file gets its name by one rename when it is whole and on the disk, and is never written again: a map of it stays
//! what it was. Files that were of no use for two months go when another is made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::stored::{Plain, Stored, bytes_of};

const MAGIC: &[u8; 8] = b"AWZPACK1";
/// Bytes at the end: where the index is, how long, and the magic.
const FOOTER: usize = 24;
/// Arrays begin at multiples of this: the width of the widest vectors.
const ALIGN: u64 = 64;
/// What names of files end in.
pub const PACK: &str = "pack";
/// A file goes when it was of no use for so long.
const KEPT_FOR: Duration = Duration::from_secs(60 * 24 * 3600);

/// A file of packed weights: one that is there, or one in the making.
pub struct Pack(State);

enum State {
    Mapped {
        map: Arc<Mmap>,
        layers: BTreeMap<String, Vec<Place>>,
    },
    /// None once it could not be written.
    Writing(Mutex<Option<Writer>>),
}

/// Where an array is: its type, first byte and number of values.
#[derive(Serialize, Deserialize)]
struct Place(String, u64, u64);

#[derive(Serialize, Deserialize)]
struct Index {
    made_from: String,
    layers: BTreeMap<String, Vec<Place>>,
}

struct Writer {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    length: u64,
    index: Index,
}

/// A layer whose weights can be kept.
pub trait Packed: Sized {
    /// Adds its arrays to `arrays`; false where they are in an order that only the library that packed them knows.
    fn put<'a>(&'a self, arrays: &mut Arrays<'a>) -> bool;

    /// The layer of `outputs` by `inputs` that was put; none where the arrays are not those of such a layer.
    fn take(arrays: &mut Taken, inputs: usize, outputs: usize) -> Option<Self>;
}

/// The arrays of a layer, to be kept.
#[derive(Default)]
pub struct Arrays<'a>(Vec<(&'static str, usize, &'a [u8])>);

impl<'a> Arrays<'a> {
    pub(super) fn put<T: Plain>(&mut self, values: &'a [T]) {
        self.0.push((T::NAME, values.len(), bytes_of(values)));
    }
}

/// The arrays of a layer that was kept, in the order in which they were put.
#[derive(Clone)]
pub struct Taken<'a> {
    map: &'a Arc<Mmap>,
    places: std::slice::Iter<'a, Place>,
}

impl Taken<'_> {
    /// The next array, which must have `count` values.
    pub(super) fn take<T: Plain>(&mut self, count: usize) -> Option<Stored<T>> {
        let Place(name, offset, found) = self.places.next()?;
        let is_it = name == T::NAME && *found == count as u64;
        is_it.then(|| Stored::mapped(self.map, usize::try_from(*offset).ok()?, count)).flatten()
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.places.as_slice().is_empty()
    }
}

impl Pack {
    /// The file at `path` where it was made from what `made_from` says; else one in the making that will take its place.
    /// None where it can be neither read nor written, which costs time and nothing else.
    pub fn open(path: &Path, made_from: &str) -> Option<Self> {
        Self::read(path, made_from).or_else(|| Self::create(path, made_from).ok())
    }

    fn read(path: &Path, made_from: &str) -> Option<Self> {
        let file = File::open(path).ok()?;
        // SAFETY: such files are never written after they got their names, nor cut short.
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let footer = map.get(map.len().checked_sub(FOOTER)?..)?;
        let (places, magic) = footer.split_at(16);
        let number =
            |at: usize| usize::try_from(u64::from_le_bytes(places[at..at + 8].try_into().ok()?)).ok();
        let (start, length) = (number(0)?, number(8)?);
        let index: Index = serde_json::from_slice(map.get(start..start.checked_add(length)?)?).ok()?;
        if magic != MAGIC || index.made_from != made_from {
            return None;
        }
        // Where it cannot be marked as of use, it is made again some day.
        let _ = file.set_modified(SystemTime::now());
        // Where it cannot be asked for ahead, it is read as it is used.
        #[cfg(unix)]
        let _ = map.advise(memmap2::Advice::WillNeed);
        Some(Self(State::Mapped { map: Arc::new(map), layers: index.layers }))
    }

    fn create(path: &Path, made_from: &str) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder)?;
        let file = BufWriter::with_capacity(1 << 20, NamedTempFile::new_in(folder)?);
        let index = Index { made_from: made_from.into(), layers: BTreeMap::new() };
        let writer = Writer { path: path.into(), file, length: 0, index };
        Ok(Self(State::Writing(Mutex::new(Some(writer)))))
    }

    /// The layer that was kept as `name`; else the one that `make` makes, which is kept.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn layer<L: Packed, E>(
        &self,
        name: &str,
        inputs: usize,
        outputs: usize,
        make: impl FnOnce() -> Result<L, E>,
    ) -> Result<L, E> {
        let writing = match &self.0 {
            State::Mapped { map, layers } => {
                let kept = layers.get(name).and_then(|places| {
                    let mut arrays = Taken { map, places: places.iter() };
                    L::take(&mut arrays, inputs, outputs).filter(|_| arrays.is_empty())
                });
                return kept.map_or_else(make, Ok);
            }
            State::Writing(writing) => writing,
        };
        let layer = make()?;
        let mut arrays = Arrays::default();
        if layer.put(&mut arrays) {
            let mut writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
            let written = writing.as_mut().map(|writer| writer.put(name, &arrays));
            if let Some(Err(_)) = written {
                // A full disk, mostly; the file goes with its writer.
                *writing = None;
            }
        }
        Ok(layer)
    }

    /// Gives a file in the making its name, now that all layers are in it.
    pub fn finish(self) {
        let State::Writing(writing) = self.0 else { return };
        let writer = writing.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.filter(|writer| !writer.index.layers.is_empty()) {
            // The next start does without it, as this one did.
            let _ = writer.finish();
        }
    }
}

impl Writer {
    fn put(&mut self, name: &str, arrays: &Arrays) -> io::Result<()> {
        let mut places = Vec::with_capacity(arrays.0.len());
        for &(kind, count, bytes) in &arrays.0 {
            let start = self.length.next_multiple_of(ALIGN);
            self.file.write_all(&[0; ALIGN as usize][..(start - self.length) as usize])?;
            self.file.write_all(bytes)?;
            self.length = start + bytes.len() as u64;
            places.push(Place(kind.into(), start, count as u64));
        }
        self.index.layers.insert(name.into(), places);
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        let index = serde_json::to_vec(&self.index)?;
        self.file.write_all(&index)?;
        self.file.write_all(&self.length.to_le_bytes())?;
        self.file.write_all(&(index.len() as u64).to_le_bytes())?;
        self.file.write_all(MAGIC)?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        remove_unused(self.path.parent().unwrap_or(Path::new("")));
        Ok(())
    }
}

/// Removes the packs of `folder` that were of no use for long, where that is possible.
fn remove_unused(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let is_unused = changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > KEPT_FOR));
        if is_unused && path.extension().is_some_and(|extension| extension == PACK) {
            // Another process may have been first.
            let _ = fs::remove_file(path);
        }
    }
}

// Miri maps no files.
#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::compute::rows::values;
    use crate::compute::{Linear, Precision, RowLinear, RowMatrix};
    use std::convert::Infallible;

    const SHAPE: (usize, usize) = (520, 70);

    fn linear(precision: Precision) -> Linear {
        let (inputs, outputs) = SHAPE;
        Linear::new(&values(inputs * outputs, 1), Some(values(outputs, 2)), inputs, precision)
    }

    fn row_linear() -> RowLinear {
        let (inputs, outputs) = SHAPE;
        RowLinear::new(RowMatrix::int8(&values(inputs * outputs, 1), inputs), values(outputs, 2))
    }

    /// Opens the pack, takes a layer of each kind from it or makes it, and tells their outputs and how many were made.
    fn start(path: &Path, made_from: &str) -> (Vec<Vec<f32>>, usize) {
        let (inputs, outputs) = SHAPE;
        let pack = Pack::open(path, made_from).unwrap();
        let mut made = 0;
        let mut out = Vec::new();
        let x = values(20 * inputs, 3);
        for precision in [Precision::F32, Precision::Int8] {
            let layer = pack.layer(precision.name(), inputs, outputs, || {
                made += 1;
                Ok::<_, Infallible>(linear(precision))
            });
            let mut y = vec![0.0; 20 * outputs];
            layer.unwrap().forward_into(&x, &mut y);
            out.push(y);
        }
        let layer = pack.layer("rows", inputs, outputs, || {
            made += 1;
            Ok::<_, Infallible>(row_linear())
        });
        let mut y = vec![0.0; 20 * outputs];
        layer.unwrap().forward_into(&x, &mut y);
        out.push(y);
        pack.finish();
        (out, made)
    }

    /// Layers that are made at a second start: those whose order of weights is rten-gemm's.
    fn unkept() -> usize {
        let is_kept = |precision| linear(precision).put(&mut Arrays::default());
        [Precision::F32, Precision::Int8].into_iter().filter(|&precision| !is_kept(precision)).count()
    }

    #[test]
    fn kept_layers_give_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("packs/model.pack");
        let (first, made) = start(&path, "file 1");
        assert_eq!(made, 3);
        let (second, made) = start(&path, "file 1");
        assert_eq!(made, unkept());
        assert!(first == second);
    }

    #[test]
    fn what_was_made_from_something_else_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.pack");
        start(&path, "file 1");
        assert_eq!(start(&path, "file 2").1, 3);
        assert_eq!(start(&path, "file 2").1, unkept());
    }

    #[test]
    fn files_of_no_use_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, days) in [("used.pack", 59), ("unused.pack", 61), ("another's.txt", 61)] {
            let age = Duration::from_secs(days * 24 * 3600);
            File::create(path(name)).unwrap().set_modified(SystemTime::now() - age).unwrap();
        }
        start(&path("model.pack"), "file 1");
        let there = ["used.pack", "unused.pack", "another's.txt"].map(|name| path(name).exists());
        assert_eq!(there, [true, false, true]);
        let long_ago = SystemTime::now() - Duration::from_secs(40 * 24 * 3600);
        let file = File::options().append(true).open(path("model.pack")).unwrap();
        file.set_modified(long_ago).unwrap();
        start(&path("model.pack"), "file 1");
        assert!(file.metadata().unwrap().modified().unwrap() > long_ago);
    }

    #[test]
    fn damaged_files_are_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.pack");
        start(&path, "file 1");
        let whole = fs::read(&path).unwrap();
        let changed = |at: usize, byte: u8| {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            bytes
        };
        let end = whole.len();
        let cases = [
            ("empty", Vec::new()),
            ("cut short", whole[..end / 2].to_vec()),
            ("without its start", whole[100..].to_vec()),
            ("with another magic", changed(end - 1, b'?')),
            ("with an index that is elsewhere", changed(end - FOOTER + 7, 0xff)),
            ("with an index that is too long", changed(end - 9, 0xff)),
        ];
        for (case, bytes) in cases {
            fs::write(&path, bytes).unwrap();
            assert_eq!(start(&path, "file 1").1, 3, "{case}");
            assert_eq!(start(&path, "file 1").1, unkept(), "{case}");
        }
    }

    #[test]
    fn arrays_that_lie_outside_or_askew_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.pack");
        fs::write(&path, vec![0; 4096]).unwrap();
        // SAFETY: nobody else knows of the file.
        let map = Arc::new(unsafe { Mmap::map(&File::open(&path).unwrap()) }.unwrap());
        let take = |offset: u64, count: usize| {
            let places = [Place("f32".into(), offset, count as u64)];
            Taken { map: &map, places: places.iter() }.take::<f32>(count).is_some()
        };
        assert!(take(0, 1024) && take(4092, 1));
        assert!(!take(0, 1025) && !take(2, 4) && !take(u64::MAX, 1) && !take(4, usize::MAX / 4));
    }

    #[test]
    fn many_at_once_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.pack");
        let outputs: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| start(&path, "file 1").0)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(outputs.iter().all(|output| *output == outputs[0]));
        assert_eq!(start(&path, "file 1").1, unkept());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "what was in the making is gone");
    }

    #[test]
    fn without_a_place_to_write_layers_are_made() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), []).unwrap();
        assert!(Pack::open(&folder.path().join("file/model.pack"), "file 1").is_none());
    }
}
