//! The state diff and its canonical SHA-256, as `mev_dagster/evm/diff.py` defines it.

use std::fmt::Write;

use revm::primitives::{Address, Bytes, KECCAK_EMPTY, U256, hex};
use sha2::{Digest, Sha256};

use crate::state::State;
use crate::world::Missing;

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

    fn write_json(&self, json: &mut String) -> std::fmt::Result {
        write!(json, "\"0x{}\":", hex::encode(self.address))?;
        if self.deleted {
            json.push_str("null");
            return Ok(());
        }
        json.push('{');
        if let Some(balance) = self.balance {
            write!(json, "\"balance\":\"{balance:#x}\",")?;
        }
        if let Some(code) = &self.code {
            write!(json, "\"code\":\"0x{}\",", hex::encode(code))?;
        }
        if let Some(nonce) = self.nonce {
            write!(json, "\"nonce\":\"{nonce:#x}\",")?;
        }
        if !self.storage.is_empty() {
            json.push_str("\"storage\":{");
            for (slot, value) in &self.storage {
                write!(
                    json,
                    "\"0x{}\":\"0x{}\",",
                    hex::encode(slot.to_be_bytes::<32>()),
                    hex::encode(value.to_be_bytes::<32>())
                )?;
            }
            json.pop();
            json.push_str("},");
        }
        if self.storage_cleared {
            json.push_str("\"storage_cleared\":true,");
        }
        if json.ends_with(',') {
            json.pop();
        }
        json.push('}');
        Ok(())
    }
}

/// Return the SHA-256 of the diff's canonical JSON.
pub fn diff_hash(diffs: &[AccountDiff]) -> [u8; 32] {
    let mut json = String::from("{");
    for (index, diff) in diffs.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        diff.write_json(&mut json).expect("writing to a string cannot fail");
    }
    json.push('}');
    Sha256::digest(json).into()
}
