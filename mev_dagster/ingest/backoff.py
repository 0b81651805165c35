"""Waiting longer after each failure, with jitter from a generator that is handed in."""

import random
from collections.abc import Iterator

FIRST_SECONDS = 0.25
LIMIT_SECONDS = 30.0


def delays(
    rng: random.Random, *, first_seconds: float = FIRST_SECONDS, limit_seconds: float = LIMIT_SECONDS
) -> Iterator[float]:
    """Yield seconds to wait: doubling up to the limit, each cut by up to half so that peers spread out."""
    seconds = first_seconds
    while True:
        yield seconds * rng.uniform(0.5, 1.0)
        seconds = min(seconds * 2, limit_seconds)
