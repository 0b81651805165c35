"""What a search of one block starts from, and where a capture has it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mev_dagster.captures.format import Capture
from mev_dagster.dex.venue import Pool
from mev_dagster.errors import CaptureError, InputError
from mev_dagster.evm.blocks import block_env
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import BlockEnv
from mev_dagster.features.mempool import PendingTx, pending_sets
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.searcher import Searcher


@dataclass(frozen=True, slots=True)
class SearchInputs:
    """The block to be built, the state before it, and what was pending when it arrived at `at_ns`.

    `searcher` is None where the state holds no executor of ours. `known_pools` are pools as they stand before
    the block, beside those that the prestate holds.
    """

    env: BlockEnv
    prestate: Prestate
    pending: tuple[PendingTx, ...]
    at_ns: int
    searcher: Searcher | None = None
    known_pools: tuple[Pool, ...] = ()


def capture_inputs(capture: Capture, number: int | None = None) -> Iterator[SearchInputs]:
    """Yield the inputs of every block that the capture has a state for, or of block `number` alone."""
    if number is not None and not capture.has_prestate(number):
        raise InputError(f"{capture.path}: holds no state before block {number}")
    for pending in pending_sets(capture.events()):
        if pending.number == number or (number is None and capture.has_prestate(pending.number)):
            block = capture.block(pending.number)
            if block.hash != pending.head.block_hash:
                raise CaptureError(
                    f"{capture.path}: block {pending.number} is {to_hex(block.hash)}, "
                    f"its head event says {to_hex(pending.head.block_hash)}"
                )
            yield SearchInputs(
                env=block_env(block.header, capture.chain_id),
                prestate=capture.prestate(pending.number),
                pending=pending.txs,
                at_ns=pending.head.wall_ns,
                searcher=searcher_of(capture, pending.number),
            )
        if pending.number == number:
            return


def searcher_of(capture: Capture, number: int) -> Searcher | None:
    """Return the searcher a capture names, with its nonce before block `number`; None when it names none."""
    info = capture.searcher
    if info is None:
        return None
    nonce = capture.prestate(number).account(info.address).nonce
    return Searcher(info.private_key, info.executor, info.weth, nonce, injected=False)


def known_only(state: Prestate) -> Prestate:
    """Return a state that answers for what it lists and for nothing else.

    A block file may leave out what its own block found empty. A candidate asks for other things than the
    block did, and for those "not listed" means "not known".
    """
    return state if state.complete else replace(state, lists_every_account=False, lists_every_slot=False)
