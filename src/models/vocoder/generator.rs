//! The generator, whole and as a stream.

use super::config::{Activation, Bias, Config, Final, Scale};
use super::layers::{AntiAliased, Conv, Piece, Up};
use super::norm::Tensors;
use super::stack::{Layer, Stack, StackState};
use crate::Result;
use crate::compute::{DilatedConv1d, Margin, Snake, TransposedConv1d};
use crate::weights::Checkpoint;

/// HiFi-GAN's slope below zero, and that before its last convolution, which is PyTorch's own.
const SLOPE: f32 = 0.1;
const LAST_SLOPE: f32 = 0.01;
/// The kernel of the first and the last convolution.
const OUTER_KERNEL: usize = 7;
/// Frames that are passed at once, so that memory does not grow with the sound.
const FRAMES_AT_ONCE: usize = 64;

/// A generator of HiFi-GAN or BigVGAN.
pub struct Generator {
    /// What it is made of.
    pub config: Config,
    stack: Stack,
}

impl Generator {
    /// Reads the tensors of `checkpoint`: the authors' generator file, or safetensors with the same names.
    ///
    /// # Errors
    /// One that names the first tensor that is missing or misshapen.
    pub fn load(checkpoint: &Checkpoint, config: Config) -> Result<Self> {
        let tensors = Tensors::beside(checkpoint, "conv_pre.bias")?;
        let builder = Builder { tensors, config: &config };
        let stack = builder.stack()?;
        Ok(Self { stack, config })
    }

    /// Samples of the sound of `frames`, `[frames, mels]`, from -1 to 1: as many as [`Config::hop`] a frame, or a few more
    /// where a kernel is no whole number of steps longer than its rate.
    pub fn forward(&self, frames: &[f32]) -> Vec<f32> {
        let mut stream = Stream::new(self);
        let mut out = Vec::with_capacity(frames.len() / self.config.mels.max(1) * self.config.hop());
        for frames in frames.chunks(FRAMES_AT_ONCE * self.config.mels) {
            out.extend(stream.push(self, frames));
        }
        out.extend(stream.finish(self));
        out
    }

    /// Samples by which sound is behind the frames that went in: of `n` frames, `n hop - look_ahead` samples are complete.
    pub fn look_ahead(&self) -> usize {
        self.stack.lag(0)
    }
}

/// A sound on its way.
#[derive(Debug, Clone)]
pub struct Stream {
    state: StackState,
}

impl Stream {
    /// The start of a sound.
    pub fn new(generator: &Generator) -> Self {
        Self { state: generator.stack.state() }
    }

    /// The samples that `frames`, `[frames, mels]`, complete.
    pub fn push(&mut self, generator: &Generator, frames: &[f32]) -> Vec<f32> {
        generator.stack.pass(&mut self.state, frames.to_vec(), Piece::More)
    }

    /// The last samples; the stream is then at the start of another sound.
    pub fn finish(&mut self, generator: &Generator) -> Vec<f32> {
        let out = generator.stack.pass(&mut self.state, Vec::new(), Piece::Last);
        *self = Self::new(generator);
        out
    }
}

/// Makes layers of tensors.
struct Builder<'a> {
    tensors: Tensors<'a>,
    config: &'a Config,
}

