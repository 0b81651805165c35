"""Where a block's gas goes and who stands in whose way.

Gas by class of instruction and cold accesses need every instruction, so they come from the reference
interpreter. Contention needs only what each transaction read and wrote, which every engine tells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mev_dagster.chain.transactions import Transaction
from mev_dagster.chain.validity import intrinsic_gas
from mev_dagster.evm.py_evm.computation import CALL_OPCODES
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.types import BlockEnv, Limits, StateSource, TxResult

Slot = tuple[bytes, int]

_SLOAD, _SSTORE = 0x54, 0x55
_ACCOUNT_ON_TOP = {0x31, 0x3B, 0x3C, 0x3F, 0xFF}  # BALANCE, EXTCODE*, SELFDESTRUCT
_ACCOUNT_BELOW_GAS = {0xF1, 0xF2, 0xF4, 0xFA}
_ADDRESS_MASK = (1 << 160) - 1

# The classes in the order of the opcode space: (first opcode, name).
_CLASSES = (
    (0x00, "control"),
    (0x01, "arithmetic"),
    (0x20, "hash"),
    (0x30, "context"),
    (0x50, "stack"),
    (0x51, "memory"),
    (0x54, "storage"),
    (0x56, "control"),
    (0x59, "memory"),
    (0x5A, "context"),
    (0x5B, "control"),
    (0x5C, "transient"),
    (0x5E, "memory"),
    (0x5F, "stack"),
    (0xA0, "log"),
    (0xF0, "call"),
    (0xF3, "control"),
    (0xF4, "call"),
    (0xFB, "control"),
)
_STATE_READERS = {0x31, 0x3B, 0x3C, 0x3F}


def opcode_class(opcode: int) -> str:
    """Return the class an instruction's gas is counted under."""
    if opcode in _STATE_READERS:
        return "account"
    if opcode == 0xFA:
        return "call"
    found = _CLASSES[0][1]
    for first, name in _CLASSES:
        if opcode >= first:
            found = name
    return found


@dataclass(frozen=True, slots=True)
class TxAnalytics:
    """One transaction's gas and accesses.

    `gas_by_class` covers what instructions took, before refunds; `intrinsic` and `precompile` stand beside
    the classes, and what a creation pays for its code counts with the instruction that returned it. Cold
    and warm count accesses of slots and accounts by instructions under EIP-2929.
    """

    result: TxResult
    gas_by_class: Mapping[str, int]
    instructions: int
    cold_slots: int
    warm_slots: int
    cold_accounts: int
    warm_accounts: int


@dataclass(frozen=True, slots=True)
class Contention:
    """A slot that one transaction wrote and a later one in the block read or wrote."""

    slot: Slot
    writer: int
    users: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BlockAnalytics:
    """All of a block's transactions in order, and the slots they met at."""

    txs: tuple[TxAnalytics, ...]
    contention: tuple[Contention, ...]

    @property
    def gas_by_class(self) -> dict[str, int]:
        """Gas of the whole block by class, largest first."""
        totals: dict[str, int] = {}
        for tx in self.txs:
            for name, gas in tx.gas_by_class.items():
                totals[name] = totals.get(name, 0) + gas
        return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))

    @property
    def independent_share(self) -> float:
        """Share of transactions that use no slot an earlier one wrote: what could run in parallel."""
        dependent = {user for contention in self.contention for user in contention.users}
        return 1.0 if not self.txs else 1 - len(dependent) / len(self.txs)


def analyze(
    state: StateSource, env: BlockEnv, txs: Sequence[Transaction], *, limits: Limits | None = None
) -> BlockAnalytics:
    """Execute a block on the reference interpreter and account for all its gas and accesses."""
    engine = PyEvmEngine(limits or Limits(), reference=True)
    session = engine.session(state, env)
    found = []
    for tx in txs:
        meter = _Meter()
        result = session.watch(tx, meter)
        gas = meter.gas_by_class()
        if result.gas_used:
            gas["intrinsic"] = intrinsic_gas(tx, env.fork)
        found.append(
            TxAnalytics(
                result,
                dict(sorted(gas.items())),
                meter.instructions,
                meter.cold_slots,
                meter.warm_slots,
                meter.cold_accounts,
                meter.warm_accounts,
            )
        )
    return BlockAnalytics(tuple(found), contention([tx.result for tx in found]))


def contention(results: Sequence[TxResult]) -> tuple[Contention, ...]:
    """Return the slots that were written and used again later, by their last writer before each use."""
    last_writer: dict[Slot, int] = {}
    met: dict[tuple[Slot, int], list[int]] = {}
    for index, result in enumerate(results):
        for slot in result.slots_read:
            writer = last_writer.get(slot)
            if writer is not None:
                met.setdefault((slot, writer), []).append(index)
        for slot in result.slots_written:
            last_writer[slot] = index
    return tuple(
        Contention(slot, writer, tuple(users))
        for (slot, writer), users in sorted(met.items(), key=lambda item: (item[0][1], item[0][0]))
    )


class _Meter:
    """Watches instructions and attributes to each what its frame's gas fell by, without its children's."""

    def __init__(self) -> None:
        self.instructions = 0
        self.cold_slots = self.warm_slots = self.cold_accounts = self.warm_accounts = 0
        self._gas: dict[str, int] = {}
        # frame -> (opcode, gas before it, children before it) of its latest instruction
        self._latest: dict[int, tuple[Any, int, int, int]] = {}

    def __call__(self, frame: Any, pc: int, opcode: int, gas_left: int) -> None:
        self.instructions += 1
        self._settle(frame, gas_left)
        self._latest[id(frame)] = (frame, opcode, gas_left, len(frame.children))
        self._note_access(frame, opcode)

    def gas_by_class(self) -> dict[str, int]:
        """Settle the last instruction of every frame and return the sums."""
        for frame, *_ in list(self._latest.values()):
            self._settle(frame, frame.get_gas_remaining())
        self._latest.clear()
        return self._gas

    def _settle(self, frame: Any, gas_left: int) -> None:
        latest = self._latest.pop(id(frame), None)
        if latest is None:
            return
        _, opcode, gas_before, children_before = latest
        below = 0
        for child in frame.children[children_before:]:
            used = child.msg.gas - child.get_gas_remaining()
            below += used
            if used and not child.msg.code:
                self._add("precompile", used)
        name = "call" if opcode in CALL_OPCODES else opcode_class(opcode)
        self._add(name, gas_before - gas_left - below)

    def _add(self, name: str, gas: int) -> None:
        self._gas[name] = self._gas.get(name, 0) + gas

    def _note_access(self, frame: Any, opcode: int) -> None:
        stack = frame._stack.values
        if opcode in (_SLOAD, _SSTORE) and stack:
            if frame.state.is_storage_warm(frame.msg.storage_address, _number(stack[-1])):
                self.warm_slots += 1
            else:
                self.cold_slots += 1
            return
        depth = 1 if opcode in _ACCOUNT_ON_TOP else 2 if opcode in _ACCOUNT_BELOW_GAS else 0
        if depth and len(stack) >= depth:
            address = (_number(stack[-depth]) & _ADDRESS_MASK).to_bytes(20, "big")
            if frame.state.is_address_warm(address):
                self.warm_accounts += 1
            else:
                self.cold_accounts += 1


def _number(item: Any) -> int:
    return item if isinstance(item, int) else int.from_bytes(item, "big")
