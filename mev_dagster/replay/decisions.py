"""The second half of a replay: features, executions and ranking of each block, made again from the log.

What was pending is a function of the log; the state before a block comes from a capture or an archive
node. The rows are compared with those the block's run stored, the ranking by its digest.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mev_dagster.blockrun.over_log import DecidedHead
from mev_dagster.features.rows import tx_feature_columns
from mev_dagster.replay.against import Divergence
from mev_dagster.replay.stored import StoredRun
from mev_dagster.search.rows import opportunity_columns, simulation_columns
from mev_dagster.store.tables import TABLES
from mev_dagster.units import NS_PER_SECOND

if TYPE_CHECKING:
    from mev_dagster.store.client import Store

TABLES_OF_A_RUN = ("tx_features", "simulations", "opportunities")

Columns = dict[str, Sequence[Any]]


def run_columns(decided: DecidedHead, table: str) -> Columns:
    """Return what a block's run stores in a table."""
    result = decided.decision.result
    if table == "simulations":
        return dict(simulation_columns(result))
    if table == "opportunities":
        return dict(opportunity_columns(result))
    env = result.env
    return dict(tx_feature_columns(env.number, env.timestamp * NS_PER_SECOND, result.features))


class DecisionComparison:
    """Compares blocks decided again with what their runs stored; without a store it only digests them."""

    def __init__(self, store: "Store | None") -> None:
        self.blocks = self.compared = self.equal = 0
        self.first: Divergence | None = None
        self._store = store
        self._digest = hashlib.sha256()

    @property
    def rank_digest(self) -> bytes:
        """One digest over the rank digests of all blocks."""
        return self._digest.digest()

    def push(self, decided: DecidedHead) -> None:
        """Compare one block; a block that no run has searched is only digested."""
        self.blocks += 1
        self._digest.update(decided.head.block_hash + decided.decision.result.rank_digest)
        if self._store is None:
            return
        stored = StoredRun(self._store, decided.head.number, decided.head.block_hash)
        rank_digest = stored.rank_digest()
        if rank_digest is None:
            return
        for table in TABLES_OF_A_RUN:
            self._compare_rows(decided, table, stored)
        self.compared += 1
        self.equal += self._check(
            decided,
            "block_runs",
            "rank_digest",
            decided.decision.result.rank_digest,
            rank_digest,
        )

    def _compare_rows(self, decided: DecidedHead, table: str, stored: StoredRun) -> None:
        columns = run_columns(decided, table)
        key = [name for name in TABLES[table].key if name in columns]
        names = list(columns)
        made = {
            tuple(row[names.index(name)] for name in key): row for row in zip(*columns.values(), strict=True)
        }
        found = {tuple(row[names.index(name)] for name in key): row for row in stored.rows(table, names, key)}
        for identity in sorted(made.keys() | found.keys()):
            self.compared += 1
            mine, theirs = made.get(identity), found.get(identity)
            if mine is None or theirs is None:
                self._check(decided, table, "", mine, theirs)
                continue
            differing = next((n for n, a, b in zip(names, mine, theirs, strict=True) if a != b), None)
            if differing is None:
                self.equal += 1
            else:
                at = names.index(differing)
                self._check(decided, table, differing, mine[at], theirs[at])

    def _check(self, decided: DecidedHead, table: str, column: str, mine: Any, theirs: Any) -> bool:
        if mine != theirs and self.first is None:
            why = f"block {decided.head.number} decided again comes out differently"
            self.first = Divergence(decided.head.seq, table, column, mine, theirs, why)
        return bool(mine == theirs)
