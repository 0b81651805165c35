//! The Python side of witnesses: trie nodes handed over once, and the root after a block's changes.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use revm::primitives::{B256, keccak256};

use crate::args::B256Arg;
use crate::state_root::root_after;
use crate::trie::{Fault, Nodes};

/// The nodes of a witness, by their hashes.
#[pyclass(frozen)]
pub struct Witness(Nodes);

#[pymethods]
impl Witness {
    #[new]
    fn new(py: Python<'_>, nodes: Vec<Bound<'_, PyBytes>>) -> Self {
        let copied: Vec<Vec<u8>> = nodes.iter().map(|node| node.as_bytes().to_vec()).collect();
        Self(py.detach(|| copied.into_iter().map(|node| (keccak256(&node), node)).collect()))
    }

    /// Return the state root after packed changes, or the hash of a node that is missing for it.
    fn root_after<'py>(
        &self,
        py: Python<'py>,
        state_root: B256Arg,
        changes: &[u8],
    ) -> PyResult<(Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>)> {
        let bytes = |hash: B256| PyBytes::new(py, hash.as_slice());
        match py.detach(|| root_after(state_root.0, &self.0, changes)) {
            Ok(root) => Ok((Some(bytes(root)), None)),
            Err(Fault::Missing(hash)) => Ok((None, Some(bytes(hash)))),
            Err(Fault::Malformed(what)) => Err(PyValueError::new_err(what)),
        }
    }
}
