"""ECADD, ECMUL and ECPAIRING (EIP-196, 197; prices of EIP-1108 from Istanbul on)."""

from functools import partial
from typing import Any

from eth.exceptions import VMError

from mev_dagster.chain.forks import Fork
from mev_dagster.evm.py_evm.bn254 import (
    G1,
    G2,
    P,
    add,
    is_in_g2,
    is_on_curve,
    multiply,
    pairing_product_is_one,
)

_ECADD, _ECMUL, _ECPAIRING = ((number).to_bytes(20, "big") for number in (6, 7, 8))
_PAIR_BYTES = 192


def bn254_precompiles(fork: Fork) -> dict[bytes, Any]:
    """Return the three precompiles with the fork's prices."""
    cheap = fork >= Fork.ISTANBUL
    return {
        _ECADD: partial(_ecadd, gas=150 if cheap else 500),
        _ECMUL: partial(_ecmul, gas=6_000 if cheap else 40_000),
        _ECPAIRING: partial(
            _ecpairing, base=45_000 if cheap else 100_000, per_pair=34_000 if cheap else 80_000
        ),
    }


def _ecadd(computation: Any, *, gas: int) -> Any:
    computation.consume_gas(gas, "ECADD")
    data = computation.msg.data_as_bytes
    computation.output = _encode(add(_point(data, 0), _point(data, 64)))
    return computation


def _ecmul(computation: Any, *, gas: int) -> Any:
    computation.consume_gas(gas, "ECMUL")
    data = computation.msg.data_as_bytes
    computation.output = _encode(multiply(_point(data, 0), _word(data, 64)))
    return computation


def _ecpairing(computation: Any, *, base: int, per_pair: int) -> Any:
    data = computation.msg.data_as_bytes
    if len(data) % _PAIR_BYTES:
        raise VMError(f"ECPAIRING takes pairs of {_PAIR_BYTES} bytes, got {len(data)}")
    starts = range(0, len(data), _PAIR_BYTES)
    computation.consume_gas(base + per_pair * len(starts), "ECPAIRING")
    pairs = [(_point(data, start), _twist_point(data, start + 64)) for start in starts]
    computation.output = int(pairing_product_is_one(pairs)).to_bytes(32, "big")
    return computation


def _point(data: bytes, start: int) -> G1:
    x, y = _coordinate(data, start), _coordinate(data, start + 32)
    point = None if (x, y) == (0, 0) else (x, y)
    if not is_on_curve(point):
        raise VMError("not a point of the curve")
    return point


def _twist_point(data: bytes, start: int) -> G2:
    # The imaginary part comes first.
    x_i, x_r, y_i, y_r = (_coordinate(data, start + 32 * index) for index in range(4))
    point = None if (x_i, x_r, y_i, y_r) == (0, 0, 0, 0) else ((x_r, x_i), (y_r, y_i))
    if not is_in_g2(point):
        raise VMError("not a point of the second group")
    return point


def _coordinate(data: bytes, start: int) -> int:
    value = _word(data, start)
    if value >= P:
        raise VMError("a coordinate is not below the field's modulus")
    return value


def _word(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 32].ljust(32, b"\0"), "big")


def _encode(point: G1) -> bytes:
    x, y = point or (0, 0)
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")
