"""Frequent instructions that need the frame: memory, input, context, SLOAD.

Each is called with the frame after its static gas has been taken; what depends on its operands is charged
here. All other instructions are py-evm's own.
"""

from collections.abc import Callable
from typing import Any

from eth.exceptions import Halt, Revert

from mev_dagster.chain.keccak import keccak

_WORD = 32
_WARM_SLOT_GAS, _COLD_SLOT_GAS = 100, 2_100  # EIP-2929


def _sha3(frame: Any) -> None:
    stack = frame.values
    start, size = stack.pop(), stack[-1]
    frame.extend_memory(start, size)
    frame.consume_gas(6 * ((size + 31) // _WORD), "SHA3")
    stack[-1] = int.from_bytes(keccak(frame.memory[start : start + size]), "big")


def _mload(frame: Any) -> None:
    stack = frame.values
    start = stack[-1]
    frame.extend_memory(start, _WORD)
    stack[-1] = int.from_bytes(frame.memory[start : start + _WORD], "big")


def _mstore(frame: Any) -> None:
    stack = frame.values
    start = stack.pop()
    frame.extend_memory(start, _WORD)
    frame.memory[start : start + _WORD] = stack.pop().to_bytes(_WORD, "big")


def _mstore8(frame: Any) -> None:
    stack = frame.values
    start = stack.pop()
    frame.extend_memory(start, 1)
    frame.memory[start] = stack.pop() & 0xFF


def _calldataload(frame: Any) -> None:
    stack = frame.values
    start = stack[-1]
    word = frame.msg.data[start : start + _WORD]
    stack[-1] = int.from_bytes(word, "big") << 8 * (_WORD - len(word))


def _calldatasize(frame: Any) -> None:
    frame.values.append(len(frame.msg.data))


def _copy_to_memory(frame: Any, source: bytes) -> None:
    stack = frame.values
    target, start, size = stack.pop(), stack.pop(), stack.pop()
    frame.extend_memory(target, size)
    frame.consume_gas(3 * ((size + 31) // _WORD), "copy")
    if size:
        frame.memory[target : target + size] = source[start : start + size].ljust(size, b"\0")


def _calldatacopy(frame: Any) -> None:
    _copy_to_memory(frame, frame.msg.data)


def _codecopy(frame: Any) -> None:
    _copy_to_memory(frame, frame.msg.code)


def _codesize(frame: Any) -> None:
    frame.values.append(len(frame.msg.code))


def _returndatasize(frame: Any) -> None:
    frame.values.append(len(frame.return_data))


def _address(frame: Any) -> None:
    frame.values.append(int.from_bytes(frame.msg.storage_address, "big"))


def _caller(frame: Any) -> None:
    frame.values.append(int.from_bytes(frame.msg.sender, "big"))


def _callvalue(frame: Any) -> None:
    frame.values.append(frame.msg.value)


def _gas(frame: Any) -> None:
    frame.values.append(frame.gas_left)


def _return(frame: Any) -> None:
    stack = frame.values
    start, size = stack.pop(), stack.pop()
    frame.extend_memory(start, size)
    frame._output = bytes(frame.memory[start : start + size])
    raise Halt


def _revert(frame: Any) -> None:
    stack = frame.values
    start, size = stack.pop(), stack.pop()
    frame.extend_memory(start, size)
    frame._output = bytes(frame.memory[start : start + size])
    raise Revert(frame._output)


def _sload_before_berlin(frame: Any) -> None:
    stack = frame.values
    stack[-1] = frame.state.get_storage(frame.msg.storage_address, stack[-1])


def sload_by_warmth(frame: Any) -> None:
    """SLOAD under EIP-2929."""
    stack, state, address = frame.values, frame.state, frame.msg.storage_address
    slot = stack[-1]
    if state.is_storage_warm(address, slot):
        frame.consume_gas(_WARM_SLOT_GAS, "SLOAD")
    else:
        frame.consume_gas(_COLD_SLOT_GAS, "SLOAD")
        state.mark_storage_warm(address, slot)
    stack[-1] = state.get_storage(address, slot)


FRAME_OPERATIONS: dict[int, Callable[[Any], None]] = {
    0x20: _sha3,
    0x30: _address,
    0x33: _caller,
    0x34: _callvalue,
    0x35: _calldataload,
    0x36: _calldatasize,
    0x37: _calldatacopy,
    0x38: _codesize,
    0x39: _codecopy,
    0x3D: _returndatasize,
    0x51: _mload,
    0x52: _mstore,
    0x53: _mstore8,
    0x54: _sload_before_berlin,
    0x5A: _gas,
    0xF3: _return,
    0xFD: _revert,
}

# opcode -> (items it needs, items it leaves), for every instruction that is not in STACK_OPERATIONS
HEIGHTS: dict[int, tuple[int, int]] = {
    0x00: (0, 0),  # STOP
    0x0A: (2, 1),  # EXP
    0x20: (2, 1),  # SHA3
    0x30: (0, 1),  # ADDRESS
    0x31: (1, 1),  # BALANCE
    0x32: (0, 1),  # ORIGIN
    0x33: (0, 1),  # CALLER
    0x34: (0, 1),  # CALLVALUE
    0x35: (1, 1),  # CALLDATALOAD
    0x36: (0, 1),  # CALLDATASIZE
    0x37: (3, 0),  # CALLDATACOPY
    0x38: (0, 1),  # CODESIZE
    0x39: (3, 0),  # CODECOPY
    0x3A: (0, 1),  # GASPRICE
    0x3B: (1, 1),  # EXTCODESIZE
    0x3C: (4, 0),  # EXTCODECOPY
    0x3D: (0, 1),  # RETURNDATASIZE
    0x3E: (3, 0),  # RETURNDATACOPY
    0x3F: (1, 1),  # EXTCODEHASH
    0x40: (1, 1),  # BLOCKHASH
    0x41: (0, 1),  # COINBASE
    0x42: (0, 1),  # TIMESTAMP
    0x43: (0, 1),  # NUMBER
    0x44: (0, 1),  # DIFFICULTY, PREVRANDAO
    0x45: (0, 1),  # GASLIMIT
    0x46: (0, 1),  # CHAINID
    0x47: (0, 1),  # SELFBALANCE
    0x48: (0, 1),  # BASEFEE
    0x49: (1, 1),  # BLOBHASH
    0x4A: (0, 1),  # BLOBBASEFEE
    0x51: (1, 1),  # MLOAD
    0x52: (2, 0),  # MSTORE
    0x53: (2, 0),  # MSTORE8
    0x54: (1, 1),  # SLOAD
    0x55: (2, 0),  # SSTORE
    0x59: (0, 1),  # MSIZE
    0x5A: (0, 1),  # GAS
    0x5C: (1, 1),  # TLOAD
    0x5D: (2, 0),  # TSTORE
    0x5E: (3, 0),  # MCOPY
    0xA0: (2, 0),  # LOG0
    0xA1: (3, 0),
    0xA2: (4, 0),
    0xA3: (5, 0),
    0xA4: (6, 0),  # LOG4
    0xF0: (3, 1),  # CREATE
    0xF1: (7, 1),  # CALL
    0xF2: (7, 1),  # CALLCODE
    0xF3: (2, 0),  # RETURN
    0xF4: (6, 1),  # DELEGATECALL
    0xF5: (4, 1),  # CREATE2
    0xFA: (6, 1),  # STATICCALL
    0xFD: (2, 0),  # REVERT
    0xFF: (1, 0),  # SELFDESTRUCT
}
