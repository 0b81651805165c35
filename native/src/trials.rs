//! Many candidates on one session, each by itself, on as many threads as are given.

use std::sync::{Arc, Mutex};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::diff::{AccountDiff, changes_of};
use crate::execute::{Block, Executed, How, Runner, Stop};
use crate::state::State;
use crate::wire::Tx;
use crate::world::Missing;

/// What one candidate gave: its transactions, why it stopped before its end, and its changes.
pub struct Trial {
    pub executed: Vec<Executed>,
    pub stop: Option<Stop>,
    pub changes: Result<(Vec<AccountDiff>, [u8; 32]), Missing>,
}

/// Run one candidate on top of what is committed, and take every change back.
pub fn run_one(runner: &mut Runner<'_>, block: &Block, candidate: &[Arc<Tx>]) -> Trial {
    runner.state().begin_trial();
    let mut room = block.room;
    let (executed, stop) = runner.run(candidate.iter().map(|tx| (**tx).clone()), &mut room);
    let changes = changes_of(runner.state());
    runner.state().end_trial();
    Trial { executed, stop, changes }
}

/// Run every candidate by itself; results come in the order of the candidates.
pub fn run_all(
    state: &State,
    block: &Block,
    how: How,
    candidates: &[Vec<Arc<Tx>>],
    threads: usize,
) -> Vec<Trial> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Trial)>> = Mutex::new(Vec::with_capacity(candidates.len()));
    let how = How { receipts: false, ..how };
    let work = || {
        let mut own = state.for_trials();
        let mut runner = Runner::new(&mut own, block, how);
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(candidate) = candidates.get(place) else { break };
            done.push((place, run_one(&mut runner, block, candidate)));
        }
        results.lock().expect("no panic while held").extend(done);
    };
    match threads.clamp(1, candidates.len().max(1)) {
        1 => work(),
        threads => std::thread::scope(|scope| {
            (0..threads).for_each(|_| {
                scope.spawn(work);
            });
        }),
    }
    let mut found = results.into_inner().expect("every thread has ended");
    found.sort_unstable_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, trial)| trial).collect()
}
