//! Values on their way to Python, as the tuples that `mev_dagster/evm/revm/session.py` unpacks.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple, PyType};
use revm::primitives::{Address, U256};

use crate::diff::AccountDiff;
use crate::execute::{Executed, Outcome, Stop, outcome};
use crate::watch::{Call, Meter, Report};
use crate::world::Missing;

/// Makes values of Python; holds the one method that makes large integers.
pub struct Ints<'py> {
    py: Python<'py>,
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

    fn delta(&self, before: U256, after: U256) -> PyResult<Bound<'py, PyAny>> {
        if after >= before { self.int(after - before) } else { self.int(before - after)?.neg() }
    }

    fn bytes(&self, bytes: &[u8]) -> Bound<'py, PyBytes> {
        PyBytes::new(self.py, bytes)
    }

    fn slots(&self, slots: &[(Address, U256)]) -> PyResult<Bound<'py, PyTuple>> {
        let mut last: Option<(Address, Bound<'py, PyBytes>)> = None;
        let mut pairs = Vec::with_capacity(slots.len());
        for (address, slot) in slots {
            // Slots come in order of their address: one object for each run.
            let shared = match &last {
                Some((known, object)) if known == address => object.clone(),
                _ => last.insert((*address, self.bytes(address.as_slice()))).1.clone(),
            };
            pairs.push((shared, self.int(*slot)?));
        }
        PyTuple::new(self.py, pairs)
    }

    /// A result, with what was watched beside it where that was wanted.
    pub fn result(&self, executed: Executed, report: Report) -> PyResult<Bound<'py, PyTuple>> {
        if !report.is_wanted() {
            return self.report(executed);
        }
        let watched = self.watched(&executed)?;
        (self.report(executed)?, watched).into_pyobject(self.py)
    }

    fn report(&self, executed: Executed) -> PyResult<Bound<'py, PyTuple>> {
        let Outcome { status, gas_used, execution_gas, state_gas, output, logs, halt, created } =
            outcome(executed.result);
        let touched = executed.touched;
        let logs = logs
            .iter()
            .map(|log| {
                let topics = PyTuple::new(self.py, log.topics().iter().map(|t| self.bytes(t.as_slice())))?;
                Ok((self.bytes(log.address.as_slice()), topics, self.bytes(&log.data.data)))
            })
            .collect::<PyResult<Vec<_>>>()?;
        let balances = PyDict::new(self.py);
        for (address, before, after) in &touched.balances {
            balances.set_item(self.bytes(address.as_slice()), self.delta(*before, *after)?)?;
        }
        (
            status,
            gas_used,
            self.bytes(&output),
            logs,
            halt,
            created.map(|address| self.bytes(address.as_slice())),
            balances,
            PyTuple::new(self.py, touched.accounts.iter().map(|a| self.bytes(a.as_slice())))?,
            self.slots(&touched.slots)?,
            self.slots(&touched.written)?,
            (execution_gas, state_gas),
        )
            .into_pyobject(self.py)
    }

    /// The calls and the meter of a transaction, as far as they were asked for.
    fn watched(&self, executed: &Executed) -> PyResult<Bound<'py, PyTuple>> {
        let calls = executed.calls.iter().map(|call| self.call(call)).collect::<PyResult<Vec<_>>>()?;
        let meter = executed.meter.as_ref().map(|meter| self.meter(meter)).transpose()?;
        (PyTuple::new(self.py, calls)?, meter).into_pyobject(self.py)
    }

    fn call(&self, call: &Call) -> PyResult<Bound<'py, PyTuple>> {
        (
            call.depth,
            call.kind,
            self.bytes(call.sender.as_slice()),
            self.bytes(call.to.as_slice()),
            self.int(call.value)?,
            call.gas,
            call.gas_used,
            self.bytes(&call.input),
            self.bytes(&call.output),
            call.error,
        )
            .into_pyobject(self.py)
    }

    fn meter(&self, meter: &Meter) -> PyResult<Bound<'py, PyTuple>> {
        let opcodes = PyDict::new(self.py);
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
            .into_pyobject(self.py)
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

    pub fn account_diff(&self, diff: AccountDiff) -> PyResult<Bound<'py, PyTuple>> {
        let storage = PyDict::new(self.py);
        for (slot, value) in diff.storage {
            storage.set_item(self.int(slot)?, self.int(value)?)?;
        }
        (
            self.bytes(diff.address.as_slice()),
            diff.balance.map(|balance| self.int(balance)).transpose()?,
            diff.nonce,
            diff.code.map(|code| self.bytes(&code)),
            storage,
            diff.deleted,
            diff.storage_cleared,
        )
            .into_pyobject(self.py)
    }
}
