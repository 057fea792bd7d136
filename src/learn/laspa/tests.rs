use super::*;
use crate::learn::dataset::Example;
use crate::learn::dataset::tests::normal;

/// Clips of `speakers`, each of one of two languages, whose features are the speaker in the first half and the language, loud,
/// in the second.
fn clips(speakers: usize, each: usize, seed: u64) -> Dataset {
    let mut random = fastrand::Rng::with_seed(seed);
    let voices: Vec<Vec<f64>> =
        (0..speakers).map(|_| (0..6).map(|_| normal(&mut random)).collect()).collect();
    let (mut features, mut examples) = (Vec::new(), Vec::new());
    for clip in 0..speakers * each {
        let speaker = clip % speakers;
        let sign = if speaker.is_multiple_of(2) { 1.0 } else { -1.0 };
        features.extend(voices[speaker].iter().map(|x| (x + 0.3 * normal(&mut random)) as f32));
        features.extend((0..6).map(|_| (sign + 0.3 * normal(&mut random)) as f32));
        examples.push(Example {
            label: speaker,
            group: speaker.to_string(),
            corpus: "made-up".into(),
            language: if speaker.is_multiple_of(2) { "a".into() } else { "b".into() },
        });
    }
    Dataset::new(features, 12, speakers, examples).unwrap()
}

fn options() -> LaspaOptions {
    LaspaOptions { width: 8, heads: 2, rate: 1e-2, epochs: 40, batch: 32, ..LaspaOptions::default() }
}

fn quiet(_: usize, _: &Losses) -> Result<()> {
    Ok(())
}

fn tensor(values: &[f32], shape: (usize, usize)) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

/// Softmaxes and correlations that can be written down.
#[test]
fn losses_are_those_of_the_formulas() {
    let labels = Tensor::new(vec![0u32, 2], &Device::Cpu).unwrap();
    let cosines = tensor(&[0.6, 0.5, -0.2, 0.1, 0.35, 0.4], (2, 3));
    let margin = value(&additive_margin_softmax(&cosines, &labels, 0.2, 30.0).unwrap()).unwrap();
    // Of the first row log(1 + e^3), of the second log(1 + e^4.5 + e^-3).
    let expected =
        ((1.0 + 3f64.exp() + (-18f64).exp()).ln() + (1.0 + 4.5f64.exp() + (-3f64).exp()).ln()) / 2.0;
    assert!((margin - expected).abs() < 1e-4, "{margin} is not {expected}");
    let a = tensor(&[1.0, 0.0, 2.0, 1.0, 3.0, 0.0, 4.0, 1.0], (4, 2));
    let same = value(&correlation(&a, &a).unwrap()).unwrap();
    // Columns with themselves 1, with one another 1 / sqrt(5).
    assert!((same - (1.0 + 0.2f64.sqrt()) / 2.0).abs() < 1e-4, "{same}");
    let zeros = tensor(&[1.0, -1.0, -1.0, 1.0], (4, 1));
    let apart = value(&correlation(&tensor(&[1.0, 1.0, -1.0, -1.0], (4, 1)), &zeros).unwrap()).unwrap();
    assert!(apart < 1e-6);
    assert!((value(&mean_squared_error(&a, &(&a + 2.0).unwrap()).unwrap()).unwrap() - 4.0).abs() < 1e-6);
}

/// The gradient that reaches every parameter, by finite differences of the whole loss.
#[test]
fn gradients_are_those_of_finite_differences() {
    let dataset = clips(4, 4, 1);
    let options = LaspaOptions { dropout: 0.0, scale: 5.0, ..options() };
    let network = Network::new(&dataset, &options, 2, &mut fastrand::Rng::with_seed(3)).unwrap();
    let languages = dataset.parts(crate::learn::By::Language).0;
    let batch: Vec<usize> = (0..dataset.rows()).collect();
    let loss = || {
        let mut random = fastrand::Rng::with_seed(1);
        step_loss(&network, &dataset, &languages, &batch, &options, &mut random).unwrap().0
    };
    let gradients = loss().backward().unwrap();
    for (number, parameter) in network.parameters().iter().enumerate() {
        let gradient = gradients.get(parameter.as_tensor()).expect("every parameter has a part in the loss");
        let slopes = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let before = parameter.as_tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let at = (0..slopes.len()).max_by(|&a, &b| slopes[a].abs().total_cmp(&slopes[b].abs())).unwrap();
        let moved = |by: f32| {
            let mut values = before.clone();
            values[at] += by;
            parameter.set(&Tensor::from_vec(values, parameter.shape(), &Device::Cpu).unwrap()).unwrap();
            f64::from(loss().to_scalar::<f32>().unwrap())
        };
        let difference = (moved(5e-3) - moved(-5e-3)) / 1e-2;
        moved(0.0);
        let slope = f64::from(slopes[at]);
        let bound = 0.05 * slope.abs() + 2e-3;
        assert!((slope - difference).abs() < bound, "parameter {number}: {slope} is not {difference}");
    }
}

/// The penalty takes apart what the two branches hear, and both still do their work.
#[test]
fn the_penalty_takes_the_language_out_of_the_vector() {
    let dataset = clips(12, 12, 2);
    let last = |correlation: f64| {
        let weights = LossWeights { correlation, ..LaspaOptions::default().weights };
        let mut last = Losses::default();
        let hear = |_: usize, losses: &Losses| {
            last = *losses;
            Ok(())
        };
        train(&dataset, &LaspaOptions { weights, ..options() }, hear).unwrap();
        last
    };
    let (bound, free) = (last(10.0), last(0.0));
    assert!(bound.correlation < 0.7 * free.correlation, "{bound:?} with, {free:?} without the penalty");
    assert!(bound.language < 0.3 && free.language < 0.3, "{bound:?}, {free:?}");
}

#[test]
fn seeds_decide_and_threads_do_not() {
    let dataset = clips(6, 6, 4);
    let trained = |seed: u64, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(&dataset, &LaspaOptions { seed, epochs: 3, ..options() }, quiet).unwrap())
    };
    assert_eq!(trained(1, 1), trained(1, 4));
    assert_ne!(trained(1, 1), trained(2, 1));
}

#[test]
fn settings_without_sense_are_refused() {
    let dataset = clips(4, 2, 5);
    let one_language = dataset.subset(&[0, 2, 4, 6]).unwrap();
    assert!(train(&one_language, &options(), quiet).is_err());
    assert!(train(&dataset.subset(&[0, 4]).unwrap(), &options(), quiet).is_err());
    for options in [
        LaspaOptions { width: 7, ..options() },
        LaspaOptions { heads: 0, ..options() },
        LaspaOptions { batch: 1, ..options() },
        LaspaOptions { epochs: 0, ..options() },
        LaspaOptions { rate: f64::NAN, ..options() },
        LaspaOptions { margin: 1.5, ..options() },
        LaspaOptions { dropout: 1.0, ..options() },
    ] {
        assert!(train(&dataset, &options, quiet).is_err(), "{options:?}");
    }
}
