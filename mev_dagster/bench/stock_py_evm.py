"""py-evm as it comes: each fork's state on its own account database, the peer of our engines."""

from collections.abc import Sequence
from typing import Any

import eth
from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun import CancunState
from eth.vm.forks.prague import PragueState
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth.vm.forks.shanghai import ShanghaiState

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.py_evm.recursion import deep_recursion
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import BlockEnv

VERSION = f"py-evm {eth.__version__}"

_STATES = {Fork.SHANGHAI: ShanghaiState, Fork.CANCUN: CancunState, Fork.PRAGUE: PragueState}


class StockPyEvm:
    """Executes transactions one after the other, as py-evm's own chain does within a block."""

    def __init__(self, prestate: Prestate, env: BlockEnv) -> None:
        self._state_class = _STATES[env.fork]
        self._context = ExecutionContext(
            coinbase=env.coinbase,
            timestamp=env.timestamp,
            block_number=env.number,
            difficulty=env.difficulty,
            mix_hash=env.prev_randao,
            gas_limit=env.gas_limit,
            prev_hashes=_ancestors(prestate, env),
            chain_id=env.chain_id,
            base_fee_per_gas=env.base_fee_per_gas_wei,
            excess_blob_gas=env.excess_blob_gas,
        )
        self._db = AtomicDB()
        state = self._state_class(self._db, self._context, BLANK_ROOT_HASH)
        for address, account in prestate.accounts.items():
            if not account.exists:
                continue
            state.set_balance(address, account.balance_wei)
            state.set_nonce(address, account.nonce)
            state.set_code(address, prestate.code(account.code_hash))
            for slot, value in account.storage.items():
                state.set_storage(address, slot, value)
        state.persist()
        self._root = state.state_root

    @staticmethod
    def decode(txs: Sequence[Transaction]) -> list[Any]:
        """Return py-evm's transactions with their senders recovered, which is not what is measured."""
        decoded = [PragueTransactionBuilder.decode(tx.raw) for tx in txs]
        for tx in decoded:
            assert tx.sender
        return decoded

    def run(self, txs: Sequence[Any]) -> int:
        """Execute transactions on the initial state and return the gas they used."""
        state = self._state_class(self._db, self._context, self._root)
        used = 0
        with deep_recursion():
            for tx in txs:
                computation = state.apply_transaction(tx)
                state.lock_changes()
                spent = tx.gas - computation.get_gas_remaining()
                used += spent - min(computation.get_gas_refund(), spent // 5)
        return used


def _ancestors(prestate: Prestate, env: BlockEnv) -> tuple[bytes, ...]:
    """Return the hashes that are known, the parent's first; py-evm wants them without a gap."""
    hashes = [env.parent_hash]
    while (older := prestate.block_hashes.get(env.number - 1 - len(hashes))) is not None:
        hashes.append(older)
    return tuple(hashes)
