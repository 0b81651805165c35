"""TXT records for node lists in DNS: dnspython's resolver, with our deadline and our errors."""

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from mev_dagster.errors import DecodeError, DnsUnreachable

TRY_SECONDS = 3.0
DEADLINE_SECONDS = 9.0
ANSWER_BYTES = 4096


class TxtResolver:
    """Asks the name servers this machine is told to use, or the one that is named."""

    def __init__(self, server: tuple[str, int] | None = None) -> None:
        self._resolver = _resolver(server)
        self._resolver.timeout = TRY_SECONDS
        self._resolver.lifetime = DEADLINE_SECONDS
        self._resolver.use_edns(0, 0, ANSWER_BYTES)

    async def __call__(self, name: str) -> str:
        """Return the TXT record of `name`; raises `DnsUnreachable` when nobody answers or there is none."""
        try:
            domain = dns.name.from_text(name)
        except dns.exception.DNSException:
            raise DecodeError("bad_domain", f"{name!r} is no domain name") from None
        try:
            answer = await self._resolver.resolve(domain, "TXT", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            raise DnsUnreachable(f"DNS: {name} has no TXT record") from None
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnreachable(f"DNS: no answer for {name}") from error
        try:
            return b"".join(answer[0].strings).decode("ascii")
        except UnicodeDecodeError as error:
            raise DecodeError("bad_dns_answer", str(error)) from None


def _resolver(server: tuple[str, int] | None) -> dns.asyncresolver.Resolver:
    if server is None:
        try:
            return dns.asyncresolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            server = ("127.0.0.1", 53)
    found = dns.asyncresolver.Resolver(configure=False)
    found.nameservers, found.port = [server[0]], server[1]
    return found
