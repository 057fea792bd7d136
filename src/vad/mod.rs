//! Where speech is: Silero's voice activity model and the segmenter that cuts a stream into segments.
