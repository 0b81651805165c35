"""The curve of the pairing precompiles (alt_bn128, EIP-196 and 197), on plain integers.

G1 is y^2 = x^3 + 3 over F_p; G2 lies on the twist y^2 = x^3 + 3 / (9 + i) over F_p^2 = F_p[i] / (i^2 + 1).
The tower above is F_p^6 = F_p^2[v] / (v^3 - (9 + i)) and F_p^12 = F_p^6[w] / (w^2 - v). A point is (x, y),
or None at infinity. py-evm takes py_ecc, whose pairing is some thirty times slower.
"""

from collections.abc import Sequence
from typing import TypeAlias

P = 21888242871839275222246405745257275088696311157297823662689037894645226208583
ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
_U = 4965661367192848881
_ATE_LOOP = 6 * _U + 2

Fp2: TypeAlias = tuple[int, int]
Fp6: TypeAlias = tuple[Fp2, Fp2, Fp2]
Fp12: TypeAlias = tuple[Fp6, Fp6]
G1: TypeAlias = tuple[int, int] | None
G2: TypeAlias = tuple[Fp2, Fp2] | None

_ZERO2: Fp2 = (0, 0)
_ONE2: Fp2 = (1, 0)
_ZERO6: Fp6 = (_ZERO2, _ZERO2, _ZERO2)
_ONE12: Fp12 = ((_ONE2, _ZERO2, _ZERO2), _ZERO6)
_XI: Fp2 = (9, 1)


# -- F_p^2 ------------------------------------------------------------------------------------------------


def _add2(a: Fp2, b: Fp2) -> Fp2:
    return (a[0] + b[0]) % P, (a[1] + b[1]) % P


def _sub2(a: Fp2, b: Fp2) -> Fp2:
    return (a[0] - b[0]) % P, (a[1] - b[1]) % P


def _mul2(a: Fp2, b: Fp2) -> Fp2:
    real, imaginary = a[0] * b[0], a[1] * b[1]
    return (real - imaginary) % P, ((a[0] + a[1]) * (b[0] + b[1]) - real - imaginary) % P


def _scale2(a: Fp2, by: int) -> Fp2:
    return a[0] * by % P, a[1] * by % P


def _inverse2(a: Fp2) -> Fp2:
    inverse = pow(a[0] * a[0] + a[1] * a[1], -1, P)
    return a[0] * inverse % P, -a[1] * inverse % P


def _times_xi(a: Fp2) -> Fp2:
    return (9 * a[0] - a[1]) % P, (a[0] + 9 * a[1]) % P


def _power2(a: Fp2, exponent: int) -> Fp2:
    result = _ONE2
    for bit in bin(exponent)[2:]:
        result = _mul2(result, result)
        if bit == "1":
            result = _mul2(result, a)
    return result


_TWIST_B: Fp2 = _scale2(_inverse2(_XI), 3)


# -- F_p^6 and F_p^12 ----------------------------------------------------------------------------------------


def _add6(a: Fp6, b: Fp6) -> Fp6:
    return _add2(a[0], b[0]), _add2(a[1], b[1]), _add2(a[2], b[2])


def _sub6(a: Fp6, b: Fp6) -> Fp6:
    return _sub2(a[0], b[0]), _sub2(a[1], b[1]), _sub2(a[2], b[2])


def _mul6(a: Fp6, b: Fp6) -> Fp6:
    low, middle, high = _mul2(a[0], b[0]), _mul2(a[1], b[1]), _mul2(a[2], b[2])
    cross12 = _sub2(_sub2(_mul2(_add2(a[1], a[2]), _add2(b[1], b[2])), middle), high)
    cross01 = _sub2(_sub2(_mul2(_add2(a[0], a[1]), _add2(b[0], b[1])), low), middle)
    cross02 = _sub2(_sub2(_mul2(_add2(a[0], a[2]), _add2(b[0], b[2])), low), high)
    return (
        _add2(low, _times_xi(cross12)),
        _add2(cross01, _times_xi(high)),
        _add2(cross02, middle),
    )


def _times_v(a: Fp6) -> Fp6:
    return _times_xi(a[2]), a[0], a[1]


