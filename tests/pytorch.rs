//! Promise: a checkpoint of PyTorch gives the tensors that `torch.save` was given, and no file, however broken, does harm.
//!
//! `tests/reference/pytorch.py` made the fixtures and says what they are.

use std::io::Write;
use std::path::{Path, PathBuf};

use awaaz::weights::{Checkpoint, ModelFiles, ModelKind, Values};
use proptest::prelude::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch").join(name)
}

fn read_all(checkpoint: &Checkpoint) -> Vec<(String, Vec<usize>, Values)> {
    let read = |name: &str| {
        let weight = checkpoint.tensor(name, &checkpoint.shape(name).unwrap()).unwrap();
        (name.to_owned(), weight.shape, weight.values)
    };
    checkpoint.names().map(read).collect()
}

#[test]
fn tensors_equal_those_of_safetensors_wherever_they_lie() {
    let expected = read_all(&Checkpoint::open(&fixture("equal.safetensors")).unwrap());
    assert_eq!(expected.len(), 13);
    for name in
        ["old.bin", "protocol-5.bin", "under-model.pt", "under-weights.pt", "two-levels-down.pt", "sharded"]
    {
        assert_eq!(read_all(&Checkpoint::open(&fixture(name)).unwrap()), expected, "{name}");
    }
    let checkpoint = Checkpoint::open(&fixture("pytorch_model.bin")).unwrap();
    for (name, shape, values) in expected {
        assert_eq!(checkpoint.tensor(&name, &shape).unwrap().values, values, "{name}");
    }
}

#[test]
fn tensors_of_no_use_are_named_when_they_are_wanted() {
    let checkpoint = Checkpoint::open(&fixture("pytorch_model.bin")).unwrap();
    assert_eq!(checkpoint.names().len(), 16);
    struct Case {
        tensor: &'static str,
        shape: &'static [usize],
        reason: &'static str,
    }
    let cases = [
        Case { tensor: "counter", shape: &[], reason: "element type" },
        Case { tensor: "double", shape: &[2], reason: "element type" },
        Case { tensor: "repeated", shape: &[5], reason: "repeats its elements" },
        Case { tensor: "scalar", shape: &[1], reason: "has shape [], expected [1]" },
        Case { tensor: "absent", shape: &[1], reason: "missing" },
    ];
    for case in cases {
        let error = checkpoint.tensor(case.tensor, case.shape).unwrap_err().to_string();
        let expected = format!("pytorch_model.bin: tensor {}: ", case.tensor);
        assert!(error.contains(&expected) && error.contains(case.reason), "{error}");
    }
}

#[test]
fn what_is_no_such_checkpoint_is_refused_with_advice() {
    for (name, advice) in
        [("deflated.bin", "is compressed or encrypted"), ("no-tensors.pt", "save model.state_dict()")]
    {
        let error = Checkpoint::open(&fixture(name)).err().unwrap().to_string();
        assert!(error.contains(name) && error.contains(advice), "{error}");
    }
}

#[test]
fn a_folder_has_safetensors_before_pytorch_before_its_shards() {
    let folder = tempfile::tempdir().unwrap();
    let place = |from: &str, to: &str| std::fs::copy(fixture(from), folder.path().join(to)).unwrap();
    place("sharded/pytorch_model.bin.index.json", "pytorch_model.bin.index.json");
    for shard in ["pytorch_model-1-of-2.bin", "pytorch_model-2-of-2.bin"] {
        place(&format!("sharded/{shard}"), shard);
    }
    let weights = || {
        let files = ModelFiles::at(folder.path()).unwrap();
        assert_eq!(files.kind, ModelKind::HuggingFace);
        Checkpoint::open(&files.weights).unwrap();
        files.weights.file_name().unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(weights(), "pytorch_model.bin.index.json");
    place("pytorch_model.bin", "pytorch_model.bin");
    assert_eq!(weights(), "pytorch_model.bin");
    place("equal.safetensors", "model.safetensors");
    assert_eq!(weights(), "model.safetensors");
}

/// Whatever comes of it but a panic.
fn read_everything(bytes: Vec<u8>) -> awaaz::Result<()> {
    let checkpoint = Checkpoint::from_bytes("sample", bytes)?;
    for name in checkpoint.names() {
        let shape = checkpoint.shape(name).unwrap();
        checkpoint.tensor(name, &shape)?.into_f32();
    }
    Ok(())
}

fn sample() -> Vec<u8> {
    std::fs::read(fixture("protocol-5.bin")).unwrap()
}

/// As they were written before version 1.6.
fn old_sample() -> Vec<u8> {
    std::fs::read(fixture("old.bin")).unwrap()
}

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    for sample in [sample(), old_sample()] {
        read_everything(sample.clone()).unwrap();
        for length in 0..sample.len() {
            assert!(read_everything(sample[..length].to_vec()).is_err(), "{length} bytes");
        }
    }
}

/// PyTorch writes both directories; of a large file only the one of 64 bits tells where the members are.
#[test]
fn the_directory_of_large_files_is_read() {
    let mut bytes = sample();
    let end = bytes.len() - 22;
    bytes[end + 8..end + 20].fill(0xff);
    let expected = read_all(&Checkpoint::open(&fixture("equal.safetensors")).unwrap());
    assert_eq!(read_all(&Checkpoint::from_bytes("large", bytes.clone()).unwrap()), expected);
    // The place of that directory, in the locator before the end.
    bytes[end - 20 + 15] = 0xff;
    let error = Checkpoint::from_bytes("large", bytes).err().unwrap().to_string();
    assert!(error.contains("has no directory at its end"), "{error}");
}

