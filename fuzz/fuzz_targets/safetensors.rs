//! The safetensors reader. The input is the JSON header and the data, parted by the first NUL: the
//! length field comes from where that is, which mutation would seldom get right.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../read_everything.rs"]
mod read_everything;

fuzz_target!(|input: &[u8]| {
    let header = input.iter().position(|&byte| byte == 0).unwrap_or(input.len());
    let data = input.get(header + 1..).unwrap_or_default();
    let framed = [&(header as u64).to_le_bytes()[..], &input[..header], data].concat();
    read_everything::read_everything(framed);
    read_everything::read_everything(input.to_vec());
});
