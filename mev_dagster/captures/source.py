"""Where a block's truth comes from: a capture on disk, or a live node. Both answer the same questions.

The rooms above take a `ChainSource` and never ask which; so live runs, replays and backfills share one path.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import ForkSchedule
from mev_dagster.chain.jsonrpc import block_from_rpc, receipt_from_rpc
from mev_dagster.chain.receipts import Receipt, receipts_root
from mev_dagster.errors import NodeAnswerError
from mev_dagster.evm.node.forks import schedule_of
from mev_dagster.evm.state.rpc_state import RpcState
from mev_dagster.evm.types import StateSource
from mev_dagster.node.http import JsonRpc


class ChainSource(Protocol):
    """Blocks, their receipts and the state before them."""

    @property
    def chain_id(self) -> int:
        """Return the chain's id."""
        ...

    @property
    def schedule(self) -> ForkSchedule:
        """Return when the chain's forks begin."""
        ...

    def block(self, number: int) -> Block:
        """Return the block with this number."""
        ...

    def receipts(self, number: int) -> tuple[Receipt, ...]:
        """Return the block's receipts, in order."""
        ...

    def prestate(self, number: int) -> StateSource:
        """Return the state before the block."""
        ...


class NodeSource:
    """A `ChainSource` over a node's JSON-RPC; hashes and roots are checked against the header."""

    def __init__(self, rpc: JsonRpc) -> None:
        self._rpc = rpc
        self._chain_id: int | None = None
        self._schedule: ForkSchedule | None = None

    @property
    def chain_id(self) -> int:
        """Return the node's chain id, asked once."""
        if self._chain_id is None:
            self._chain_id = int(str(self._rpc.call("eth_chainId")), 16)
        return self._chain_id

    @property
    def schedule(self) -> ForkSchedule:
        """Return the chain's forks with those the node has scheduled, asked once."""
        if self._schedule is None:
            self._schedule = schedule_of(self._rpc)
        return self._schedule

    def block(self, number: int) -> Block:
        """Return the canonical block with this number; raises `NodeAnswerError` when the node has none."""
        answer = self._rpc.call("eth_getBlockByNumber", [hex(number), True])
        if not isinstance(answer, Mapping):
            raise NodeAnswerError(f"{self._rpc.shown_url} has no block {number}")
        return block_from_rpc(answer)

    def receipts(self, number: int) -> tuple[Receipt, ...]:
        """Return the receipts of a block, checked against its receipts root."""
        block = self.block(number)
        answer: Any = self._rpc.call("eth_getBlockReceipts", [hex(number)])
        if not isinstance(answer, list):
            raise NodeAnswerError(f"{self._rpc.shown_url} has no receipts of block {number}")
        found = tuple(receipt_from_rpc(item) for item in answer)
        if receipts_root(found) != block.header.receipts_root:
            raise NodeAnswerError(
                f"{self._rpc.shown_url}: receipts of block {number} do not hash to its receipts root"
            )
        return found

    def prestate(self, number: int) -> StateSource:
        """Return the state after the parent of this block, loaded as it is asked for, and proven."""
        return RpcState.at(self._rpc, number - 1)
