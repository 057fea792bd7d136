//! Layers from a checkpoint by name.

use crate::Result;
use crate::compute::{LayerNorm, Linear, PACK, Pack, Packed, Precision, RowLinear, RowMatrix, kernels};
use crate::weights::{Checkpoint, Values, Weight, text_digest};

/// Reads layers of known shape; names are prefixes without `.weight` and `.bias`.
pub struct Loader<'a> {
    checkpoint: &'a Checkpoint,
    precision: Precision,
    prefix: &'a str,
    pack: Option<&'a Pack>,
}

/// The pack of the weights of `checkpoint` for this processor, where it says that packs are kept.
pub fn pack_of(checkpoint: &Checkpoint, precision: Precision) -> Option<Pack> {
    /// Changes with what is in a pack.
    const FORMAT: &str = concat!("awaaz ", env!("CARGO_PKG_VERSION"), ", format 2");
    let folder = checkpoint.packs()?;
    let files = checkpoint.identity()?;
    let kernel = kernels();
    let name = format!("{}-{precision}-{kernel}.{PACK}", &text_digest(&files).to_string()[..16]);
    Pack::open(&folder.join(name), &format!("{FORMAT}\n{precision} for {kernel}\n{files}"))
}

impl<'a> Loader<'a> {
    pub fn new(checkpoint: &'a Checkpoint, precision: Precision) -> Self {
        Self { checkpoint, precision, prefix: "", pack: None }
    }

    /// The same, with layers from `pack`, or kept in it.
    pub fn with_pack(self, pack: Option<&'a Pack>) -> Self {
        Self { pack, ..self }
    }

    /// What layers are multiplied in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The same, with all names after `prefix`.
    pub fn within(self, prefix: &'a str) -> Self {
        Self { prefix, ..self }
    }

    /// The tensor `name` in f32.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(self.tensor(name, shape)?.into_f32())
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Weight> {
        self.checkpoint.tensor(&format!("{}{name}", self.prefix), shape)
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.checkpoint.contains(&format!("{}{name}", self.prefix))
    }

    /// A layer norm over `dim`.
    pub fn norm(&self, name: &str, dim: usize, eps: f32) -> Result<LayerNorm> {
        let weight = self.values(&format!("{name}.weight"), &[dim])?;
        let bias = self.values(&format!("{name}.bias"), &[dim])?;
        Ok(LayerNorm::new(weight, bias, eps))
    }

    /// Layers of one width of input, stacked to one that gives their outputs side by side.
    pub fn linear(&self, names: &[String], inputs: usize, outputs: usize) -> Result<Linear> {
        self.linear_in(self.precision, names, inputs, outputs)
    }

    /// The same, multiplied in `precision` whatever others are.
    pub fn linear_in(
        &self,
        precision: Precision,
        names: &[String],
        inputs: usize,
        outputs: usize,
    ) -> Result<Linear> {
        self.packed(names, inputs, outputs * names.len(), || {
            self.unpacked_linear(precision, names, inputs, outputs)
        })
    }

    /// The layer that was packed under `names`, of all of them `[outputs, inputs]`; else the one that `make` makes.
    pub fn packed<L: Packed>(
        &self,
        names: &[String],
        inputs: usize,
        outputs: usize,
        make: impl FnOnce() -> Result<L>,
    ) -> Result<L> {
        let is_overlaid = |name: &String| {
            let name = format!("{}{name}", self.prefix);
            [".weight", ".bias", ""].iter().any(|end| self.checkpoint.is_overlaid(&format!("{name}{end}")))
        };
        match self.pack.filter(|_| !names.iter().any(is_overlaid)) {
            Some(pack) => pack.layer(&format!("{}{}", self.prefix, names.join(" ")), inputs, outputs, make),
            None => make(),
        }
    }

    fn unpacked_linear(
        &self,
        precision: Precision,
        names: &[String],
        inputs: usize,
        outputs: usize,
    ) -> Result<Linear> {
        let mut weight = Vec::with_capacity(names.len() * outputs * inputs);
        for name in names {
            weight.extend(self.values(&format!("{name}.weight"), &[outputs, inputs])?);
        }
        Ok(Linear::new(&weight, Some(self.biases(names, outputs)?), inputs, precision))
    }

    /// As [`Loader::linear`], for few rows at a time.
    pub fn row_linear(&self, names: &[String], inputs: usize, outputs: usize) -> Result<RowLinear> {
        self.packed(names, inputs, outputs * names.len(), || {
            let weights: Vec<String> = names.iter().map(|name| format!("{name}.weight")).collect();
            let weight = self.unpacked_row_matrix(&weights, inputs, outputs)?;
            Ok(RowLinear::new(weight, self.biases(names, outputs)?))
        })
    }

    /// Matrices stacked by rows; in f32 precision, in f16 where they are stored so.
    pub fn row_matrix(&self, names: &[String], inputs: usize, outputs: usize) -> Result<RowMatrix> {
        self.packed(names, inputs, outputs * names.len(), || self.unpacked_row_matrix(names, inputs, outputs))
    }

    fn unpacked_row_matrix(&self, names: &[String], inputs: usize, outputs: usize) -> Result<RowMatrix> {
        if self.precision == Precision::Int8 {
            let mut values = Vec::with_capacity(names.len() * outputs * inputs);
            for name in names {
                values.extend(self.values(name, &[outputs, inputs])?);
            }
            return Ok(RowMatrix::int8(&values, inputs));
        }
        let mut half = Vec::new();
        let mut single: Vec<f32> = Vec::new();
        for name in names {
            let weight = self.tensor(name, &[outputs, inputs])?;
            match weight.values {
                Values::F16(values) if half.is_empty() && single.is_empty() => half = values,
                Values::F16(values) if single.is_empty() => half.extend(values),
                _ => {
                    single.extend(half.drain(..).map(half::f16::to_f32));
                    single.extend(weight.into_f32());
                }
            }
        }
        match single.is_empty() {
            true => Ok(RowMatrix::from_f16(half, inputs)),
            false => Ok(RowMatrix::from_f32(single, inputs)),
        }
    }

    /// Biases side by side; a layer without one (Whisper's keys) counts as zeros.
    fn biases(&self, names: &[String], outputs: usize) -> Result<Vec<f32>> {
        let mut biases = Vec::with_capacity(names.len() * outputs);
        for name in names {
            let name = format!("{name}.bias");
            match self.contains(&name) {
                true => biases.extend(self.values(&name, &[outputs])?),
                false => biases.resize(biases.len() + outputs, 0.0),
            }
        }
        Ok(biases)
    }
}
