"""Who searches: a key, an executor contract that it owns, its inventory of wrapped ether, and what it bids.

A devnet capture names a searcher whose executor is part of the state. Everywhere else a TEST-ONLY searcher
is injected by declared overrides: its account, the executor's code, and wrapped ether for it to trade with.
Nothing else of the captured state changes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from mev_dagster.chain.envelope import DYNAMIC_FEE, LEGACY
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.chain.signing import address_of, create_address, sign_transaction
from mev_dagster.chain.transactions import Transaction
from mev_dagster.dex.abi import encode_words
from mev_dagster.dex.layout import solidity_slot, vyper_slot
from mev_dagster.dex.wrapped_ether import WRAPPED_ETHER_CODES
from mev_dagster.errors import InputError
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import BlockEnv, StateSource
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.search.plan import Call, Plan
from mev_dagster.units import ETHER, GWEI

TEST_ONLY_KEY = keccak(b"mev_dagster TEST-ONLY searcher 1")
INJECTED_INVENTORY_WEI = 1_000 * ETHER
INJECTED_BALANCE_WEI = 100 * ETHER
PRIORITY_FEE_WEI = GWEI

CREATIONS_LOOKED_AT = 8
"""An account of ours creates its executor early."""

MAPPINGS_DECLARED_EMPTY = 128
"""Positions at which a token may keep mappings by holder."""


@dataclass(frozen=True, slots=True)
class GasPrice:
    """What a unit of gas of our own transactions costs."""

    max_fee_wei: int
    priority_fee_wei: int


@dataclass(frozen=True, slots=True)
class Searcher:
    """A key with its executor; `injected` when both were put into the state by override."""

    private_key: bytes
    executor: bytes
    wrapped_ether: bytes
    nonce: int
    injected: bool

    @property
    def address(self) -> bytes:
        """Return the account that owns the executor."""
        return address_of(self.private_key)

    def sign(self, plan: Plan, env: BlockEnv, bid: GasPrice) -> tuple[Transaction, ...]:
        """Return the plan's transactions in order, our own ones signed with successive nonces."""
        signed, nonce = [], self.nonce
        for item in plan.items:
            if isinstance(item, Transaction):
                signed.append(item)
            else:
                signed.append(self.sign_call(item, nonce, env, bid))
                nonce += 1
        return tuple(signed)

    def sign_call(self, call: Call, nonce: int, env: BlockEnv, bid: GasPrice) -> Transaction:
        """Return one call of ours, signed."""
        modern = env.fork >= Fork.LONDON
        return sign_transaction(
            self.private_key,
            type=DYNAMIC_FEE if modern else LEGACY,
            chain_id=env.chain_id,
            nonce=nonce,
            to=call.to,
            value_wei=call.value_wei,
            gas_limit=call.gas_limit,
            data=call.calldata,
            gas_price_wei=None if modern else bid.max_fee_wei,
            max_fee_per_gas_wei=bid.max_fee_wei if modern else None,
            max_priority_fee_per_gas_wei=bid.priority_fee_wei if modern else None,
        )


def bid_for(env: BlockEnv, pending: Sequence[Transaction]) -> GasPrice:
    """Return what to pay: base fee plus a fixed tip, or before London the median pending gas price.

    Blocks from before London hold payouts and private bundles at a price of zero; we pay at least the tip.
    """
    if env.base_fee_per_gas_wei is not None:
        return GasPrice(env.base_fee_per_gas_wei + PRIORITY_FEE_WEI, PRIORITY_FEE_WEI)
    prices = sorted(tx.fee_cap_wei for tx in pending)
    price = max(prices[len(prices) // 2] if prices else 0, PRIORITY_FEE_WEI)
    return GasPrice(price, price)


def inject(state: Prestate, wrapped_ether: bytes, tokens: Sequence[bytes]) -> tuple[Searcher, Prestate]:
    """Return the TEST-ONLY searcher and the state with it in it.

    The executor's address follows from a fresh key, so no token holds anything for it: the slots where
    tokens keep a holder's entries are declared zero for it, and nothing is declared for anybody else.
    """
    address = address_of(TEST_ONLY_KEY)
    searcher = Searcher(TEST_ONLY_KEY, create_address(address, 0), wrapped_ether, nonce=1, injected=True)
    return searcher, state.with_overrides(_overrides(searcher, state, tokens))


def _overrides(
    searcher: Searcher, state: Prestate, tokens: Sequence[bytes]
) -> Mapping[bytes, AccountOverride]:
    weth = searcher.wrapped_ether
    known = WRAPPED_ETHER_CODES.get(state.account(weth).code_hash)
    if known is None:
        raise InputError(f"{to_hex(weth)} is not a wrapped ether whose balances we know how to declare")
    nothing = dict.fromkeys(_slots_by_holder(searcher.executor), 0)
    held = sorted(token for token in {*tokens, weth} if token in state.accounts)
    overrides = {token: AccountOverride(storage=nothing) for token in held}
    overrides[weth] = AccountOverride(
        balance_wei=state.account(weth).balance_wei + INJECTED_INVENTORY_WEI,
        storage={**nothing, known.balance_slot(searcher.executor): INJECTED_INVENTORY_WEI},
    )
    overrides[searcher.address] = AccountOverride(balance_wei=INJECTED_BALANCE_WEI, nonce=searcher.nonce)
    overrides[searcher.executor] = AccountOverride(
        balance_wei=0, nonce=1, code=executor_runtime() + encode_words((searcher.address, weth))
    )
    return overrides


def find_deployed(state: StateSource) -> Searcher | None:
    """Return the TEST-ONLY searcher where its executor really is on the chain, as on a devnet of ours.

    The executor is at one of the account's first creation addresses; its code ends with its owner and the
    wrapped ether it trades in.
    """
    address, runtime = address_of(TEST_ONLY_KEY), executor_runtime()
    nonce = state.account(address).nonce
    for creation in range(min(nonce, CREATIONS_LOOKED_AT)):
        executor = create_address(address, creation)
        account = state.account(executor)
        if not account.exists or account.code_hash == EMPTY_CODE_HASH:
            continue
        code = state.code(account.code_hash)
        if code[: len(runtime)] == runtime and code[len(runtime) + 12 :][:20] == address:
            return Searcher(TEST_ONLY_KEY, executor, code[-20:], nonce, injected=False)
    return None


@lru_cache(maxsize=4)
def _slots_by_holder(holder: bytes) -> tuple[int, ...]:
    positions = range(MAPPINGS_DECLARED_EMPTY)
    return tuple(layout(position, holder) for layout in (solidity_slot, vyper_slot) for position in positions)


@lru_cache(maxsize=1)
def executor_runtime() -> bytes:
    """Return the executor's code, which ends where its owner and its wrapped ether are appended."""
    artifact = files("mev_dagster.dex").joinpath("executor.json").read_text()
    return from_hex(json.loads(artifact)["runtime"])
