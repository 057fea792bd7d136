use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::learn::dataset::tests::{clouds, examples};
use crate::learn::standardise::Standardiser;
use crate::learn::{
    Activation, Attention, AttentionOptions, By, Clips, Dataset, LayerMix, LayerMixOptions, Logistic,
    LogisticOptions, Mlp, MlpOptions, Svm, SvmKernel, SvmOptions,
};

fn card(classes: usize) -> Card {
    Card {
        encoder: Some(Encoder { name: "base".into(), sha256: Some("ab12".into()) }),
        layers: Some(Layers::One(2)),
        pooling: Some("mean".into()),
        data: vec![Data { name: "made-up clouds".into(), licence: "CC0-1.0".into() }],
        figures: [("uar".to_string(), 0.75)].into(),
        seed: 7,
        ..Card::new("clouds", (0..classes).map(|class| format!("class {class}")))
    }
}

/// A head of every kind, of three classes and of two.
fn heads() -> Vec<(Head, Dataset)> {
    let mut heads = Vec::new();
    for classes in [2, 3] {
        let dataset = clouds(60, 6, classes, 1.0, 3);
        let standardiser = Standardiser::fit(&dataset, By::All);
        let moments = standardiser.moments("all").cloned();
        let scaled = standardiser.apply(&dataset).unwrap();
        let svm = |kernel| Svm::fit(&scaled, &SvmOptions { kernel, ..SvmOptions::default() }).unwrap();
        let mlp = |hidden: Vec<usize>, activation| {
            let options = MlpOptions { hidden, activation, epochs: 2, ..MlpOptions::default() };
            Mlp::fit(&scaled, &options).unwrap()
        };
        let models = [
            Model::Logistic(Logistic::fit(&scaled, &LogisticOptions::default()).unwrap()),
            Model::Svm(svm(SvmKernel::Linear)),
            Model::Svm(svm(SvmKernel::ScaledRbf)),
            Model::Mlp(mlp(vec![], Activation::Relu)),
            Model::Mlp(mlp(vec![5], Activation::Relu)),
            Model::Mlp(mlp(vec![5, 4], Activation::Gelu)),
            Model::LayerMix(LayerMix::fit(&scaled, &LayerMixOptions::of(3)).unwrap()),
        ];
        let head = |model: Model| {
            let head =
                Head::new(card(classes), moments.clone(), model).unwrap().with_temperature(1.7).unwrap();
            (head, dataset.clone())
        };
        heads.extend(models.map(head));
    }
    heads
}

#[test]
fn saved_heads_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("head.safetensors");
    for (head, dataset) in heads() {
        head.save(&path).unwrap();
        let found = Head::load(&path).unwrap();
        assert_eq!(found, head);
        assert_eq!(found.to_bytes().unwrap(), head.to_bytes().unwrap());
        for row in dataset.features() {
            assert_eq!(found.probabilities(row).unwrap(), head.probabilities(row).unwrap());
        }
    }
}

#[test]
fn a_head_that_pools_frames_comes_back_as_it_was() {
    let mut random = fastrand::Rng::with_seed(1);
    let frames: Vec<Vec<f32>> = (0..12)
        .map(|clip| (0..6 * (2 + clip % 4)).map(|_| random.f32() - (clip % 3) as f32).collect())
        .collect();
    let clips = Clips::new(frames, 6).unwrap();
    let rows: Vec<(usize, &str, &str)> = (0..12).map(|clip| (clip % 3, "a", "hi")).collect();
    let dataset = Dataset::new((0..12).map(|clip| clip as f32).collect(), 1, 3, examples(&rows)).unwrap();
    let moments = clips.moments(&(0..12).collect::<Vec<_>>());
    let model = Attention::fit(&clips, &dataset, &moments, &AttentionOptions::of(2)).unwrap();
    let card = Card { pooling: Some(ATTENTION.into()), ..card(3) };
    let head = Head::new(card, Some(moments), Model::Attention(model)).unwrap();
    let found = Head::from_bytes(Path::new("a"), &head.to_bytes().unwrap()).unwrap();
    assert_eq!(found, head);
    for clip in 0..12 {
        let told = found.probabilities(clips.frames(clip)).unwrap();
        assert!((told.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
    assert!(found.probabilities(&[0.0; 7]).is_err() && found.probabilities(&[]).is_err());
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for ((one, _), (other, _)) in heads().iter().zip(heads()) {
        assert_eq!(one.to_bytes().unwrap(), other.to_bytes().unwrap(), "{:?}", one.model());
    }
}

#[cfg(unix)]
#[test]
fn files_are_as_readable_as_any_other() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (head, plain) = (folder.path().join("heads/a.safetensors"), folder.path().join("plain"));
    heads().swap_remove(0).0.save(&head).unwrap();
    std::fs::write(&plain, "").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&head), mode(&plain));
}