impl Builder<'_> {
    fn stack(&self) -> Result<Stack> {
        let config = self.config;
        let mut layers =
            vec![self.conv("conv_pre", config.mels, config.channels, (OUTER_KERNEL, 1), Bias::Present)?];
        for stage in 0..config.rates.len() {
            if self.is_hifi_gan() {
                layers.push(Layer::Leaky(SLOPE));
            }
            layers.push(self.up(stage)?);
            layers.push(self.blocks(stage)?);
        }
        let channels = config.channels_after(config.rates.len());
        layers.push(match self.is_hifi_gan() {
            true => Layer::Leaky(LAST_SLOPE),
            false => self.activation("activation_post", channels)?,
        });
        layers.push(self.conv("conv_post", channels, 1, (OUTER_KERNEL, 1), config.bias_at_last)?);
        layers.push(match config.last {
            Final::Tanh => Layer::Tanh,
            Final::Clamp => Layer::Clamp,
        });
        Ok(Stack(layers))
    }

    fn is_hifi_gan(&self) -> bool {
        self.config.activation == Activation::LeakyRelu
    }

    fn conv(
        &self,
        name: &str,
        inputs: usize,
        outputs: usize,
        (kernel, dilation): (usize, usize),
        bias: Bias,
    ) -> Result<Layer> {
        let weight = self.tensors.weight(name, &[outputs, inputs, kernel])?;
        let bias = match bias {
            Bias::Present => self.tensors.values(&format!("{name}.bias"), &[outputs])?,
            Bias::Absent => vec![0.0; outputs],
        };
        let conv = DilatedConv1d::new(&weight, bias, inputs, kernel, dilation, Margin::None);
        Ok(Layer::Conv(Conv::new(conv)))
    }

    /// The authors of BigVGAN have a list around each.
    fn up(&self, stage: usize) -> Result<Layer> {
        let name = if self.is_hifi_gan() { format!("ups.{stage}") } else { format!("ups.{stage}.0") };
        let (inputs, outputs) = (self.config.channels_after(stage), self.config.channels_after(stage + 1));
        let (kernel, rate) = (self.config.kernels[stage], self.config.rates[stage]);
        let weight = self.tensors.weight(&name, &[inputs, outputs, kernel])?;
        let bias = self.tensors.values(&format!("{name}.bias"), &[outputs])?;
        Ok(Layer::Up(Up::new(TransposedConv1d::new(&weight, &bias, kernel, rate))))
    }

    fn blocks(&self, stage: usize) -> Result<Layer> {
        let config = self.config;
        let channels = config.channels_after(stage + 1);
        let kinds = config.block_kernels.iter().zip(&config.block_dilations).enumerate();
        let block = |(at, (&kernel, dilations)): (usize, (&usize, &Vec<usize>))| {
            let name = format!("resblocks.{}", stage * config.block_kernels.len() + at);
            let round =
                |(round, &dilation): (usize, &usize)| self.round(&name, round, channels, (kernel, dilation));
            Ok(Stack(dilations.iter().enumerate().map(round).collect::<Result<_>>()?))
        };
        Ok(Layer::Mean(kinds.map(block).collect::<Result<_>>()?))
    }

    /// A round of a residual block: what goes in, and what one or two convolutions make of it.
    fn round(
        &self,
        block: &str,
        round: usize,
        channels: usize,
        (kernel, dilation): (usize, usize),
    ) -> Result<Layer> {
        let mut layers = Vec::new();
        for part in 0..self.config.convolutions {
            let name = match self.config.convolutions {
                1 => format!("{block}.convs.{round}"),
                _ => format!("{block}.convs{}.{round}", part + 1),
            };
            let activation = round * self.config.convolutions + part;
            layers.push(self.activation(&format!("{block}.activations.{activation}"), channels)?);
            let dilation = if part == 0 { dilation } else { 1 };
            layers.push(self.conv(&name, channels, channels, (kernel, dilation), Bias::Present)?);
        }
        Ok(Layer::Residual(Stack(layers)))
    }

    fn activation(&self, name: &str, channels: usize) -> Result<Layer> {
        let (scale, beta) = match self.config.activation {
            Activation::LeakyRelu => return Ok(Layer::Leaky(SLOPE)),
            Activation::Snake(scale) => (scale, "alpha"),
            Activation::SnakeBeta(scale) => (scale, "beta"),
        };
        let values = |part: &str| {
            let mut values = self.tensors.values(&format!("{name}.act.{part}"), &[channels])?;
            if scale == Scale::Logarithmic {
                values.iter_mut().for_each(|x| *x = x.exp());
            }
            Ok::<_, crate::Error>(values)
        };
        Ok(Layer::AntiAliased(AntiAliased::new(Snake::new(values("alpha")?, &values(beta)?))))
    }
}
