//! `config.json` of a generator, as its authors write it.

use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result};

/// Layers of each kind at most; more is taken for a damaged file.
const MOST: usize = 64;
/// Frames of a kernel and channels at most.
const WIDEST: usize = 16_384;

/// What a generator is made of, and the sound that it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Mel bands of a frame.
    pub mels: usize,
    /// By how much each stage multiplies the rate.
    pub rates: Vec<usize>,
    /// The kernel of each stage's transposed convolution.
    pub kernels: Vec<usize>,
    /// Channels before the first stage; each halves them.
    pub channels: usize,
    /// Convolutions of a round of a residual block: 2 of blocks of kind "1", 1 of kind "2".
    pub convolutions: usize,
    /// The kernels of the residual blocks of a stage.
    pub block_kernels: Vec<usize>,
    /// The dilations of the rounds of each.
    pub block_dilations: Vec<Vec<usize>>,
    /// What lies between convolutions.
    pub activation: Activation,
    /// What bounds the sound.
    pub last: Final,
    /// Whether the last convolution has a bias.
    pub bias_at_last: Bias,
    /// The spectrogram that it takes.
    pub sound: Sound,
}

/// What lies between convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// HiFi-GAN's leaky ReLU.
    LeakyRelu,
    /// BigVGAN's, with one number a channel.
    Snake(Scale),
    /// The same with a frequency and a magnitude.
    SnakeBeta(Scale),
}

/// What the numbers of an activation are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Themselves.
    Linear,
    /// Their logarithms.
    Logarithmic,
}

/// What bounds the sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Final {
    /// The hyperbolic tangent.
    Tanh,
    /// What is beyond -1 or 1 is cut.
    Clamp,
}

/// Whether a layer has a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    /// It has.
    Present,
    /// It has none.
    Absent,
}

/// The spectrogram that a generator takes: its frames, and the band that they cover.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sound {
    /// Samples a second.
    pub rate: u32,
    /// Samples of a transform.
    pub fft: usize,
    /// Samples of a window.
    pub window: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Hertz.
    pub lowest: f64,
    /// Hertz; half the rate where the file has none.
    pub highest: f64,
}

#[derive(Deserialize)]
struct Stored {
    num_mels: usize,
    upsample_rates: Vec<usize>,
    upsample_kernel_sizes: Vec<usize>,
    upsample_initial_channel: usize,
    resblock: String,
    resblock_kernel_sizes: Vec<usize>,
    resblock_dilation_sizes: Vec<Vec<usize>>,
    activation: Option<String>,
    #[serde(default)]
    snake_logscale: bool,
    #[serde(default = "yes")]
    use_tanh_at_final: bool,
    #[serde(default = "yes")]
    use_bias_at_final: bool,
    sampling_rate: u32,
    n_fft: usize,
    hop_size: usize,
    win_size: usize,
    #[serde(default)]
    fmin: f64,
    fmax: Option<f64>,
}

fn yes() -> bool {
    true
}

impl Config {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; those of [`Config::parse`].
    pub fn read(path: &Path) -> Result<Self> {
        let json = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        Self::parse(path, &json)
    }

    /// Reads the text of one, which errors call `path`.
    ///
    /// # Errors
    /// [`Error::Model`] where it is none, has a number without sense, or a kind that there is not.
    pub fn parse(path: &Path, json: &str) -> Result<Self> {
        let fault = |reason: String| Error::model(path.display().to_string(), reason);
        let stored: Stored = serde_json::from_str(json).map_err(|error| {
            fault(format!("is no configuration of a HiFi-GAN or BigVGAN generator: {error}"))
        })?;
        let scale = if stored.snake_logscale { Scale::Logarithmic } else { Scale::Linear };
        let activation = match stored.activation.as_deref() {
            None => Activation::LeakyRelu,
            Some("snake") => Activation::Snake(scale),
            Some("snakebeta") => Activation::SnakeBeta(scale),
            Some(other) => {
                return Err(fault(format!("has activation {other}; there are snake and snakebeta")));
            }
        };
        let convolutions = match stored.resblock.as_str() {
            "1" => 2,
            "2" => 1,
            other => return Err(fault(format!("has resblock {other}; there are 1 and 2"))),
        };
        let config = Self {
            mels: stored.num_mels,
            rates: stored.upsample_rates,
            kernels: stored.upsample_kernel_sizes,
            channels: stored.upsample_initial_channel,
            convolutions,
            block_kernels: stored.resblock_kernel_sizes,
            block_dilations: stored.resblock_dilation_sizes,
            activation,
            last: if stored.use_tanh_at_final { Final::Tanh } else { Final::Clamp },
            bias_at_last: if stored.use_bias_at_final { Bias::Present } else { Bias::Absent },
            sound: Sound {
                rate: stored.sampling_rate,
                fft: stored.n_fft,
                window: stored.win_size,
                hop: stored.hop_size,
                lowest: stored.fmin,
                highest: stored.fmax.unwrap_or(f64::from(stored.sampling_rate) / 2.0),
            },
        };
        match config.fault() {
            Some(reason) => Err(fault(reason)),
            None => Ok(config),
        }
    }

