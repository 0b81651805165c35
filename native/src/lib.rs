//! `mev_native`: revm as an engine for `mev_dagster/evm/revm/engine.py`.
//!
//! A `World` is a state handed over once; a `Session` is a block being built on it. Every call does its
//! work with Python's lock released. What the world does not know comes back as a value that names it.

mod diff;
mod execute;
mod halts;
mod limits;
mod receipts;
mod session;
mod state;
mod steps;
mod watch;
mod wire;
mod world;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod mev_native {
    #[pymodule_export]
    use crate::session::{PyWorld, Session};
}
