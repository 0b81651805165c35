//! How long one transaction may run, beyond what its gas allows.

use std::time::{Duration, Instant};

use revm::context::ContextTr;
use revm::context_interface::context::ContextError;
use revm::interpreter::Interpreter;

pub const STEP_LIMIT: &str = "step_limit";
pub const TIME_LIMIT: &str = "time_limit";

/// Looking at the clock costs more than most instructions do.
const STEPS_BETWEEN_LOOKS: u64 = 1_024;

#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    pub steps: Option<u64>,
    pub seconds: Option<f64>,
}

impl Limits {
    pub fn are_set(&self) -> bool {
        self.steps.is_some() || self.seconds.is_some()
    }
}

/// What one transaction has left of its limits; revm shows it every instruction.
#[derive(Debug, Default)]
pub struct Budget {
    steps: u64,
    step_limit: Option<u64>,
    deadline: Option<Instant>,
}

impl Budget {
    pub fn new(limits: Limits) -> Self {
        let time = limits.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Self {
            steps: 0,
            step_limit: limits.steps,
            deadline: time.and_then(|time| Instant::now().checked_add(time)),
        }
    }

    /// Count an instruction; past a limit, end the whole transaction and return false.
    pub fn allows_step<CTX: ContextTr>(&mut self, interpreter: &mut Interpreter, context: &mut CTX) -> bool {
        self.steps += 1;
        let Some(what) = self.exceeded() else { return true };
        // An error of the whole transaction: no contract can catch it.
        *context.error() = Err(ContextError::Custom(what.into()));
        interpreter.halt_fatal();
        false
    }

    fn exceeded(&self) -> Option<&'static str> {
        if self.step_limit.is_some_and(|limit| self.steps > limit) {
            return Some(STEP_LIMIT);
        }
        let looks = self.steps % STEPS_BETWEEN_LOOKS == 0;
        (looks && self.deadline.is_some_and(|deadline| Instant::now() > deadline)).then_some(TIME_LIMIT)
    }
}
