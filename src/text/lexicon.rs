//! stub
pub struct Lexicon;
