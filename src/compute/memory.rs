//! What the allocator does with large buffers.

/// From now on, large buffers are given back to the system when they are freed, where the allocator is glibc's.
///
/// Unless told, it keeps buffers as large as any that was freed for the next ones. What lives longer comes to lie between them,
/// and memory grows over a long run though no more of it is in use. For programs; a library's host decides for itself.
pub fn give_back_large_buffers() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Bytes from which on a buffer is large.
        const LARGE: libc::c_int = 1 << 20;

        // SAFETY: it sets one of glibc's own numbers. Where it refuses, memory grows.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    }
}
