//! Arrays in this process's own memory, or in a file that is mapped.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use memmap2::Mmap;

/// Numbers that any bytes are, without padding.
///
/// # Safety
/// Every pattern of bits must be a value, and no byte of a value may be padding.
pub(super) unsafe trait Plain: Copy + Send + Sync + 'static {
    /// What the type is called in files.
    const NAME: &str;
}

// SAFETY: numbers have no padding, and any bits are one.
unsafe impl Plain for i8 {
    const NAME: &str = "i8";
}

// SAFETY: as above.
unsafe impl Plain for i32 {
    const NAME: &str = "i32";
}

// SAFETY: as above.
unsafe impl Plain for f32 {
    const NAME: &str = "f32";
}

/// The bytes of `values`, as they lie in memory.
pub(super) fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: plain values are their bytes, none of them padding.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// An array that does not change.
pub(super) struct Stored<T>(Held<T>);

enum Held<T> {
    Own(Vec<T>),
    /// `count` values from byte `offset` of the map, which is a multiple of their alignment.
    Mapped {
        map: Arc<Mmap>,
        offset: usize,
        count: usize,
        of: PhantomData<T>,
    },
}

impl<T: Plain> Stored<T> {
    /// `count` values from byte `offset` of `map`; none where they do not lie in it as the type has to.
    pub fn mapped(map: &Arc<Mmap>, offset: usize, count: usize) -> Option<Self> {
        let bytes = map.get(offset..offset.checked_add(count.checked_mul(size_of::<T>())?)?)?;
        bytes
            .as_ptr()
            .cast::<T>()
            .is_aligned()
            .then(|| Self(Held::Mapped { map: Arc::clone(map), offset, count, of: PhantomData }))
    }
}

impl<T> From<Vec<T>> for Stored<T> {
    fn from(values: Vec<T>) -> Self {
        Self(Held::Own(values))
    }
}

impl<T> Deref for Stored<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Held::Own(values) => values,
            // SAFETY: `mapped`, the only way to make one, checked bounds and alignment of plain values, and the map lives
            // as long as this.
            Held::Mapped { map, offset, count, .. } => unsafe {
                std::slice::from_raw_parts(map.as_ptr().add(*offset).cast(), *count)
            },
        }
    }
}
