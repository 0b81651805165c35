"""Content negotiation by quality (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Sequence

QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
"""What a quality may be; anything else, as a type that is not wanted."""


def preferred(accept: str, offered: Sequence[str]) -> str | None:
    """Return the offered media type the caller wants most, None where it takes none of them.

    The most specific range that names a type decides its quality; of equal qualities the one the caller
    named, and named first, is taken, then the one offered first. No header takes anything.
    """
    ranges = [one for one in (_range(part) for part in accept.split(",")) if one is not None]
    if not ranges:
        return offered[0]
    best: tuple[float, int, int] | None = None
    chosen = None
    for place, kind in enumerate(offered):
        found = _quality(kind, ranges)
        if found is None or found[0] <= 0:
            continue
        quality, at = found
        rank = (quality, -at, -place)
        if best is None or rank > best:
            best, chosen = rank, kind
    return chosen


def _range(part: str) -> tuple[str, float] | None:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    if not name:
        return None
    quality = next((one.partition("=")[2] for one in parameters if one.partition("=")[0].strip() == "q"), "1")
    return name, float(quality) if QUALITY.fullmatch(quality.strip()) else 0.0


def _quality(kind: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int] | None:
    """Return the quality of a type and where its range stands; wildcards stand behind every named range."""
    group = kind.partition("/")[0] + "/*"
    for wanted, behind in ((kind, 0), (group, len(ranges)), ("*/*", 2 * len(ranges))):
        for at, (name, quality) in enumerate(ranges):
            if name == wanted:
                return quality, at if behind == 0 else behind
    return None