def _inverse6(a: Fp6) -> Fp6:
    first = _sub2(_mul2(a[0], a[0]), _times_xi(_mul2(a[1], a[2])))
    second = _sub2(_times_xi(_mul2(a[2], a[2])), _mul2(a[0], a[1]))
    third = _sub2(_mul2(a[1], a[1]), _mul2(a[0], a[2]))
    norm = _add2(_mul2(a[0], first), _times_xi(_add2(_mul2(a[2], second), _mul2(a[1], third))))
    inverse = _inverse2(norm)
    return _mul2(first, inverse), _mul2(second, inverse), _mul2(third, inverse)


def _mul12(a: Fp12, b: Fp12) -> Fp12:
    low, high = _mul6(a[0], b[0]), _mul6(a[1], b[1])
    cross = _sub6(_sub6(_mul6(_add6(a[0], a[1]), _add6(b[0], b[1])), low), high)
    return _add6(low, _times_v(high)), cross


def _square12(a: Fp12) -> Fp12:
    product = _mul6(a[0], a[1])
    low = _mul6(_add6(a[0], a[1]), _add6(a[0], _times_v(a[1])))
    return _sub6(_sub6(low, product), _times_v(product)), _add6(product, product)


def _conjugate12(a: Fp12) -> Fp12:
    return a[0], _sub6(_ZERO6, a[1])


def _inverse12(a: Fp12) -> Fp12:
    inverse = _inverse6(_sub6(_mul6(a[0], a[0]), _times_v(_mul6(a[1], a[1]))))
    return _mul6(a[0], inverse), _sub6(_ZERO6, _mul6(a[1], inverse))


