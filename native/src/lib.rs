//! `mev_native`: revm as an engine for `mev_dagster/evm/revm/`.
//!
//! A `World` is a state handed over once; a `Session` is a block being built on it. Every call does its
//! work with Python's lock released. What the world does not know comes back as a value that names it.

mod access_list;
mod args;
mod diff;
mod execute;
mod halts;
mod limits;
mod numbers;
mod receipts;
mod rlp;
mod room;
mod session;
mod state;
mod state_root;
mod steps;
mod told;
mod trials;
mod trie;
mod watch;
mod wire;
mod witness;
mod world;

use pyo3::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[pymodule(gil_used = false)]
mod mev_native {
    #[pymodule_export]
    use crate::session::{PyTx, PyWorld, Session};
    #[pymodule_export]
    use crate::told::{Changes, Told};
    #[pymodule_export]
    use crate::witness::Witness;

    /// What `mev_dagster/evm/engines.py` asks for: it grows whenever this interface changes.
    #[pymodule_export]
    const INTERFACE: u32 = 3;
}
