//! Where the parts of a network ended up.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::{fmt, ptr, slice};

use ort::AsPointer;
use ort::session::Session;
use ort::sys::OrtEpAssignedSubgraph;

use super::Provider;

/// The setting without which ONNX Runtime does not remember it.
pub(super) const RECORD: &str = "session.record_ep_graph_assignment_info";

/// How many nodes of a network each provider computes, as ONNX Runtime has put them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placement {
    /// Nodes by the name of the provider: one of [`Provider`]'s, or what ONNX Runtime calls it.
    pub nodes: BTreeMap<String, usize>,
}

impl Placement {
    /// Asks a session that was made with [`RECORD`].
    pub(super) fn of(session: &Session) -> ort::Result<Self> {
        let api = ort::api();
        let (mut parts, mut count) = (ptr::null(), 0);
        // SAFETY: the session is alive, both places may be written to.
        let status = unsafe { (api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &mut parts, &mut count) };
        // SAFETY: the status is new, and nobody else's.
        unsafe { ort::Error::result_from_status(status) }?;
        if parts.is_null() || count == 0 {
            return Ok(Self::default());
        }
        // SAFETY: the session owns so many parts, and outlives their use here.
        let parts: &[*const OrtEpAssignedSubgraph] = unsafe { slice::from_raw_parts(parts, count) };
        let mut nodes = BTreeMap::new();
        for &part in parts {
            *nodes.entry(name(part)?).or_insert(0) += count_nodes(part)?;
        }
        Ok(Self { nodes })
    }

    /// Whether it has a part of the network.
    pub(super) fn has(&self, provider: Provider) -> bool {
        self.nodes.contains_key(provider.name())
    }
}

/// `part` is one of those that a living session gave.
fn name(part: *const OrtEpAssignedSubgraph) -> ort::Result<String> {
    let mut name: *const c_char = ptr::null();
    // SAFETY: the part is alive, the place may be written to.
    let status = unsafe { (ort::api().EpAssignedSubgraph_GetEpName)(part, &mut name) };
    // SAFETY: the status is new, and nobody else's.
    unsafe { ort::Error::result_from_status(status) }?;
    // SAFETY: the session owns the name, which ends with a zero.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    let known = Provider::ALL.into_iter().find(|provider| provider.inner_name() == name);
    Ok(known.map_or_else(|| name.into_owned(), |provider| provider.name().to_owned()))
}

/// As [`name`].
fn count_nodes(part: *const OrtEpAssignedSubgraph) -> ort::Result<usize> {
    let (mut nodes, mut count) = (ptr::null(), 0);
    // SAFETY: the part is alive, both places may be written to.
    let status = unsafe { (ort::api().EpAssignedSubgraph_GetNodes)(part, &mut nodes, &mut count) };
    // SAFETY: the status is new, and nobody else's.
    unsafe { ort::Error::result_from_status(status) }?;
    Ok(count)
}

impl fmt::Display for Placement {
    /// `cpu: 3 nodes, cuda: 120 nodes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.nodes.iter().map(|(name, count)| format!("{name}: {count} nodes")).collect();
        f.write_str(&parts.join(", "))
    }
}
