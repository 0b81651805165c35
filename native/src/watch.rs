//! What is told of a transaction beyond its result, when it is asked for: its calls, and its meter.
//!
//! The definitions are those of `mev_dagster/evm/py_evm/calls.py` and `meter.py`, to which tests hold this.

use revm::Database;
use revm::bytecode::opcode;
use revm::context::result::HaltReason;
use revm::context::{BlockEnv, CfgEnv, Context, ContextTr, Journal, TxEnv};
use revm::inspector::Inspector;
use revm::interpreter::interpreter_types::{InputsTr, Jumps};
use revm::interpreter::{
    CallInputs, CallOutcome, CallScheme, CreateInputs, CreateOutcome, CreateScheme, InstructionResult,
    Interpreter, InterpreterResult, SuccessOrHalt,
};
use revm::primitives::hardfork::SpecId;
use revm::primitives::{Address, Bytes, U256};

use crate::halts::halt_name;
use crate::limits::Budget;

/// What to report beyond results.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    pub calls: bool,
    pub analytics: bool,
}

impl Report {
    pub fn is_wanted(self) -> bool {
        self.calls || self.analytics
    }
}

/// One call or creation.
#[derive(Debug)]
pub struct Call {
    pub depth: usize,
    pub kind: &'static str,
    pub sender: Address,
    pub to: Address,
    pub value: U256,
    pub gas: u64,
    pub gas_used: u64,
    pub input: Bytes,
    pub output: Bytes,
    pub error: &'static str,
}

/// Gas by instruction and accesses of a whole transaction.
#[derive(Debug)]
pub struct Meter {
    /// Opcode -> how often it ran, and the gas its frames fell by, without what their children used.
    pub opcodes: [(u64, u64); 256],
    pub precompile_gas: u64,
    pub cold_slots: u64,
    pub warm_slots: u64,
    pub cold_accounts: u64,
    pub warm_accounts: u64,
}

/// A frame that runs: where its call stands in the tree, and what its latest instruction is charged with.
#[derive(Debug)]
struct Running {
    call: usize,
    latest: Option<(u8, u64)>,
    used_below: u64,
}

/// Watches one transaction: its limits, its calls, its meter.
#[derive(Debug, Default)]
pub struct Watcher {
    budget: Budget,
    report: Report,
    running: Vec<Running>,
    pub calls: Vec<Call>,
    pub meter: Option<Box<Meter>>,
}

type Ctx<DB> = Context<BlockEnv, TxEnv, CfgEnv, DB, Journal<DB>, ()>;

impl Watcher {
    pub fn new(budget: Budget, report: Report) -> Self {
        let meter = report.analytics.then(|| {
            Box::new(Meter {
                opcodes: [(0, 0); 256],
                precompile_gas: 0,
                cold_slots: 0,
                warm_slots: 0,
                cold_accounts: 0,
                warm_accounts: 0,
            })
        });
        Self { budget, report, running: Vec::new(), calls: Vec::new(), meter }
    }

    fn begin(&mut self, call: impl FnOnce(usize) -> Call) {
        let depth = self.running.len();
        self.running.push(Running { call: self.calls.len(), latest: None, used_below: 0 });
        if self.report.calls {
            self.calls.push(call(depth));
        }
    }

    /// End the innermost frame; `began` is false where the call was refused before it was one.
    fn end(&mut self, limit: u64, result: &InterpreterResult, began: bool, precompile: bool) {
        let Some(ended) = self.running.pop() else { return };
        if !began && !self.running.is_empty() {
            self.calls.truncate(ended.call);
            return;
        }
        let remaining = if result.result.is_ok_or_revert() { result.gas.remaining() } else { 0 };
        let used = limit.saturating_sub(remaining);
        if let Some(call) = self.calls.get_mut(ended.call) {
            call.gas_used = used;
            call.error = error_name(result.result);
            if result.result.is_ok_or_revert() {
                call.output = result.output.clone();
            }
        }
        if let Some(meter) = &mut self.meter {
            meter.settle(&ended, remaining);
            if precompile {
                meter.precompile_gas += used;
            }
        }
        if let Some(caller) = self.running.last_mut() {
            caller.used_below += used;
        }
    }
}

impl Meter {
    /// Charge a frame's latest instruction with what its gas fell by since, less its children's share.
    fn settle(&mut self, frame: &Running, gas_left: u64) {
        if let Some((code, gas_before)) = frame.latest {
            self.opcodes[code as usize].1 += gas_before.saturating_sub(gas_left).saturating_sub(frame.used_below);
        }
    }

    fn note_slot(&mut self, warm: bool) {
        *(if warm { &mut self.warm_slots } else { &mut self.cold_slots }) += 1;
    }

    fn note_account(&mut self, warm: bool) {
        *(if warm { &mut self.warm_accounts } else { &mut self.cold_accounts }) += 1;
    }

