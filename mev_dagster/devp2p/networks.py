"""The public networks: what `chain/networks.py` schedules as fork ids see it, and where their nodes stand.

Sources: go-ethereum params/config.go and params/bootnodes.go; EIP-2124. The merge itself is no fork of the
fork id; Sepolia's network split, a block after it, is.
"""

from dataclasses import dataclass

from mev_dagster.chain.forks import Fork, ForkSchedule
from mev_dagster.chain.networks import SHIPPED, Network, network_of
from mev_dagster.devp2p.forkid import ForkTable


@dataclass(frozen=True, slots=True)
class PublicNetwork:
    """A network that has bootstrap nodes."""

    name: str
    network_id: int
    forks: ForkTable
    dns_list: str


def fork_table(
    schedule: ForkSchedule, genesis: bytes, *, genesis_time: int = 0, split: int | None = None
) -> ForkTable:
    """Return the fork table of a schedule; `split` is the block of its merge network split, if any."""
    numbers = [start for start, fork in schedule.by_number if fork is not Fork.PARIS]
    if split is not None:
        numbers.append(split)
    return ForkTable(
        genesis, genesis_time, tuple(numbers), tuple(start for start, _ in schedule.by_timestamp)
    )


def fork_table_of(network: Network, schedule: ForkSchedule | None = None) -> ForkTable:
    """Return the fork table of a network; `schedule` is its own, extended by what a node has announced."""
    return fork_table(
        schedule or network.schedule,
        network.genesis_hash,
        genesis_time=network.genesis_time,
        split=network.network_split,
    )


def public_network(chain_id: int) -> PublicNetwork | None:
    """Return a public network by its chain id, with what the settings' `forks_file` adds to its schedule."""
    network = network_of(chain_id)
    return None if network is None or not network.public else _public(network)


def _public(network: Network) -> PublicNetwork:
    domain = f"all.{network.name}.ethdisco.net"
    key = "AKA3AM6LPBYEUDMVNU3BSVQJ5AD45Y7YPOHJLEF6W26QOE4VTUDPE"
    return PublicNetwork(
        network.name, network.schedule.chain_id, fork_table_of(network), f"enrtree://{key}@{domain}"
    )


PUBLIC_NETWORKS = {
    network.schedule.chain_id: _public(network) for network in SHIPPED.values() if network.public
}
"""Those that are shipped, as they are shipped."""
