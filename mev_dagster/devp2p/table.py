"""The Kademlia table of discv4: nodes that proved their address, by distance, sixteen to a bucket."""

from dataclasses import dataclass

from mev_dagster.chain.keccak import keccak
from mev_dagster.devp2p.enode import Enode

BUCKET_NODES = 16
NEAREST_BUCKET = 240  # half of all nodes lie at distance 256: nearer than this there is next to nobody


@dataclass(slots=True)
class BondedNode:
    """A bonded node, when it last answered, and how often it has not since."""

    enode: Enode
    address: int
    seen: float
    failures: int = 0


def address_of(node_id: bytes) -> int:
    """Return where an id lies in the hash space."""
    return int.from_bytes(keccak(node_id), "big")


class RoutingTable:
    """Nodes by their distance to one's own id. Long-lived nodes stay, as Kademlia wants."""

    def __init__(self, own_id: bytes) -> None:
        self._own = address_of(own_id)
        self._own_id = own_id
        self._buckets: dict[int, dict[bytes, BondedNode]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def add(self, enode: Enode, now: float) -> bool:
        """Take in a node that answered; say whether it is in the table now."""
        if enode.id == self._own_id:
            return False
        address = address_of(enode.id)
        bucket = self._buckets.setdefault(self._bucket(address), {})
        entry = bucket.pop(enode.id, None)
        if entry is None and len(bucket) >= BUCKET_NODES:
            worst = max(bucket.values(), key=lambda entry: entry.failures)
            if not worst.failures:
                return False
            del bucket[worst.enode.id]
        bucket[enode.id] = BondedNode(enode, address, now)
        return True

    def failed(self, node_id: bytes) -> None:
        """A node did not answer; it goes when someone wants its place, or after three times."""
        bucket = self._buckets.get(self._bucket(address_of(node_id)), {})
        entry = bucket.get(node_id)
        if entry is not None:
            entry.failures += 1
            if entry.failures >= 3:
                del bucket[node_id]

    def nearest(self, target_id: bytes, count: int = BUCKET_NODES) -> list[Enode]:
        """Return the nodes nearest to an id."""
        target = address_of(target_id)
        entries = [entry for bucket in self._buckets.values() for entry in bucket.values()]
        entries.sort(key=lambda entry: entry.address ^ target)
        return [entry.enode for entry in entries[:count]]

    def oldest(self) -> BondedNode | None:
        """Return the entry that has been silent for longest."""
        entries = (entry for bucket in self._buckets.values() for entry in bucket.values())
        return min(entries, key=lambda entry: entry.seen, default=None)

    def _bucket(self, address: int) -> int:
        return max((self._own ^ address).bit_length(), NEAREST_BUCKET)
