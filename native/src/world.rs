//! The state before a block: what Python handed over, and the codes every session shares.

use std::collections::HashMap as StdHashMap;
use std::sync::{LazyLock, RwLock};

use revm::bytecode::Bytecode;
use revm::primitives::{Address, B256, Bytes, HashMap, KECCAK_EMPTY, U256, keccak256};

use crate::wire::{Malformed, Reader};

/// What a call could not learn; Python asks the source of the state for it and runs again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    Account(Address),
    Slot(Address, U256),
    Code(B256),
    BlockHash(u64),
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Missing {}
impl revm::database_interface::DBErrorMarker for Missing {}

/// An account's fields outside of its storage. `exists` says that it is in the state trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub balance: U256,
    pub nonce: u64,
    pub code_hash: B256,
    pub exists: bool,
}

impl Head {
    pub const ABSENT: Self = Self {
        balance: U256::ZERO,
        nonce: 0,
        code_hash: KECCAK_EMPTY,
        exists: false,
    };

    /// Where there has never been a nonce nor code, nothing can have been stored.
    pub fn is_fresh(&self) -> bool {
        self.nonce == 0 && self.code_hash == KECCAK_EMPTY
    }
}

/// One account as it was handed over: its fields and the slots that are known.
#[derive(Clone, Debug)]
pub struct Known {
    pub head: Head,
    pub storage: HashMap<U256, U256>,
}

/// A set of known accounts, codes and ancestors. Where it lists every account or slot, others are absent.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub accounts: HashMap<Address, Known>,
    pub codes: HashMap<B256, Bytecode>,
    pub block_hashes: StdHashMap<u64, B256>,
    pub lists_every_account: bool,
    pub lists_every_slot: bool,
}

impl World {
    /// Read accounts from a column of records (`mev_dagster/evm/revm/wire.py` writes them).
    pub fn take_accounts(&mut self, column: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(column);
        while !reader.is_empty() {
            let address = reader.address()?;
            let exists = reader.u8()? != 0;
            let head = Head {
                balance: reader.u256()?,
                nonce: reader.u64()?,
                code_hash: reader.b256()?,
                exists,
            };
            let count = reader.u32()?;
            let mut storage = HashMap::default();
            storage.reserve(reader.bounded(count, 64)?);
            for _ in 0..count {
                storage.insert(reader.u256()?, reader.u256()?);
            }
            self.accounts.insert(address, Known { head, storage });
        }
        Ok(())
    }
}

/// Codes ready to run, by hash, across sessions and blocks: the analysis of jump targets is done once.
static WARM_CODES: LazyLock<RwLock<HashMap<B256, Bytecode>>> = LazyLock::new(Default::default);

/// A mainnet day touches some ten thousand contracts; past this many the cache starts over.
const WARM_CODES_KEPT: usize = 50_000;

/// Return the code ready to run, from the cache if it is there; `None` when it has another hash.
pub fn warm_code(code_hash: B256, raw: &[u8]) -> Option<Bytecode> {
    if let Some(found) = WARM_CODES.read().expect("no panic while held").get(&code_hash) {
        return Some(found.clone());
    }
    if keccak256(raw) != code_hash {
        return None;
    }
    let bytes = Bytes::copy_from_slice(raw);
    let code = Bytecode::new_raw_checked(bytes.clone()).unwrap_or_else(|_| Bytecode::new_legacy(bytes));
    let mut warm = WARM_CODES.write().expect("no panic while held");
    if warm.len() >= WARM_CODES_KEPT {
        warm.clear();
    }
    warm.insert(code_hash, code.clone());
    Some(code)
}
