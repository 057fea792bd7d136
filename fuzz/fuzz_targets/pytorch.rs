//! The PyTorch reader, on whole files, and on the pickle of one alone: mutation seldom keeps an archive whole.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../read_everything.rs"]
mod read_everything;

fuzz_target!(|input: &[u8]| {
    read_everything::read_everything(input.to_vec());
    read_everything::read_everything(archive(input));
});

/// A zip archive with `pickle` and a storage of 64 bytes.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let members: [(&[u8], &[u8]); 2] = [(b"x/data.pkl", pickle), (b"x/data/0", &[0; 64])];
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in members {
        let length = (data.len() as u32).to_le_bytes();
        // Version, flags, method, time, date, checksum; both lengths; the lengths of the name and of extra fields.
        let common = [&[0; 14][..], &length, &length, &(name.len() as u16).to_le_bytes(), &[0; 2]].concat();
        let start = (bytes.len() as u32).to_le_bytes();
        bytes.extend([&b"PK\x03\x04"[..], &common, name, data].concat());
        directory.extend([&b"PK\x01\x02\0\0"[..], &common, &[0; 10], &start, name].concat());
    }
    let (size, start) = ((directory.len() as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes());
    [&bytes[..], &directory, b"PK\x05\x06\0\0\0\0\x02\0\x02\0", &size, &start, &[0; 2]].concat()
}