# xi^(i (p - 1) / 6): what the Frobenius map multiplies the coefficient of w^i with.
_FROBENIUS = tuple(_power2(_XI, power * (P - 1) // 6) for power in range(6))


def _frobenius12(a: Fp12) -> Fp12:
    even, odd = (tuple((c[0], -c[1] % P) for c in half) for half in a)
    return (
        (even[0], _mul2(even[1], _FROBENIUS[2]), _mul2(even[2], _FROBENIUS[4])),
        (_mul2(odd[0], _FROBENIUS[1]), _mul2(odd[1], _FROBENIUS[3]), _mul2(odd[2], _FROBENIUS[5])),
    )


def _power12(a: Fp12, exponent: int) -> Fp12:
    result = a
    for bit in bin(exponent)[3:]:
        result = _square12(result)
        if bit == "1":
            result = _mul12(result, a)
    return result


# -- the groups ----------------------------------------------------------------------------------------------


def is_on_curve(point: G1) -> bool:
    """Say whether a point of G1 satisfies the curve's equation; all of them have the right order."""
    return point is None or (point[1] * point[1] - point[0] ** 3 - 3) % P == 0


def add(a: G1, b: G1) -> G1:
    """Add two points of G1."""
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(point: G1, scalar: int) -> G1:
    """Multiply a point of G1."""
    result: G1 = None
    for bit in bin(scalar % ORDER)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def is_in_g2(point: G2) -> bool:
    """Say whether a point lies on the twist and has the right order, which not all of its points have."""
    if point is None:
        return True
    x, y = point
    if _sub2(_mul2(y, y), _add2(_mul2(_mul2(x, x), x), _TWIST_B)) != _ZERO2:
        return False
    result: G2 = None
    for bit in bin(ORDER)[2:]:
        result = _add_g2(result, result)
        if bit == "1":
            result = _add_g2(result, point)
    return result is None


def _add_g2(a: G2, b: G2) -> G2:
    if a is None or b is None:
        return b if a is None else a
    slope = _slope(a, b)
    return None if slope is None else _third_point(a, b, slope)


def _slope(a: tuple[Fp2, Fp2], b: tuple[Fp2, Fp2]) -> Fp2 | None:
    """Return the slope of the line through two points of the twist; None where it is vertical."""
    if a[0] == b[0]:
        if a[1] != b[1] or a[1] == _ZERO2:
            return None
        return _mul2(_scale2(_mul2(a[0], a[0]), 3), _inverse2(_scale2(a[1], 2)))
    return _mul2(_sub2(b[1], a[1]), _inverse2(_sub2(b[0], a[0])))


def _third_point(a: tuple[Fp2, Fp2], b: tuple[Fp2, Fp2], slope: Fp2) -> tuple[Fp2, Fp2]:
    x = _sub2(_sub2(_mul2(slope, slope), a[0]), b[0])
    return x, _sub2(_mul2(slope, _sub2(a[0], x)), a[1])


# -- the pairing ---------------------------------------------------------------------------------------------


def pairing_product_is_one(pairs: Sequence[tuple[G1, G2]]) -> bool:
    """Say whether the optimal ate pairings of checked points multiply to one."""
    finite = [(p, q) for p, q in pairs if p is not None and q is not None]
    return _final_exponentiation(_miller_loop(finite)) == _ONE12


def _final_exponentiation(value: Fp12) -> Fp12:
    """Raise to (p^12 - 1) / r; the hard part by powers of u (Beuchat et al., "High-speed software
    implementation of the optimal ate pairing over Barreto-Naehrig curves", 2010).
    """
    value = _mul12(_conjugate12(value), _inverse12(value))
    value = _mul12(_frobenius12(_frobenius12(value)), value)
    first = _power12(value, _U)
    second = _power12(first, _U)
    third = _power12(second, _U)
    once = _frobenius12(value)
    twice = _frobenius12(once)
    y0 = _mul12(_mul12(once, twice), _frobenius12(twice))
    y1 = _conjugate12(value)
    y2 = _frobenius12(_frobenius12(second))
    y3 = _conjugate12(_frobenius12(first))
    y4 = _conjugate12(_mul12(first, _frobenius12(second)))
    y5 = _conjugate12(second)
    y6 = _conjugate12(_mul12(third, _frobenius12(third)))
    t0 = _mul12(_mul12(_square12(y6), y4), y5)
    t1 = _mul12(_mul12(y3, y5), t0)
    t0 = _mul12(t0, y2)
    t1 = _square12(_mul12(_square12(t1), t0))
    t0 = _mul12(t1, y1)
    t1 = _mul12(t1, y0)
    return _mul12(_square12(t0), t1)


def _miller_loop(pairs: Sequence[tuple[tuple[int, int], tuple[Fp2, Fp2]]]) -> Fp12:
    value = _ONE12
    running = [q for _, q in pairs]
    for bit in bin(_ATE_LOOP)[3:]:
        value = _square12(value)
        for index, (p, q) in enumerate(pairs):
            value, running[index] = _step(value, running[index], running[index], p)
            if bit == "1":
                value, running[index] = _step(value, running[index], q, p)
    for index, (p, q) in enumerate(pairs):
        once = _frobenius(q)
        twice = _frobenius(once)
        value, running[index] = _step(value, running[index], once, p)
        value, _ = _step(value, running[index], (twice[0], _sub2(_ZERO2, twice[1])), p)
    return value


def _frobenius(point: tuple[Fp2, Fp2]) -> tuple[Fp2, Fp2]:
    x, y = ((coordinate[0], -coordinate[1] % P) for coordinate in point)
    return _mul2(x, _FROBENIUS[2]), _mul2(y, _FROBENIUS[3])


def _step(
    value: Fp12, a: tuple[Fp2, Fp2], b: tuple[Fp2, Fp2], at: tuple[int, int]
) -> tuple[Fp12, tuple[Fp2, Fp2]]:
    """Multiply by the line through a and b, taken at a point of G1, and return the sum of a and b."""
    slope = _slope(a, b)
    assert slope is not None, "points of prime order meet no vertical line before the end"
    # The line is y + (-slope x) w + (slope a_x - a_y) w^3 in the tower's basis; w^3 = v w.
    along = _scale2(slope, -at[0])
    offset = _sub2(_mul2(slope, a[0]), a[1])
    line_high = (along, offset, _ZERO2)
    low, high = value
    value = (
        _add6(_scale6(low, at[1]), _times_v(_mul6(high, line_high))),
        _add6(_scale6(high, at[1]), _mul6(low, line_high)),
    )
    return value, _third_point(a, b, slope)


def _scale6(a: Fp6, by: int) -> Fp6:
    return _scale2(a[0], by), _scale2(a[1], by), _scale2(a[2], by)
