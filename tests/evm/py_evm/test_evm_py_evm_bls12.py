"""The BLS12-381 precompiles against py-evm's own, which run on py_ecc."""

from types import SimpleNamespace

import pytest
from eth.exceptions import VMError
from eth.vm.forks.prague.computation import PRAGUE_PRECOMPILES
from precompile_calls import precompile
from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from mev_dagster.chain.forks import Fork
from mev_dagster.evm.py_evm.bls12_precompiles import bls12_precompiles

P = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
G1ADD, G1MSM, G2ADD, G2MSM, PAIRING, MAP1, MAP2 = range(0x0B, 0x12)


def padded(data: bytes) -> bytes:
    return b"".join(bytes(16) + data[at : at + 48] for at in range(0, len(data), 48))


def g1(scalar: int) -> bytes:
    return padded((G1Point() * Scalar(scalar)).to_xy_bytes_be())


def g2(scalar: int) -> bytes:
    return padded((G2Point() * Scalar(scalar)).to_xy_bytes_be())


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def field(value: int) -> bytes:
    return value.to_bytes(64, "big")


def outside_of_the_group() -> bytes:
    """Return a point of the curve that has another order."""
    x = next(n for n in range(1, 99) if pow(n**3 + 4, (P - 1) // 2, P) == 1 and n != 0)
    return field(x) + field(pow(x**3 + 4, (P + 1) // 4, P))


CASES = {
    "g1 add": (G1ADD, g1(3) + g1(5)),
    "g1 add to infinity": (G1ADD, g1(3) + bytes(128)),
    "g1 add opposite": (G1ADD, g1(3) + padded((-(G1Point() * Scalar(3))).to_xy_bytes_be())),
    "g1 add any order": (G1ADD, outside_of_the_group() + g1(1)),
    "g1 msm": (G1MSM, g1(3) + word(7) + g1(5) + word(2**256 - 1)),
    "g1 msm infinity": (G1MSM, bytes(128) + word(7)),
    "g1 msm zero": (G1MSM, g1(3) + word(0)),
    "g2 add": (G2ADD, g2(3) + g2(5)),
    "g2 msm": (G2MSM, g2(3) + word(7) + g2(5) + word(9)),
    "pairing one": (PAIRING, g1(6) + g2(7) + padded((-(G1Point() * Scalar(42))).to_xy_bytes_be()) + g2(1)),
    "pairing other": (PAIRING, g1(6) + g2(7)),
    "pairing infinity": (PAIRING, bytes(128) + g2(7)),
    "map 1": (MAP1, field(5)),
    "map 1 zero": (MAP1, field(0)),
    "map 2": (MAP2, field(5) + field(P - 1)),
    "no input": (G1MSM, b""),
    "no pair": (PAIRING, b""),
    "short": (G1ADD, g1(3) + g1(5)[:-1]),
    "off curve": (G1ADD, field(1) + field(1) + g1(5)),
    "above field": (G1ADD, field(P) + field(0) + g1(5)),
    "padding": (MAP1, b"\x01" + bytes(63)),
    "map above field": (MAP1, field(P)),
    "msm outside of the group": (G1MSM, outside_of_the_group() + word(1)),
    "pairing outside of the group": (PAIRING, outside_of_the_group() + g2(1)),
}


class Call(SimpleNamespace):
    """As much of a computation as a precompile sees."""

    def consume_gas(self, amount: int, reason: str) -> None:
        self.gas += amount


def answer(function, data: bytes) -> tuple[bytes | None, int]:
    call = Call(msg=SimpleNamespace(data=data, data_as_bytes=data), gas=0, output=b"")
    try:
        function(call)
    except VMError:
        return None, 0
    return call.output, call.gas


@pytest.mark.parametrize("name", CASES)
def test_answers_and_prices_are_py_evms(name):
    number, data = CASES[name]
    address = number.to_bytes(20, "big")
    assert answer(bls12_precompiles()[address], data) == answer(PRAGUE_PRECOMPILES[address], data)


def test_they_exist_from_prague_on():
    number, data = CASES["g1 add"]
    assert precompile(number, data, Fork.PRAGUE) == (True, g1(8), 375)
    assert precompile(number, data, Fork.BPO2) == (True, g1(8), 375)
    assert precompile(number, CASES["off curve"][1], Fork.PRAGUE)[0] is False


def test_many_points_are_cheaper_each():
    data = (g1(3) + word(7)) * 130
    assert answer(bls12_precompiles()[G1MSM.to_bytes(20, "big")], data)[1] == 130 * 12_000 * 519 // 1_000
