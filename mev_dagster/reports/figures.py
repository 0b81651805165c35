"""What a window came to, read out of the store: a row a block, their sums, and the alerts."""

from dataclasses import dataclass
from importlib import resources

from mev_dagster.reports.window import ReportWindow
from mev_dagster.store.client import Store
from mev_dagster.units import NS_PER_MS, NS_PER_SECOND

_FOLDER = resources.files("mev_dagster.reports")
BLOCKS_SQL, WINDOWS_SQL, ALERTS_SQL, NEWEST_SQL = (
    (_FOLDER / f"{name}.sql").read_text() for name in ("blocks", "windows", "alerts", "newest_hour")
)
MOST_BLOCKS = 20_000


@dataclass(frozen=True, slots=True)
class ReportedBlock:
    """One block; amounts in wei, `trace_id` in hex and empty where nothing was sealed."""

    number: int
    time_ns: int
    block_hash: bytes
    run_id: str
    live: bool
    lag_ns: int
    pending_txs: int
    candidates: int
    verified: int
    best_wei: int
    trace_id: str
    bid_wei: int
    sealed: bool
    accepted: bool
    landed: int
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class ReportedAlert:
    """One alert and what was done about it."""

    name: str
    source: str
    summary: str
    action: str
    starts_ns: int


@dataclass(frozen=True, slots=True)
class Report:
    """A window's blocks, how many windows the log has of it, and its alerts."""

    window: ReportWindow
    blocks: tuple[ReportedBlock, ...]
    windows: int
    alerts: tuple[ReportedAlert, ...]

    @property
    def missing(self) -> int:
        """How many blocks were seen and not searched."""
        return max(self.windows - len({block.number for block in self.blocks}), 0)

    def lag_ns(self, per_cent: int) -> int:
        """Return a percentile of the lag from head to stored opportunities, 0 without blocks."""
        lags = sorted(block.lag_ns for block in self.blocks)
        return lags[min(len(lags) * per_cent // 100, len(lags) - 1)] if lags else 0

    def figures(self) -> dict[str, int]:
        """Return the sums by name."""
        return {
            "blocks": len(self.blocks),
            "missing_blocks": self.missing,
            "pending_txs": sum(block.pending_txs for block in self.blocks),
            "candidates": sum(block.candidates for block in self.blocks),
            "verified": sum(block.verified for block in self.blocks),
            "landed": sum(block.landed for block in self.blocks),
            "found_and_landed": sum(block.hits for block in self.blocks),
            "landed_not_found": sum(block.misses for block in self.blocks),
            "bids": sum(block.bid_wei > 0 for block in self.blocks),
            "bids_accepted": sum(block.accepted for block in self.blocks),
            "bid_wei": sum(block.bid_wei for block in self.blocks),
            "best_wei": max((block.best_wei for block in self.blocks), default=0),
            "lag_p50_ms": self.lag_ns(50) // NS_PER_MS,
            "lag_p95_ms": self.lag_ns(95) // NS_PER_MS,
            "alerts": len(self.alerts),
        }


def report_of(store: Store, window: ReportWindow) -> Report:
    """Read a window's report."""
    span = {"start": window.start_ns, "end": window.end_ns}
    blocks = tuple(_block(row) for row in store.rows(BLOCKS_SQL, {**span, "limit": MOST_BLOCKS}))
    numbers = [block.number for block in blocks] or [0]
    alerts = store.rows(ALERTS_SQL, {**span, "first": min(numbers), "last": max(numbers)})
    return Report(
        window,
        blocks,
        int(store.scalar(WINDOWS_SQL, span)),
        tuple(
            ReportedAlert(name, source, summary, action, int(starts_ns))
            for name, source, summary, action, starts_ns in alerts
        ),
    )


def _block(row: tuple[object, ...]) -> ReportedBlock:
    number, time_ns, block_hash, run_id, live, *figures = row
    lag, pending, candidates, verified, best, trace, bid, sealed, accepted, landed, hits, misses = figures
    return ReportedBlock(
        number=_whole(number),
        time_ns=_whole(time_ns),
        block_hash=bytes(block_hash) if isinstance(block_hash, bytes) else b"",
        run_id=str(run_id),
        live=bool(live),
        lag_ns=_whole(lag),
        pending_txs=_whole(pending),
        candidates=_whole(candidates),
        verified=_whole(verified),
        best_wei=_whole(best),
        trace_id=str(trace or ""),
        bid_wei=_whole(bid),
        sealed=bool(sealed),
        accepted=bool(accepted),
        landed=_whole(landed),
        hits=_whole(hits),
        misses=_whole(misses),
    )


def _whole(value: object) -> int:
    return int(str(value or 0))


@dataclass(frozen=True, slots=True)
class NewestHour:
    """The hour of the newest searched block, and whether its roll-up is as new as its blocks."""

    window: ReportWindow
    last_block: int
    rolled_up: bool
    searched_ns: int


def newest_hour(store: Store) -> NewestHour | None:
    """Return the hour of the newest searched block, None before the first."""
    found = store.rows(NEWEST_SQL)
    if not found:
        return None
    [(seconds, last, searched_ns, rolled_up_ns)] = found
    window = ReportWindow.hour_of(int(seconds) * NS_PER_SECOND)
    rolled_up = int(rolled_up_ns or 0) >= int(searched_ns)
    return NewestHour(window, int(last), rolled_up, int(searched_ns))
