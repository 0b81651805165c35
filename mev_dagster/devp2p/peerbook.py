"""What is known of other nodes, from one run to the next: how talks ended, when to try again."""

import os
import random
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import msgspec

from mev_dagster.devp2p.enode import Enode, parse_enode
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.errors import InputError

CAPACITY = 4_096
FLOOR_SECONDS = 35.0  # geth, reth and erigon refuse the same address within 30 seconds
CEILING_SECONDS = 1_800.0
FULL_SECONDS = 300.0
BANNED_SECONDS = 86_400.0

_STRANGERS = ("useless_peer", "other_network", "other_genesis", "other_chain", "local_stale", "remote_stale")
_BREACHES = (
    "unexpected_identity",
    "bad_header_mac",
    "bad_body_mac",
    "oversize_frame",
    "oversize_message",
    "snappy_bomb",
    "wrong_type",
    "unrequested_transaction",
    "unsolicited_answer",
    "remote_protocol_breach",
    "remote_subprotocol",
    "remote_useless_peer",
)


class Origin(StrEnum):
    """How a node became known. Trusted and static ones are dialled first and never given up."""

    TRUSTED = "trusted"
    STATIC = "static"
    BOOTNODE = "bootnode"
    DNS = "dns"
    DISCOVERED = "discovered"


class KnownNode(msgspec.Struct):
    """One node; times are Unix seconds."""

    enode: str
    origin: Origin
    client: str = ""
    eth_version: int = 0
    score: float = 0.0
    failures: int = 0
    last_seen: float = 0.0
    not_before: float = 0.0


class PeerBook:
    """All known nodes, on disk as one JSON file."""

    def __init__(
        self, path: Path | None = None, *, rng: random.Random, floor_seconds: float = FLOOR_SECONDS
    ) -> None:
        self._path, self._rng, self._floor = path, rng, floor_seconds
        self._nodes: dict[bytes, KnownNode] = {}
        if path is not None and path.exists():
            self._read(path)

    def __len__(self) -> int:
        return len(self._nodes)

    def add(self, enode: Enode, origin: Origin) -> None:
        """Learn of a node. A better origin and a newer address replace older ones."""
        node = self._nodes.get(enode.id)
        if node is None:
            if len(self._nodes) >= CAPACITY and not self._make_room():
                return
            self._nodes[enode.id] = KnownNode(str(enode), origin)
            return
        node.enode = str(enode)
        if _RANK[origin] < _RANK[node.origin]:
            node.origin = origin

    def find(self, node_id: bytes) -> KnownNode | None:
        """Return what is known of a node."""
        return self._nodes.get(node_id)

    def met(self, node_id: bytes, client: str, eth_version: int, now: float) -> None:
        """A conversation began."""
        node = self._nodes.get(node_id)
        if node is not None:
            node.client, node.eth_version, node.last_seen, node.failures = client, eth_version, now, 0

    def parted(self, node_id: bytes, reason: str, now: float, score: float | None = None) -> None:
        """A dial failed or a conversation ended: decide when to try again."""
        node = self._nodes.get(node_id)
        if node is None:
            return
        if score is not None:
            node.score = score
        kept = node.origin in (Origin.TRUSTED, Origin.STATIC)
        if reason in ("remote_too_many_peers", "remote_already_connected"):
            wait = self._floor if kept else max(self._floor, FULL_SECONDS)  # the commonest answer: no fault
        elif reason in _STRANGERS or reason in _BREACHES:
            wait = self._floor * 8 if kept else BANNED_SECONDS
        else:
            node.failures = min(node.failures + 1, 16)
            limit = self._floor * 4 if kept else CEILING_SECONDS
            wait = min(limit, self._floor * 2 ** (node.failures - 1))
        node.not_before = now + wait * self._rng.uniform(1.0, 1.5)

    def candidates(self, now: float, count: int, *, excluded: Iterable[bytes] = ()) -> list[Enode]:
        """Return whom to dial: trusted, static, then the best known, then whoever has failed least."""
        taken = set(excluded)
        free = [
            node for node_id, node in self._nodes.items() if node_id not in taken and node.not_before <= now
        ]
        free.sort(key=lambda node: (_RANK[node.origin] > 1, node.failures, -node.score, -node.last_seen))
        return [parse_enode(node.enode) for node in free[:count]]

    def save(self) -> None:
        """Write the file whole, or leave the old one."""
        if self._path is None:
            return
        partial = self._path.with_suffix(".partial")
        partial.write_bytes(msgspec.json.encode(list(self._nodes.values())))
        partial.replace(self._path)

    def _read(self, path: Path) -> None:
        try:
            nodes = msgspec.json.decode(path.read_bytes(), type=list[KnownNode])
            self._nodes = {parse_enode(node.enode).id: node for node in nodes[:CAPACITY]}
        except (msgspec.DecodeError, InputError) as error:
            raise InputError(f"{path}: not a peer book ({error}); delete it to start anew") from None

    def _make_room(self) -> bool:
        """Forget the least promising of the discovered nodes."""
        discovered = [
            (node.score, -node.failures, node.last_seen, node_id)
            for node_id, node in self._nodes.items()
            if node.origin is Origin.DISCOVERED
        ]
        if not discovered:
            return False
        del self._nodes[min(discovered)[3]]
        return True


_RANK = {origin: rank for rank, origin in enumerate(Origin)}


def load_key(path: Path) -> NodeKey:
    """Return this node's identity, made once: peers throttle and score by it."""
    try:
        return NodeKey(bytes.fromhex(path.read_text().strip()))
    except FileNotFoundError:
        pass
    except ValueError:
        raise InputError(f"{path}: not a private key of 64 hex digits") from None
    key = NodeKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(key.secret.hex() + "\n")
    return key