    /// Samples for each frame.
    pub fn hop(&self) -> usize {
        self.rates.iter().product()
    }

    /// Channels after stage `stage`, counted from 1; before the first for 0.
    pub fn channels_after(&self, stage: usize) -> usize {
        self.channels >> stage
    }

    fn fault(&self) -> Option<String> {
        let stages = self.rates.len();
        let numbers = |numbers: &[usize]| numbers.iter().all(|&n| (1..=WIDEST).contains(&n));
        let odd = |numbers: &[usize]| numbers.iter().all(|n| n % 2 == 1);
        if stages == 0 || stages > MOST.min(20) || self.kernels.len() != stages {
            return Some(format!("has {stages} rates and {} kernels of stages", self.kernels.len()));
        }
        if !numbers(&self.rates) || !numbers(&self.kernels) || !numbers(&[self.mels, self.channels]) {
            return Some(format!("has a rate, kernel or width that is not from 1 to {WIDEST}"));
        }
        if let Some((rate, kernel)) =
            self.rates.iter().zip(&self.kernels).find(|(rate, kernel)| kernel < rate)
        {
            return Some(format!("has a kernel of {kernel}, shorter than its rate of {rate}"));
        }
        if self.channels_after(stages) == 0 {
            return Some(format!("has {} channels, too few to halve {stages} times", self.channels));
        }
        let (kernels, dilations) = (&self.block_kernels, &self.block_dilations);
        if kernels.is_empty() || kernels.len() > MOST || dilations.len() != kernels.len() {
            return Some(format!("has {} residual kernels and {} dilations", kernels.len(), dilations.len()));
        }
        let rounds = |of: &Vec<usize>| (1..=MOST).contains(&of.len()) && numbers(of);
        if !numbers(kernels) || !odd(kernels) || !dilations.iter().all(rounds) {
            return Some("has a residual block whose kernel is even, or whose numbers have no sense".into());
        }
        let whole = self.rates.iter().try_fold(1_usize, |product, &rate| product.checked_mul(rate));
        match whole {
            Some(hop) if hop == self.sound.hop && self.sound.rate > 0 => None,
            _ => Some(format!(
                "has rates {:?} that do not multiply to its hop of {}",
                self.rates, self.sound.hop
            )),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const V1: &str = r#"{"resblock": "1", "num_gpus": 0, "upsample_rates": [8,8,2,2], "upsample_kernel_sizes": [16,16,4,4],
        "upsample_initial_channel": 512, "resblock_kernel_sizes": [3,7,11],
        "resblock_dilation_sizes": [[1,3,5], [1,3,5], [1,3,5]], "num_mels": 80, "n_fft": 1024, "hop_size": 256,
        "win_size": 1024, "sampling_rate": 22050, "fmin": 0, "fmax": 8000}"#;

    #[test]
    fn the_authors_files_are_read() {
        let config = Config::parse(Path::new("c"), V1).unwrap();
        assert_eq!((config.hop(), config.channels_after(4), config.convolutions), (256, 32, 2));
        assert_eq!((config.activation, config.last), (Activation::LeakyRelu, Final::Tanh));
        let snake = V1.replace(
            "\"fmax\": 8000",
            "\"activation\": \"snakebeta\", \"snake_logscale\": true,
            \"use_tanh_at_final\": false, \"use_bias_at_final\": false, \"fmax\": null",
        );
        let config = Config::parse(Path::new("c"), &snake).unwrap();
        assert_eq!(config.activation, Activation::SnakeBeta(Scale::Logarithmic));
        assert_eq!((config.last, config.bias_at_last), (Final::Clamp, Bias::Absent));
        assert_eq!(config.sound.highest, 11_025.0);
    }

    #[test]
    fn numbers_without_sense_are_refused() {
        for (from, to, says) in [
            ("[8,8,2,2]", "[8,8,2]", "3 rates and 4 kernels"),
            ("[8,8,2,2]", "[8,8,2,0]", "from 1 to"),
            ("[16,16,4,4]", "[4,16,4,4]", "shorter than its rate"),
            ("512", "8", "too few to halve"),
            ("[3,7,11]", "[3,7]", "2 residual kernels"),
            ("[3,7,11]", "[3,7,10]", "kernel is even"),
            ("\"hop_size\": 256", "\"hop_size\": 300", "do not multiply"),
            ("\"resblock\": \"1\"", "\"resblock\": \"3\"", "resblock 3"),
            ("\"fmin\": 0", "\"activation\": \"relu\"", "activation relu"),
            ("\"num_mels\"", "\"mels\"", "num_mels"),
        ] {
            let error = Config::parse(Path::new("c.json"), &V1.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains("c.json") && error.contains(says), "{error}");
        }
    }
}
