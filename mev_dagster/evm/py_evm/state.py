"""py-evm's view of the world, answered by a `Journal` and a `BlockEnv`."""

from typing import Any

from eth.vm.execution_context import ExecutionContext
from eth.vm.state import BaseState

from mev_dagster.chain.fees import blob_base_fee
from mev_dagster.chain.forks import Fork
from mev_dagster.evm.py_evm.journal import Journal
from mev_dagster.evm.types import BlockEnv, StateSource

_ANCESTORS = 256  # how far back BLOCKHASH sees

# Calls that py-evm's opcodes make on their state and that the journal answers under the same name. They
# are bound on the instance: one attribute lookup instead of two method calls for each of them.
_ANSWERED_BY_JOURNAL = (
    "account_exists",
    "account_is_empty",
    "clear_transient_storage",
    "commit",
    "delete_account",
    "delete_code",
    "delete_storage",
    "delta_balance",
    "get_balance",
    "get_code",
    "get_code_hash",
    "get_nonce",
    "get_storage",
    "get_transient_storage",
    "has_code_or_nonce",
    "increment_nonce",
    "is_storage_warm",
    "mark_address_warm",
    "mark_storage_warm",
    "revert",
    "set_balance",
    "set_code",
    "set_nonce",
    "set_storage",
    "set_transient_storage",
    "snapshot",
    "touch_account",
)


class JournalState(BaseState):  # type: ignore[misc]
    """Mixed into the state class of each fork, in front of it."""

    def __init__(self, source: StateSource, env: BlockEnv) -> None:
        # BaseState's own constructor would write system contracts into the state; ours holds what is real.
        self.source = source
        self.env = env
        self.journal = Journal(source)
        self.execution_context = ExecutionContext(
            coinbase=env.coinbase,
            timestamp=env.timestamp,
            block_number=env.number,
            difficulty=env.difficulty,
            mix_hash=env.prev_randao,
            gas_limit=env.gas_limit,
            prev_hashes=(),
            chain_id=env.chain_id,
            base_fee_per_gas=env.base_fee_per_gas_wei,
            excess_blob_gas=env.excess_blob_gas,
        )
        self._blob_base_fee = (
            blob_base_fee(env.excess_blob_gas or 0, env.blob_parameters) if env.fork >= Fork.CANCUN else None
        )
        for name in _ANSWERED_BY_JOURNAL:
            setattr(self, name, getattr(self.journal, name))
        self._precompiles = frozenset(self.computation_class.get_precompiles())

    @property
    def blob_base_fee(self) -> Any:
        """What one unit of blob gas costs in this block, under this fork's update fraction."""
        if self._blob_base_fee is None:
            return super().blob_base_fee
        return self._blob_base_fee

    def is_address_warm(self, address: bytes) -> bool:
        """Say whether this transaction has accessed the account; precompiles are always warm."""
        return self.journal.is_address_warm(address) or address in self._precompiles

    def get_ancestor_hash(self, block_number: int) -> bytes:
        """Return what BLOCKHASH pushes: an ancestor's hash, or nothing out of range."""
        if not 0 <= block_number < self.env.number or self.env.number - block_number > _ANCESTORS:
            return b""
        if block_number == self.env.number - 1 and any(self.env.parent_hash):
            return self.env.parent_hash
        return self.source.block_hash(block_number)
