"""An inspector: whoever wraps ether."""

from mev_dagster.labels.inspector import Inspector
from mev_dagster.labels.value import Confidence, Label


class ToyWraps(Inspector):
    kind = "toy_wrap"
    plural = "toy_wraps"

    def find(self, view):
        for swap in view.swaps:
            if swap.protocol == "toy":
                yield Label(
                    kind=self.kind,
                    accounts=(swap.sender,),
                    tx_hashes=(swap.tx_hash,),
                    venues=(swap.pool,),
                    profit=(),
                    costs=view.costs([swap.tx_index]),
                    net_wei=None,
                    confidence=Confidence.HIGH,
                    why="wrapped ether",
                )
