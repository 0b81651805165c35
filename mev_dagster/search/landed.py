"""What somebody took from a block, as strategies are asked about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Landed:
    """An opportunity somebody took.

    `worth_wei` is before gas and payments, because what was bid for the place in the block hides in them;
    None when the profit is no ether. `behind` are the transactions that traded in its pools earlier in the
    block: what it found there is what they left.
    """

    kind: str
    victims: frozenset[bytes]
    pools: frozenset[bytes]
    tx_hashes: tuple[bytes, ...]
    worth_wei: int | None
    behind: frozenset[bytes] = frozenset()
