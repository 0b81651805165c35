//! Running transactions and system calls with revm on a `State`.

use revm::context::result::{EVMError, ExecutionResult, HaltReason};
use revm::context::{BlockEnv, CfgEnv, Context, ContextSetters, TxEnv};
use revm::handler::{EvmTr, ExecuteEvm, Handler, MainBuilder, MainnetContext, MainnetEvm, MainnetHandler};
use revm::inspector::InspectEvm;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, Log, TxKind, U256, eip8037};

use crate::halts::halt_name;
use crate::limits::{Budget, Limits, STEP_LIMIT, TIME_LIMIT};
use crate::receipts;
use crate::room::Room;
use crate::state::{State, Touched};
use crate::steps::Steps;
use crate::watch::{Call, Meter, Report, Watcher};
use crate::wire::Tx;
use crate::world::Missing;

pub const SYSTEM_ADDRESS: Address = revm::handler::SYSTEM_ADDRESS;
const SYSTEM_GAS: u64 = 30_000_000;
/// From Amsterdam on a system call has gas for sixteen new slots besides (EIP-8037).
const SYSTEM_GAS_AMSTERDAM: u64 =
    SYSTEM_GAS + 16 * eip8037::SSTORE_SET_BYTES * eip8037::CPSB_GLAMSTERDAM;

/// The block that transactions execute in, and what room it has left.
#[derive(Clone)]
pub struct Block {
    pub spec: SpecId,
    pub chain_id: u64,
    pub env: BlockEnv,
    pub room: Room,
}

/// Why a list of transactions was not run to its end.
#[derive(Debug)]
pub enum Stop {
    /// The shared judge has to say what is wrong with this one.
    Refused,
    /// Its fees do not fit revm's 128 bits.
    FeeTooLarge,
    Missing(Missing),
    /// It reached a limit of ours.
    Limit(&'static str),
    /// A system call ended in this error.
    Failed(&'static str),
    /// A system call found no contract.
    NoCode,
    /// revm and our own checks disagree, which neither may.
    Fault(String),
}

/// How a transaction ended, what it touched, and what was asked for beyond that.
pub struct Executed {
    pub result: ExecutionResult<HaltReason>,
    pub touched: Touched,
    pub receipt: Vec<u8>,
    pub calls: Vec<Call>,
    pub meter: Option<Box<Meter>>,
}

impl Executed {
    /// What it logged: nothing where it failed.
    pub fn logs(&self) -> &[Log] {
        if self.result.is_success() { self.result.logs() } else { &[] }
    }
}

/// How a session executes: within which limits, and what it reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    pub limits: Limits,
    pub report: Report,
    /// Receipts are made for what is committed, not for trials.
    pub receipts: bool,
}

type Evm<'a, I = Watcher> = MainnetEvm<MainnetContext<&'a mut State>, I>;

fn evm<'a, I>(state: &'a mut State, block: &Block, inspector: I) -> Evm<'a, I> {
    let mut cfg = CfgEnv::new_with_spec(block.spec);
    cfg.chain_id = block.chain_id;
    // Validity is judged once, by the shared rules, which know the blob limits of every fork.
    cfg.max_blobs_per_tx = None;
    if !block.spec.is_enabled_in(SpecId::AMSTERDAM) {
        cfg.tx_gas_limit_cap = Some(u64::MAX);
    }
    Context::<BlockEnv, TxEnv, CfgEnv, _, revm::Journal<_>, ()>::new(state, block.spec)
        .with_cfg(cfg)
        .with_block(block.env.clone())
        .build_mainnet_with_inspector(inspector)
}

/// revm on a state, ready for one list of transactions after the other: what it holds besides is made once.
pub struct Runner<'a> {
    evm: Evm<'a>,
    how: How,
}

impl<'a> Runner<'a> {
    pub fn new(state: &'a mut State, block: &Block, how: How) -> Self {
        Self { evm: evm(state, block, Watcher::default()), how }
    }

    pub fn state(&mut self) -> &mut State {
        self.evm.ctx.journaled_state.database
    }

    /// Run transactions in order until the end or the first that cannot be run; `room` is what is left.
    pub fn run(&mut self, txs: impl Iterator<Item = Tx>, room: &mut Room) -> (Vec<Executed>, Option<Stop>) {
        let mut reports = Vec::with_capacity(txs.size_hint().0);
        for tx in txs {
            let (tx_type, blob_gas) = (tx.env.tx_type, tx.blob_gas);
            match execute_one(&mut self.evm, self.how, tx, room) {
                Ok(mut report) => {
                    room.take(report.result.gas(), blob_gas);
                    if self.how.receipts {
                        report.receipt = receipts::encode(tx_type, room.receipts_gas, &report.result);
                    }
                    reports.push(report);
                }
                Err(reason) => return (reports, Some(reason)),
            }
        }
        (reports, None)
    }
}

