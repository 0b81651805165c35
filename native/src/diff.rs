//! The state diff and its canonical SHA-256, as `mev_dagster/evm/diff.py` defines it.

use revm::primitives::{Address, Bytes, KECCAK_EMPTY, U256};
use sha2::{Digest, Sha256};

use crate::rlp::trimmed;
use crate::state::State;
use crate::world::Missing;

/// Return the changes since the trial began, or since the session did, with their hash.
pub fn changes_of(state: &State) -> Result<(Vec<AccountDiff>, [u8; 32]), Missing> {
    let diffs = state_diff(state)?;
    let hash = diff_hash(&diffs);
    Ok((diffs, hash))
}

/// Changed fields of one account, `None` where unchanged.
pub struct AccountDiff {
    pub address: Address,
    pub balance: Option<U256>,
    pub nonce: Option<u64>,
    pub code: Option<Bytes>,
    pub storage: Vec<(U256, U256)>,
    pub deleted: bool,
    pub storage_cleared: bool,
}

/// Return every account that differs from what it was below the top layer, by address in order.
pub fn state_diff(state: &State) -> Result<Vec<AccountDiff>, Missing> {
    let mut diffs = Vec::new();
    for (address, change) in state.top() {
        let (before, now) = (&change.before, &change.now);
        if !now.exists {
            if before.exists {
                diffs.push(AccountDiff { deleted: true, ..AccountDiff::unchanged(*address) });
            }
            continue;
        }
        let mut storage: Vec<_> = change
            .storage
            .iter()
            // A replaced account started from nothing, so what counts is what is there now.
            .filter(|(_, (old, new))| if change.replaced { !new.is_zero() } else { old != new })
            .map(|(slot, (_, new))| (*slot, *new))
            .collect();
        storage.sort_unstable();
        // A new account that stays empty (before EIP-161) has no changed field, yet is in the trie.
        let born_empty = !before.exists && now.is_fresh() && now.balance.is_zero();
        let code = if before.code_hash == now.code_hash {
            None
        } else if now.code_hash == KECCAK_EMPTY {
            Some(Bytes::new())
        } else {
            Some(state.code(now.code_hash)?.original_bytes())
        };
        let diff = AccountDiff {
            address: *address,
            balance: (born_empty || before.balance != now.balance).then_some(now.balance),
            nonce: (born_empty || before.nonce != now.nonce).then_some(now.nonce),
            code,
            storage,
            deleted: false,
            storage_cleared: change.replaced && before.exists,
        };
        if !diff.is_unchanged() {
            diffs.push(diff);
        }
    }
    diffs.sort_unstable_by_key(|diff| diff.address);
    Ok(diffs)
}

impl AccountDiff {
    fn unchanged(address: Address) -> Self {
        Self {
            address,
            balance: None,
            nonce: None,
            code: None,
            storage: Vec::new(),
            deleted: false,
            storage_cleared: false,
        }
    }

    fn is_unchanged(&self) -> bool {
        self.balance.is_none()
            && self.nonce.is_none()
            && self.code.is_none()
            && self.storage.is_empty()
            && !self.storage_cleared
    }

    fn write_json(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(b"\"0x");
        put_hex(json, self.address.as_slice());
        json.extend_from_slice(b"\":");
        if self.deleted {
            json.extend_from_slice(b"null");
            return;
        }
        json.push(b'{');
        if let Some(balance) = self.balance {
            json.extend_from_slice(b"\"balance\":\"0x");
            put_quantity(json, &balance.to_be_bytes::<32>());
            json.extend_from_slice(b"\",");
        }
        if let Some(code) = &self.code {
            json.extend_from_slice(b"\"code\":\"0x");
            put_hex(json, code);
            json.extend_from_slice(b"\",");
        }
        if let Some(nonce) = self.nonce {
            json.extend_from_slice(b"\"nonce\":\"0x");
            put_quantity(json, &nonce.to_be_bytes());
            json.extend_from_slice(b"\",");
        }
        if !self.storage.is_empty() {
            json.extend_from_slice(b"\"storage\":{");
            for (slot, value) in &self.storage {
                json.extend_from_slice(b"\"0x");
                put_hex(json, &slot.to_be_bytes::<32>());
                json.extend_from_slice(b"\":\"0x");
                put_hex(json, &value.to_be_bytes::<32>());
                json.extend_from_slice(b"\",");
            }
            json.pop();
            json.extend_from_slice(b"},");
        }
        if self.storage_cleared {
            json.extend_from_slice(b"\"storage_cleared\":true,");
        }
        if json.last() == Some(&b',') {
            json.pop();
        }
        json.push(b'}');
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn put_hex(json: &mut Vec<u8>, bytes: &[u8]) {
    json.reserve(2 * bytes.len());
    for byte in bytes {
        json.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Append a number without leading zeros, nothing as one zero.
fn put_quantity(json: &mut Vec<u8>, big_endian: &[u8]) {
    let number = trimmed(big_endian);
    let start = json.len();
    put_hex(json, number);
    match number.first() {
        None => json.push(b'0'),
        Some(0..0x10) => drop(json.remove(start)),
        Some(_) => {}
    }
}

/// Return the SHA-256 of the diff's canonical JSON.
pub fn diff_hash(diffs: &[AccountDiff]) -> [u8; 32] {
    let mut json = Vec::with_capacity(1024);
    json.push(b'{');
    for (index, diff) in diffs.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        diff.write_json(&mut json);
    }
    json.push(b'}');
    Sha256::digest(json).into()
}
