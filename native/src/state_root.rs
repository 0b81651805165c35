//! The state root after changes, account by account.

use revm::primitives::{Address, B256, KECCAK_EMPTY, U256, keccak256};

use crate::diff::AccountDiff;
use crate::rlp::{list, put_bytes, put_number};
use crate::trie::{EMPTY_ROOT, Fault, Nodes, Trie, item, items};
use crate::wire::Reader;

const DELETED: u8 = 1;
const CLEARED: u8 = 2;
const BALANCE: u8 = 4;
const NONCE: u8 = 8;
const CODE: u8 = 16;

/// Return changes as the column that `root_after` reads.
pub fn pack(diffs: &[AccountDiff]) -> Vec<u8> {
    let mut column = Vec::new();
    for diff in diffs {
        let flags = [
            (DELETED, diff.deleted),
            (CLEARED, diff.storage_cleared),
            (BALANCE, diff.balance.is_some()),
            (NONCE, diff.nonce.is_some()),
            (CODE, diff.code.is_some()),
        ];
        column.extend_from_slice(diff.address.as_slice());
        column.push(flags.iter().map(|(flag, is_set)| if *is_set { *flag } else { 0 }).sum());
        column.extend_from_slice(&diff.balance.unwrap_or_default().to_be_bytes::<32>());
        column.extend_from_slice(&diff.nonce.unwrap_or_default().to_be_bytes());
        column.extend_from_slice(diff.code.as_ref().map_or(B256::ZERO, keccak256).as_slice());
        column.extend_from_slice(&(diff.storage.len() as u32).to_be_bytes());
        for (slot, value) in &diff.storage {
            column.extend_from_slice(&slot.to_be_bytes::<32>());
            column.extend_from_slice(&value.to_be_bytes::<32>());
        }
    }
    column
}

/// Return the state root after changes (`mev_dagster/evm/revm/wire.py` packs them) to the state under a root.
pub fn root_after(state_root: B256, nodes: &Nodes, column: &[u8]) -> Result<B256, Fault> {
    let mut accounts = Trie::new(state_root, nodes);
    let mut removed = Vec::new();
    let mut reader = Reader::new(column);
    while !reader.is_empty() {
        let key = keccak256(Address::from_slice(reader.take(20)?));
        let flags = reader.u8()?;
        let (balance, nonce, code_hash) = (reader.u256()?, reader.u64()?, reader.b256()?);
        let count = reader.u32()?;
        let count = reader.bounded(count, 64)?;
        let slots = reader.take(64 * count)?;
        if flags & DELETED != 0 {
            removed.push(key);
            continue;
        }
        let mut fields = match accounts.get(key)? {
            Some(encoded) => Fields::read(&encoded)?,
            None => Fields::ABSENT,
        };
        if flags & CLEARED != 0 {
            fields.storage_root = EMPTY_ROOT;
        }
        if flags & BALANCE != 0 {
            fields.balance = balance;
        }
        if flags & NONCE != 0 {
            fields.nonce = nonce;
        }
        if flags & CODE != 0 {
            fields.code_hash = code_hash;
        }
        fields.storage_root = storage_root_after(fields.storage_root, nodes, slots)?;
        accounts.put(key, Some(fields.encoded()))?;
    }
    // Removals come last: they may join nodes that a write has just brought into view.
    for key in removed {
        accounts.put(key, None)?;
    }
    Ok(accounts.root())
}

fn storage_root_after(root: B256, nodes: &Nodes, slots: &[u8]) -> Result<B256, Fault> {
    let mut storage = Trie::new(root, nodes);
    let (mut zeroed, mut set) = (Vec::new(), Vec::new());
    for pair in slots.chunks_exact(64) {
        let (slot, value) = pair.split_at(32);
        let value = U256::from_be_slice(value);
        if value.is_zero() { zeroed.push(keccak256(slot)) } else { set.push((keccak256(slot), value)) }
    }
    for (key, value) in set {
        let mut encoded = Vec::new();
        put_number(&mut encoded, &value.to_be_bytes::<32>());
        storage.put(key, Some(encoded))?;
    }
    for key in zeroed {
        storage.put(key, None)?;
    }
    Ok(storage.root())
}

/// An account as the state trie holds it.
struct Fields {
    nonce: u64,
    balance: U256,
    storage_root: B256,
    code_hash: B256,
}

impl Fields {
    const ABSENT: Self =
        Self { nonce: 0, balance: U256::ZERO, storage_root: EMPTY_ROOT, code_hash: KECCAK_EMPTY };

    fn read(encoded: &[u8]) -> Result<Self, Fault> {
        let (account, rest) = item(encoded)?;
        let parts = items(account.content)?;
        let [nonce, balance, storage_root, code_hash] = &parts[..] else {
            return Err(Fault::Malformed("an account has 4 fields"));
        };
        let sizes = [nonce.content.len() <= 8, balance.content.len() <= 32, storage_root.content.len() == 32];
        if !account.is_list || !rest.is_empty() || sizes.contains(&false) || code_hash.content.len() != 32 {
            return Err(Fault::Malformed("an account's fields have the wrong sizes"));
        }
        Ok(Self {
            nonce: nonce.content.iter().fold(0, |sum, digit| sum << 8 | *digit as u64),
            balance: U256::from_be_slice(balance.content),
            storage_root: B256::from_slice(storage_root.content),
            code_hash: B256::from_slice(code_hash.content),
        })
    }

    fn encoded(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        put_number(&mut fields, &self.nonce.to_be_bytes());
        put_number(&mut fields, &self.balance.to_be_bytes::<32>());
        put_bytes(&mut fields, self.storage_root.as_slice());
        put_bytes(&mut fields, self.code_hash.as_slice());
        list(&fields)
    }
}
