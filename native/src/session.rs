//! The Python side of execution: worlds and sessions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use revm::context::BlockEnv;
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{B256, Bytes, U256};

use crate::args::{AddressArg, B256Arg, U256Arg};
use crate::diff::changes_of;
use crate::execute::{Block, Executed, How, Runner, Stop, steps, system_call};
use crate::limits::Limits;
use crate::numbers::Ints;
use crate::receipts::ordered_root;
use crate::room::Room;
use crate::state::State;
use crate::told::{Changes, Told, logs_of};
use crate::trials::{Trial, run_all, run_one};
use crate::watch::Report;
use crate::wire::Tx;
use crate::world::{Known, Missing, World, warm_code};

/// A state handed over once; any number of sessions may build on it.
#[pyclass(name = "World", frozen)]
pub struct PyWorld(Arc<World>);

#[pymethods]
impl PyWorld {
    #[new]
    fn new(
        py: Python<'_>,
        accounts: &[u8],
        codes: Vec<(B256Arg, Bound<'_, PyBytes>)>,
        block_hashes: Vec<(u64, B256Arg)>,
        lists_every_account: bool,
        lists_every_slot: bool,
    ) -> PyResult<Self> {
        let mut world = World { lists_every_account, lists_every_slot, ..World::default() };
        for (code_hash, raw) in codes {
            world.codes.insert(code_hash.0, checked_code(code_hash.0, raw.as_bytes())?);
        }
        world.block_hashes.extend(block_hashes.into_iter().map(|(number, hash)| (number, hash.0)));
        py.detach(|| world.take_accounts(accounts))?;
        Ok(Self(Arc::new(world)))
    }
}

fn checked_code(code_hash: B256, raw: &[u8]) -> PyResult<revm::bytecode::Bytecode> {
    warm_code(code_hash, raw)
        .ok_or_else(|| PyValueError::new_err(format!("the code stored as {code_hash} does not have that hash")))
}

/// A transaction handed over once; any number of candidates may hold it.
#[pyclass(name = "Tx", frozen)]
pub struct PyTx(Arc<Tx>);

#[pymethods]
impl PyTx {
    #[new]
    fn new(packed: &[u8]) -> PyResult<Self> {
        Ok(Self(Arc::new(Tx::read(packed)?)))
    }
}

/// A trial as Python takes it: results, why it stopped before its end if it did, and its changes.
fn told_trial(py: Python<'_>, trial: Trial) -> PyResult<Bound<'_, PyTuple>> {
    let results = PyList::empty(py);
    for executed in trial.executed {
        results.append(Told::with_gas(py, Arc::new(executed))?)?;
    }
    let stop = trial.stop.map(|reason| Ints::new(py)?.stop(reason)).transpose()?;
    let (diffs, hash) = trial.changes.map_err(unknown)?;
    (results, stop, Changes { diffs, hash }).into_pyobject(py)
}

fn unknown(missing: Missing) -> PyErr {
    PyRuntimeError::new_err(missing.to_string())
}

/// A block being built: what is committed, and at most one trial on top of it.
#[pyclass]
pub struct Session {
    state: State,
    block: Block,
    how: How,
    receipts: Vec<Vec<u8>>,
    committed: Vec<Arc<Executed>>,
    executing: Duration,
    room_before_trial: Room,
}

#[pymethods]
impl Session {
    #[new]
    #[pyo3(signature = (world, *, spec, chain_id, number, timestamp, coinbase, gas_limit, blob_gas_limit,
                        base_fee, difficulty, prev_randao, parent_hash, blob_base_fee, slot_number=0, max_steps=None, max_seconds=None, calls=false, analytics=false))]
    #[allow(clippy::too_many_arguments)] // the fields of a block, each by its name
    fn new(
        world: &PyWorld,
        spec: &str,
        chain_id: u64,
        number: u64,
        timestamp: u64,
        coinbase: AddressArg,
        gas_limit: u64,
        blob_gas_limit: u64,
        base_fee: u64,
        difficulty: U256Arg,
        prev_randao: B256Arg,
        parent_hash: B256Arg,
        blob_base_fee: u128,
        slot_number: u64,
        max_steps: Option<u64>,
        max_seconds: Option<f64>,
        calls: bool,
        analytics: bool,
    ) -> PyResult<Self> {
        let spec = spec
            .parse::<SpecId>()
            .map_err(|_| PyValueError::new_err(format!("revm has no fork named {spec}")))?;
        let env = BlockEnv {
            number: U256::from(number),
            beneficiary: coinbase.0,
            timestamp: U256::from(timestamp),
            gas_limit,
            basefee: base_fee,
            difficulty: difficulty.0,
            prevrandao: spec.is_enabled_in(SpecId::MERGE).then_some(prev_randao.0),
            blob_excess_gas_and_price: spec.is_enabled_in(SpecId::CANCUN).then_some(BlobExcessGasAndPrice {
                excess_blob_gas: 0, // only its price is ever asked for
                blob_gasprice: blob_base_fee,
            }),
            slot_num: slot_number,
        };
        let amsterdam = spec.is_enabled_in(SpecId::AMSTERDAM);
        let room = Room {
            gas: gas_limit,
            state_gas: amsterdam.then_some(gas_limit),
            blob_gas: blob_gas_limit,
            receipts_gas: 0,
        };
        let mut state = State::new(world.0.clone(), number, parent_hash.0);
        if amsterdam {
            state.list_accesses();
        }
        Ok(Self {
            state,
            block: Block { spec, chain_id, env, room },
            how: How {
                limits: Limits { steps: max_steps, seconds: max_seconds },
                report: Report { calls, analytics },
                receipts: true,
            },
            receipts: Vec::new(),
            committed: Vec::new(),
            executing: Duration::ZERO,
            room_before_trial: room,
        })
    }

    /// Run transactions; return the results and why it stopped before the end, if it did.
    fn execute<'py>(
        &mut self,
        py: Python<'py>,
        txs: Vec<PyRef<'py, PyTx>>,
    ) -> PyResult<(Bound<'py, PyList>, Option<Bound<'py, PyTuple>>)> {
        let txs = txs.iter().map(|tx| tx.0.clone()).collect::<Vec<_>>();
        let Self { state, block, how, receipts, committed, executing, .. } = self;
        let mut room = block.room;
        let (reports, stop) = py.detach(|| {
            let started = Instant::now();
            let done = Runner::new(state, block, *how).run(txs.iter().map(|tx| (**tx).clone()), &mut room);
            *executing += started.elapsed();
            done
        });
        block.room = room;
        let results = PyList::empty(py);
        for mut executed in reports {
            let receipt = std::mem::take(&mut executed.receipt);
            let executed = Arc::new(executed);
            if how.receipts {
                receipts.push(receipt);
                committed.push(executed.clone());
            }
            results.append(Told::with_gas(py, executed)?)?;
        }
        let stop = stop.map(|reason| Ints::new(py)?.stop(reason)).transpose()?;
        Ok((results, stop))
    }

    /// Run transactions on top of what is committed and take every change back, where nothing stops them.
    fn run<'py>(&mut self, py: Python<'py>, txs: Vec<PyRef<'py, PyTx>>) -> PyResult<Bound<'py, PyTuple>> {
        let txs = txs.iter().map(|tx| tx.0.clone()).collect::<Vec<_>>();
        let Self { state, block, how, executing, .. } = self;
        let trial = py.detach(|| {
            let started = Instant::now();
            let how = How { receipts: false, ..*how };
            let done = run_one(&mut Runner::new(state, block, how), block, &txs);
            *executing += started.elapsed();
            done
        });
        told_trial(py, trial)
    }

    /// Note the first `kept` instructions of a transaction, packed; what it changes is not kept.
    fn steps<'py>(
        &mut self,
        py: Python<'py>,
        tx: PyRef<'py, PyTx>,
        kept: usize,
    ) -> PyResult<(Bound<'py, PyBytes>, Option<Bound<'py, PyTuple>>)> {
        let tx = (*tx.0).clone();
        let Self { state, block, .. } = self;
        match py.detach(|| steps(state, block, tx, kept)) {
            Ok(noted) => Ok((PyBytes::new(py, &noted), None)),
            Err(reason) => Ok((PyBytes::new(py, &[]), Some(Ints::new(py)?.stop(reason)?))),
        }
    }

    /// Call a system contract; return its output, or why there is none.
    fn system_call<'py>(
        &mut self,
        py: Python<'py>,
        target: AddressArg,
        data: &[u8],
    ) -> PyResult<(Bound<'py, PyBytes>, Option<Bound<'py, PyTuple>>)> {
        let data = Bytes::copy_from_slice(data);
        let Self { state, block, .. } = self;
        match py.detach(|| system_call(state, block, target.0, data)) {
            Ok(output) => Ok((PyBytes::new(py, &output), None)),
            Err(reason) => Ok((PyBytes::new(py, &[]), Some(Ints::new(py)?.stop(reason)?))),
        }
    }

    /// Add to a balance; return what is missing, if anything.
    fn credit<'py>(
        &mut self,
        py: Python<'py>,
        address: AddressArg,
        amount: U256Arg,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let outcome = self.state.credit(address.0, amount.0);
        outcome.err().map(|missing| Ints::new(py)?.stop(Stop::Missing(missing))).transpose()
    }

    /// Move a whole balance; return what is missing, if anything.
    fn drain<'py>(
        &mut self,
        py: Python<'py>,
        from: AddressArg,
        to: AddressArg,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let outcome = self.state.drain(from.0, to.0);
        outcome.err().map(|missing| Ints::new(py)?.stop(Stop::Missing(missing))).transpose()
    }

    /// Run candidates, each by itself on top of what is committed, on some threads.
    fn run_many<'py>(
        &mut self,
        py: Python<'py>,
        candidates: Vec<Vec<PyRef<'py, PyTx>>>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let candidates: Vec<Vec<_>> =
            candidates.iter().map(|txs| txs.iter().map(|tx| tx.0.clone()).collect()).collect();
        let Self { state, block, how, executing, .. } = self;
        let trials = py.detach(|| {
            let started = Instant::now();
            let done = run_all(state, block, *how, &candidates, threads);
            *executing += started.elapsed();
            done
        });
        let found = PyList::empty(py);
        for trial in trials {
            found.append(told_trial(py, trial)?)?;
        }
        Ok(found)
    }

    /// Begin a trial: what is executed from here is taken back by `end_trial`.
    fn begin_trial(&mut self) {
        self.how.receipts = false;
        self.state.begin_trial();
        self.room_before_trial = self.block.room;
    }

    /// Take back what was executed since `begin_trial`.
    fn end_trial(&mut self) {
        self.how.receipts = true;
        self.state.end_trial();
        self.block.room = self.room_before_trial;
    }

    /// The changes of the trial, or of the session.
    fn diff(&self, py: Python<'_>) -> PyResult<Changes> {
        let (diffs, hash) = py.detach(|| changes_of(&self.state)).map_err(unknown)?;
        Ok(Changes { diffs, hash })
    }

    /// What was logged by an address in what is committed.
    fn logs_from<'py>(&self, py: Python<'py>, address: AddressArg) -> PyResult<Bound<'py, PyList>> {
        let logs = self.committed.iter().flat_map(|executed| executed.logs());
        logs_of(py, logs.filter(|log| log.address == address.0))
    }

    /// Balance, nonce and code of a sender whose transaction was refused, all of them known by then.
    fn sender<'py>(
        &self,
        py: Python<'py>,
        address: AddressArg,
    ) -> PyResult<(Bound<'py, PyAny>, u64, Bound<'py, PyBytes>)> {
        let known = || {
            let head = self.state.head(address.0)?;
            Ok((head, self.state.code(head.code_hash)?))
        };
        let (head, code) = known().map_err(unknown)?;
        let balance = Ints::new(py)?.int(head.balance)?;
        Ok((balance, head.nonce, PyBytes::new(py, code.original_byte_slice())))
    }

    /// The root of the receipts of what is committed, as headers since Byzantium hold it.
    fn receipts_root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let root = py.detach(|| ordered_root(&self.receipts));
        PyBytes::new(py, root.as_slice())
    }

    /// Seconds spent executing transactions, without reading them and telling of them.
    fn seconds_executing(&self) -> f64 {
        self.executing.as_secs_f64()
    }

    /// The gas, blob gas and (where it is counted apart) state gas that are left in the block.
    fn room(&self) -> (u64, u64, Option<u64>) {
        (self.block.room.gas, self.block.room.blob_gas, self.block.room.state_gas)
    }

    /// Say that the transactions are over: what follows is the block's own work.
    fn end_transactions(&mut self) {
        self.state.advance_access_list();
    }

    /// The block access list of what is committed, encoded; `None` before Amsterdam.
    fn access_list<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let encoded = py.detach(|| self.state.access_list());
        encoded.map(|encoded| PyBytes::new(py, &encoded))
    }

    /// Take accounts that the source of the state was asked for.
    fn learn_accounts(&mut self, column: &[u8]) -> PyResult<()> {
        Ok(self.state.learned.take_accounts(column)?)
    }

    /// Take one slot of an account that is known.
    fn learn_slot(&mut self, address: AddressArg, slot: U256Arg, value: U256Arg) -> PyResult<()> {
        let head = self.state.head(address.0).map_err(unknown)?;
        let accounts = &mut self.state.learned.accounts;
        let known = accounts.entry(address.0).or_insert(Known { head, storage: Default::default() });
        known.storage.insert(slot.0, value.0);
        Ok(())
    }

    /// Take a code.
    fn learn_code(&mut self, code_hash: B256Arg, raw: &[u8]) -> PyResult<()> {
        let code = checked_code(code_hash.0, raw)?;
        self.state.learned.codes.insert(code_hash.0, code);
        Ok(())
    }

    /// Take an ancestor's hash.
    fn learn_block_hash(&mut self, number: u64, hash: B256Arg) {
        self.state.learned.block_hashes.insert(number, hash.0);
    }
}
