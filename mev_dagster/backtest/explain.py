"""Why one landed opportunity was found or missed, with every candidate that came near it."""

from collections.abc import Iterator
from typing import Any

from mev_dagster.backtest.score import Backtest, BlockScore, Match
from mev_dagster.errors import InputError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.search.rank import Candidate, to_json

LEAST_DIGITS = 8


def explain(result: Backtest, label: str) -> dict[str, Any]:
    """Return what became of the label named by one of its transactions, a victim's too, or by its beginning.

    Raises `InputError` where none or several are meant.
    """
    wanted = label.lower().removeprefix("0x")
    if len(wanted) < LEAST_DIGITS or set(wanted) - set("0123456789abcdef"):
        raise InputError(
            f"expected at least {LEAST_DIGITS} hex digits of a transaction's hash, found {label!r}"
        )
    met = [(block, match) for block in result.blocks for match in block.matches]
    own = [(block, match) for block, match in met if _names(match.landed.tx_hashes, wanted)]
    found = own or [(block, match) for block, match in met if _names(match.landed.victims, wanted)]
    if not found:
        raise InputError(f"no label of these blocks has a transaction {label}")
    if len(found) > 1:
        kinds = ", ".join(f"{match.landed.kind} in block {block.number}" for block, match in found)
        raise InputError(f"{label} is part of {len(found)} labels: {kinds}")
    block, match = found[0]
    return {
        "block": block.number,
        "kind": match.landed.kind,
        "tx_hashes": list(match.landed.tx_hashes),
        "victims": sorted(match.landed.victims),
        "pools": sorted(match.landed.pools),
        "worth_wei": match.landed.worth_wei,
        "found": match.found is not None,
        "missed": match.missed,
        "detail": match.detail,
        "feasible": match.feasible,
        "near": [to_json(candidate) for candidate in _near(block, match)],
    }


def _names(hashes: Any, wanted: str) -> bool:
    return any(to_hex(one).removeprefix("0x").startswith(wanted) for one in hashes)


def _near(block: BlockScore, match: Match) -> Iterator[Candidate]:
    """Yield the candidates on one of its victims or of its pools, best first."""
    for candidate in block.candidates:
        if not isinstance(candidate, Candidate):
            continue
        victims, pools = set(candidate.pending_hashes), set(candidate.plan.venues)
        if victims & match.landed.victims or pools & match.landed.pools:
            yield candidate
