//! The block access list (EIP-7928) of what a session commits, gathered phase by phase.

use revm::primitives::{Address, U256};
use revm::state::EvmState;
use revm::state::bal::{Bal, BlockAccessIndex};

use crate::rlp::{list, put_bytes, put_number};

/// What the block has accessed so far; index 0 is before the transactions, 1 the first of them.
#[derive(Debug, Default)]
pub struct AccessList {
    bal: Bal,
    index: u64,
}

impl AccessList {
    /// Go on to the next transaction, or to what comes after the last.
    pub fn advance(&mut self) {
        self.index += 1;
    }

    /// Note all that a transaction or system call looked at and what it left behind.
    pub fn note(&mut self, journal: &EvmState) {
        for (address, account) in journal {
            self.bal.update_account(BlockAccessIndex::new(self.index), *address, account);
        }
    }

    /// Note an account that was looked up, and nothing more.
    pub fn note_account(&mut self, address: Address) {
        self.bal.accounts.entry(address).or_default();
    }

    /// Note a balance that changed outside of execution.
    pub fn note_balance(&mut self, address: Address, before: U256, now: U256) {
        let account = self.bal.accounts.entry(address).or_default();
        account.account_info.balance_update(BlockAccessIndex::new(self.index), &before, now);
    }

    /// Return the list as the header's hash covers it: everything in order.
    pub fn encoded(&self) -> Vec<u8> {
        let mut accounts = Vec::new();
        for account in self.bal.clone().into_alloy_bal() {
            let mut fields = Vec::new();
            put_bytes(&mut fields, account.address.as_slice());
            let mut slots = Vec::new();
            for slot in &account.storage_changes {
                let changes = changes(&slot.changes, |change| {
                    (change.block_access_index.get(), change.new_value.to_be_bytes_vec())
                });
                let mut pair = Vec::new();
                put_number(&mut pair, &slot.slot.to_be_bytes::<32>());
                pair.extend(changes);
                slots.extend(list(&pair));
            }
            fields.extend(list(&slots));
            let mut reads = Vec::new();
            account.storage_reads.iter().for_each(|slot| put_number(&mut reads, &slot.to_be_bytes::<32>()));
            fields.extend(list(&reads));
            fields.extend(changes(&account.balance_changes, |change| {
                (change.block_access_index.get(), change.post_balance.to_be_bytes_vec())
            }));
            fields.extend(changes(&account.nonce_changes, |change| {
                (change.block_access_index.get(), change.new_nonce.to_be_bytes().to_vec())
            }));
            let mut codes = Vec::new();
            for change in &account.code_changes {
                let mut pair = Vec::new();
                put_number(&mut pair, &change.block_access_index.get().to_be_bytes());
                put_bytes(&mut pair, change.new_code());
                codes.extend(list(&pair));
            }
            fields.extend(list(&codes));
            accounts.extend(list(&fields));
        }
        list(&accounts)
    }
}

/// Encode pairs of an index and a number.
fn changes<T>(found: &[T], pair_of: impl Fn(&T) -> (u64, Vec<u8>)) -> Vec<u8> {
    let mut pairs = Vec::new();
    for change in found {
        let (index, number) = pair_of(change);
        let mut pair = Vec::new();
        put_number(&mut pair, &index.to_be_bytes());
        put_number(&mut pair, &number);
        pairs.extend(list(&pair));
    }
    list(&pairs)
}
