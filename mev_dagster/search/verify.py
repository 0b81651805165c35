"""Execute a candidate for real: its signed transactions, in order, on the captured state."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from mev_dagster.chain.receipts import Log
from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.erc20 import transfers_of
from mev_dagster.evm.types import SimResult, StateSession, TxResult, TxStatus
from mev_dagster.evm.validate import Invalid
from mev_dagster.search.searcher import Searcher


@dataclass(frozen=True, slots=True)
class Verification:
    """What execution showed. `profit_wei` is after gas, and None when something kept it from being known.

    `reason` is a stable code, empty when the candidate earns more than its gas; `detail` says more.
    """

    sim: SimResult
    profit_wei: int | None
    gas_used: int
    coinbase_payment_wei: int
    reason: str = ""
    detail: str = ""

    @property
    def holds(self) -> bool:
        """Say whether the candidate executed whole and paid more than it cost."""
        return not self.reason


def verify(txs: Sequence[Transaction], searcher: Searcher, session: StateSession) -> Verification:
    """Execute `txs` on the session's state and measure what the searcher has gained."""
    return judged(txs, session.run(txs), searcher)


def verify_many(
    bundles: Sequence[Sequence[Transaction]], searcher: Searcher, session: StateSession
) -> list[Verification]:
    """Return what `verify` gives of each, executed on as many cores as are free for it."""
    sims = session.run_many(bundles, threads=free_cores())
    return [judged(txs, sim, searcher) for txs, sim in zip(bundles, sims, strict=True)]


def free_cores() -> int:
    """Return how many cores this process may use and nothing else runs on; at least its own.

    What else runs is the load of the last minute, this process' share of it taken off. No result depends on
    it: candidates are executed each by itself and come back in their order.
    """
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, cores - round(os.getloadavg()[0]) + 1))


def judged(txs: Sequence[Transaction], sim: SimResult, searcher: Searcher) -> Verification:
    """Return what executing a bundle has shown of it."""
    own = [result for tx, result in zip(txs, sim.txs, strict=True) if tx.sender == searcher.address]
    gas_used = sum(result.gas_used for result in own)
    paid = sum(result.coinbase_payment_wei for result in own)
    failure = _failure(txs, sim.txs, searcher)
    if failure is not None:
        return Verification(sim, None, gas_used, paid, *failure)
    profit = sum(gained_wei(result, searcher) for result in sim.txs)
    if profit <= 0:
        return Verification(sim, profit, gas_used, paid, "below_gas", f"leaves {profit} wei after gas")
    return Verification(sim, profit, gas_used, paid)


def _failure(
    txs: Sequence[Transaction], results: Sequence[TxResult], searcher: Searcher
) -> tuple[str, str] | None:
    for position, (tx, result) in enumerate(zip(txs, results, strict=True)):
        if result.error == Invalid.MISSING_STATE:
            return "missing_state", f"transaction {position}: {result.detail}"
        if result.status is not TxStatus.SUCCESS:
            whose = "own" if tx.sender == searcher.address else "pending"
            return f"{whose}_{result.status}", f"transaction {position}: {result.error or result.detail}"
    return None


def gained_wei(result: TxResult, searcher: Searcher) -> int:
    """Return what one transaction left the searcher and its executor, in wei of ether and wrapped ether."""
    ether = sum(result.balance_changes_wei.get(holder, 0) for holder in _holders(searcher))
    return ether + _wrapped_gained(result.logs, searcher)


def _wrapped_gained(logs: Sequence[Log], searcher: Searcher) -> int:
    gained, holders = 0, _holders(searcher)
    for transfer in transfers_of(logs):
        if transfer.token == searcher.wrapped_ether:
            gained += transfer.amount * ((transfer.recipient in holders) - (transfer.sender in holders))
    return gained


def _holders(searcher: Searcher) -> tuple[bytes, bytes]:
    return searcher.address, searcher.executor
