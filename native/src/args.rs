//! Values on their way from Python, their sizes checked.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use revm::primitives::{Address, B256, U256};

use crate::wire::Malformed;

impl From<Malformed> for PyErr {
    fn from(malformed: Malformed) -> Self {
        PyValueError::new_err(malformed.0)
    }
}

/// Twenty bytes from Python.
pub struct AddressArg(pub Address);

/// Thirty-two bytes from Python.
pub struct B256Arg(pub B256);

/// A number from Python, as thirty-two bytes.
pub struct U256Arg(pub U256);

impl<'a, 'py> FromPyObject<'a, 'py> for AddressArg {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let bytes: &[u8] = object.extract()?;
        Address::try_from(bytes).map(Self).map_err(|_| PyValueError::new_err("an address has 20 bytes"))
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for B256Arg {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let bytes: &[u8] = object.extract()?;
        B256::try_from(bytes).map(Self).map_err(|_| PyValueError::new_err("a hash has 32 bytes"))
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for U256Arg {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let word: B256Arg = object.extract()?;
        Ok(Self(word.0.into()))
    }
}
