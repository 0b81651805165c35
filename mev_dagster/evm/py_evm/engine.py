"""The reference `SimulationEngine`: exact on every fork from Frontier to BPO2."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mev_dagster.chain.blocks import Withdrawal
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.transactions import Transaction
from mev_dagster.evm.py_evm import forks
from mev_dagster.evm.py_evm.session import How, PyEvmSession
from mev_dagster.evm.py_evm.system import begin_block as make_begin_calls
from mev_dagster.evm.py_evm.system import credit, end_block_requests
from mev_dagster.evm.types import (
    NO_LIMITS,
    NO_REWARDS,
    RESULTS_ONLY,
    BlockEnv,
    ExecutionLimits,
    Output,
    SimResult,
    StateSource,
    Want,
    parted,
)


class PyEvmEngine:
    """py-evm on a dictionary state with an undo log.

    `reference` runs py-evm's opcodes one by one instead of in blocks: slower, and what the fast
    interpreter is held against. Analytics are read off single instructions, and so need it too.
    """

    name = "py_evm"
    lacks: frozenset[Output] = frozenset()

    def __init__(
        self, limits: ExecutionLimits = NO_LIMITS, *, reference: bool = False, want: Want = RESULTS_ONLY
    ) -> None:
        self._how = How(limits, reference or want.analytics, want)

    def supports(self, fork: Fork) -> bool:
        """Say whether this engine implements the fork's rules exactly."""
        return forks.supports(fork)

    def simulate(
        self,
        state: StateSource,
        env: BlockEnv,
        txs: Sequence[Transaction],
        *,
        begin_block: bool = True,
        withdrawals: Sequence[Withdrawal] = (),
        end_block: bool = False,
        rewards: Mapping[bytes, int] = NO_REWARDS,
    ) -> SimResult:
        """Execute `txs` in order, between the system calls and credits of the block."""
        session = self._begin(state, env, begin_block)
        results = session.commit(txs)
        credit(session.state, withdrawals, rewards)
        if not end_block:
            return session.result(results)
        held, rejected = parted(results)
        requests = end_block_requests(session.state, held)
        return replace(session.result(held, requests=requests), rejected=rejected)

    def session(
        self,
        state: StateSource,
        env: BlockEnv,
        prefix: Sequence[Transaction] = (),
        *,
        begin_block: bool = True,
    ) -> PyEvmSession:
        """Execute `prefix` once and return a session for trying many candidates on top of it."""
        session = self._begin(state, env, begin_block)
        session.commit(prefix)
        return session

    def _open(self, state: StateSource, env: BlockEnv) -> PyEvmSession:
        return PyEvmSession(self.name, state, env, self._how)

    def _begin(self, state: StateSource, env: BlockEnv, begin_block: bool) -> PyEvmSession:
        session = self._open(state, env)
        if begin_block:
            make_begin_calls(session.state)
        return session
