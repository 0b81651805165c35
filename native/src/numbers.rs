//! Values on their way to Python: numbers of any size, addresses, pairs.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple, PyType};
use revm::primitives::{Address, U256};

use crate::execute::Stop;
use crate::world::Missing;

/// Makes values of Python; holds the one method that makes large integers.
pub struct Ints<'py> {
    pub py: Python<'py>,
    from_bytes: Bound<'py, PyAny>,
}

impl<'py> Ints<'py> {
    pub fn new(py: Python<'py>) -> PyResult<Self> {
        let from_bytes = PyType::new::<pyo3::types::PyInt>(py).getattr(pyo3::intern!(py, "from_bytes"))?;
        Ok(Self { py, from_bytes })
    }

    pub fn int(&self, value: U256) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(small) = u64::try_from(value) {
            return Ok(small.into_pyobject(self.py)?.into_any());
        }
        let bytes = PyBytes::new(self.py, &value.to_be_bytes::<32>());
        self.from_bytes.call1((bytes, pyo3::intern!(self.py, "big")))
    }

    pub fn delta(&self, before: U256, after: U256) -> PyResult<Bound<'py, PyAny>> {
        if after >= before { self.int(after - before) } else { self.int(before - after)?.neg() }
    }

    pub fn bytes(&self, bytes: &[u8]) -> Bound<'py, PyBytes> {
        PyBytes::new(self.py, bytes)
    }

    /// Slots in order, those of one account behind one object.
    pub fn slots(&self, slots: &[(Address, U256)]) -> PyResult<Bound<'py, PyTuple>> {
        let mut ordered = slots.to_vec();
        ordered.sort_unstable();
        let mut last: Option<(Address, Bound<'py, PyBytes>)> = None;
        let mut pairs = Vec::with_capacity(ordered.len());
        for (address, slot) in ordered {
            let shared = match &last {
                Some((known, object)) if *known == address => object.clone(),
                _ => last.insert((address, self.bytes(address.as_slice()))).1.clone(),
            };
            pairs.push((shared, self.int(slot)?));
        }
        PyTuple::new(self.py, pairs)
    }

    pub fn stop(&self, stop: Stop) -> PyResult<Bound<'py, PyTuple>> {
        let missing = match stop {
            Stop::Refused => return ("refused",).into_pyobject(self.py),
            Stop::FeeTooLarge => return ("fee_too_large",).into_pyobject(self.py),
            Stop::Limit(what) => return (what,).into_pyobject(self.py),
            Stop::Failed(what) => return ("failed", what).into_pyobject(self.py),
            Stop::NoCode => return ("no_code",).into_pyobject(self.py),
            Stop::Fault(message) => return Err(PyRuntimeError::new_err(message)),
            Stop::Missing(missing) => missing,
        };
        match missing {
            Missing::Account(address) => {
                ("account", self.bytes(address.as_slice())).into_pyobject(self.py)
            }
            Missing::Slot(address, slot) => {
                ("storage", self.bytes(address.as_slice()), self.int(slot)?).into_pyobject(self.py)
            }
            Missing::Code(hash) => ("code", self.bytes(hash.as_slice())).into_pyobject(self.py),
            Missing::BlockHash(number) => ("block_hash", number).into_pyobject(self.py),
        }
    }
}
