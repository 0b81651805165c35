"""EIP-2124 and EIP-6122: a checksum of genesis and passed forks, and whether two ends can be one chain."""

from dataclasses import dataclass
from zlib import crc32

from mev_dagster.chain import rlp
from mev_dagster.errors import ProtocolViolation

FIRST_BLOCK_TIME = 1_438_269_973
"""Time of mainnet's first block: a fork named by a smaller number is named by its block."""


@dataclass(frozen=True, slots=True)
class ForkId:
    """`hash` covers what is past; `next` is the number or time of the next known fork, 0 if there is none."""

    hash: bytes
    next: int

    def fields(self) -> list[rlp.Encodable]:
        """Return the id as messages and node records hold it."""
        return [self.hash, self.next]


def read_fork_id(item: rlp.Item) -> ForkId:
    """Read a fork id; later versions may append fields."""
    fields = rlp.items(item, name="fork id")
    if len(fields) < 2:
        raise ProtocolViolation("bad_fork_id", f"{len(fields)} fields, expected a hash and the next fork")
    return ForkId(
        rlp.fixed(fields[0], 4, name="fork hash"), rlp.integer(fields[1], bits=64, name="next fork")
    )


@dataclass(frozen=True, slots=True)
class ForkTable:
    """A chain as its fork ids see it: its genesis, and when its forks begin (numbers first, then times)."""

    genesis: bytes
    genesis_time: int = 0
    numbers: tuple[int, ...] = ()
    times: tuple[int, ...] = ()

    def fork_id(self, number: int, time: int) -> ForkId:
        """Return the id at a head."""
        checksums = self._checksums()
        passed = self._passed(number, time)
        forks = self._forks()
        return ForkId(checksums[passed], forks[passed] if passed < len(forks) else 0)

    def refusal(self, remote: ForkId, number: int, time: int) -> str | None:
        """Say why a remote end cannot be on this chain, None when it can; our head is at `number`, `time`."""
        checksums, forks = self._checksums(), self._forks()
        passed = self._passed(number, time)
        if remote.hash == checksums[passed]:
            # Same past. If it plans a fork that we have passed without forking, one of us is wrong.
            head = time if remote.next >= FIRST_BLOCK_TIME else number
            return "local_stale" if 0 < remote.next <= head else None
        if remote.hash in checksums[:passed]:
            # It is behind: it must know the fork that followed its past.
            return None if remote.next == forks[checksums.index(remote.hash)] else "remote_stale"
        if remote.hash in checksums[passed + 1 :]:
            return None  # It is ahead of us; we will get there.
        return "other_chain"

    def _forks(self) -> tuple[int, ...]:
        numbers = sorted({number for number in self.numbers if number > 0})
        return (*numbers, *sorted({time for time in self.times if time > self.genesis_time}))

    def _passed(self, number: int, time: int) -> int:
        by_number = {start for start in self.numbers if start > 0}
        by_time = {start for start in self.times if start > self.genesis_time}
        passed = sum(number >= start for start in by_number)
        # A time fork lies behind every numbered one, whatever a bare number says.
        return passed + sum(time >= start for start in by_time) if passed == len(by_number) else passed

    def _checksums(self) -> list[bytes]:
        checksum = crc32(self.genesis)
        found = [checksum.to_bytes(4, "big")]
        for fork in self._forks():
            checksum = crc32(fork.to_bytes(8, "big"), checksum)
            found.append(checksum.to_bytes(4, "big"))
        return found
