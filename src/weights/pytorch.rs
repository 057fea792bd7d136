//! Checkpoints of PyTorch, as `torch.save` has written them since version 1.6; `pytorch_old` has those of before.
//!
//! A zip archive of stored members: `<name>/data.pkl`, a pickle that describes the tensors, and `<name>/data/<key>`, one
//! storage each, which tensors are views of. So a tensor is a range of the file, as in safetensors, and nothing is copied.
//! The pickle is read, not run.
//!
//! Source: `torch/serialization.py` and `torch/_utils.py` of PyTorch.

use std::collections::BTreeMap;

use super::checkpoint::Index;
use super::pickle::{Id, Pickle, Value};
use super::pytorch_old;
use super::storage::Storage;
use super::tensor::{Element, Slot, span};
use super::zip_members::{self, Members};
use crate::Result;

/// A pickle has some 150 bytes for each tensor, and no network has a hundred thousand.
pub(super) const PICKLE_LIMIT: u64 = 64 * 1024 * 1024;
/// Values that any file may have; a larger one may have as many as take no more memory than the file itself.
const VALUES: usize = 1 << 16;
/// Convolutions of images have four dimensions.
const RANK_LIMIT: usize = 8;
/// Under what names training programs put the tensors beside settings and the state of the optimiser.
const NESTED: [&str; 10] = [
    "weights",
    "model",
    "state_dict",
    "model_state",
    "ema_model_state_dict",
    "model_state_dict",
    "module",
    "gEncoder",
    "generator",
    "Downstream",
];

/// Whether the first bytes of a file are those of a PyTorch checkpoint, of any age.
pub(super) fn recognises(head: &[u8; 16]) -> bool {
    zip_members::recognises(head) || pytorch_old::recognises(head)
}

/// Adds the tensors of `storage`, the checkpoint's file number `file`, to `index`.
pub(super) fn index(storage: &Storage, file: usize, index: &mut Index) -> Result<()> {
    let mut head = [0; 16];
    storage.read_exact_at(0, &mut head)?;
    if pytorch_old::recognises(&head) {
        let start = pytorch_old::read_start(storage)?;
        let (pickle, members) = pytorch_old::read(&start, storage)?;
        return Archive { pickle, members: &members, root: "", file }.add_to(index, storage);
    }
    let members = zip_members::read(storage)?;
    let Some(root) = members.keys().find_map(|name| name.strip_suffix("data.pkl")) else {
        return Err(storage.damaged("a zip archive without data.pkl, so not a PyTorch checkpoint"));
    };
    if let Some(order) = member(storage, &members, &format!("{root}byteorder"))?
        && order != b"little"
    {
        return Err(storage.damaged("a PyTorch file of a big-endian machine, which is not read"));
    }
    let pickle = member(storage, &members, &format!("{root}data.pkl"))?.unwrap_or_default();
    let pickle = Pickle::read(&pickle, most_values(storage)).map_err(|reason| storage.damaged(reason))?;
    Archive { pickle, members: &members, root, file }.add_to(index, storage)
}

/// Values that the pickle of a file may have.
pub(super) fn most_values(storage: &Storage) -> usize {
    VALUES.max(usize::try_from(storage.len()).unwrap_or(usize::MAX) / size_of::<Value>())
}

/// The bytes of a small member, if there is one of that name.
fn member(storage: &Storage, members: &Members, name: &str) -> Result<Option<Vec<u8>>> {
    let Some(range) = members.get(name) else { return Ok(None) };
    let length = range.end - range.start;
    if length > PICKLE_LIMIT {
        return Err(storage.damaged(format!("{length} bytes of {name}, which no checkpoint has")));
    }
    let mut bytes = vec![0; length as usize];
    storage.read_exact_at(range.start, &mut bytes)?;
    Ok(Some(bytes))
}

struct Archive<'a> {
    pickle: Pickle<'a>,
    members: &'a Members,
    /// What all members' names begin with, with the slash.
    root: &'a str,
    file: usize,
}

impl<'a> Archive<'a> {
    fn add_to(&self, index: &mut Index, storage: &Storage) -> Result<()> {
        for (name, slot) in self.tensors().map_err(|reason| storage.damaged(reason))? {
            if index.tensors.insert(name.to_owned(), slot).is_some() {
                return Err(storage.damaged(format!("tensor {name} is there twice")));
            }
        }
        Ok(())
    }

