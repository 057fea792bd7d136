//! The variables of CTranslate2's `WhisperSpec` under the names that Hugging Face gives them.
//!
//! CTranslate2 fuses the projections of attention by rows: query, key and value in self-attention, key
//! and value in cross-attention. They come out apart. The key bias, which Whisper does not have and
//! which CTranslate2 stores as zeros, does not come out at all.

use super::checkpoint::Index;
use super::ctranslate2::{Contents, Variable};
use super::storage::Storage;
use super::tensor::{ScaleExtent, ScaleSlot, Slot};
use crate::Result;

/// The name of the layout in the file.
const SPEC: &str = "WhisperSpec";

/// Parts of the encoder and the decoder outside their layers.
const STACK: [(&str, &str); 5] = [
    ("conv1", "conv1"),
    ("conv2", "conv2"),
    ("position_encodings", "embed_positions"),
    ("embeddings", "embed_tokens"),
    ("layer_norm", "layer_norm"),
];

/// Parts of a layer. More than one name: fused by rows, in that order.
const LAYER: [(&str, &[&str]); 10] = [
    ("self_attention/layer_norm", &["self_attn_layer_norm"]),
    ("self_attention/linear_0", &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    ("self_attention/linear_1", &["self_attn.out_proj"]),
    ("attention/layer_norm", &["encoder_attn_layer_norm"]),
    ("attention/linear_0", &["encoder_attn.q_proj"]),
    ("attention/linear_1", &["encoder_attn.k_proj", "encoder_attn.v_proj"]),
    ("attention/linear_2", &["encoder_attn.out_proj"]),
    ("ffn/layer_norm", &["final_layer_norm"]),
    ("ffn/linear_0", &["fc1"]),
    ("ffn/linear_1", &["fc2"]),
];

const PARAMETER: [(&str, &str); 5] =
    [("weight", "weight"), ("bias", "bias"), ("gamma", "weight"), ("beta", "bias"), ("encodings", "weight")];

const EMBEDDINGS: &str = "decoder/embeddings/weight";
const PROJECTION: &str = "decoder/projection/weight";

/// The index of a CTranslate2 Whisper file, the checkpoint's file number 0.
pub(super) fn index(storage: &Storage, contents: &Contents) -> Result<Index> {
    if contents.spec != SPEC {
        return Err(storage.damaged(format!(
            "CTranslate2 layout {:?} is not known (only {SPEC} is); use the model's safetensors",
            contents.spec
        )));
    }
    let mut index = Index { scalars: contents.scalars.clone(), ..Index::default() };
    for (name, variable) in &contents.variables {
        let Some(target) = translate(contents, name) else { continue };
        let damaged = |reason: String| storage.damaged(format!("variable {name}: {reason}"));
        let scale = scale(contents, name, variable).map_err(damaged)?;
        for (block, module) in target.modules.iter().enumerate() {
            let tensor = format!("{}{module}.{}", target.prefix, target.parameter);
            if tensor.ends_with(".k_proj.bias") {
                continue;
            }
            let slot = rows(variable, scale, block, target.modules.len()).map_err(damaged)?;
            index.tensors.insert(tensor, slot);
        }
    }
    Ok(index)
}

/// A variable's place in the other naming.
struct Target {
    prefix: String,
    modules: &'static [&'static str],
    parameter: &'static str,
}

/// `None` for a variable that is no tensor of the network: scalars, scales, the tied projection.
fn translate(contents: &Contents, name: &str) -> Option<Target> {
    if name == PROJECTION {
        let offset_of = |name: &str| contents.variables.get(name).map(|variable| variable.offset);
        // Tied weights are stored once, and Hugging Face names them once.
        let tied = offset_of(PROJECTION) == offset_of(EMBEDDINGS);
        let untied = Target { prefix: String::new(), modules: &["proj_out"], parameter: "weight" };
        return (!tied).then_some(untied);
    }
    let (module, parameter) = name.rsplit_once('/')?;
    let parameter = lookup(&PARAMETER, parameter)?;
    let (stack, module) = module.split_once('/')?;
    if !matches!(stack, "encoder" | "decoder") {
        return None;
    }
    let Some(layer) =
        module.strip_prefix("layer_").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    else {
        let modules =
            STACK.iter().find(|(theirs, _)| *theirs == module).map(|(_, ours)| std::slice::from_ref(ours))?;
        return Some(Target { prefix: format!("model.{stack}."), modules, parameter });
    };
    let (number, part) = layer.split_once('/')?;
    let number: usize = number.parse().ok()?;
    let modules = lookup(&LAYER, part)?;
    Some(Target { prefix: format!("model.{stack}.layers.{number}."), modules, parameter })
}

fn lookup<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(theirs, _)| *theirs == name).map(|&(_, ours)| ours)
}

/// The scale of a quantised variable.
fn scale(contents: &Contents, name: &str, variable: &Variable) -> Result<Option<ScaleSlot>, String> {
    let Some(scale) = contents.variables.get(&format!("{name}_scale")) else { return Ok(None) };
    let count: usize = scale.shape.iter().product();
    let rows = variable.shape.first().copied().unwrap_or(1);
    let extent = match count {
        _ if count == rows => ScaleExtent::Row,
        1 => ScaleExtent::Tensor,
        _ => return Err(format!("{count} scales for {rows} rows")),
    };
    Ok(Some(ScaleSlot { offset: scale.offset, element: scale.element, extent }))
}

/// Block number `block` of `blocks` equal blocks of rows.
fn rows(variable: &Variable, scale: Option<ScaleSlot>, block: usize, blocks: usize) -> Result<Slot, String> {
    let mut shape = variable.shape.clone();
    let rows = match shape.first_mut() {
        Some(rows) if rows.is_multiple_of(blocks) => {
            *rows /= blocks;
            *rows
        }
        Some(rows) => return Err(format!("{rows} rows cannot be parted into {blocks}")),
        None if blocks > 1 => return Err("a scalar where a matrix should be".into()),
        None => 1,
    };
    let elements: usize = shape.iter().product();
    let start = |elements: usize, item: usize| (block * elements * item) as u64;
    let scale = scale.map(|scale| match scale.extent {
        ScaleExtent::Tensor => scale,
        ScaleExtent::Row => ScaleSlot { offset: scale.offset + start(rows, scale.element.size()), ..scale },
    });
    let offset = variable.offset + start(elements, variable.element.size());
    Ok(Slot { file: 0, offset, shape, strides: None, element: variable.element, scale })
}
