"""How block numbers stand in a label or a tag: single ones, stretches, and lists of both ("17,20-22")."""

import re
from collections.abc import Iterable

MAX_BLOCKS = 4096
MAX_TEXT = 255
_PART = re.compile(r"\s*(\d{1,18})\s*(?:-\s*(\d{1,18})\s*)?", re.ASCII)


def blocks_named(text: str) -> tuple[int, ...] | None:
    """Return the blocks a text names, in order, at most `MAX_BLOCKS`; None when it is no list of blocks."""
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return None
        ends = [int(end) for end in match.groups() if end is not None]
        first = min(ends)
        found.update(range(first, min(max(ends) + 1, first + MAX_BLOCKS)))
        if len(found) > MAX_BLOCKS:
            break
    return tuple(sorted(found)[:MAX_BLOCKS])


def name_blocks(numbers: Iterable[int]) -> str:
    """Return the shortest text that names exactly these blocks; first and last where that is too long."""
    stretches: list[list[int]] = []
    for number in sorted(set(numbers)):
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            stretches.append([number, number])
    text = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in stretches)
    return text if len(text) <= MAX_TEXT else f"{stretches[0][0]}-{stretches[-1][1]}"
