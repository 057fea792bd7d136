//! What the allocator does with large buffers.

/// From now on, large buffers are given back to the system when they are freed, where the allocator is glibc's.
///
/// Unless told, it keeps buffers as large as any that was freed for the next ones. What lives longer comes to lie between them,
/// and memory grows over a long run though no more of it is in use. For programs; a library's host decides for itself.
pub fn give_back_large_buffers() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::ffi::c_int;

        /// `M_MMAP_THRESHOLD` of glibc's `malloc.h`.
        const MMAP_THRESHOLD: c_int = -3;
        /// Bytes from which on a buffer is large.
        const LARGE: c_int = 1 << 20;

        unsafe extern "C" {
            fn mallopt(parameter: c_int, value: c_int) -> c_int;
        }
        // SAFETY: glibc has this function, by this declaration; it sets one of its own numbers. Where it refuses, memory grows.
        unsafe { mallopt(MMAP_THRESHOLD, LARGE) };
    }
}
