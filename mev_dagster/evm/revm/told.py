"""Results of the extension, made part by part when they are first asked for.

They are what `evm/types.py` says, equal to the reference's; of a thousand candidates most are read no further
than their status and what they pay, and what nobody reads is never made.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple, TypeAlias

from mev_dagster.chain.forks import Fork
from mev_dagster.chain.receipts import Log
from mev_dagster.chain.transactions import Transaction
from mev_dagster.chain.validity import intrinsic_gas
from mev_dagster.evm.opcode_classes import gas_by_class
from mev_dagster.evm.revert import revert_reason
from mev_dagster.evm.types import (
    AccountDiff,
    BlockGas,
    CallFrame,
    TxAnalytics,
    TxResult,
    TxStatus,
)

_STATUS = (TxStatus.SUCCESS, TxStatus.REVERTED, TxStatus.HALTED)


class About(NamedTuple):
    """What a block says of every result in it."""

    fork: Fork
    coinbase: bytes


# The result as the extension holds it, its transaction, its block: a tuple, for thousands are made at once.
Told: TypeAlias = tuple[Any, Transaction, About]


class ToldResult(TxResult):
    """A result whose fields are filled in when they are read."""

    __slots__ = ("_told",)

    _told: Told

    def __getattr__(self, name: str) -> Any:
        """Make a field that has not been read before; a slot without a value leads here."""
        make = _MAKE.get(name)
        if make is None:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        value = make(self, self._told)
        object.__setattr__(self, name, value)
        return value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TxResult):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    __hash__ = TxResult.__hash__

    def __repr__(self) -> str:
        """Print as the plain result: what an engine gives does not show which one gave it."""
        return repr(TxResult(*self.__reduce__()[1]))

    def __reduce__(self) -> tuple[type[TxResult], tuple[Any, ...]]:
        """Copy and pickle as the plain result: what the extension holds does not leave its process."""
        return TxResult, tuple(getattr(self, name) for name in _FIELDS)


_FIELDS = tuple(field.name for field in fields(TxResult))
_KEEP_TOLD, _KEEP_STATUS, _KEEP_GAS = (
    getattr(ToldResult, name).__set__ for name in ("_told", "status", "gas_used")
)


def told_results(
    txs: Sequence[Transaction], reports: Sequence[tuple[int, int, Any]], about: About
) -> list[TxResult]:
    """Return the results of reports: what everyone reads is there, the rest when it is asked for."""
    results: list[TxResult] = []
    for tx, (status, gas_used, native) in zip(txs, reports, strict=False):
        result = ToldResult.__new__(ToldResult)
        _KEEP_TOLD(result, (native, tx, about))
        _KEEP_STATUS(result, _STATUS[status])
        _KEEP_GAS(result, gas_used)
        results.append(result)
    return results


def _detail(result: TxResult, told: Told) -> str:
    return revert_reason(result.output) if result.status is TxStatus.REVERTED else str(told[0].halt)


def _analytics(_: TxResult, told: Told) -> TxAnalytics | None:
    native, tx, about = told
    meter = native.meter
    if meter is None:
        return None
    opcodes, precompile, *accesses = meter
    gas = {opcode: gas for opcode, (_, gas) in opcodes.items()}
    return TxAnalytics(
        gas_by_class(gas, precompile=precompile, intrinsic=intrinsic_gas(tx, about.fork)),
        sum(times for times, _ in opcodes.values()),
        *accesses,
    )


def _block_gas(_: TxResult, told: Told) -> BlockGas | None:
    return BlockGas(*told[0].block_gas) if told[2].fork >= Fork.AMSTERDAM else None


_MAKE: dict[str, Callable[[TxResult, Told], Any]] = {
    "tx_hash": lambda _, told: told[1].hash,
    "output": lambda _, told: told[0].output,
    "logs": lambda _, told: tuple([Log(*log) for log in told[0].logs]),
    "detail": _detail,
    "coinbase_payment_wei": lambda result, told: result.balance_changes_wei.get(told[2].coinbase, 0),
    "balance_changes_wei": lambda _, told: told[0].balances,
    "accounts_read": lambda _, told: told[0].accounts,
    "slots_read": lambda _, told: told[0].slots,
    "slots_written": lambda _, told: told[0].written,
    "contract_address": lambda _, told: told[0].created,
    "error": lambda _, __: "",
    "calls": lambda _, told: tuple([CallFrame(*call) for call in told[0].calls]),
    "analytics": _analytics,
    "block_gas": _block_gas,
}


class ToldChanges(Mapping[bytes, AccountDiff]):
    """A state diff whose accounts are made when they are read."""

    __slots__ = ("_made", "_native")

    def __init__(self, native: Any) -> None:
        self._native = native
        self._made: dict[bytes, AccountDiff] = {}

    def __getitem__(self, address: bytes) -> AccountDiff:
        found = self._made.get(address)
        if found is None:
            told = self._native.of(address)
            if told is None:
                raise KeyError(address)
            found = self._made[address] = AccountDiff(*told)
        return found

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._native.addresses())

    def __len__(self) -> int:
        return len(self._native)

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[type[dict[bytes, AccountDiff]], tuple[dict[bytes, AccountDiff]]]:
        """Copy and pickle as a plain dictionary."""
        return dict, (dict(self),)

    def packed(self) -> bytes:
        """Return them as the one column that the root after them is computed from."""
        return bytes(self._native.packed())