fn execute_one(evm: &mut Evm<'_>, how: How, tx: Tx, room: &Room) -> Result<Executed, Stop> {
    judge(&evm.ctx, &tx, room)?;
    let outcome = if how.limits.are_set() || how.report.is_wanted() {
        evm.inspect_one(tx.env, Watcher::new(Budget::new(how.limits), how.report))
    } else {
        evm.transact_one(tx.env)
    };
    let journal = evm.finalize();
    let result = outcome.map_err(stop_of)?;
    let state = &mut evm.ctx.journaled_state.database;
    state.advance_access_list();
    let touched = state.apply(journal);
    let watched = std::mem::take(&mut evm.inspector);
    Ok(Executed { result, touched, receipt: Vec::new(), calls: watched.calls, meter: watched.meter })
}

fn stop_of(error: EVMError<Missing>) -> Stop {
    match error {
        EVMError::Database(missing) => Stop::Missing(missing),
        EVMError::Custom(what) if what == STEP_LIMIT => Stop::Limit(STEP_LIMIT),
        EVMError::Custom(what) if what == TIME_LIMIT => Stop::Limit(TIME_LIMIT),
        other => Stop::Fault(other.to_string()),
    }
}

/// Run one transaction, note its instructions and keep nothing of what it changes.
pub fn steps(state: &mut State, block: &Block, tx: Tx, kept: usize) -> Result<Vec<u8>, Stop> {
    let mut evm = evm(state, block, Steps::new(kept));
    judge(&evm.ctx, &tx, &block.room)?;
    let outcome = evm.inspect_one_tx(tx.env);
    evm.finalize();
    outcome.map_err(stop_of)?;
    Ok(std::mem::take(&mut evm.inspector.packed))
}

/// The checks of `mev_dagster/evm/validate.py` that need state, without their words.
fn judge(context: &MainnetContext<&mut State>, tx: &Tx, room: &Room) -> Result<(), Stop> {
    let state = &context.journaled_state.database;
    let sender = state.head(tx.env.caller).map_err(Stop::Missing)?;
    let code = state.code(sender.code_hash).map_err(Stop::Missing)?;
    let block = &context.block;
    let blob_price = block.blob_excess_gas_and_price.map_or(0, |blob| blob.blob_gasprice);
    let affordable = || {
        let fee = U256::from(tx.env.gas_limit).checked_mul(tx.fee_cap)?;
        let blob_fee = U256::from(tx.blob_gas).checked_mul(tx.blob_fee_cap)?;
        let needed = fee.checked_add(blob_fee)?.checked_add(tx.env.value)?;
        Some(needed <= sender.balance)
    };
    if tx.refused
        || tx.env.nonce != sender.nonce
        || !(code.is_empty() || code.is_eip7702())
        || !room.has(tx.env.gas_limit, tx.blob_gas)
        || tx.fee_cap < U256::from(block.basefee)
        || (!tx.env.blob_hashes.is_empty() && tx.blob_fee_cap < U256::from(blob_price))
        || !affordable().unwrap_or(false)
    {
        return Err(Stop::Refused);
    }
    if tx.env.gas_price == u128::MAX {
        return Err(Stop::FeeTooLarge);
    }
    Ok(())
}

/// Call a system contract as the protocol does; what it costs and who calls it leaves no trace.
///
/// Returns its output; `Failed` where it reverts or halts, `NoCode` where there is no contract.
pub fn system_call(state: &mut State, block: &Block, target: Address, data: Bytes) -> Result<Bytes, Stop> {
    let head = state.head(target).map_err(Stop::Missing)?;
    if state.code(head.code_hash).map_err(Stop::Missing)?.is_empty() {
        state.note_account(target);
        return Err(Stop::NoCode);
    }
    let mut evm = evm(state, block, Watcher::default());
    evm.ctx().set_tx(TxEnv {
        caller: SYSTEM_ADDRESS,
        kind: TxKind::Call(target),
        data,
        gas_limit: if block.spec.is_enabled_in(SpecId::AMSTERDAM) { SYSTEM_GAS_AMSTERDAM } else { SYSTEM_GAS },
        ..TxEnv::default()
    });
    let outcome: Result<_, EVMError<Missing>> = MainnetHandler::default().run_system_call(&mut evm);
    let journal = evm.finalize();
    match outcome {
        Ok(result) => {
            evm.ctx.journaled_state.database.apply(journal);
            match result {
                ExecutionResult::Success { output, .. } => Ok(output.into_data()),
                ExecutionResult::Revert { .. } => Err(Stop::Failed("Reverted")),
                ExecutionResult::Halt { reason, .. } => Err(Stop::Failed(halt_name(&reason))),
            }
        }
        Err(EVMError::Database(missing)) => Err(Stop::Missing(missing)),
        Err(other) => Err(Stop::Fault(other.to_string())),
    }
}
