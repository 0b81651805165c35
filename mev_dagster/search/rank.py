"""Order candidates by integers alone, so that every machine and every run agrees.

Verified candidates come first, by profit after gas as executed; then those that were not executed or could
not be, by profit as the formulas have it; ties go to the smaller opportunity id.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mev_dagster.chain.transactions import Transaction
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.identity import canonical_json
from mev_dagster.search.plan import Plan
from mev_dagster.search.verify import Verification

UNRANKED = -1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan with its id, its signed transactions and what execution showed, if it was executed."""

    opportunity_id: bytes
    plan: Plan
    txs: tuple[Transaction, ...]
    verification: Verification | None
    rank: int = UNRANKED

    @property
    def kind(self) -> str:
        """Return what it does."""
        return self.plan.kind

    @property
    def tx_hashes(self) -> tuple[bytes, ...]:
        """Return the hashes of its transactions, in order."""
        return tuple(tx.hash for tx in self.txs)

    @property
    def pending_hashes(self) -> tuple[bytes, ...]:
        """Return the hashes of the pending transactions it builds on."""
        return tuple(tx.hash for tx in self.plan.pending)

    @property
    def expected_profit_wei(self) -> int:
        """Return the profit by the formulas, before gas."""
        return self.plan.expected_profit_wei

    @property
    def simulated_profit_wei(self) -> int | None:
        """Return the profit as executed, after gas."""
        return self.verification.profit_wei if self.verification else None

    @property
    def verified(self) -> bool:
        """Say whether execution confirmed a profit after gas."""
        return self.verification is not None and self.verification.holds

    @property
    def reason(self) -> str:
        """Return why it is not verified, empty when it is."""
        return self.verification.reason if self.verification else "over_budget"


def ranked(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates best first, each with its rank from 0."""
    ordered = sorted(candidates, key=_key)
    return tuple(replace(candidate, rank=rank) for rank, candidate in enumerate(ordered))


def _key(candidate: Candidate) -> tuple[bool, int, bytes]:
    simulated = candidate.simulated_profit_wei
    worth = simulated if candidate.verified and simulated is not None else candidate.expected_profit_wei
    return (not candidate.verified, -worth, candidate.opportunity_id)


def to_json(candidate: Candidate) -> dict[str, Any]:
    """Return the candidate as the command prints it and as digests cover it."""
    return {
        "opportunity_id": to_hex(candidate.opportunity_id),
        "rank": candidate.rank,
        "kind": candidate.kind,
        "strategy": candidate.plan.strategy,
        "tx_hashes": [to_hex(tx_hash) for tx_hash in candidate.tx_hashes],
        "pending_hashes": [to_hex(tx_hash) for tx_hash in candidate.pending_hashes],
        "venues": [to_hex(venue) for venue in candidate.plan.venues],
        "tokens": [to_hex(token) for token in candidate.plan.tokens],
        "size": candidate.plan.size_wei,
        "expected_profit_wei": candidate.expected_profit_wei,
        "simulated_profit_wei": candidate.simulated_profit_wei,
        "gas_used": candidate.verification.gas_used if candidate.verification else None,
        "verified": candidate.verified,
        "reason": candidate.reason,
        "detail": candidate.verification.detail if candidate.verification else "",
    }


def rank_digest(candidates: Sequence[Candidate]) -> bytes:
    """Return the SHA-256 of the ranked candidates, one canonical JSON line each."""
    digest = hashlib.sha256()
    for candidate in candidates:
        digest.update(canonical_json(to_json(candidate)) + b"\n")
    return digest.digest()