    fn note_access<DB: Database>(&mut self, code: u8, interpreter: &Interpreter, context: &Ctx<DB>) {
        let depth = match code {
            opcode::SLOAD | opcode::SSTORE => {
                if let Ok(slot) = interpreter.stack.peek(0) {
                    self.note_slot(slot_is_warm(context, interpreter.input.target_address(), slot));
                }
                return;
            }
            opcode::BALANCE
            | opcode::EXTCODESIZE
            | opcode::EXTCODECOPY
            | opcode::EXTCODEHASH
            | opcode::SELFDESTRUCT => 0,
            opcode::CALL | opcode::CALLCODE | opcode::DELEGATECALL | opcode::STATICCALL => 1,
            _ => return,
        };
        if let Ok(item) = interpreter.stack.peek(depth) {
            self.note_account(account_is_warm(context, Address::from_word(item.into())));
        }
    }
}

fn slot_is_warm<DB: Database>(context: &Ctx<DB>, address: Address, slot: U256) -> bool {
    let journal = &context.journaled_state.inner;
    if !context.cfg.spec.is_enabled_in(SpecId::BERLIN) {
        return false;
    }
    let known = journal.state.get(&address).and_then(|account| account.storage.get(&slot));
    known.is_some_and(|found| !found.is_cold_transaction_id(journal.transaction_id))
        || journal.warm_addresses.is_storage_warm(&address, &slot)
}

fn account_is_warm<DB: Database>(context: &Ctx<DB>, address: Address) -> bool {
    let journal = &context.journaled_state.inner;
    if journal.warm_addresses.precompiles().contains(&address) {
        return true;
    }
    if !context.cfg.spec.is_enabled_in(SpecId::BERLIN) {
        return false;
    }
    let known = journal.state.get(&address);
    known.is_some_and(|found| !found.is_cold_transaction_id(journal.transaction_id))
        || journal.warm_addresses.is_warm(&address)
}

/// The name the reference engine has for how a frame failed; empty where it did not.
fn error_name(result: InstructionResult) -> &'static str {
    match SuccessOrHalt::<HaltReason>::from(result) {
        SuccessOrHalt::Revert => "Reverted",
        SuccessOrHalt::Halt(reason) => halt_name(&reason),
        _ => "",
    }
}

/// Say whether a call became one: the instruction itself fails where depth, funds or address forbid it.
fn became_a_call(result: InstructionResult) -> bool {
    !matches!(
        result,
        InstructionResult::CallTooDeep
            | InstructionResult::OutOfFunds
            | InstructionResult::OverflowPayment
            | InstructionResult::CreateCollision
    )
}

impl<DB: Database> Inspector<Ctx<DB>> for Watcher {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut Ctx<DB>) {
        if !self.budget.allows_step(interpreter, context) {
            return;
        }
        let (Some(meter), Some(frame)) = (&mut self.meter, self.running.last_mut()) else { return };
        let (code, gas_left) = (interpreter.bytecode.opcode(), interpreter.gas.remaining());
        meter.settle(frame, gas_left);
        frame.latest = Some((code, gas_left));
        frame.used_below = 0;
        meter.opcodes[code as usize].0 += 1;
        meter.note_access(code, interpreter, context);
    }

    fn call(&mut self, context: &mut Ctx<DB>, inputs: &mut CallInputs) -> Option<CallOutcome> {
        if self.report.is_wanted() {
            self.begin(|depth| {
                let borrows_code = matches!(inputs.scheme, CallScheme::CallCode | CallScheme::DelegateCall);
                Call {
                    depth,
                    kind: match inputs.scheme {
                        CallScheme::Call => "CALL",
                        CallScheme::CallCode => "CALLCODE",
                        CallScheme::DelegateCall => "DELEGATECALL",
                        CallScheme::StaticCall => "STATICCALL",
                    },
                    sender: if borrows_code { inputs.target_address } else { inputs.caller },
                    to: if borrows_code { inputs.bytecode_address } else { inputs.target_address },
                    value: inputs.value.get(),
                    gas: inputs.gas_limit,
                    gas_used: 0,
                    input: inputs.input.bytes(context),
                    output: Bytes::new(),
                    error: "",
                }
            });
        }
        None
    }

    fn call_end(&mut self, _: &mut Ctx<DB>, inputs: &CallInputs, outcome: &mut CallOutcome) {
        let began = became_a_call(outcome.result.result);
        self.end(inputs.gas_limit, &outcome.result, began, outcome.was_precompile_called);
    }

    fn create(&mut self, context: &mut Ctx<DB>, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        if self.report.is_wanted() {
            let creator = context.journal().inner.state.get(&inputs.caller());
            let nonce = creator.map_or(0, |account| account.info.nonce);
            self.begin(|depth| Call {
                depth,
                kind: match inputs.scheme() {
                    CreateScheme::Create2 { .. } => "CREATE2",
                    _ => "CREATE",
                },
                sender: inputs.caller(),
                to: inputs.created_address(nonce),
                value: inputs.value(),
                gas: inputs.gas_limit(),
                gas_used: 0,
                input: inputs.init_code().clone(),
                output: Bytes::new(),
                error: "",
            });
        }
        None
    }

    fn create_end(&mut self, _: &mut Ctx<DB>, inputs: &CreateInputs, outcome: &mut CreateOutcome) {
        let began = outcome.address.is_some() && became_a_call(outcome.result.result);
        self.end(inputs.gas_limit(), &outcome.result, began, false);
    }
}
