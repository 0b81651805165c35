//! One transaction instruction by instruction, packed as `mev_dagster/evm/trace.py` reads it.

use revm::context::ContextTr;
use revm::inspector::Inspector;
use revm::interpreter::interpreter_types::Jumps;
use revm::interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter};

/// How many items of the stack are shown, the top first: what an instruction left shows there.
const ITEMS_SHOWN: usize = 4;

/// Notes every instruction about to run: depth, place, opcode, gas left, height and top of the stack.
#[derive(Debug, Default)]
pub struct Steps {
    pub packed: Vec<u8>,
    left: usize,
    frames: u16,
}

impl Steps {
    /// Note the first `kept` instructions.
    pub fn new(kept: usize) -> Self {
        Self { packed: Vec::new(), left: kept, frames: 0 }
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Steps {
    fn step(&mut self, interpreter: &mut Interpreter, _: &mut CTX) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let stack = interpreter.stack.data();
        self.packed.extend((self.frames - 1).to_be_bytes());
        self.packed.extend((interpreter.bytecode.pc() as u32).to_be_bytes());
        self.packed.push(interpreter.bytecode.opcode());
        self.packed.extend(interpreter.gas.remaining().to_be_bytes());
        self.packed.extend((stack.len() as u16).to_be_bytes());
        for shown in 0..ITEMS_SHOWN {
            let item = stack.len().checked_sub(shown + 1).map_or(Default::default(), |index| stack[index]);
            self.packed.extend(item.to_be_bytes::<32>());
        }
    }

    fn call(&mut self, _: &mut CTX, _: &mut CallInputs) -> Option<CallOutcome> {
        self.frames += 1;
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, _: &mut CallOutcome) {
        self.frames -= 1;
    }

    fn create(&mut self, _: &mut CTX, _: &mut CreateInputs) -> Option<CreateOutcome> {
        self.frames += 1;
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, _: &mut CreateOutcome) {
        self.frames -= 1;
    }
}
