"""Which chain this node says it is on: told by an execution node, or by the first peer (mimic)."""

from dataclasses import dataclass, replace

from mev_dagster.devp2p.eth.messages import Status
from mev_dagster.devp2p.forkid import ForkTable
from mev_dagster.telemetry.clock import Clock
from mev_dagster.units import NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class ChainHead:
    """A chain and where its head is, as an execution node tells it."""

    network_id: int
    forks: ForkTable
    number: int
    time: int
    hash: bytes
    total_difficulty: int = 0
    earliest: int = 0


class KnownChain:
    """Statuses from a head that is kept up to date; strangers to the chain are refused."""

    def __init__(self, head: ChainHead) -> None:
        self.head = head

    def own_status(self, version: int, remote: Status | None) -> Status:
        """Describe the head in the shape of `version`."""
        head = self.head
        return Status(
            version=version,
            network_id=head.network_id,
            genesis=head.forks.genesis,
            fork_id=head.forks.fork_id(head.number, head.time),
            head_hash=head.hash,
            total_difficulty=head.total_difficulty if version <= 68 else 0,
            earliest=head.earliest if version >= 69 else 0,
            latest=head.number if version >= 69 else 0,
        )

    def refusal(self, remote: Status) -> str | None:
        """Compare network, genesis and fork id, in the order the specification lists them."""
        head = self.head
        if remote.network_id != head.network_id:
            return "other_network"
        if remote.genesis != head.forks.genesis:
            return "other_genesis"
        return head.forks.refusal(remote.fork_id, head.number, head.time)


class MimicChain:
    """No execution node: say what the peer says, if it is on the expected chain.

    The first peer decides what chain that is where nobody said so. With a fork table the peer's fork id is
    judged by the clock: a chain with timed forks is as far as the time is.
    """

    def __init__(
        self, clock: Clock, *, network_id: int | None = None, forks: ForkTable | None = None
    ) -> None:
        self.learned: Status | None = None
        self._clock, self._network_id, self._forks = clock, network_id, forks

    def own_status(self, version: int, remote: Status | None) -> Status | None:
        """Echo the peer; before it spoke, repeat what an earlier peer said."""
        source = remote or self.learned
        if source is None:
            return None
        if version <= 68:
            return replace(source, version=version, earliest=0, latest=0)
        return replace(source, version=version, total_difficulty=0)

    def refusal(self, remote: Status) -> str | None:
        """Compare with what is expected or was learned; learn from the first that fits."""
        expected = self.learned.network_id if self.learned else self._network_id
        if expected is not None and remote.network_id != expected:
            return "other_network"
        genesis = self._forks.genesis if self._forks else self.learned.genesis if self.learned else None
        if genesis is not None and remote.genesis != genesis:
            return "other_genesis"
        if self._forks is not None:
            now = self._clock.wall_ns() // NS_PER_SECOND
            if refusal := self._forks.refusal(remote.fork_id, 2**63, now):
                return refusal
        self.learned = remote
        return None
