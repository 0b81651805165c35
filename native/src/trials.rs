//! Many candidates on one session, each by itself, on as many threads as are given.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::diff::{AccountDiff, diff_hash, state_diff};
use crate::execute::{Block, Executed, How, Stop, execute};
use crate::state::State;
use crate::wire::Tx;
use crate::world::Missing;

/// What one candidate gave: its transactions, why it stopped before its end, and its changes.
pub struct Trial {
    pub executed: Vec<Executed>,
    pub stop: Option<Stop>,
    pub changes: Result<(Vec<AccountDiff>, [u8; 32]), Missing>,
}

/// Run every candidate on top of what is committed; results come in the order of the candidates.
pub fn run_all(state: &State, block: &Block, how: How, candidates: &[Vec<Tx>], threads: usize) -> Vec<Trial> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Trial)>> = Mutex::new(Vec::with_capacity(candidates.len()));
    let how = How { receipts: false, ..how };
    let work = || {
        let mut own = state.for_trials();
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(candidate) = candidates.get(place) else { break };
            own.begin_trial();
            let mut room = block.clone();
            let (executed, stop) = execute(&mut own, &mut room, how, candidate.clone());
            let changes = state_diff(&own).map(|diffs| {
                let hash = diff_hash(&diffs);
                (diffs, hash)
            });
            own.end_trial();
            done.push((place, Trial { executed, stop, changes }));
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