    fn tensors(&self) -> Result<BTreeMap<&'a str, Slot>, String> {
        let mut tensors = BTreeMap::new();
        for &(name, value) in self.state()? {
            let Some(view) = self.view(value) else { continue };
            let Value::Text(name) = *self.pickle.get(name) else { continue };
            let slot = self.slot(view).ok_or_else(|| {
                format!("tensor {name} is not within the bytes of its storage; pull or copy it again")
            })?;
            // Of a name that is there twice, Python keeps the last.
            tensors.insert(name, slot);
        }
        Ok(tensors)
    }

    /// The names and tensors, which may be some levels down, beside other things.
    fn state(&self) -> Result<&[(Id, Id)], String> {
        let mut value = self.pickle.root();
        // In a hostile file a dictionary can hold itself.
        for _ in 0..NESTED.len() {
            let Value::Dict(pairs) = value else { break };
            if pairs.iter().any(|&(_, value)| self.view(value).is_some()) {
                return Ok(pairs);
            }
            let inner = |key: &&str| {
                let named = |id| matches!(self.pickle.get(id), Value::Text(text) if text == key);
                let found = pairs.iter().rev().find(|&&(name, _)| named(name));
                found
                    .map(|&(_, value)| self.pickle.get(value))
                    .filter(|value| matches!(value, Value::Dict(_)))
            };
            let Some(next) = NESTED.iter().find_map(inner) else { break };
            value = next;
        }
        Err(format!(
            "the PyTorch file holds no tensors by name, neither at its top nor under {}; save model.state_dict()",
            NESTED.join(", ")
        ))
    }

    /// The arguments that a tensor would be rebuilt from.
    fn view(&self, value: Id) -> Option<&[Id]> {
        let mut value = value;
        // A parameter is a tensor in a wrapping, which may be that of a subclass.
        for _ in 0..4 {
            let Value::Call { callable, arguments } = self.pickle.get(value) else { return None };
            let Value::Class { module, name } = self.pickle.get(*callable) else { return None };
            let arguments = self.sequence(*arguments)?;
            match (*module, *name) {
                ("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor") => return Some(arguments),
                ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                    value = *arguments.first()?;
                }
                ("torch._tensor", "_rebuild_from_type_v2") => return self.sequence(*arguments.get(2)?),
                _ => return None,
            }
        }
        None
    }

    /// Where a tensor of `arguments` (storage, offset, size, stride ...) lies; none where that is outside its storage.
    fn slot(&self, arguments: &[Id]) -> Option<Slot> {
        let [storage, offset, size, stride, ..] = *arguments else { return None };
        let Value::Persistent(description) = *self.pickle.get(storage) else { return None };
        let description = self.sequence(description)?;
        let [_storage, class, key, ..] = *description else { return None };
        // A storage that is a part of another, which the oldest versions wrote.
        if description.get(5).is_some_and(|&part| !matches!(self.pickle.get(part), Value::Opaque)) {
            return None;
        }
        let (Value::Class { name, .. }, Value::Text(key)) = (self.pickle.get(class), self.pickle.get(key))
        else {
            return None;
        };
        let (shape, strides) = (self.sizes(size)?, self.sizes(stride)?);
        if shape.len() != strides.len() || shape.len() > RANK_LIMIT {
            return None;
        }
        // Reading multiplies all dimensions, also of a tensor without elements.
        shape.iter().try_fold(1_usize, |count, &dim| count.checked_mul(dim.max(1)))?;
        let element = element(name);
        let bytes = self.members.get(&format!("{}data/{key}", self.root))?;
        let start = self.size(offset)?.checked_mul(element.size())?;
        let length = span(&shape, &strides)?.checked_mul(element.size())?;
        if start.checked_add(length)? as u64 > bytes.end - bytes.start {
            return None;
        }
        let strides = (!is_row_major(&shape, &strides)).then_some(strides);
        let offset = bytes.start + start as u64;
        Some(Slot { file: self.file, offset, shape, strides, element, scale: None })
    }

    fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.pickle.get(id) {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        self.sequence(id)?.iter().map(|&item| self.size(item)).collect()
    }

    fn size(&self, id: Id) -> Option<usize> {
        match *self.pickle.get(id) {
            Value::Integer(value) => usize::try_from(value).ok(),
            _ => None,
        }
    }
}

/// The elements of a storage, by the name of its class.
fn element(class: &str) -> Element {
    match class {
        "FloatStorage" => Element::F32,
        "HalfStorage" => Element::F16,
        "BFloat16Storage" => Element::Bf16,
        // Integers are counters and indices; doubles no published network has.
        _ => Element::Other,
    }
}

/// Whether elements follow on each other, the last dimension first.
fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut step = 1_usize;
    shape.iter().zip(strides).rev().all(|(&dim, &stride)| {
        let follows = dim == 1 || stride == step;
        step = step.saturating_mul(dim);
        follows
    })
}
