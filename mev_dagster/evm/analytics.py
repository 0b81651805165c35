"""Where a block's gas goes and who stands in whose way.

Gas by class of instruction and cold accesses need every instruction, which an engine reports when it is
made to (`Want.analytics`). Contention needs only what each transaction read and wrote, which all tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mev_dagster.evm.types import TxResult

Slot = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class Contention:
    """A slot that one transaction wrote and a later one in the block read or wrote."""

    slot: Slot
    writer: int
    users: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BlockAnalytics:
    """All of a block's transactions in order, and the slots they met at."""

    txs: tuple[TxResult, ...]
    contention: tuple[Contention, ...]

    @property
    def gas_by_class(self) -> dict[str, int]:
        """Gas of the whole block by class, largest first."""
        totals: dict[str, int] = {}
        for tx in self.txs:
            for name, gas in tx.analytics.gas_by_class.items() if tx.analytics else ():
                totals[name] = totals.get(name, 0) + gas
        return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))

    @property
    def independent_share(self) -> float:
        """Share of transactions that use no slot an earlier one wrote: what could run in parallel."""
        dependent = {user for contention in self.contention for user in contention.users}
        return 1.0 if not self.txs else 1 - len(dependent) / len(self.txs)


def analyze(txs: Sequence[TxResult]) -> BlockAnalytics:
    """Account for the gas and accesses of transactions, contention as if they stood in this order."""
    return BlockAnalytics(tuple(txs), contention(txs))


def contention(results: Sequence[TxResult]) -> tuple[Contention, ...]:
    """Return the slots that were written and used again later, by their last writer before each use."""
    last_writer: dict[Slot, int] = {}
    met: dict[tuple[Slot, int], list[int]] = {}
    for index, result in enumerate(results):
        for slot in result.slots_read:
            writer = last_writer.get(slot)
            if writer is not None:
                met.setdefault((slot, writer), []).append(index)
        for slot in result.slots_written:
            last_writer[slot] = index
    return tuple(
        Contention(slot, writer, tuple(users))
        for (slot, writer), users in sorted(met.items(), key=lambda item: (item[0][1], item[0][0]))
    )


def contended_slots(alternatives: Sequence[TxResult]) -> list[tuple[Slot, ...]]:
    """Return, for each of several transactions tried on one state, the slots it uses that another writes.

    Whichever of the two comes first in a block, the other's result may be a different one.
    """
    writers: dict[Slot, int] = {}
    for result in alternatives:
        for slot in result.slots_written:
            writers[slot] = writers.get(slot, 0) + 1
    found = []
    for result in alternatives:
        own = frozenset(result.slots_written)
        found.append(tuple(slot for slot in result.slots_read if writers.get(slot, 0) > (slot in own)))
    return found
