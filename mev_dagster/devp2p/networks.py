"""The public networks: what `chain.forks` schedules, with genesis and what only fork ids know.

Sources: go-ethereum params/config.go and params/bootnodes.go; EIP-2124. The merge itself is no fork of the
fork id; Sepolia's network split, a block after it, is.
"""

from dataclasses import dataclass

from mev_dagster.chain.forks import HOODI, MAINNET, SEPOLIA, Fork, ForkSchedule
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


def _list(domain: str) -> str:
    return f"enrtree://AKA3AM6LPBYEUDMVNU3BSVQJ5AD45Y7YPOHJLEF6W26QOE4VTUDPE@{domain}.ethdisco.net"


PUBLIC_NETWORKS = {
    network.network_id: network
    for network in (
        PublicNetwork(
            "mainnet",
            MAINNET.chain_id,
            fork_table(
                MAINNET,
                bytes.fromhex("d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
            ),
            _list("all.mainnet"),
        ),
        PublicNetwork(
            "sepolia",
            SEPOLIA.chain_id,
            fork_table(
                SEPOLIA,
                bytes.fromhex("25a5cc106eea7138acab33231d7160d69cb777ee0c2c553fcddf5138993e6dd9"),
                genesis_time=1_633_267_481,
                split=1_735_371,
            ),
            _list("all.sepolia"),
        ),
        PublicNetwork(
            "hoodi",
            HOODI.chain_id,
            fork_table(
                HOODI,
                bytes.fromhex("bbe312868b376a3001692a646dd2d7d1e4406380dfd86b98aa8a34d1557c971b"),
                genesis_time=1_742_212_800,
            ),
            _list("all.hoodi"),
        ),
    )
}
