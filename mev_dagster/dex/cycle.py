"""A way through pools that ends in the token it began with."""

from typing import NamedTuple, TypeAlias


class Leg(NamedTuple):
    """One pool, entered with one of its tokens and left with another."""

    pool: bytes
    token_in: bytes
    token_out: bytes


Cycle: TypeAlias = tuple[Leg, ...]
