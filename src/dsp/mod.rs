//! Signal processing: pure functions and push-style streams.
