//! Transcripts out: formats, files written whole or not at all, progress.
