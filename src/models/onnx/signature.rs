//! What goes into a network, and what comes out.

use ort::value::{Outlet, TensorElementType, ValueType};

use super::OutputKind;
use crate::{Error, Result};

/// Bands of the filter banks that speaker encoders take.
const FILTER_BANKS: i64 = 80;

/// The inputs and the output of a network that are used here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// The input of samples, `[batch, samples]`, or of filter banks, `[batch, frames, bands]`.
    pub sound: String,
    /// Whether it takes f16 or f32.
    pub sound_type: Float,
    /// Bands of a frame, where it takes filter banks.
    pub bands: Option<usize>,
    /// The only number of samples, or of frames, that it takes, where that is so.
    pub length: Option<usize>,
    /// The input that says which samples count, `[batch, samples]`.
    pub mask: Option<Mask>,
    /// The output.
    pub output: String,
    /// Whether it is f16 or f32.
    pub output_type: Float,
    /// What its rows are.
    pub kind: OutputKind,
    /// How long they are, where the network says so.
    pub width: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Float {
    F32,
    F16,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mask {
    pub name: String,
    pub kind: MaskKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MaskKind {
    Bool,
    I32,
    I64,
}

impl Signature {
    /// Finds its way in the inputs and outputs of a network; else says what is wrong with them.
    pub fn of(inputs: &[Outlet], outputs: &[Outlet]) -> Result<Self, String> {
        let sound = sound_input(inputs)?;
        let (sound_type, bands, length) = check_sound(sound)?;
        let output = output(outputs)?;
        let (output_type, kind, width) = check_output(output)?;
        let mut signature = Self {
            sound: sound.name().to_owned(),
            sound_type,
            bands,
            length,
            mask: None,
            output: output.name().to_owned(),
            output_type,
            kind,
            width,
        };
        for input in inputs.iter().filter(|input| input.name() != signature.sound) {
            match mask_kind(input) {
                Some(kind) if signature.mask.is_none() => {
                    signature.mask = Some(Mask { name: input.name().to_owned(), kind });
                }
                _ => return Err(format!("it wants an input that is not known here: {}", described(input))),
            }
        }
        Ok(signature)
    }

    /// Whether so many samples, or frames of filter banks, can go in.
    pub fn check_length(&self, length: usize) -> Result<()> {
        let what = if self.bands.is_some() { "frames" } else { "samples" };
        match self.length {
            Some(only) if only != length => Err(Error::Setting(format!(
                "the network takes {only} {what} at a time and no other number; these are {length}"
            ))),
            _ if length == 0 => Err(Error::Setting(format!("there are no {what} to run a network on"))),
            _ => Ok(()),
        }
    }
}

fn sound_input(inputs: &[Outlet]) -> Result<&Outlet, String> {
    let named = inputs.iter().find(|input| input.name() == "input_values");
    let float = || inputs.iter().find(|input| float(input).is_some());
    named.or_else(float).ok_or_else(|| {
        let inputs: Vec<_> = inputs.iter().map(described).collect();
        format!("it has no input of samples; its inputs are {}", inputs.join(", "))
    })
}

/// The type, bands and only length of an input. Filter banks are known by how many bands a frame has, which comes last.
fn check_sound(input: &Outlet) -> Result<(Float, Option<usize>, Option<usize>), String> {
    let wrong = |what: &str| format!("its input {} {what}", described(input));
    let float = float(input).ok_or_else(|| wrong("is of no type for sound, f32 or f16"))?;
    let only = |length: i64| usize::try_from(length).ok();
    match dimensions(input) {
        &[-1 | 1, length] => Ok((float, None, only(length))),
        &[-1 | 1, length, FILTER_BANKS] => Ok((float, only(FILTER_BANKS), only(length))),
        &[batch, _] | &[batch, _, FILTER_BANKS] => {
            Err(wrong(&format!("takes {batch} sounds at once; export it for a batch of any size")))
        }
        [_, _, _] | [_, _, _, _] => Err(wrong(
            "is for features, such as log-mel; only networks that take samples, [batch, samples], or filter banks, \
             [batch, frames, 80], can be run",
        )),
        _ => Err(wrong("is not of the shape of samples, [batch, samples]")),
    }
}

fn output(outputs: &[Outlet]) -> Result<&Outlet, String> {
    let named = |name: &str| outputs.iter().find(|output| output.name() == name);
    let fits = |output: &&Outlet| float(output).is_some() && matches!(dimensions(output).len(), 2 | 3);
    let first = || outputs.iter().find(fits);
    named("logits").or_else(|| named("last_hidden_state")).or_else(first).ok_or_else(|| {
        let outputs: Vec<_> = outputs.iter().map(described).collect();
        format!(
            "it has no output of floats [batch, frames, width] or [batch, labels]; its outputs are {}",
            outputs.join(", ")
        )
    })
}

fn check_output(output: &Outlet) -> Result<(Float, OutputKind, Option<usize>), String> {
    let wrong = |what: &str| format!("its output {} {what}", described(output));
    let float = float(output).ok_or_else(|| wrong("is not of floats, f32 or f16"))?;
    match *dimensions(output) {
        [_, _, width] => Ok((float, OutputKind::Frames, usize::try_from(width).ok())),
        [_, width] => Ok((float, OutputKind::Sound, usize::try_from(width).ok())),
        _ => Err(wrong("is neither [batch, frames, width] nor [batch, labels]")),
    }
}

fn mask_kind(input: &Outlet) -> Option<MaskKind> {
    if !input.name().contains("mask") || dimensions(input).len() != 2 {
        return None;
    }
    match input.dtype().tensor_type()? {
        TensorElementType::Bool => Some(MaskKind::Bool),
        TensorElementType::Int32 => Some(MaskKind::I32),
        TensorElementType::Int64 => Some(MaskKind::I64),
        _ => None,
    }
}

fn float(outlet: &Outlet) -> Option<Float> {
    match outlet.dtype().tensor_type()? {
        TensorElementType::Float32 => Some(Float::F32),
        TensorElementType::Float16 => Some(Float::F16),
        _ => None,
    }
}

/// Those of a tensor, with -1 for what is open.
fn dimensions(outlet: &Outlet) -> &[i64] {
    outlet.dtype().tensor_shape().map_or(&[], |shape| shape)
}

/// `input_features (f32 [batch, 80, 3000])`.
fn described(outlet: &Outlet) -> String {
    let ValueType::Tensor { ty, shape, dimension_symbols } = outlet.dtype() else {
        return format!("{} ({})", outlet.name(), outlet.dtype());
    };
    let open = |index: usize| {
        dimension_symbols.get(index).filter(|name| !name.is_empty()).map_or("?", |name| name.as_str())
    };
    let size = |(index, &size): (usize, &i64)| match size {
        -1 => open(index).to_owned(),
        size => size.to_string(),
    };
    let sizes: Vec<_> = shape.iter().enumerate().map(size).collect();
    format!("{} ({ty} [{}])", outlet.name(), sizes.join(", "))
}
