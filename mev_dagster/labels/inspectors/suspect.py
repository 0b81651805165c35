"""Suspect, but unclassified: a transaction that gave the coinbase much, traded, and is no other kind.

Whoever pays for a place with value that only execution shows has a reason. Which one is left open.
"""

from collections.abc import Iterator

from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.value import Confidence, Label
from mev_dagster.labels.view import LandedView

LEAST_PAYMENT_WEI = 10**16


class Suspects(Inspector):
    """Finds transactions that paid for their place and traded; every other kind wins over it."""

    kind = "suspect"
    plural = "suspects"

    def find(self, view: LandedView) -> Iterator[Label]:
        """Yield them in the order of the block."""
        for landed in view.block.txs:
            swaps = view.swaps_of(landed.index)
            if landed.direct_payment_wei >= LEAST_PAYMENT_WEI and swaps:
                called = [landed.tx.to] if landed.tx.to else []
                costs = view.costs([landed.index])
                yield Label(
                    kind=self.kind,
                    accounts=(*called, landed.tx.sender),
                    tx_hashes=(landed.tx.hash,),
                    venues=tuple(dict.fromkeys(swap.pool for swap in swaps)),
                    profit=(),
                    costs=costs,
                    net_wei=None,
                    confidence=Confidence.LOW,
                    why=f"gave the coinbase {costs.coinbase_wei} wei beside its tip and traded",
                )