#[test]
fn probabilities_are_those_of_the_standardised_model() {
    for (head, dataset) in heads() {
        let mut row = dataset.row(1).to_vec();
        let found = head.probabilities(&row).unwrap();
        assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        head.moments().unwrap().apply(&mut row);
        let logits = head.model().classifier().logits(&row);
        let log_ratio = f64::from(found[1] / found[0]).ln();
        assert!((log_ratio - (logits[1] - logits[0]) / 1.7).abs() < 1e-4);
    }
}

#[test]
fn features_that_do_not_fit_are_refused() {
    for (head, _) in heads() {
        for features in [vec![], vec![0.0; 5], vec![0.0; 7]] {
            let error = head.probabilities(&features).unwrap_err().to_string();
            assert!(error.contains("clouds needs 6 features"), "{error}");
        }
        let extremes = head.probabilities(&[f32::MAX; 6]);
        assert!(extremes.is_err() || extremes.unwrap().iter().all(|probability| probability.is_finite()));
        let nan = head.probabilities(&[f32::NAN; 6]);
        assert!(nan.is_err() || nan.unwrap().iter().all(|probability| probability.is_finite()));
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let (head, _) = heads().swap_remove(0);
    let moments = |deviation: f32, width: usize| {
        Some(Moments { means: vec![0.0; width], deviations: vec![deviation; width] })
    };
    let made =
        |classes: usize, moments: Option<Moments>| Head::new(card(classes), moments, head.model().clone());
    assert!(made(2, None).is_ok() && made(2, moments(1.0, 6)).is_ok());
    assert!(made(3, None).is_err() && made(2, moments(1.0, 5)).is_err());
    assert!(made(2, moments(0.0, 6)).is_err() && made(2, moments(f32::NAN, 6)).is_err());
    for temperature in [0.0, -1.0, f64::NAN, 1e300] {
        assert!(head.clone().with_temperature(temperature).is_err());
    }
}

#[test]
fn heads_know_their_encoder() {
    let (head, _) = heads().swap_remove(0);
    let encoder =
        |name: &str, sha256: Option<&str>| Encoder { name: name.into(), sha256: sha256.map(Into::into) };
    assert!(head.is_for(&encoder("base", None)) && !head.is_for(&encoder("tiny", None)));
    assert!(head.is_for(&encoder("a copy", Some("AB12"))) && !head.is_for(&encoder("base", Some("cd34"))));
}

/// A file of the first head in which the card says something else.
fn with_card(from: &str, to: &str) -> Vec<u8> {
    let bytes = heads().swap_remove(0).0.to_bytes().unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    assert!(header.contains(from), "{header}");
    let header = header.replace(from, to);
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]].concat()
}

#[test]
fn errors_name_the_file_and_what_is_wrong() {
    struct Case {
        from: &'static str,
        to: &'static str,
        says: &'static str,
    }
    let cases = [
        Case { from: "awaaz.head", to: "other.head", says: "no card" },
        Case { from: r#"\"version\":1"#, to: r#"\"version\":9"#, says: "version 9" },
        Case { from: r#"\"kind\":\"logistic\""#, to: r#"\"kind\":\"oracle\""#, says: "oracle" },
        Case { from: r#"\"kind\":\"logistic\""#, to: r#"\"kind\":\"rbf-svm\""#, says: "support_vectors" },
        Case { from: r#",\"class 1\""#, to: "", says: "1 labels" },
        Case { from: r#",\"class 1\""#, to: r#",\"b\",\"c\""#, says: "weight: it is F64 [1, 6]" },
        Case { from: r#"\"temperature\":1.7"#, to: r#"\"temperature\":-1.7"#, says: "temperature" },
        Case { from: r#""weight":"#, to: r#""weighs":"#, says: "weight: it is not there" },
        Case { from: r#""shape":[1,6]"#, to: r#""shape":[6,1]"#, says: "weight: it is F64 [6, 1]" },
    ];
    for case in cases {
        let error =
            Head::from_bytes(Path::new("a.head"), &with_card(case.from, case.to)).unwrap_err().to_string();
        assert!(error.contains("a.head") && error.contains(case.says), "{}: {error}", case.says);
    }
    let missing = Head::load(Path::new("nowhere/a.head")).unwrap_err().to_string();
    assert!(missing.contains("nowhere/a.head"), "{missing}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Head::from_bytes(Path::new("a.head"), &bytes).is_err());
    }
}

/// Whatever is damaged, a file is refused or a head that works is read.
#[test]
fn damaged_files_never_panic() {
    let mut random = fastrand::Rng::with_seed(1);
    for (head, dataset) in heads() {
        let whole = head.to_bytes().unwrap();
        for _ in 0..300 {
            let mut bytes = whole.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            if random.bool() {
                bytes.truncate(random.usize(..bytes.len()));
            }
            if let Ok(read) = Head::from_bytes(Path::new("a.head"), &bytes)
                && let Ok(found) = read.probabilities(dataset.row(0))
            {
                assert!(found.iter().all(|probability| (0.0..=1.0).contains(probability)));
            }
        }
    }
}
