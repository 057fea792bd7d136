//! The CTranslate2 reader, on whole files.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../read_everything.rs"]
mod read_everything;

fuzz_target!(|input: &[u8]| read_everything::read_everything(input.to_vec()));
