"""Which incoming blocks can be executed, and what stops the stages that would: said, never guessed.

Seeing, logging and storing go on whatever a block holds; so does the mempool's recording. What stops is named
with its reason on /readyz, in `mev status`, in a metric and by an alert, until a block can be executed again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import Fork, ForkSchedule
from mev_dagster.chain.networks import schedule_for
from mev_dagster.errors import InputError, MevError
from mev_dagster.evm.engines import executes
from mev_dagster.evm.node.forks import schedule_of
from mev_dagster.node.http import JsonRpc
from mev_dagster.telemetry.logging import logger

STAGES = ("simulations", "opportunities", "block_templates", "mev_labels")
"""What needs a block to be executed, by the assets' names."""

log = logger("ingest.executability")


@dataclass(frozen=True, slots=True)
class Stopped:
    """Stages that stand still since a block, and why: a stable code and a sentence."""

    stages: tuple[str, ...]
    since_block: int
    code: str
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Return what is told over HTTP."""
        return {
            "stages": list(self.stages),
            "since_block": self.since_block,
            "code": self.code,
            "why": self.why,
        }


class Executability:
    """Judges each new head by the schedule its chain has, extended by what the node announces."""

    def __init__(self, engine: str, chain_id: int | None, told: Callable[[Stopped | None], None]) -> None:
        self.stopped: Stopped | None = None
        self._engine = engine
        self._chain_id = chain_id
        self._told = told
        self._schedule: ForkSchedule | None = None

    def learn(self, url: str, *, connect: Callable[[str], JsonRpc] = JsonRpc) -> None:
        """Ask a node for its forks; one that cannot say leaves what is known."""
        try:
            with connect(url) as rpc:
                self._schedule = schedule_of(rpc)
        except MevError as error:
            log.warning("the node's forks are not known", error=error)

    def saw(self, block: Block) -> None:
        """Take up a new head."""
        reason = self._reason(block)
        if reason is None:
            found = None
        elif self.stopped is not None and self.stopped.code == reason[0]:
            return
        else:
            found = Stopped(STAGES, block.header.number, *reason)
            log.error(
                "blocks are seen and stored, and not executed", block=block.header.number, why=reason[1]
            )
        if found != self.stopped:
            self.stopped = found
            self._told(found)

    def _reason(self, block: Block) -> tuple[str, str] | None:
        header = block.header
        if block.foreign:
            kinds = ", ".join(sorted({f"{one.type:#x}" for one in block.foreign}))
            return "foreign_transactions", f"transactions of types that are not Ethereum's: {kinds}"
        schedule = self._schedule_of(block)
        if schedule is None:
            return "unknown_chain", "no fork schedule of this chain: forks_file of the settings takes one"
        fork = schedule.fork_at(header.number, header.timestamp)
        name = schedule.name_at(header.number, header.timestamp)
        if fork is Fork.UNKNOWN:
            return "unknown_fork", f"the rules of its fork are not known here ({name})"
        if header.later_fields:
            return (
                "unknown_fork",
                f"its header has {len(header.later_fields)} fields of a fork not known here",
            )
        if not executes(self._engine, fork):
            return (
                "engine_too_old",
                f"{self._engine} does not execute {name}: `make native` builds revm, which may",
            )
        return None

    def _schedule_of(self, block: Block) -> ForkSchedule | None:
        if self._schedule is not None:
            return self._schedule
        told = (tx.chain_id for tx in block.transactions if tx.chain_id is not None)
        chain_id = self._chain_id if self._chain_id is not None else next(told, None)
        if chain_id is None:
            return None
        try:
            return schedule_for(chain_id)
        except InputError:
            return None
