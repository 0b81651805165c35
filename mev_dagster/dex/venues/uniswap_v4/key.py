"""The key of a pool: its id is the hash of it, so a key that hashes to the id is the pool's beyond doubt.

A Swap event tells the id alone. Who swaps hands the key in, or the parts of it, so it is looked for in what
the transaction was called with and what moved in it.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations, islice, product
from typing import NamedTuple

from mev_dagster.chain.keccak import keccak
from mev_dagster.dex.abi import encode_words, selector

SWAP_SELECTOR = selector("swap((address,address,uint24,int24,address),(bool,int256,uint160),bytes)")
DYNAMIC_FEE = 0x800000
"""A hook sets the fee of each swap."""

MOST_GUESSES = 2_000
"""Keys hashed in each of the rounds of a search."""

_USUAL_SPACINGS = {100: (1,), 500: (10,), 3000: (60,), 10_000: (200,)}
_SPACINGS = (1, 10, 60, 200, 2, 5, 20, 30, 50, 100)
_WIDEST_USUAL = 1_001
_NO_HOOK = bytes(20)
_LONGEST_CALL = 8_192
_MOST_TOKENS = 32


class PoolKey(NamedTuple):
    """What a pool is made of. A zero address as a token is ether, as a hook it is none."""

    currency0: bytes
    currency1: bytes
    fee: int
    tick_spacing: int
    hooks: bytes

    @property
    def pool_id(self) -> bytes:
        """Return the hash that names the pool."""
        return keccak(encode_words(self))


def key_of_call(data: bytes) -> PoolKey | None:
    """Return the key in a call of the manager's `swap`, None where it is no such call."""
    if data[:4] != SWAP_SELECTOR or len(data) < 4 + 5 * 32:
        return None
    words = [data[4 + 32 * index : 36 + 32 * index] for index in range(5)]
    fee, spacing = int.from_bytes(words[2], "big"), int.from_bytes(words[3], "big")
    return PoolKey(words[0][12:], words[1][12:], fee, spacing, words[4][12:])


def find_key(pool_id: bytes, fee_ppm: int, tokens: Iterable[bytes], data: bytes) -> PoolKey | None:
    """Return the key of a pool among those that `tokens` and calldata can make, None if none is.

    The search is bounded; no answer is not a wrong one.
    """
    data = data[:_LONGEST_CALL]
    numbers, addresses = _words(data)
    known = sorted({_NO_HOOK, *islice(tokens, _MOST_TOKENS)})
    more = sorted(addresses.difference(known))
    fees = dict.fromkeys((fee_ppm, *sorted(numbers & _USUAL_SPACINGS.keys()), DYNAMIC_FEE))
    called = sorted(number for number in numbers if 0 < number < 1 << 15)
    any_spacing = dict.fromkeys((*_SPACINGS, *called))
    usual = _USUAL_SPACINGS.get(fee_ppm, _SPACINGS)
    # Likely keys first: what moved and no hook; then what calldata names, in words and in packed bytes.
    rounds: tuple[Iterable[tuple[int, tuple[bytes, bytes], int, bytes]], ...] = (
        product(any_spacing, combinations(known, 2), fees, [_NO_HOOK]),
        product(range(1, _WIDEST_USUAL), combinations(known, 2), [fee_ppm], [_NO_HOOK]),
        product(usual, combinations(sorted({*known, *more}), 2), [fee_ppm], [_NO_HOOK]),
        product(usual, ((_NO_HOOK, one) for one in _windows(data)), [fee_ppm], [_NO_HOOK]),
        product(any_spacing, combinations(known, 2), fees, more),
    )
    for guesses in rounds:
        for spacing, (first, second), fee, hook in islice(guesses, MOST_GUESSES):
            key = PoolKey(first, second, fee, spacing, hook)
            if key.pool_id == pool_id:
                return key
    return None


def _windows(data: bytes) -> Iterator[bytes]:
    """Yield what may be an address anywhere in packed calldata."""
    for start in range(4, len(data) - 19):
        window = data[start : start + 20]
        if window[0] and any(window[1:8]) and any(window[12:]):
            yield window


def _words(data: bytes) -> tuple[frozenset[int], frozenset[bytes]]:
    """Return the small numbers and the addresses among the words of calldata."""
    numbers, addresses = set(), set()
    for start in range(4, len(data) - 31, 32):
        value = int.from_bytes(data[start : start + 32], "big")
        if value < 1 << 24:
            numbers.add(value)
        elif 1 << 80 < value < 1 << 160:
            addresses.add(value.to_bytes(20, "big"))
    return frozenset(numbers), frozenset(addresses)
