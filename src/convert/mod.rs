//! Voice conversion: what is said becomes units, and units another voice.
//!
//! | module | what it does |
//! |---|---|
//! | [`units`] | sound to discrete units, by clusters of an encoder's frames |

pub mod units;
