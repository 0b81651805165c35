"""Labels as columns of the table `mev_labels`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mev_dagster.labels.label import BlockLabels, LabelKind
from mev_dagster.units import NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class _Row:
    kind: LabelKind
    tx_hashes: tuple[bytes, ...]
    victim_hashes: tuple[bytes, ...]
    beneficiary: bytes
    venues: tuple[bytes, ...]
    profit: tuple[tuple[bytes, int], ...]
    net_wei: int | None


def mev_label_columns(labels: BlockLabels) -> Mapping[str, list[Any]]:
    """Return one row per label of a block."""
    rows = list(_rows(labels))
    paid = {landed.tx.hash: landed for landed in labels.block.txs}
    return {
        "block_number": [labels.block.number] * len(rows),
        "block_time": [labels.block.timestamp * NS_PER_SECOND] * len(rows),
        "block_hash": [labels.block.hash] * len(rows),
        "kind": [str(row.kind) for row in rows],
        "position": list(_positions(rows)),
        "tx_hashes": [list(row.tx_hashes) for row in rows],
        "victim_hashes": [list(row.victim_hashes) for row in rows],
        "beneficiary": [row.beneficiary for row in rows],
        "venues": [list(row.venues) for row in rows],
        "profit_tokens": [[token for token, _ in row.profit] for row in rows],
        "profit_amounts": [[amount for _, amount in row.profit] for row in rows],
        "gas_cost_wei": [sum(paid[tx_hash].gas_cost_wei for tx_hash in row.tx_hashes) for row in rows],
        "coinbase_payment_wei": [
            sum(paid[tx_hash].direct_payment_wei for tx_hash in row.tx_hashes) for row in rows
        ],
        "net_wei": [row.net_wei for row in rows],
    }


def _positions(rows: Iterable[_Row]) -> Iterator[int]:
    seen: dict[LabelKind, int] = {}
    for row in rows:
        seen[row.kind] = seen.get(row.kind, -1) + 1
        yield seen[row.kind]


def _rows(labels: BlockLabels) -> Iterator[_Row]:
    for s in labels.sandwiches:
        victims = tuple(dict.fromkeys(swap.tx_hash for swap in s.victims))
        own = (s.frontrun.tx_hash, s.backrun.tx_hash)
        yield _Row(LabelKind.SANDWICH, own, victims, s.attacker, (s.frontrun.pool,), s.profit, s.net_wei)
    for j in labels.jit:
        victims = tuple(dict.fromkeys(swap.tx_hash for swap in j.victims))
        yield _Row(LabelKind.JIT, (j.mint_tx_hash, j.burn_tx_hash), victims, j.owner, (j.pool,), (), None)
    for one in labels.liquidations:
        seized = ((one.collateral_token, one.collateral_seized), (one.debt_token, -one.debt_repaid))
        yield _Row(LabelKind.LIQUIDATION, (one.tx_hash,), (), one.liquidator, (one.market,), seized, None)
    for a in labels.arbitrages:
        moved_by = (a.moved_by,) if a.moved_by else ()
        pools = tuple(swap.pool for swap in a.swaps)
        yield _Row(LabelKind.ARBITRAGE, (a.tx_hash,), moved_by, a.beneficiary, pools, a.profit, a.net_wei)
