//! Running transactions and system calls with revm on a `State`.

use revm::context::result::{EVMError, ExecutionResult, HaltReason, Output, ResultGas};
use revm::context::{BlockEnv, CfgEnv, Context, ContextSetters, TxEnv};
use revm::handler::{EvmTr, ExecuteEvm, Handler, MainBuilder, MainnetContext, MainnetEvm, MainnetHandler};
use revm::inspector::InspectEvm;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, Log, TxKind, U256};

use crate::halts::halt_name;
use crate::limits::{Budget, Limits, STEP_LIMIT, TIME_LIMIT};
use crate::receipts;
use crate::state::{State, Touched};
use crate::steps::Steps;
use crate::watch::{Call, Meter, Report, Watcher};
use crate::wire::Tx;
use crate::world::Missing;

pub const SYSTEM_ADDRESS: Address = revm::handler::SYSTEM_ADDRESS;
const SYSTEM_GAS: u64 = 30_000_000;

/// The block that transactions execute in, and what of its gas is left.
#[derive(Clone)]
pub struct Block {
    pub spec: SpecId,
    pub chain_id: u64,
    pub env: BlockEnv,
    pub gas_left: u64,
    pub blob_gas_left: u64,
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
    cfg.tx_gas_limit_cap = Some(u64::MAX);
    Context::<BlockEnv, TxEnv, CfgEnv, _, revm::Journal<_>, ()>::new(state, block.spec)
        .with_cfg(cfg)
        .with_block(block.env.clone())
        .build_mainnet_with_inspector(inspector)
}

/// Run transactions in order until the end or the first that cannot be run.
pub fn execute(state: &mut State, block: &mut Block, how: How, txs: Vec<Tx>) -> (Vec<Executed>, Option<Stop>) {
    let mut room = (block.gas_left, block.blob_gas_left);
    let mut evm = evm(state, block, Watcher::default());
    let mut reports = Vec::with_capacity(txs.len());
    let mut stop = None;
    for tx in txs {
        let (tx_type, blob_gas) = (tx.env.tx_type, tx.blob_gas);
        match execute_one(&mut evm, how, tx, room) {
            Ok(mut report) => {
                room.0 -= report.result.tx_gas_used();
                room.1 -= blob_gas;
                if how.receipts {
                    report.receipt = receipts::encode(tx_type, block.env.gas_limit - room.0, &report.result);
                }
                reports.push(report);
            }
            Err(reason) => {
                stop = Some(reason);
                break;
            }
        }
    }
    drop(evm);
    (block.gas_left, block.blob_gas_left) = room;
    (reports, stop)
}

fn execute_one(evm: &mut Evm<'_>, how: How, tx: Tx, room: (u64, u64)) -> Result<Executed, Stop> {
    judge(&evm.ctx, &tx, room)?;
    let outcome = if how.limits.are_set() || how.report.is_wanted() {
        evm.inspect_one(tx.env, Watcher::new(Budget::new(how.limits), how.report))
    } else {
        evm.transact_one(tx.env)
    };
    let journal = evm.finalize();
    let result = outcome.map_err(stop_of)?;
    let touched = evm.ctx.journaled_state.database.apply(journal);
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
    judge(&evm.ctx, &tx, (block.gas_left, block.blob_gas_left))?;
    let outcome = evm.inspect_one_tx(tx.env);
    evm.finalize();
    outcome.map_err(stop_of)?;
    Ok(std::mem::take(&mut evm.inspector.packed))
}

/// The checks of `mev_dagster/evm/validate.py` that need state, without their words.
fn judge(
    context: &MainnetContext<&mut State>,
    tx: &Tx,
    (gas_left, blob_gas_left): (u64, u64),
) -> Result<(), Stop> {
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
        || tx.env.gas_limit > gas_left
        || tx.blob_gas > blob_gas_left
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
pub fn system_call(state: &mut State, block: &Block, target: Address, data: Bytes) -> Result<Bytes, Stop> {
    let head = state.head(target).map_err(Stop::Missing)?;
    if state.code(head.code_hash).map_err(Stop::Missing)?.is_empty() {
        return Ok(Bytes::new());
    }
    let mut evm = evm(state, block, Watcher::default());
    evm.ctx().set_tx(TxEnv {
        caller: SYSTEM_ADDRESS,
        kind: TxKind::Call(target),
        data,
        gas_limit: SYSTEM_GAS,
        ..TxEnv::default()
    });
    let outcome: Result<_, EVMError<Missing>> = MainnetHandler::default().run_system_call(&mut evm);
    let journal = evm.finalize();
    match outcome {
        Ok(result) => {
            evm.ctx.journaled_state.database.apply(journal);
            Ok(if result.is_success() { result.into_output().unwrap_or_default() } else { Bytes::new() })
        }
        Err(EVMError::Database(missing)) => Err(Stop::Missing(missing)),
        Err(other) => Err(Stop::Fault(other.to_string())),
    }
}

/// What Python is told of a result: status, output, logs, the reference's name of a halt, a new contract.
pub struct Outcome {
    pub status: u8,
    pub gas_used: u64,
    pub output: Bytes,
    pub logs: Vec<Log>,
    pub halt: &'static str,
    pub created: Option<Address>,
}

pub fn outcome(result: ExecutionResult<HaltReason>) -> Outcome {
    let gas_used = ResultGas::tx_gas_used(result.gas());
    match result {
        ExecutionResult::Success { logs, output, .. } => {
            let (output, created) = match output {
                Output::Call(data) => (data, None),
                Output::Create(code, address) => (code, address),
            };
            Outcome { status: 0, gas_used, output, logs, halt: "", created }
        }
        ExecutionResult::Revert { output, .. } => {
            Outcome { status: 1, gas_used, output, logs: Vec::new(), halt: "", created: None }
        }
        ExecutionResult::Halt { reason, .. } => Outcome {
            status: 2,
            gas_used,
            output: Bytes::new(),
            logs: Vec::new(),
            halt: halt_name(&reason),
            created: None,
        },
    }
}
