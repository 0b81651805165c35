"""How long after a block was seen its opportunities were stored."""

from dataclasses import dataclass

from mev_dagster.store.client import Store
from mev_dagster.units import NS_PER_MS, NS_PER_SECOND

LAG_SQL = """
SELECT count(), quantileExact(0.5)(lag_ns), quantileExact(0.95)(lag_ns), max(block_number)
FROM (
    SELECT block_number, toUnixTimestamp64Nano(finished_at) - toUnixTimestamp64Nano(seen_at) AS lag_ns
    FROM block_runs FINAL
    WHERE live
)
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """Block-to-opportunity lag over the stored blocks, in nanoseconds."""

    blocks: int
    p50_ns: int
    p95_ns: int
    last_block: int

    def as_dict(self) -> dict[str, int]:
        """Return the figures as the JSON document names them."""
        return {
            "blocks": self.blocks,
            "p50_ms": self.p50_ns // NS_PER_MS,
            "p95_ms": self.p95_ns // NS_PER_MS,
            "last_block": self.last_block,
        }

    def sentence(self) -> str:
        """Say it in one line."""
        if not self.blocks:
            return "No block has been searched yet."
        return (
            f"{self.blocks} blocks searched, the last is {self.last_block}; block-to-opportunity lag "
            f"p50 {self.p50_ns / NS_PER_SECOND:.2f} s, p95 {self.p95_ns / NS_PER_SECOND:.2f} s."
        )


def block_to_opportunity_lag(store: Store) -> Lag:
    """Measure the lag over everything in the store."""
    ((blocks, p50, p95, last),) = store.rows(LAG_SQL)
    return Lag(int(blocks), int(p50 or 0), int(p95 or 0), int(last or 0))
