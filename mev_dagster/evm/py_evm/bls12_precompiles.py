"""The BLS12-381 precompiles of Prague (EIP-2537) on arkworks; py-evm's run on py_ecc, in pure Python."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from eth.exceptions import VMError
from eth.precompiles.bls12_381.constants import (
    G1_MSM_DISCOUNTS,
    G1_MSM_MAX_DISCOUNT,
    G2_MSM_DISCOUNTS,
    G2_MSM_MAX_DISCOUNT,
)
from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

_FIELD_BYTES, _PADDED_BYTES, _SCALAR_BYTES = 48, 64, 32
_PADDING = bytes(_PADDED_BYTES - _FIELD_BYTES)
_G1_BYTES, _G2_BYTES = 2 * _PADDED_BYTES, 4 * _PADDED_BYTES
_PAIR_BYTES = _G1_BYTES + _G2_BYTES
_PAIRING_BASE_GAS, _PAIRING_PAIR_GAS = 37_700, 32_600


def bls12_precompiles() -> dict[bytes, Any]:
    """Return the seven precompiles by address."""
    by_number = {
        0x0B: partial(_add, point=G1Point, size=_G1_BYTES, gas=375),
        0x0C: partial(
            _msm,
            point=G1Point,
            size=_G1_BYTES,
            gas=12_000,
            discounts=(*G1_MSM_DISCOUNTS, G1_MSM_MAX_DISCOUNT),
        ),
        0x0D: partial(_add, point=G2Point, size=_G2_BYTES, gas=600),
        0x0E: partial(
            _msm,
            point=G2Point,
            size=_G2_BYTES,
            gas=22_500,
            discounts=(*G2_MSM_DISCOUNTS, G2_MSM_MAX_DISCOUNT),
        ),
        0x0F: _pairing,
        0x10: partial(_map, to=G1Point.map_from_fp_be, size=_PADDED_BYTES, gas=5_500),
        0x11: partial(_map, to=G2Point.map_from_fp2_be, size=2 * _PADDED_BYTES, gas=23_800),
    }
    return {number.to_bytes(20, "big"): precompile for number, precompile in by_number.items()}


def _add(computation: Any, *, point: Any, size: int, gas: int) -> Any:
    data = computation.msg.data_as_bytes
    _check_size(data, len(data) == 2 * size)
    computation.consume_gas(gas, "BLS12 ADD")
    # A sum needs points of the curve, whatever their order.
    left, right = (_read(point.from_xy_bytes_unchecked_be, data[at : at + size]) for at in (0, size))
    computation.output = _padded((left + right).to_xy_bytes_be())
    return computation


def _msm(computation: Any, *, point: Any, size: int, gas: int, discounts: Sequence[int]) -> Any:
    data = computation.msg.data_as_bytes
    stride = size + _SCALAR_BYTES
    _check_size(data, len(data) > 0 and len(data) % stride == 0)
    starts = range(0, len(data), stride)
    discount = discounts[min(len(starts), len(discounts)) - 1]
    computation.consume_gas(len(starts) * gas * discount // 1_000, "BLS12 MSM")
    points = [_read(point.from_xy_bytes_be, data[at : at + size]) for at in starts]
    scalars = [Scalar.from_be_bytes_mod_order(data[at + size : at + stride]) for at in starts]
    computation.output = _padded(point.multiexp_unchecked(points, scalars).to_xy_bytes_be())
    return computation


def _pairing(computation: Any) -> Any:
    data = computation.msg.data_as_bytes
    _check_size(data, len(data) > 0 and len(data) % _PAIR_BYTES == 0)
    starts = range(0, len(data), _PAIR_BYTES)
    computation.consume_gas(_PAIRING_BASE_GAS + _PAIRING_PAIR_GAS * len(starts), "BLS12 PAIRING")
    g1 = [_read(G1Point.from_xy_bytes_be, data[at : at + _G1_BYTES]) for at in starts]
    g2 = [_read(G2Point.from_xy_bytes_be, data[at + _G1_BYTES : at + _PAIR_BYTES]) for at in starts]
    computation.output = int(GT.pairing_check(g1, g2)).to_bytes(32, "big")
    return computation


def _map(computation: Any, *, to: Callable[[bytes], Any], size: int, gas: int) -> Any:
    data = computation.msg.data_as_bytes
    _check_size(data, len(data) == size)
    computation.consume_gas(gas, "BLS12 MAP")
    computation.output = _padded(_read(to, data).to_xy_bytes_be())
    return computation


def _check_size(data: bytes, fits: bool) -> None:
    if not fits:
        raise VMError(f"not an input of this precompile: {len(data)} bytes")


def _read(decode: Callable[[bytes], Any], data: bytes) -> Any:
    """Take the padding from field elements and decode them; what is no point or element fails the call."""
    parts = [data[at : at + _PADDED_BYTES] for at in range(0, len(data), _PADDED_BYTES)]
    if any(not part.startswith(_PADDING) for part in parts):
        raise VMError("a field element does not start with sixteen zero bytes")
    try:
        return decode(b"".join(part[len(_PADDING) :] for part in parts))
    except ValueError as error:
        raise VMError(str(error)) from error


def _padded(data: bytes) -> bytes:
    return b"".join(_PADDING + data[at : at + _FIELD_BYTES] for at in range(0, len(data), _FIELD_BYTES))
