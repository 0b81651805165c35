"""What scoring starts from: a block's candidates and what landed in it, as the steps before stored them.

Nothing is proposed, executed or labelled again, and no node is asked: the pending transactions that plans
build on come from the log.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import StepMissing
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.landed import Landed
from mev_dagster.search.plan import Plan
from mev_dagster.search.plan_record import of_record
from mev_dagster.store.client import Store

_SQL = resources.files("mev_dagster.blockrun")
DECIDED_BLOCK_SQL = (_SQL / "decided_block.sql").read_text()
STORED_CANDIDATES_SQL = (_SQL / "stored_candidates.sql").read_text()
LABELLED_BLOCK_SQL = (_SQL / "labelled_block.sql").read_text()
LANDED_OPPORTUNITIES_SQL = (_SQL / "landed_opportunities.sql").read_text()


@dataclass(frozen=True, slots=True)
class StoredCandidate:
    """A row of `opportunities` with its plan."""

    opportunity_id: bytes
    plan: Plan
    rank: int
    simulated_profit_wei: int | None
    verified: bool
    reason: str

    @property
    def kind(self) -> str:
        """Return what it does."""
        return self.plan.kind

    @property
    def pending_hashes(self) -> tuple[bytes, ...]:
        """Return the hashes of the pending transactions it builds on."""
        return tuple(tx.hash for tx in self.plan.pending)

    @property
    def expected_profit_wei(self) -> int:
        """Return the profit by the formulas, before gas."""
        return self.plan.expected_profit_wei


@dataclass(frozen=True, slots=True)
class StoredSearch:
    """The candidates that were found before a block, best first, and when the block was."""

    block_time_ns: int
    candidates: Sequence[StoredCandidate]


def stored_search(
    store: Store, number: int, block_hash: bytes, pending: Mapping[bytes, Transaction]
) -> StoredSearch:
    """Read the candidates that were found before a block; `StepMissing` when nobody looked for any."""
    found = store.rows(DECIDED_BLOCK_SQL, {"number": number, "hash": block_hash.hex()})
    if not found:
        raise StepMissing(
            f"block {number}: the store holds no search before {to_hex(block_hash)}; run opportunities first"
        )
    return StoredSearch(found[0][0], tuple(_candidates(store, number, pending)))


def _candidates(store: Store, number: int, pending: Mapping[bytes, Transaction]) -> Iterator[StoredCandidate]:
    for (
        identity, rank, kind, strategy, venues, tokens, size, expected, simulated, verified, reason, record,
    ) in store.rows(STORED_CANDIDATES_SQL, {"number": number}):  # fmt: skip
        try:
            items, prize, moves = of_record(record, pending)
        except (KeyError, ValueError, TypeError) as error:
            raise StepMissing(
                f"block {number}: the plan of candidate {to_hex(identity)} cannot be read back "
                f"({type(error).__name__}); run opportunities again"
            ) from error
        plan = Plan(kind, strategy, items, tuple(venues), tuple(tokens), size, expected, prize, moves)
        yield StoredCandidate(identity, plan, rank, simulated, bool(verified), reason)


def stored_landed(store: Store, number: int, block_hash: bytes) -> Sequence[Landed]:
    """Read what a search could have proposed of what landed; `StepMissing` when nobody labelled the block."""
    asked = {"number": number, "hash": block_hash.hex()}
    labelled = store.rows(LABELLED_BLOCK_SQL, asked)
    if not labelled:
        raise StepMissing(
            f"block {number}: the store holds no labels of {to_hex(block_hash)}; run mev_labels first"
        )
    [[wrapped_ether]] = labelled
    return [
        Landed(
            opportunity,
            frozenset(victims),
            frozenset(venues),
            tuple(tx_hashes),
            amounts[0] if list(tokens) == [wrapped_ether] else None,
        )
        for opportunity, victims, venues, tx_hashes, tokens, amounts in store.rows(
            LANDED_OPPORTUNITIES_SQL, asked
        )
    ]
