"""What strategies look at: the parent state, the block to be built on it, and each pending tx tried out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mev_dagster.dex.graph import PoolGraph
from mev_dagster.evm.types import BlockEnv
from mev_dagster.features.tx import TxFeatures
from mev_dagster.search.limits import VictimLimits
from mev_dagster.search.pending import PendingRun
from mev_dagster.search.searcher import GasPrice, Searcher


@dataclass(frozen=True, slots=True)
class BlockView:
    """Everything a strategy may use. `runs` are in the order the transactions were first seen.

    `crowds` are several pending calls that move one pool, one behind the other; `limits` finds how much a
    call stands in front of it, where its calldata cannot be read. `moved_by` are the pools that each changes.
    """

    env: BlockEnv
    graph: PoolGraph
    wrapped_ether: bytes
    searcher: Searcher
    inventory_wei: int
    bid: GasPrice
    features: Mapping[bytes, TxFeatures]
    runs: tuple[PendingRun, ...]
    crowds: tuple[PendingRun, ...] = ()
    limits: VictimLimits | None = None
    moved_by: Mapping[bytes, frozenset[bytes]] = field(default_factory=dict)
