//! Scores of transcripts against references.