#[test]
fn no_changed_byte_does_harm() {
    for sample in [sample(), old_sample()] {
        for place in 0..sample.len() {
            for change in [1, 0x80, 0xff] {
                let mut bytes = sample.clone();
                bytes[place] ^= change;
                let _ = read_everything(bytes);
            }
        }
    }
}

proptest! {
    #[test]
    fn no_corruption_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        for mut bytes in [sample(), old_sample()] {
            for (index, value) in &changes {
                let index = index.index(bytes.len());
                bytes[index] = *value;
            }
            let _ = read_everything(bytes);
        }
    }

    #[test]
    fn no_pickle_panics(pickle in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_everything(archive(&pickle));
    }
}

/// An archive with a storage of 16 bytes.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("x/data.pkl", pickle), ("x/data/0", &[0; 16])] {
        writer.start_file(name, stored).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The pickle of a dictionary with a tensor `t` in storage `key`, of 32-bit integers as pickled.
fn tensor(key: &str, offset: i32, size: &[i32], stride: &[i32]) -> Vec<u8> {
    let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let number = |number: i32| [&b"J"[..], &number.to_le_bytes()].concat();
    let tuple = |numbers: &[i32]| {
        let items = numbers.iter().flat_map(|&n| number(n));
        [&b"("[..], &items.collect::<Vec<u8>>(), b"t"].concat()
    };
    let storage =
        [&b"("[..], &text("storage"), b"ctorch\nFloatStorage\n", &text(key), &text("cpu"), b"K\x04tQ"]
            .concat();
    [
        &b"\x80\x02}"[..],
        &text("t"),
        b"ctorch._utils\n_rebuild_tensor_v2\n(",
        &storage,
        &number(offset),
        &tuple(size),
        &tuple(stride),
        b"tRs.",
    ]
    .concat()
}

#[test]
fn a_tensor_outside_its_storage_is_an_error_and_no_allocation() {
    const MOST: i32 = i32::MAX;
    struct Case {
        name: &'static str,
        pickle: Vec<u8>,
        reason: Option<&'static str>,
    }
    let outside = Some("tensor t is not within the bytes");
    let cases = [
        Case { name: "all of it", pickle: tensor("0", 0, &[2, 2], &[2, 1]), reason: None },
        Case { name: "one too far", pickle: tensor("0", 1, &[2, 2], &[2, 1]), reason: outside },
        Case { name: "steps too far", pickle: tensor("0", 0, &[2, 2], &[3, 1]), reason: outside },
        Case { name: "no such storage", pickle: tensor("1", 0, &[1], &[1]), reason: outside },
        Case { name: "a path", pickle: tensor("../data.pkl", 0, &[1], &[1]), reason: outside },
        Case { name: "before it", pickle: tensor("0", -1, &[1], &[1]), reason: outside },
        Case { name: "huge", pickle: tensor("0", 0, &[MOST; 3], &[1; 3]), reason: outside },
        Case { name: "huge steps", pickle: tensor("0", 0, &[MOST; 2], &[MOST; 2]), reason: outside },
        Case { name: "without strides", pickle: tensor("0", 0, &[2, 2], &[1]), reason: outside },
        Case { name: "many dimensions", pickle: tensor("0", 0, &[1; 9], &[1; 9]), reason: outside },
        Case { name: "nothing, at length", pickle: tensor("0", 0, &[MOST, 0], &[1, 1]), reason: None },
        Case {
            name: "repeated",
            pickle: tensor("0", 0, &[MOST], &[0]),
            reason: Some("tensor t: repeats its elements"),
        },
        Case {
            name: "repeated in part",
            pickle: tensor("0", 0, &[3, 2], &[1, 1]),
            reason: Some("tensor t: repeats its elements"),
        },
    ];
    for case in cases {
        let found = read_everything(archive(&case.pickle)).map_err(|error| error.to_string());
        match case.reason {
            None => assert_eq!(found, Ok(()), "{}", case.name),
            Some(reason) => assert!(found.unwrap_err().contains(reason), "{}", case.name),
        }
    }
}

#[test]
fn programs_made_to_do_harm_end_in_an_error() {
    let laughs = [&b"]q\x00"[..], &b"(h\x00h\x00h\x00h\x00lq\x00".repeat(10_000), b"."].concat();
    let cases: [(&str, Vec<u8>, &str); 10] = [
        ("a call", b"cos\nsystem\n(X\x02\x00\x00\x00lstR.".to_vec(), "no tensors by name"),
        ("text of 4 GiB", b"X\xff\xff\xff\xff.".to_vec(), "ends too early"),
        ("text of 16 EiB", b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.".to_vec(), "ends too early"),
        ("no end", b"}".to_vec(), "ends too early"),
        ("an unknown value", b"h\x07.".to_vec(), "never stored"),
        ("nothing there", b"0.".to_vec(), "nothing is on the stack"),
        ("below a mark", b"}(u(R.".to_vec(), "stack"),
        ("values beyond number", b"]".repeat(1 << 20), "more values"),
        ("copies of copies", laughs, "no tensors by name"),
        ("a dictionary in itself", b"}q\x00X\x05\x00\x00\x00modelh\x00s.".to_vec(), "no tensors by name"),
    ];
    for (name, pickle, reason) in cases {
        let error = read_everything(archive(&pickle)).unwrap_err().to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
    // Lists in lists to any depth come and go.
    let deep = [&b"]".repeat(60_000)[..], &b"a".repeat(59_999), b"."].concat();
    assert!(read_everything(archive(&deep)).unwrap_err().to_string().contains("no tensors by name"));
}
