"""Why the search does not have what somebody took, in one stable code and one line for a reader.

Some of it no search of the public mempool could have had, or not this one: `INFEASIBLE` says which reasons
those are. Recall counts them all; beside it stands the recall of what was feasible.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from mev_dagster.backtest.opportunity import Way
from mev_dagster.evm.types import TxStatus
from mev_dagster.evm.validate import Invalid
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.landed import Landed
from mev_dagster.search.plan import Plan
from mev_dagster.search.rank import Candidate
from mev_dagster.search.run import BELOW_GAS, SearchResult
from mev_dagster.search.strategy import does, kinds

PRIVATE = "private"
LATE = "late"
VENUE_UNREAD = "venue_unread"
MISSING_STATE = "missing_state"
NO_STRATEGY = "no_strategy"
OTHER_TOKEN = "other_token"  # noqa: S105
LESS_PROFIT = "less_profit"
VICTIM_FAILS = "victim_fails"
NO_CANDIDATE = "no_candidate"
"""Nothing was proposed although nothing is known to have stood in the way."""

INFEASIBLE = frozenset({PRIVATE, LATE, VENUE_UNREAD, MISSING_STATE, NO_STRATEGY, OTHER_TOKEN, BELOW_GAS})


class Missed(NamedTuple):
    """Why something was not found."""

    reason: str
    detail: str = ""

    @property
    def feasible(self) -> bool:
        """Say whether a search like this one could have had it."""
        return self.reason not in INFEASIBLE


def of_candidates(landed: Landed, less: Way | None, candidates: Sequence[Way]) -> Missed:
    """Return what the candidates alone tell of why something was missed; `less` is one that earns less."""
    if less is not None:
        return Missed(LESS_PROFIT, f"{less.expected_profit_wei} wei of {landed.worth_wei}")
    doubted = next((one for one in candidates if not one.verified and does(one.plan, landed)), None)
    return Missed(NO_CANDIDATE) if doubted is None else Missed(doubted.reason, _said(doubted))


def _said(candidate: Way) -> str:
    return (
        candidate.verification.detail if isinstance(candidate, Candidate) and candidate.verification else ""
    )


def why_missed(
    landed: Landed, less: Way | None, result: SearchResult, seen_later: Collection[bytes] = ()
) -> Missed:
    """Return why no verified candidate is worth what `landed` was; `less` is one that does it for less."""
    told = of_candidates(landed, less, result.candidates)
    if less is not None:
        return _stood_on_private(landed, result) or told
    if told.reason != NO_CANDIDATE:
        return told
    if landed.kind not in kinds():
        return Missed(NO_STRATEGY, f"nothing looks for {landed.kind}")
    return (
        _victim_unseen(landed, result, seen_later)
        or _pool_unread(landed, result)
        or _victim_failed(landed, result)
        or _dropped(landed, result)
        or _sold_what_we_lack(landed, result)
        or _stood_on_private(landed, result)
        or (
            Missed(OTHER_TOKEN, "what was earned is no ether, and we hold nothing else")
            if landed.worth_wei is None
            else Missed(NO_CANDIDATE)
        )
    )


def _victim_unseen(landed: Landed, result: SearchResult, seen_later: Collection[bytes]) -> Missed | None:
    pending = {one.tx_hash for one in result.features}
    for victim in sorted(landed.victims - pending):
        return Missed(LATE if victim in seen_later else PRIVATE, to_hex(victim))
    return None


def _stood_on_private(landed: Landed, result: SearchResult) -> Missed | None:
    """What somebody made of a price that a transaction left which nobody else saw."""
    pending = {one.tx_hash for one in result.features}
    for earlier in sorted(landed.behind - pending - set(landed.tx_hashes)):
        return Missed(PRIVATE, f"stands on {to_hex(earlier)}, which was not pending")
    return None


def _sold_what_we_lack(landed: Landed, result: SearchResult) -> Missed | None:
    """A sandwich around a sale of another token takes that token, and we hold wrapped ether alone."""
    if landed.kind != "sandwich" or result.searcher is None:
        return None
    tokens = {pool.address: pool.tokens for pool in result.discovery.pools}
    sold = {
        tokens[swap.pool][0 if swap.zero_for_one else 1]
        for run in result.runs
        if run.tx.hash in landed.victims
        for swap in run.swaps
        if swap.pool in landed.pools and swap.pool in tokens
    }
    if sold and result.searcher.wrapped_ether not in sold:
        return Missed(OTHER_TOKEN, f"the victim sells {to_hex(min(sold))}, which we do not hold")
    return None


def _pool_unread(landed: Landed, result: SearchResult) -> Missed | None:
    found = result.discovery
    readable = {pool.address for pool in found.pools}
    for pool in sorted(landed.pools - readable):
        if pool in found.unreadable:
            return Missed(MISSING_STATE, f"pool {to_hex(pool)}: {found.unreadable[pool]}")
        return Missed(VENUE_UNREAD, f"pool {to_hex(pool)} is not read")
    return None


def _victim_failed(landed: Landed, result: SearchResult) -> Missed | None:
    for run in result.runs:
        if run.tx.hash not in landed.victims or run.succeeded:
            continue
        failed = next(tx for tx in run.sim.txs if tx.status is not TxStatus.SUCCESS)
        reason = MISSING_STATE if failed.error == Invalid.MISSING_STATE else VICTIM_FAILS
        return Missed(reason, f"{to_hex(run.tx.hash)}: {failed.error or failed.detail}")
    return None


def _dropped(landed: Landed, result: SearchResult) -> Missed | None:
    plans: Sequence[tuple[Plan, str]] = result.dropped
    for plan, reason in plans:
        if does(plan, landed):
            return Missed(reason, f"a plan for {plan.expected_profit_wei} wei before gas")
    return None
