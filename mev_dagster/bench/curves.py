"""`mev bench curves`: the pairing precompile's arithmetic beside py_ecc's, and the native engine's as limit.

py_ecc is what py-evm takes. The native engine is asked whole calls of the precompile, since its wheel hands
out no curve; so is py-evm with ours, and both must say the same.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.bench.uniswap import CHAIN_ID, GAS_LIMIT, START_TIME
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.signing import address_of, sign_transaction
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import InputError
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.py_evm import bn254
from mev_dagster.evm.state.prestate import AccountOverride, Prestate
from mev_dagster.evm.types import BlockEnv, TxStatus
from mev_dagster.units import ETHER, GWEI

ROUNDS = 3
PAIRS = (2, 4)  # a Groth16 proof is checked with four
"""How many pairs the checks multiply."""
_KEY = keccak(b"mev_dagster TEST-ONLY curves")
_PAIRING = (8).to_bytes(20, "big")

Pair = tuple[bn254.G1, bn254.G2]


@dataclass(frozen=True, slots=True)
class Check:
    """One product of pairings, whether it is one, and the call of the precompile that asks."""

    pairs: tuple[Pair, ...]
    holds: bool
    call: Transaction


def run(options: Options) -> Iterator[Result]:
    """Yield the cost of the pairing checks by ours and py_ecc's arithmetic, and of the calls by engine."""
    options.step("making pairing checks")
    checks = make_checks()
    for check in checks:
        if (
            bn254.pairing_product_is_one(check.pairs) is not check.holds
            or by_py_ecc(check) is not check.holds
        ):
            raise InputError(f"a product of {len(check.pairs)} pairings is not {check.holds}")
    rounds = 1 if options.quick else ROUNDS
    best = interleave(
        {"ours": lambda one: bn254.pairing_product_is_one(one.pairs), "peer": by_py_ecc},
        checks,
        rounds=rounds,
        step=options.step,
    )
    note = f"{len(checks)} checks of {' and '.join(map(str, PAIRS))} pairs, true and false; answers are equal"
    ours, theirs = (1e3 * best[name] / len(checks) for name in ("ours", "peer"))
    yield judge(
        "curves: pairing check", ours, "ms", peer="py_ecc", peer_value=theirs, at_least_peer=10.0, note=note
    )
    if not native_is_installed():
        why = "mev_native is not installed: run `make native`, which needs cargo"
        yield Result("curves: precompile call", 0.0, "ms", ok=None, note=why)
        return
    calls = {name: _caller(name) for name in ("py_evm", "revm")}
    for check in checks:
        if calls["py_evm"](check) != calls["revm"](check):
            raise InputError(f"the engines differ on a check of {len(check.pairs)} pairs")
    best = interleave(calls, checks, rounds=rounds, step=options.step)
    yield judge(
        "curves: precompile call",
        1e3 * best["py_evm"] / len(checks),
        "ms",
        limit_value=1e3 * best["revm"] / len(checks),
        note="a transaction to the precompile, on py-evm with ours; the limit is the native engine; "
        "status, gas and output are equal",
    )


def make_checks() -> list[Check]:
    """Return a true and a false check of each size, equal in every run."""
    chance = random.Random(254)  # noqa: S311 - test data
    return [_check(chance, pairs, holds=holds) for pairs in PAIRS for holds in (True, False)]


def _check(chance: random.Random, count: int, *, holds: bool) -> Check:
    """Make count - 1 random pairs, and one that brings the product to one, or does not."""
    left = [chance.randrange(1, bn254.ORDER) for _ in range(count - 1)]
    right = [chance.randrange(1, bn254.ORDER) for _ in range(count - 1)]
    last = -sum(a * b for a, b in zip(left, right, strict=True)) + (0 if holds else 1)
    pairs = tuple((_multiple1(a), _multiple2(b)) for a, b in zip([*left, last], [*right, 1], strict=True))
    data = b"".join(_words(pair) for pair in pairs)
    return Check(pairs, holds, _call(data))


def by_py_ecc(check: Check) -> bool:
    """Answer a check as py-evm's own precompile does."""
    from py_ecc import optimized_bn128 as curve

    product = curve.FQ12.one()
    for first, second in check.pairs:
        assert first is not None
        assert second is not None
        one = tuple(map(curve.FQ, (*first, 1)))
        two = (curve.FQ2(second[0]), curve.FQ2(second[1]), curve.FQ2.one())
        product = product * curve.pairing(two, one, final_exponentiate=False)
    return bool(curve.final_exponentiate(product) == curve.FQ12.one())


def _multiple1(scalar: int) -> bn254.G1:
    return bn254.multiply((1, 2), scalar)


def _multiple2(scalar: int) -> bn254.G2:
    from py_ecc import optimized_bn128 as curve

    x, y = curve.normalize(curve.multiply(curve.G2, scalar % bn254.ORDER))
    return tuple(map(int, x.coeffs)), tuple(map(int, y.coeffs))  # type: ignore[return-value]


def _words(pair: Pair) -> bytes:
    """Return a pair as the precompile reads it: imaginary parts come first."""
    first, second = pair
    assert first is not None
    assert second is not None
    (x_r, x_i), (y_r, y_i) = second
    return b"".join(part.to_bytes(32, "big") for part in (*first, x_i, x_r, y_i, y_r))


def _call(data: bytes) -> Transaction:
    return sign_transaction(
        _KEY,
        chain_id=CHAIN_ID,
        nonce=0,
        to=_PAIRING,
        gas_limit=1_000_000,
        data=data,
        max_fee_per_gas_wei=2 * GWEI,
        max_priority_fee_per_gas_wei=GWEI,
    )


def _caller(engine: str) -> Callable[[Check], Any]:
    """Return a function that runs a check's call and tells how it ended."""
    state = Prestate({}, {}, complete=True).with_overrides(
        {address_of(_KEY): AccountOverride(balance_wei=ETHER)}
    )
    env = BlockEnv(
        chain_id=CHAIN_ID,
        fork=Fork.PRAGUE,
        number=1,
        timestamp=START_TIME,
        coinbase=bytes.fromhex("c0" * 20),
        gas_limit=GAS_LIMIT,
        base_fee_per_gas_wei=GWEI,
        excess_blob_gas=0,
    )
    session = get_engine(engine).session(state, env, begin_block=False)

    def called(check: Check) -> tuple[TxStatus, int, bytes]:
        (result,) = session.run([check.call]).txs
        return result.status, result.gas_used, result.output

    return called
