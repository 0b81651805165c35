"""What the peer-to-peer side counts, by the catalogue: nothing a peer says becomes a label as it is."""

import re

from mev_dagster.telemetry import catalogue

_CLIENTS = ("geth", "reth", "nethermind", "besu", "erigon", "ethereumjs", "ethrex", "mev_dagster")
_REASON = re.compile(r"[a-z][a-z0-9_]{0,40}")


def client_family(client: str) -> str:
    """Return a client's name without its version, from a closed set."""
    name = client.partition("/")[0].lower()
    return next((known for known in _CLIENTS if name.startswith(known)), "other")


class P2PMetrics(catalogue.DeclaredP2PMetrics):
    """The metrics of one network on one registry."""

    def violation(self, kind: str) -> None:
        """Count a violation; kinds are our own reason codes, anything else is lumped together."""
        self.violations.labels(kind if _REASON.fullmatch(kind) else "other").inc()
