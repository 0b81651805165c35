"""Does an engine give what the network gave? Execute a block and compare every receipt, and the roots.

A difference is a value that names the transaction; what could not be executed at all is an error.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import Fork, ForkSchedule
from mev_dagster.chain.receipts import Receipt, logs_bloom
from mev_dagster.chain.requests import requests_hash
from mev_dagster.errors import InputError
from mev_dagster.evm.block_files import BlockFile
from mev_dagster.evm.blocks import (
    BlockResult,
    access_list_fault_of,
    blame_missing_state,
    block_env,
    execute_block,
)
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.witness import Witness
from mev_dagster.evm.types import SimulationEngine, StateSource, TxStatus
from mev_dagster.hexadecimal import to_hex


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that came out otherwise; `tx` is its index, None for the block as a whole."""

    what: str
    tx: int | None
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class BlockParity:
    """How one block compared. A root is None where there is nothing to check it against."""

    number: int
    fork: Fork
    txs: int
    gas_used: int
    receipts_root_matches: bool | None
    state_root_matches: bool | None
    access_list_matches: bool | None
    differences: tuple[Difference, ...]
    state_diff_hash: bytes
    seconds: float

    def count(self, what: str) -> int:
        """Return how many differences of one kind there are."""
        return sum(difference.what == what for difference in self.differences)


def check_file(file: BlockFile, engine: SimulationEngine) -> BlockParity:
    """Compare the block of a block file."""
    return check(file.block, file.prestate, file.expected, engine, chain=file.chain_id, witness=file.witness)


def check(
    block: Block,
    state: StateSource,
    expected: Sequence[Receipt] | None,
    engine: SimulationEngine,
    *,
    chain: int | ForkSchedule,
    witness: Witness | None = None,
) -> BlockParity:
    """Execute a block on its parent's state and compare it with what its network has.

    Without receipts, the roots and hashes of the header are what is compared.
    """
    if expected is not None and len(expected) != len(block.transactions):
        raise InputError(
            f"block {block.header.number}: {len(block.transactions)} transactions, {len(expected)} receipts"
        )
    started = time.perf_counter()
    result = execute_block(engine, state, block, chain, judge_access_list=False)
    seconds = time.perf_counter() - started
    differences = (
        *(() if expected is None else receipt_differences(result, expected, state)),
        *_block_differences(block, result, state, witness),
    )
    failed = {difference.what for difference in differences}
    return BlockParity(
        number=block.header.number,
        fork=block_env(block.header, chain).fork,
        txs=len(block.transactions),
        gas_used=result.gas_used,
        receipts_root_matches=None if result.receipts_root is None else "receipts_root" not in failed,
        state_root_matches="state_root" not in failed if _gives_root(state, witness) else None,
        access_list_matches=None
        if block.header.block_access_list_hash is None
        else "access_list" not in failed,
        differences=differences,
        state_diff_hash=result.state_diff_hash,
        seconds=seconds,
    )


def receipt_differences(
    result: BlockResult, expected: Sequence[Receipt], state: StateSource
) -> Iterator[Difference]:
    """Compare what each transaction used, how it ended and what it logged with its receipt."""
    for index, (want, have, tx) in enumerate(zip(expected, result.receipts, result.sim.txs, strict=True)):
        compared = [
            ("gas", want.gas_used, have.gas_used),
            # Receipts from before Byzantium hold a state root instead.
            ("status", want.status, None if want.status is None else int(tx.status is TxStatus.SUCCESS)),
            ("log", want.logs, have.logs),
        ]
        wrong = [(what, str(wanted), str(found)) for what, wanted, found in compared if wanted != found]
        if wrong:
            blame_missing_state(state, tx.accounts_read)
        for what, wanted, found in wrong:
            yield Difference(what, index, wanted, found)


def _block_differences(
    block: Block, result: BlockResult, state: StateSource, witness: Witness | None
) -> Iterator[Difference]:
    header = block.header
    if result.gas_used != header.gas_used:
        yield Difference("block_gas_used", None, str(header.gas_used), str(result.gas_used))
    if result.receipts_root is not None and result.receipts_root != header.receipts_root:
        yield _root_difference("receipts_root", header.receipts_root, result.receipts_root)
    bloom = logs_bloom([log for receipt in result.receipts for log in receipt.logs])
    if bloom != header.logs_bloom:
        yield _root_difference("logs_bloom", header.logs_bloom, bloom)
    if header.requests_hash is not None and requests_hash(result.sim.requests) != header.requests_hash:
        yield _root_difference("requests", header.requests_hash, requests_hash(result.sim.requests))
    if (fault := access_list_fault_of(block, result.sim)) is not None:
        yield Difference("access_list", None, "what executing it gives", fault)
    if _gives_root(state, witness):
        root = _state_root(result, state, witness)
        if root != header.state_root:
            yield _root_difference("state_root", header.state_root, root)


def _root_difference(what: str, expected: bytes, found: bytes) -> Difference:
    return Difference(what, None, to_hex(expected), to_hex(found))


def _gives_root(state: StateSource, witness: Witness | None) -> bool:
    return witness is not None or (isinstance(state, Prestate) and state.complete)


def _state_root(result: BlockResult, state: StateSource, witness: Witness | None) -> bytes:
    if witness is not None:
        return witness.root_after(result.state_diff)
    assert isinstance(state, Prestate)
    return state.apply(result.state_diff).state_root()
