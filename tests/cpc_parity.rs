//! Networks of modified CPC compute what the authors' architecture computes in PyTorch, whole and as a stream.
//!
//! `tests/reference/cpc.py` made the fixtures and says what they are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use allocation_counter::measure;
use awaaz::compute::{Precision, Threads};
use awaaz::models::cpc::{Cpc, CpcFrames, CpcStream};
use awaaz::models::encoder::load_encoder;
use awaaz::weights::{Checkpoint, ModelFiles};
use candle_core::{Device, Tensor};
use proptest::prelude::*;

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

/// Bound of the absolute error in f32.
const TOLERANCE: f32 = 1e-5;

const NETWORKS: [&str; 3] = ["one-layer", "two-layers", "widths"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cpc").join(name)
}

fn load(file: &str) -> awaaz::Result<Cpc> {
    Cpc::load(&Checkpoint::open(&fixture(file)).unwrap(), Precision::F32)
}

fn network(name: &str) -> Cpc {
    load(&format!("{name}.pt")).unwrap()
}

fn reference(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture(&format!("{name}-reference.safetensors")), &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn sound(name: &str) -> Vec<f32> {
    values(&reference(name)["samples"])
}

#[test]
fn z_and_c_equal_those_of_pytorch() {
    for name in NETWORKS {
        let (network, reference) = (network(name), reference(name));
        let encoding = network.encode(&sound(name)).unwrap();
        for (what, found) in [("z", &encoding.z), ("c", &encoding.c)] {
            assert_eq!(found.dims(), reference[what].dims(), "{name}, {what}");
            let what_of = format!("{name}, {what}");
            assert_close(&what_of, &values(found), &values(&reference[what]), TOLERANCE);
        }
    }
}

#[test]
fn every_layer_can_be_had_alone() {
    for (name, layers) in std::iter::zip(NETWORKS, [1, 2, 3]) {
        let (network, reference) = (network(name), reference(name));
        assert_eq!(network.layers(), layers, "{name}");
        for layer in 0..=layers {
            let what = match layer {
                0 => "z".to_owned(),
                _ if layer == layers => "c".to_owned(),
                _ => format!("layer.{layer}"),
            };
            let state = network.hidden_state(&sound(name), layer).unwrap();
            assert_eq!(state.dims()[1], network.width(layer), "{name}");
            assert_close(&format!("{name}, {what}"), &values(&state), &values(&reference[&what]), TOLERANCE);
        }
        let error = network.hidden_state(&sound(name), layers + 1).unwrap_err().to_string();
        assert!(error.contains(&format!("no layer {}", layers + 1)), "{error}");
    }
}

/// The tensors lie under `weights` in what is published, under `gEncoder` in what training leaves, and plainly in
/// safetensors.
#[test]
fn files_of_every_layout_are_read() {
    let expected = network("one-layer").encode(&sound("one-layer")).unwrap();
    let found = load("one-layer.safetensors").unwrap().encode(&sound("one-layer")).unwrap();
    assert_eq!(values(&found.c), values(&expected.c));
    let network = load("training.pt").unwrap();
    assert_eq!((network.layers(), network.width(0), network.width(1)), (1, 4, 4));
}

#[test]
fn what_is_not_supported_is_named() {
    struct Case {
        file: &'static str,
        reason: &'static str,
    }
    let cases = [
        Case { file: "batch-norm.pt", reason: "has batch norm" },
        Case { file: "gru.pt", reason: "has a GRU; supported is an LSTM" },
        Case { file: "no-ar.pt", reason: "has no gAR.baseNet.weight_hh_l0; supported is an LSTM" },
        Case { file: "one-layer-reference.safetensors", reason: "tensor gEncoder.conv0.weight: missing" },
    ];
    for case in cases {
        let error = load(case.file).err().unwrap().to_string();
        assert!(error.contains(case.file) && error.contains(case.reason), "{error}");
    }
}

fn stream<'a>(network: &Cpc, blocks: impl Iterator<Item = &'a [f32]>) -> [Vec<f32>; 2] {
    let mut stream = CpcStream::new(network);
    let (mut z, mut c) = (Vec::new(), Vec::new());
    let mut keep = |frames: CpcFrames| {
        assert!(frames.count() > 0);
        z.extend_from_slice(frames.z());
        c.extend_from_slice(frames.c());
        Ok(())
    };
    for block in blocks {
        stream.push(network, block, &mut keep).unwrap();
    }
    stream.flush(network, keep).unwrap();
    [z, c]
}

