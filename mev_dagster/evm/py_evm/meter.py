"""Gas and accesses of one transaction, read off the instructions of the reference interpreter."""

from typing import Any

from mev_dagster.evm.opcode_classes import gas_by_class
from mev_dagster.evm.types import TxAnalytics

_SLOAD, _SSTORE = 0x54, 0x55
_ACCOUNT_ON_TOP = {0x31, 0x3B, 0x3C, 0x3F, 0xFF}  # BALANCE, EXTCODE*, SELFDESTRUCT
_ACCOUNT_BELOW_GAS = {0xF1, 0xF2, 0xF4, 0xFA}
_ADDRESS_MASK = (1 << 160) - 1


class Meter:
    """Watches instructions and attributes to each what its frame's gas fell by, without its children's."""

    def __init__(self) -> None:
        self._instructions = 0
        self._cold_slots = self._warm_slots = self._cold_accounts = self._warm_accounts = 0
        self._gas: dict[int, int] = {}
        self._precompile_gas = 0
        # frame -> (frame, opcode, gas before it, children before it) of its latest instruction
        self._latest: dict[int, tuple[Any, int, int, int]] = {}

    def __call__(self, frame: Any, pc: int, opcode: int, gas_left: int) -> None:
        """Take note of an instruction that is about to run."""
        if not (frame.msg.code or frame.msg.is_create):
            return  # a call of nothing runs nothing
        self._instructions += 1
        self._settle(frame, gas_left)
        self._latest[id(frame)] = (frame, opcode, gas_left, len(frame.children))
        self._note_access(frame, opcode)

    def analytics(self, root: Any, intrinsic: int) -> TxAnalytics:
        """Settle the last instruction of every frame and return the sums."""
        for frame, *_ in list(self._latest.values()):
            self._settle(frame, frame.get_gas_remaining())
        self._latest.clear()
        self._note_precompile(root)
        return TxAnalytics(
            gas_by_class=gas_by_class(self._gas, precompile=self._precompile_gas, intrinsic=intrinsic),
            instructions=self._instructions,
            cold_slots=self._cold_slots,
            warm_slots=self._warm_slots,
            cold_accounts=self._cold_accounts,
            warm_accounts=self._warm_accounts,
        )

    def _settle(self, frame: Any, gas_left: int) -> None:
        latest = self._latest.pop(id(frame), None)
        if latest is None:
            return
        _, opcode, gas_before, children_before = latest
        below = sum(self._note_precompile(child) for child in frame.children[children_before:])
        self._gas[opcode] = self._gas.get(opcode, 0) + gas_before - gas_left - below

    def _note_precompile(self, ended: Any) -> int:
        """Return what a call used; where there was no code to run, a precompile used it."""
        used: int = ended.msg.gas - ended.get_gas_remaining()
        if not ended.msg.code and not ended.msg.is_create:
            self._precompile_gas += used
        return used

    def _note_access(self, frame: Any, opcode: int) -> None:
        stack = frame._stack.values
        if opcode in (_SLOAD, _SSTORE) and stack:
            if frame.state.is_storage_warm(frame.msg.storage_address, _number(stack[-1])):
                self._warm_slots += 1
            else:
                self._cold_slots += 1
            return
        depth = 1 if opcode in _ACCOUNT_ON_TOP else 2 if opcode in _ACCOUNT_BELOW_GAS else 0
        if depth and len(stack) >= depth:
            address = (_number(stack[-depth]) & _ADDRESS_MASK).to_bytes(20, "big")
            if frame.state.is_address_warm(address):
                self._warm_accounts += 1
            else:
                self._cold_accounts += 1


def _number(item: Any) -> int:
    return item if isinstance(item, int) else int.from_bytes(item, "big")
