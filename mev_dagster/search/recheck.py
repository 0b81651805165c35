"""What a fast engine found, before anything is built on it: every winner and a sample, run again.

The best candidate is run again when it is found, and whatever enters a block before the block is sealed.
What the reference sees otherwise, or what builds on a pending transaction it sees otherwise, is dropped: it
keeps its row, unverified and with its reason.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.recheck import Mismatch, Recheck, SimInput
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import BlockEnv, SimResult, StateSession
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.rank import Candidate, ranked
from mev_dagster.search.run import SearchResult
from mev_dagster.search.start import start_block

PARITY_MISMATCH = "parity_mismatch"


class _RecheckedRun(NamedTuple):
    """Transactions executed together, and the id of what is doubtful if they came out wrong."""

    identity: bytes
    txs: tuple[Transaction, ...]
    sim: SimResult


class RecheckedSearch:
    """A search's result without what the reference has disproved so far.

    `skipped` says why nothing is run again: then everything holds.
    """

    def __init__(self, found: SearchResult, judge: Recheck) -> None:
        self.result = found
        self.mismatches: list[Mismatch] = []
        self.skipped = judge.skips(found.engine, found.env)
        self._judge = judge
        self._done: set[bytes] = set()

    @property
    def checked(self) -> int:
        """How many executions have been run again."""
        return len(self._done)

    def check_sample(self) -> None:
        """Run the sampled share of all executions again."""
        for execution in _executions(self.result):
            if self._judge.selects(_sample_key(self.result.env, execution.txs)):
                self._holds(execution)

    def check_best(self) -> None:
        """Run the best candidate again, and as long as it is disproved the next best."""
        while True:
            best = next((found for found in self.result.candidates if found.verified), None)
            if best is None or self.hold([best.opportunity_id]):
                return

    def hold(self, winners: Collection[bytes]) -> bool:
        """Run those winners again that have not been yet; say whether all of them hold."""
        chosen = [found for found in self.result.candidates if found.opportunity_id in winners]
        verdicts = [self._holds(execution) for execution in map(_of_candidate, chosen) if execution]
        return all(verdicts)

    def _holds(self, execution: _RecheckedRun) -> bool:
        if self.skipped or execution.identity in self._done:
            return True
        self._done.add(execution.identity)
        session, state, begun = self._reference
        given = SimInput(state, self.result.env, execution.txs, begin_block=begun)
        mismatch = self._judge.judge(given, session.run(execution.txs), execution.sim)
        if mismatch is None:
            return True
        self.mismatches.append(mismatch)
        kept = (_without(execution.identity, candidate) for candidate in self.result.candidates)
        self.result = replace(self.result, candidates=ranked(kept))
        return False

    @cached_property
    def _reference(self) -> tuple[StateSession, Prestate, bool]:
        """The reference at the top of the block, and whether it made the block's first calls."""
        searched = self.result.state
        session, state = start_block(self._judge.reference, searched, self.result.env)
        return session, state, state is searched


def _executions(result: SearchResult) -> Iterator[_RecheckedRun]:
    for run in result.runs:
        yield _RecheckedRun(run.tx.hash, (*run.prerequisites, run.tx), run.sim)
    yield from filter(None, map(_of_candidate, result.candidates))


def _of_candidate(candidate: Candidate) -> _RecheckedRun | None:
    if candidate.verification is None:
        return None
    return _RecheckedRun(candidate.opportunity_id, candidate.txs, candidate.verification.sim)


def _sample_key(env: BlockEnv, txs: tuple[Transaction, ...]) -> bytes:
    """Name an execution by its block and transactions: what is sampled does not hang on who asks."""
    return hashlib.sha256(b"".join((env.parent_hash, *(tx.hash for tx in txs)))).digest()


def _without(doubtful: bytes, candidate: Candidate) -> Candidate:
    verified = candidate.verification
    if verified is None or not verified.holds:
        return candidate
    if doubtful not in (candidate.opportunity_id, *candidate.pending_hashes):
        return candidate
    detail = f"the reference disagrees about {to_hex(doubtful)}"
    return replace(candidate, verification=replace(verified, reason=PARITY_MISMATCH, detail=detail))