proptest! {
    #[test]
    fn a_stream_equals_the_whole_however_it_is_cut(
        blocks in prop::collection::vec(prop_oneof![0usize..4, 1usize..400, 400usize..9000], 1..60),
        length in 0usize..20_000,
    ) {
        let network = network("two-layers");
        let sound: Vec<f32> = sound("two-layers").into_iter().cycle().take(length).collect();
        let whole = network.encode(&sound).unwrap();
        prop_assert_eq!(whole.c.dims()[0], Cpc::frames(length));
        let mut rest = &sound[..];
        let cut = blocks.iter().map(|&block| {
            let (block, after) = rest.split_at(block.min(rest.len()));
            rest = after;
            block
        }).collect::<Vec<_>>();
        let [z, c] = stream(&network, cut.into_iter().chain([rest]));
        for (found, expected) in [(z, whole.z), (c, whole.c)] {
            let expected = values(&expected);
            prop_assert_eq!(found.len(), expected.len());
            let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            prop_assert!(error < TOLERANCE, "{}", error);
        }
    }
}

#[test]
fn a_frame_comes_as_soon_as_its_look_ahead_is_there() {
    let network = network("one-layer");
    let mut stream = CpcStream::new(&network);
    let mut complete = Vec::new();
    for (count, sample) in sound("one-layer")[..1000].iter().enumerate() {
        let take = |frames: CpcFrames| {
            complete.extend(std::iter::repeat_n(count + 1, frames.count()));
            Ok(())
        };
        stream.push(&network, &[*sample], take).unwrap();
    }
    let expected: Vec<usize> = (1..=5).map(|frame| frame * Cpc::HOP + Cpc::LOOK_AHEAD).collect();
    assert_eq!(complete, expected);
}

#[test]
fn a_stream_is_as_new_after_its_end() {
    let network = network("one-layer");
    let mut stream = CpcStream::new(&network);
    let mut hear = |sound: &[f32]| {
        let mut c = Vec::new();
        let mut keep = |frames: CpcFrames| {
            c.extend_from_slice(frames.c());
            Ok(())
        };
        stream.push(&network, sound, &mut keep).unwrap();
        stream.flush(&network, keep).unwrap();
        c
    };
    let first = hear(&sound("one-layer"));
    assert!(hear(&[0.5; 158]).is_empty());
    assert_eq!(hear(&sound("one-layer")), first);
}

#[test]
fn a_stream_that_runs_allocates_nothing() {
    let network = network("two-layers");
    let sound = sound("two-layers");
    Threads::new(1).unwrap().run(|| {
        let mut stream = CpcStream::new(&network);
        let mut hear = |seconds: usize| {
            for block in sound.iter().copied().cycle().take(seconds * 16_000).collect::<Vec<_>>().chunks(320)
            {
                let used = measure(|| stream.push(&network, block, |_| Ok(())).unwrap());
                if seconds > 1 {
                    assert_eq!(used.count_total, 0, "{used:?}");
                }
            }
        };
        hear(1);
        hear(3);
    });
}

#[test]
fn features_are_read_of_a_bare_file() {
    let files = ModelFiles::at(&fixture("two-layers.pt")).unwrap();
    let encoder = load_encoder(&files, Precision::F32).unwrap();
    assert_eq!((encoder.hop(), encoder.layers(), encoder.width()), (160, 2, 16));
    let (sound, reference) = (sound("two-layers"), reference("two-layers"));
    let together = encoder.encode(&[&sound, &sound[..100], &sound[..159]], 2).unwrap();
    assert_close("c", &values(&together[0]), &values(&reference["c"]), TOLERANCE);
    assert_eq!((together[1].dims(), together[2].dims()), (&[1, 16][..], &[1, 16][..]));
    let z = encoder.encode(&[&sound], 0).unwrap().remove(0);
    assert_close("z", &values(&z), &values(&reference["z"]), TOLERANCE);
    assert!(encoder.encode(&[&sound], 3).is_err());

    let files = ModelFiles::at(&fixture("widths.pt")).unwrap();
    let error = load_encoder(&files, Precision::F32).err().unwrap().to_string();
    assert!(error.contains("12 values in a frame of z and 20 of c"), "{error}");
}

#[test]
fn int8_stays_near() {
    let exact = values(&network("two-layers").encode(&sound("two-layers")).unwrap().c);
    let checkpoint = Checkpoint::open(&fixture("two-layers.pt")).unwrap();
    let int8 = Cpc::load(&checkpoint, Precision::Int8).unwrap().encode(&sound("two-layers")).unwrap();
    let int8 = values(&int8.c);
    assert_ne!(int8, exact);
    assert_close("int8", &int8, &exact, 0.02);
}
