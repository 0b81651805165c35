"""Who may come in: limits on connections before any of their bytes are read."""

from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address, ip_network


@dataclass(frozen=True, slots=True)
class InboundLimits:
    """How many strangers are listened to. Loopback and private addresses count only towards the totals."""

    peers: int = 25
    pending: int = 50  # connections that are not past Status
    per_ip: int = 2
    per_subnet: int = 8
    seconds_between: float = 30.0  # connections from one IP, as geth, reth and erigon ask of us


class Admission:
    """Counts inbound connections and says no in time."""

    def __init__(self, limits: InboundLimits) -> None:
        self._limits = limits
        self._pending = self._open = 0
        self._by_ip: Counter[str] = Counter()
        self._by_subnet: Counter[str] = Counter()
        self._last: dict[str, float] = {}  # oldest first

    def refusal(self, host: str, now: float) -> str | None:
        """Say why a connection from `host` is refused; None admits it, and it must be released later."""
        limits = self._limits
        if self._pending >= limits.pending:
            return "pending_full"
        if self._open >= limits.peers:
            return "peers_full"
        if not _is_near(host):
            if self._by_ip[host] >= limits.per_ip:
                return "per_ip"
            if self._by_subnet[subnet_of(host)] >= limits.per_subnet:
                return "per_subnet"
            if now - self._last.get(host, float("-inf")) < limits.seconds_between:
                return "too_soon"
            self._forget_before(now - limits.seconds_between)
            self._last.pop(host, None)
            self._last[host] = now
        self._pending += 1
        self._by_ip[host] += 1
        self._by_subnet[subnet_of(host)] += 1
        return None

    def opened(self) -> None:
        """An admitted connection got past Status."""
        self._pending -= 1
        self._open += 1

    def released(self, host: str, *, was_open: bool) -> None:
        """An admitted connection ended."""
        if was_open:
            self._open -= 1
        else:
            self._pending -= 1
        for counts, key in ((self._by_ip, host), (self._by_subnet, subnet_of(host))):
            counts[key] -= 1
            if counts[key] <= 0:
                del counts[key]

    def _forget_before(self, time: float) -> None:
        while self._last:
            host = next(iter(self._last))
            if self._last[host] > time:
                return
            del self._last[host]


def subnet_of(host: str) -> str:
    """Return the /24 of an IPv4 address, the /48 of an IPv6 one."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(ip_network(f"{address}/{24 if address.version == 4 else 48}", strict=False))


def _is_near(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_private
