"""What the peer-to-peer side counts. Label sets are bounded: nothing a peer says becomes a label as it is."""

import re

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FAST_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_DECODE_SECONDS = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.2)
_CLIENTS = ("geth", "reth", "nethermind", "besu", "erigon", "ethereumjs", "ethrex", "mev_dagster")
_REASON = re.compile(r"[a-z][a-z0-9_]{0,40}")


def client_family(client: str) -> str:
    """Return a client's name without its version, from a closed set."""
    name = client.partition("/")[0].lower()
    return next((known for known in _CLIENTS if name.startswith(known)), "other")


class P2PMetrics:
    """The metrics of one network on one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.peers = Gauge(
            "mev_p2p_peers", "Peers past Status", ["direction", "client", "eth"], registry=registry
        )
        self.dials = Counter("mev_p2p_dials", "Dials by how they ended", ["result"], registry=registry)
        self.refused = Counter(
            "mev_p2p_inbound_refused", "Inbound connections refused unread", ["reason"], registry=registry
        )
        self.disconnects = Counter(
            "mev_p2p_disconnects", "Ended conversations", ["direction", "reason"], registry=registry
        )
        self.handshake_seconds = Histogram(
            "mev_p2p_handshake_seconds",
            "From the connection to a stage's end",
            ["stage"],
            buckets=_FAST_SECONDS,
            registry=registry,
        )
        self.messages = Counter(
            "mev_p2p_messages", "eth messages by name", ["direction", "message"], registry=registry
        )
        self.bytes = Counter("mev_p2p_bytes", "Bytes on sockets", ["direction"], registry=registry)
        self.announced = Counter(
            "mev_p2p_announced_hashes",
            "Announced hashes by what became of them",
            ["outcome"],
            registry=registry,
        )
        self.requests = Counter(
            "mev_p2p_fetch_requests", "Requests for bodies by how they ended", ["outcome"], registry=registry
        )
        self.fetch_seconds = Histogram(
            "mev_p2p_fetch_seconds", "From a request to its answer", buckets=_FAST_SECONDS, registry=registry
        )
        self.announce_to_payload = Histogram(
            "mev_p2p_announce_to_payload_seconds",
            "From a transaction's first announcement to its body, for those that were asked for",
            buckets=_FAST_SECONDS,
            registry=registry,
        )
        self.decode_seconds = Histogram(
            "mev_p2p_decode_seconds",
            "From a message's encrypted frame to its fields; of announcements one in 32 is timed",
            ["message"],
            buckets=_DECODE_SECONDS,
            registry=registry,
        )
        self.refused_bodies = Counter(
            "mev_p2p_refused_bodies", "Bodies that found no room and are asked for again", registry=registry
        )
        self.in_flight = Gauge("mev_p2p_fetch_in_flight", "Requests without an answer", registry=registry)
        self.wanted = Gauge("mev_p2p_wanted_hashes", "Hashes still to be fetched", registry=registry)
        self.transactions = Counter(
            "mev_p2p_transactions", "Bodies received", ["type", "via"], registry=registry
        )
        self.sidecar_bytes = Counter("mev_p2p_sidecar_bytes", "Blob sidecar bytes dropped", registry=registry)
        self.violations = Counter(
            "mev_p2p_violations", "What peers did against the protocol", ["kind"], registry=registry
        )
        self.pauses = Counter("mev_p2p_backpressure_pauses", "Sockets told to wait", registry=registry)
        self.holds = Counter("mev_p2p_holds", "Times all reading waited for the queue", registry=registry)
        self.known_nodes = Gauge("mev_p2p_known_nodes", "Nodes in the peer book", registry=registry)

    def violation(self, kind: str) -> None:
        """Count a violation; kinds are our own reason codes, anything else is lumped together."""
        self.violations.labels(kind if _REASON.fullmatch(kind) else "other").inc()
