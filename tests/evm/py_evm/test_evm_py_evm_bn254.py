"""Our pairing arithmetic against py_ecc's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from precompile_calls import precompile
from py_ecc import bn128

from mev_dagster.chain.forks import Fork
from mev_dagster.evm.py_evm import bn254
from mev_dagster.evm.py_evm.bn254 import G1, G2, ORDER, P

scalars = st.integers(0, 2**256 - 1) | st.sampled_from([0, 1, 2, ORDER - 1, ORDER, ORDER + 1])


def g1(scalar: int) -> G1:
    point = bn128.multiply(bn128.G1, scalar % ORDER)
    return None if point is None else (int(point[0]), int(point[1]))


def g2(scalar: int) -> G2:
    point = bn128.multiply(bn128.G2, scalar % ORDER)
    if point is None:
        return None
    x, y = (tuple(int(part) for part in coordinate.coeffs) for coordinate in point)
    return x, y


ONE1, ONE2 = g1(1), g2(1)


def encode1(point: G1) -> bytes:
    return b"".join(part.to_bytes(32, "big") for part in point or (0, 0))


def encode2(point: G2) -> bytes:
    (x_r, x_i), (y_r, y_i) = point or ((0, 0), (0, 0))
    return b"".join(part.to_bytes(32, "big") for part in (x_i, x_r, y_i, y_r))


@settings(max_examples=30, deadline=None)
@given(scalars)
def test_multiples_are_those_of_py_ecc(scalar):
    found = bn254.multiply(ONE1, scalar)
    assert found == g1(scalar)
    assert bn254.is_on_curve(found)


@settings(max_examples=30, deadline=None)
@given(scalars, scalars)
def test_sums_are_those_of_py_ecc(left, right):
    assert bn254.add(g1(left), g1(right)) == g1(left + right)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
def test_the_pairing_is_bilinear_and_not_constant(a, b):
    opposite = g1(ORDER - a * b % ORDER)
    assert bn254.pairing_product_is_one([(g1(a), g2(b)), (opposite, ONE2)])
    assert bn254.pairing_product_is_one([(g1(a), g2(b)), (g1(b), g2(ORDER - a))])
    assert not bn254.pairing_product_is_one([(g1(a), g2(b)), (bn254.add(opposite, ONE1), ONE2)])


def test_pairs_with_infinity_count_as_one():
    assert bn254.pairing_product_is_one([])
    assert bn254.pairing_product_is_one([(None, ONE2), (ONE1, None)])
    assert not bn254.pairing_product_is_one([(None, ONE2), (ONE1, ONE2)])


def test_a_point_of_the_twist_outside_of_the_group_is_refused():
    # Solve the twist's equation for the first x = (n, 0) that has a root; its order is not r.
    found = next(point for n in range(1, 50) if (point := twist_point(n)) is not None)
    assert not bn254.is_in_g2(found)
    assert not bn254.is_in_g2(((1, 0), (1, 0)))
    assert bn254.is_in_g2(None)
    assert bn254.is_in_g2(g2(77))


def twist_point(n: int) -> G2:
    """Return a point of the twist with x = (n, 0), if there is one: a square root in F_p^2."""
    x = bn128.FQ2([n, 0])
    a, b = (int(part) for part in (x * x * x + bn128.b2).coeffs)
    length = pow(a * a + b * b, (P + 1) // 4, P)
    for half in ((a + length) * pow(2, -1, P) % P, (a - length) * pow(2, -1, P) % P):
        real = pow(half, (P + 1) // 4, P)
        if real and real * real % P == half:
            root = bn128.FQ2([real, b * pow(2 * real, -1, P) % P])
            if root * root == x * x * x + bn128.b2:
                return (n, 0), tuple(int(part) for part in root.coeffs)
    return None


def test_the_precompiles_answer_and_cost_what_their_forks_say():
    total = encode1(g1(5))
    assert precompile(6, encode1(g1(2)) + encode1(g1(3)), Fork.BYZANTIUM) == (True, total, 500)
    assert precompile(6, encode1(g1(2)) + encode1(g1(3)), Fork.ISTANBUL) == (True, total, 150)
    assert precompile(7, encode1(ONE1) + (5).to_bytes(32, "big"), Fork.BYZANTIUM) == (True, total, 40_000)
    assert precompile(7, encode1(ONE1) + (5).to_bytes(32, "big"), Fork.BERLIN) == (True, total, 6_000)
    pairs = encode1(g1(6)) + encode2(g2(7)) + encode1(g1(ORDER - 42)) + encode2(ONE2)
    one = (1).to_bytes(32, "big")
    assert precompile(8, pairs, Fork.BYZANTIUM) == (True, one, 260_000)
    assert precompile(8, pairs, Fork.PRAGUE) == (True, one, 113_000)
    assert precompile(8, b"", Fork.PRAGUE) == (True, one, 45_000)
    assert precompile(6, b"", Fork.PRAGUE) == (True, bytes(64), 150)


@pytest.mark.parametrize(
    ("address", "data"),
    [
        (6, encode1((1, 1))),
        (6, P.to_bytes(32, "big") + bytes(32)),
        (7, encode1((1, 3))),
        (8, bytes(191)),
        (8, encode1((1, 1)) + encode2(ONE2)),
        (8, encode1(ONE1) + encode2(((1, 0), (1, 0)))),
        (8, encode1(ONE1) + P.to_bytes(32, "big") + bytes(96)),
    ],
)
def test_malformed_points_fail_the_call(address, data):
    assert precompile(address, data, Fork.PRAGUE)[0] is False
