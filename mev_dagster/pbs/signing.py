"""Signing domains and roots, the public networks they belong to, and the guard that never signs for those.

Source: builder-specs `specs/bellatrix/builder.md`, consensus-specs `compute_domain`. The builder domain
uses the genesis fork version and a zero validators root, whatever fork the slot is in.
"""

from dataclasses import dataclass
from hashlib import sha256

from mev_dagster.errors import RelayRefused
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.ssz import Container
from mev_dagster.pbs.types import ConsensusFork

DOMAIN_BEACON_PROPOSER = bytes.fromhex("00000000")
DOMAIN_APPLICATION_BUILDER = bytes.fromhex("00000001")
SANDBOX_GENESIS_FORK_VERSION = bytes.fromhex("fffffff0")


@dataclass(frozen=True, slots=True)
class ConsensusNetwork:
    """A public network: what its builder domain and its slot times derive from."""

    name: str
    chain_id: int
    genesis_fork_version: bytes
    genesis_time: int | None
    seconds_per_slot: int = 12

    def slot_time(self, slot: int) -> int | None:
        """Return when a slot starts (Unix seconds), None where the genesis time is not known."""
        return None if self.genesis_time is None else self.genesis_time + slot * self.seconds_per_slot


MAINNET_CONSENSUS = ConsensusNetwork("mainnet", 1, bytes.fromhex("00000000"), 1606824023)
NETWORKS = (
    MAINNET_CONSENSUS,
    ConsensusNetwork("sepolia", 11155111, bytes.fromhex("90000069"), 1655733600),
    ConsensusNetwork("holesky", 17000, bytes.fromhex("01017000"), 1695902400),
    ConsensusNetwork("hoodi", 560048, bytes.fromhex("10000910"), 1742213400),
    ConsensusNetwork("goerli", 5, bytes.fromhex("00001020"), 1616508000),
    ConsensusNetwork("kiln", 1337802, bytes.fromhex("70000069"), None),
    ConsensusNetwork("kurtosis", 3151908, bytes.fromhex("10000038"), None),
)
SANDBOX = ConsensusNetwork("sandbox", 31337, SANDBOX_GENESIS_FORK_VERSION, None)
PUBLIC_CHAIN_IDS = frozenset(network.chain_id for network in NETWORKS if network.name != "kurtosis")
PUBLIC_FORK_VERSIONS = frozenset(
    network.genesis_fork_version for network in NETWORKS if network.name != "kurtosis"
)


def unnamed_network(genesis_fork_version: bytes) -> ConsensusNetwork:
    """Return a network of which nothing but its genesis fork version is known."""
    return ConsensusNetwork(to_hex(genesis_fork_version), 0, genesis_fork_version, None)


def compute_domain(
    domain_type: bytes, fork_version: bytes, genesis_validators_root: bytes = bytes(32)
) -> bytes:
    """Return the 32-byte domain that separates signatures of one purpose on one network."""
    fork_data_root = sha256(fork_version.ljust(32, b"\0") + genesis_validators_root).digest()
    return domain_type + fork_data_root[:28]


def builder_domain(genesis_fork_version: bytes) -> bytes:
    """Return the domain of builder submissions, relay bids and validator registrations."""
    return compute_domain(DOMAIN_APPLICATION_BUILDER, genesis_fork_version)


def signing_root(kind: Container, value: object, domain: bytes) -> bytes:
    """Return what is really signed: the value's tree root bound to a domain."""
    return sha256(kind.hash_tree_root(value) + domain).digest()


def sandbox_domain(genesis_fork_version: bytes = SANDBOX_GENESIS_FORK_VERSION) -> bytes:
    """Return a builder domain to sign under; a public network's is refused.

    Verifying may use any domain (`builder_domain`); signing goes through here, so that no signature made
    by this program is valid on a public relay.
    """
    if genesis_fork_version in PUBLIC_FORK_VERSIONS:
        name = next(item.name for item in NETWORKS if item.genesis_fork_version == genesis_fork_version)
        raise RelayRefused(f"will not sign under {name}'s builder domain: this program only builds dry")
    return builder_domain(genesis_fork_version)


def sandbox_proposer_domain(fork: ConsensusFork) -> bytes:
    """Return the domain sandbox proposers sign blocks under.

    No public network has a zero validators root, so these signatures are valid on none.
    """
    version = bytes((fork,)) + SANDBOX_GENESIS_FORK_VERSION[1:]
    return compute_domain(DOMAIN_BEACON_PROPOSER, version)


def refuse_public_chain(chain_id: int) -> None:
    """Refuse to sign a payout transaction that a public chain would accept."""
    if chain_id in PUBLIC_CHAIN_IDS:
        raise RelayRefused(f"will not sign a payout transaction for public chain {chain_id}")
