"""Why did a block come out otherwise? The first instruction at which the two local engines part."""

from mev_dagster.evm.block_files import BlockFile
from mev_dagster.evm.blocks import block_env, mining_rewards
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.recheck import compare
from mev_dagster.evm.trace import first_difference, trace
from mev_dagster.evm.types import SimResult

_DIFFERENCES_SHOWN = 3
_COMPARED = ("status", "gas_used", "output", "logs", "error", "balance_changes_wei", "slots_written")


def explain(file: BlockFile) -> str:
    """Say in words where the engines part on a block that did not come out as on its network.

    Where they do not part, the fault is in what both were given, or in what the file says should come out.
    """
    if not native_is_installed():
        return "there is no second engine to compare with: run `make native`"
    reference, other = (_simulate(file, name) for name in ("py_evm", "revm"))
    index = _first_differing(reference, other)
    if index is None:
        found = "; ".join(compare(reference, other)[:_DIFFERENCES_SHOWN])
        return found or f"both engines give the same results for all {len(reference.txs):,} transactions"
    env = block_env(file.block.header, file.chain_id)
    ours, theirs = (
        trace(file.prestate, env, file.block.transactions, index, engine=name) for name in ("py_evm", "revm")
    )
    where = f"transaction {index}: py_evm is the reference, revm the other: "
    return where + (
        first_difference(ours, theirs)
        or f"the same {len(ours):,} instructions, {reference.txs[index].gas_used:,} and "
        f"{other.txs[index].gas_used:,} gas"
    )


def _simulate(file: BlockFile, engine: str) -> SimResult:
    block = file.block
    env = block_env(block.header, file.chain_id)
    return get_engine(engine).simulate(
        file.prestate,
        env,
        block.transactions,
        withdrawals=block.withdrawals or (),
        end_block=True,
        rewards=mining_rewards(block, env.fork),
    )


def _first_differing(reference: SimResult, other: SimResult) -> int | None:
    for index, (ours, theirs) in enumerate(zip(reference.txs, other.txs, strict=True)):
        if any(getattr(ours, name) != getattr(theirs, name) for name in _COMPARED):
            return index
    return None
