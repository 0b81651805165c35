//! What was executed, told to Python part by part when it is asked for (`mev_dagster/evm/revm/told.py`).
//!
//! Of a thousand candidates most are read no further than their status: what nobody asks for is never made.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use revm::context::result::{ExecutionResult, Output, ResultGas};
use revm::primitives::{Address, Log};

use crate::diff::AccountDiff;
use crate::execute::Executed;
use crate::halts::halt_name;
use crate::numbers::Ints;
use crate::state_root::pack;
use crate::watch::{Call, Meter};

/// One transaction that was executed.
#[pyclass(frozen)]
pub struct Told(pub Arc<Executed>);

impl Told {
    /// What is read of every result, status and gas paid for, before the rest.
    pub fn with_gas<'py>(py: Python<'py>, executed: Arc<Executed>) -> PyResult<Bound<'py, PyTuple>> {
        let paid = ResultGas::tx_gas_used(executed.result.gas());
        let status = match executed.result {
            ExecutionResult::Success { .. } => 0u8,
            ExecutionResult::Revert { .. } => 1,
            ExecutionResult::Halt { .. } => 2,
        };
        (status, paid, Self(executed)).into_pyobject(py)
    }
}

#[pymethods]
impl Told {
    #[getter]
    fn output<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let output = match &self.0.result {
            ExecutionResult::Success { output, .. } => output.data(),
            ExecutionResult::Revert { output, .. } => output,
            ExecutionResult::Halt { .. } => return PyBytes::new(py, &[]),
        };
        PyBytes::new(py, output)
    }

    /// The reference's name of what halted it, empty where nothing did.
    #[getter]
    fn halt(&self) -> &'static str {
        match &self.0.result {
            ExecutionResult::Halt { reason, .. } => halt_name(reason),
            _ => "",
        }
    }

    /// The address of a contract that was made.
    #[getter]
    fn created<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.0.result {
            ExecutionResult::Success { output: Output::Create(_, Some(address)), .. } => {
                Some(PyBytes::new(py, address.as_slice()))
            }
            _ => None,
        }
    }

    /// Address, topics and data of each log.
    #[getter]
    fn logs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        logs_of(py, self.0.logs().iter())
    }

    /// Address -> how its balance changed.
    #[getter]
    fn balances<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let ints = Ints::new(py)?;
        let found = PyDict::new(py);
        let mut balances = self.0.touched.balances.clone();
        balances.sort_unstable();
        for (address, before, after) in &balances {
            found.set_item(ints.bytes(address.as_slice()), ints.delta(*before, *after)?)?;
        }
        Ok(found)
    }

    #[getter]
    fn accounts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut accounts = self.0.touched.accounts.clone();
        accounts.sort_unstable();
        PyTuple::new(py, accounts.iter().map(|address| PyBytes::new(py, address.as_slice())))
    }

    #[getter]
    fn slots<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        Ints::new(py)?.slots(&self.0.touched.slots)
    }

    #[getter]
    fn written<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        Ints::new(py)?.slots(&self.0.touched.written)
    }

    /// Gas that the block counts, of execution and of state.
    #[getter]
    fn block_gas(&self) -> (u64, u64) {
        let gas = self.0.result.gas();
        (gas.block_regular_gas_used(), gas.block_state_gas_used())
    }

    /// The calls, as far as they were asked for.
    #[getter]
    fn calls<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let ints = Ints::new(py)?;
        let calls = self.0.calls.iter().map(|call| told_call(&ints, call)).collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, calls)
    }

    /// Gas by instruction and accesses, where they were asked for.
    #[getter]
    fn meter<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.0.meter.as_ref().map(|meter| told_meter(py, meter)).transpose()
    }
}

/// Address, topics and data of logs.
pub fn logs_of<'py, 'a>(
    py: Python<'py>,
    logs: impl Iterator<Item = &'a Log>,
) -> PyResult<Bound<'py, PyList>> {
    let found = PyList::empty(py);
    for log in logs {
        let topics = PyTuple::new(py, log.topics().iter().map(|topic| PyBytes::new(py, topic.as_slice())))?;
        found.append((PyBytes::new(py, log.address.as_slice()), topics, PyBytes::new(py, &log.data.data)))?;
    }
    Ok(found)
}

fn told_call<'py>(ints: &Ints<'py>, call: &Call) -> PyResult<Bound<'py, PyTuple>> {
    (
        call.depth,
        call.kind,
        ints.bytes(call.sender.as_slice()),
        ints.bytes(call.to.as_slice()),
        ints.int(call.value)?,
        call.gas,
        call.gas_used,
        ints.bytes(&call.input),
        ints.bytes(&call.output),
        call.error,
    )
        .into_pyobject(ints.py)
}

fn told_meter<'py>(py: Python<'py>, meter: &Meter) -> PyResult<Bound<'py, PyTuple>> {
    let opcodes = PyDict::new(py);
    for (code, (times, gas)) in meter.opcodes.iter().enumerate().filter(|(_, (times, _))| *times > 0) {
        opcodes.set_item(code, (times, gas))?;
    }
    (
        opcodes,
        meter.precompile_gas,
        meter.cold_slots,
        meter.warm_slots,
        meter.cold_accounts,
        meter.warm_accounts,
    )
        .into_pyobject(py)
}

/// The changes of a trial or a session, by address in order.
#[pyclass(frozen)]
pub struct Changes {
    pub diffs: Vec<AccountDiff>,
    pub hash: [u8; 32],
}

#[pymethods]
impl Changes {
    fn __len__(&self) -> usize {
        self.diffs.len()
    }

    /// Their canonical SHA-256.
    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.hash)
    }

    fn addresses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.diffs.iter().map(|diff| PyBytes::new(py, diff.address.as_slice())))
    }

    /// The fields of one account's changes, `None` where it has none.
    fn of<'py>(&self, py: Python<'py>, address: &[u8]) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Ok(address) = Address::try_from(address) else { return Ok(None) };
        let found = self.diffs.binary_search_by_key(&address, |diff| diff.address).ok();
        found.map(|place| told_diff(py, &self.diffs[place])).transpose()
    }

    /// As one column, for the root after them.
    fn packed<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &pack(&self.diffs))
    }
}

fn told_diff<'py>(py: Python<'py>, diff: &AccountDiff) -> PyResult<Bound<'py, PyTuple>> {
    let ints = Ints::new(py)?;
    let storage = PyDict::new(py);
    for (slot, value) in &diff.storage {
        storage.set_item(ints.int(*slot)?, ints.int(*value)?)?;
    }
    (
        diff.balance.map(|balance| ints.int(balance)).transpose()?,
        diff.nonce,
        diff.code.as_ref().map(|code| ints.bytes(code)),
        storage,
        diff.deleted,
        diff.storage_cleared,
    )
        .into_pyobject(py)
}
