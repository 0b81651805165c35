//! What is left in a block, and what its transactions have used of it.

use revm::context::result::ResultGas;
use revm::primitives::eip7825::TX_GAS_LIMIT_CAP;

/// Gas and blob gas that are left. From Amsterdam on execution and state are counted apart (EIP-8037).
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    pub gas: u64,
    /// `None` where all gas is of one kind.
    pub state_gas: Option<u64>,
    pub blob_gas: u64,
    /// What receipts say that has been used, refunds taken off.
    pub receipts_gas: u64,
}

impl Room {
    /// Say whether a transaction may still be included.
    pub fn has(&self, gas_limit: u64, blob_gas: u64) -> bool {
        let gas = match self.state_gas {
            None => gas_limit <= self.gas,
            Some(state_gas) => gas_limit.min(TX_GAS_LIMIT_CAP) <= self.gas && gas_limit <= state_gas,
        };
        gas && blob_gas <= self.blob_gas
    }

    /// Take what a transaction has used.
    pub fn take(&mut self, gas: &ResultGas, blob_gas: u64) {
        self.receipts_gas += gas.tx_gas_used();
        self.blob_gas -= blob_gas;
        match &mut self.state_gas {
            None => self.gas -= gas.tx_gas_used(),
            Some(state_gas) => {
                self.gas -= gas.block_regular_gas_used();
                *state_gas -= gas.block_state_gas_used();
            }
        }
    }
}
