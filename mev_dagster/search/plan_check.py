"""A plan of another package's strategy, held against what the search, the ids and the rows take."""

from typing import Any

from mev_dagster.chain.transactions import Transaction
from mev_dagster.search.identity import opportunity_id
from mev_dagster.search.plan import OwnCall, Plan, SwapsCall
from mev_dagster.search.strategy import Strategy
from mev_dagster.search.view import BlockView

ADDRESS_BYTES = 20
MOST_WEI = 1 << 255
MOST_GAS = 1 << 63


def checked(plan: Any, strategy: Strategy, view: BlockView) -> Plan:
    """Return the plan, or raise an error that names what is wrong with it."""
    if not isinstance(plan, Plan):
        raise TypeError(f"expected a Plan, found {plan!r:.80}")
    if (plan.kind, plan.strategy) != (strategy.kind, strategy.name):
        said = (plan.kind, plan.strategy)
        raise ValueError(f"expected plans of {strategy.kind}, {strategy.name}, found {said!r:.80}")
    for name in ("venues", "tokens"):
        if not all(_is_bytes(one, ADDRESS_BYTES) for one in getattr(plan, name)):
            raise ValueError(f"{name} are no addresses: {getattr(plan, name)!r:.80}")
    if not all(isinstance(part, bytes) for part in plan.prize):
        raise ValueError(f"a prize is made of bytes, found {plan.prize!r:.80}")
    for name in ("size_wei", "expected_profit_wei"):
        _within(name, getattr(plan, name), -MOST_WEI if name == "expected_profit_wei" else 0, MOST_WEI)
    if not plan.own_calls:
        raise ValueError("a plan without a call of ours earns nothing")
    known = {tx.hash for run in view.runs for tx in (*run.prerequisites, run.tx)}
    for item in plan.items:
        _check_item(item, known)
    opportunity_id(plan, view.env)
    return plan


def _check_item(item: Any, known: set[bytes]) -> None:
    if isinstance(item, Transaction):
        if item.hash not in known:
            raise ValueError(f"transaction {item.hash.hex()} is not one of those that were tried out")
        return
    if not isinstance(item, OwnCall | SwapsCall):
        raise TypeError(f"expected a transaction or a call, found {item!r:.80}")
    if not _is_bytes(item.to, ADDRESS_BYTES) or not _is_bytes(item.calldata):
        raise ValueError(f"a call goes to 20 bytes with bytes, found {item!r:.80}")
    _within("gas_limit", item.gas_limit, 1, MOST_GAS)
    _within("least_gas", item.least_gas, 0, MOST_GAS)
    _within("value_wei", item.value_wei, 0, MOST_WEI)


def _is_bytes(value: Any, size: int | None = None) -> bool:
    return isinstance(value, bytes) and size in (None, len(value))


def _within(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < most:
        raise ValueError(f"{name} cannot be {value!r:.80}")
