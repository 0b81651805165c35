"""What contracts answer for themselves: a pool without a formula is quoted by its own code, in the engine."""

from collections.abc import Sequence
from functools import cached_property

from mev_dagster.chain.envelope import DYNAMIC_FEE, LEGACY
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import Unquotable
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import BlockEnv, SimulationEngine, StateSession, TxStatus
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.start import start_block

CALLER_KEY = keccak(b"mev_dagster TEST-ONLY caller of views")
GAS_OF_A_QUESTION = 10_000_000
"""What one question may cost, below the limit of a transaction since Osaka."""


class EngineChain:
    """The chain at the top of a block, or behind transactions of it. Nothing that is asked changes it."""

    def __init__(
        self, engine: SimulationEngine, state: Prestate, env: BlockEnv, behind: Sequence[Transaction] = ()
    ) -> None:
        self._engine, self._parent, self._env, self._behind = engine, state, env, tuple(behind)

    @cached_property
    def state(self) -> Prestate:
        """Accounts, slots and codes."""
        if not self._behind:
            return self._parent
        session, state = start_block(self._engine, self._parent, self._env)
        return state.apply(session.run(self._behind).state_diff)

    def call(self, to: bytes, data: bytes) -> bytes:
        """Return what a contract answers; raises `Unquotable` when it reverts or its state is not known."""
        result = self._session.run((self._question(to, data),)).txs[0]
        if result.status is not TxStatus.SUCCESS:
            said = result.error or result.detail or result.status
            raise Unquotable(f"{to_hex(to)} does not answer {to_hex(data[:4])}: {said}")
        return result.output

    @cached_property
    def _session(self) -> StateSession:
        funded = {address_of(CALLER_KEY): AccountOverride(balance_wei=1 << 128, nonce=0)}
        session, _ = start_block(self._engine, self._parent.with_overrides(funded), self._env)
        session.commit(self._behind)
        return session

    def _question(self, to: bytes, data: bytes) -> Transaction:
        modern = self._env.fork >= Fork.LONDON
        price = self._env.base_fee_per_gas_wei or 0
        return sign_transaction(
            CALLER_KEY,
            type=DYNAMIC_FEE if modern else LEGACY,
            chain_id=self._env.chain_id,
            nonce=0,
            to=to,
            gas_limit=min(GAS_OF_A_QUESTION, self._env.gas_limit),
            data=data,
            gas_price_wei=None if modern else price,
            max_fee_per_gas_wei=price if modern else None,
            max_priority_fee_per_gas_wei=0 if modern else None,
        )
