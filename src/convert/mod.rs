//! Voice conversion: what is said becomes units, and units another voice.
//!
//! | module | what it does |
//! |---|---|
//! | [`units`] | sound to discrete units, by clusters of an encoder's frames |
//! | [`content`] | sound to what is said in it, between units |
//! | [`decoder`] | what is said, and the pitch, to log-mel frames of a speaker |
//! | [`builtin`] | the parts that are built in |
//! | [`converter`] | all of it, of sounds of any length |

pub mod builtin;
pub mod content;
pub mod converter;
pub mod decoder;
pub mod units;
