"""A precompile called by code, on both interpreters: what it gives and the gas it takes."""

from evm_worlds import at, push, transaction, world

from mev_dagster.chain.forks import Fork
from mev_dagster.evm.py_evm.engine import PyEvmEngine
from mev_dagster.evm.types import TxResult

WORD = 32


def run(code: bytes, *, fork: Fork = Fork.OSAKA, data: bytes = b"") -> TxResult:
    """Execute on both interpreters and return what they agree on."""
    fees = {"type": 0} if fork < Fork.LONDON else {}
    tx = transaction(data=data, gas_limit=16_000_000, **fees)
    fast, slow = (
        PyEvmEngine(reference=reference).simulate(world(code), at(fork), [tx]) for reference in (False, True)
    )
    assert fast == slow
    return fast.txs[0]


def call_precompile(address: int) -> bytes:
    """Return code that passes its input to a precompile and returns success, gas spent and output."""
    zero = push(0)
    copy = b"\x36" + zero + zero + b"\x37"  # CALLDATACOPY(0, 0, CALLDATASIZE)
    call = b"\x5a" + zero + zero + b"\x36" + zero + push(address) + b"\x5a\xfa\x5a"  # GAS STATICCALL GAS
    keep_success = b"\x90" + zero + b"\x52"
    keep_gas = b"\x90\x03" + push(32) + b"\x52"
    keep_output = b"\x3d" + zero + push(64) + b"\x3e"
    return copy + call + keep_success + keep_gas + keep_output + b"\x3d" + push(64) + b"\x01" + zero + b"\xf3"


def precompile(address: int, data: bytes, fork: Fork = Fork.OSAKA) -> tuple[bool, bytes, int]:
    """Return success, output, and the gas the precompile took."""
    output = run(call_precompile(address), fork=fork, data=data).output
    # The identity precompile tells what the call itself takes: its own price is 15 gas and 3 a word.
    identity = run(call_precompile(4), fork=fork, data=data).output
    call = int.from_bytes(identity[32:64], "big") - 15 - 3 * ((len(data) + 31) // WORD)
    return bool(output[31]), output[64:], int.from_bytes(output[32:64], "big") - call
