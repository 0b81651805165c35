"""Mainnet's forks in order, and schedules that say which fork a block belongs to.

Source: execution-specs fork list; EIP-7607 (Osaka), EIP-7892 (blob-parameter-only forks).
"""

from dataclasses import dataclass
from enum import IntEnum


class Fork(IntEnum):
    """Execution-layer forks; a later fork compares greater."""

    FRONTIER = 0
    HOMESTEAD = 1
    DAO = 2
    TANGERINE_WHISTLE = 3
    SPURIOUS_DRAGON = 4
    BYZANTIUM = 5
    CONSTANTINOPLE = 6
    PETERSBURG = 7
    ISTANBUL = 8
    MUIR_GLACIER = 9
    BERLIN = 10
    LONDON = 11
    ARROW_GLACIER = 12
    GRAY_GLACIER = 13
    PARIS = 14
    SHANGHAI = 15
    CANCUN = 16
    PRAGUE = 17
    OSAKA = 18
    BPO1 = 19
    BPO2 = 20
    AMSTERDAM = 21


@dataclass(frozen=True, slots=True)
class ForkSchedule:
    """When each fork starts: by block number before the merge, by timestamp (seconds) from Shanghai on."""

    chain_id: int
    by_number: tuple[tuple[int, Fork], ...]
    by_timestamp: tuple[tuple[int, Fork], ...]

    def fork_at(self, number: int, timestamp: int) -> Fork:
        """Return the fork of the block with this number and timestamp (Unix seconds)."""
        fork = Fork.FRONTIER
        for start, candidate in self.by_number:
            if number >= start:
                fork = candidate
        for start, candidate in self.by_timestamp:
            if timestamp >= start:
                fork = candidate
        return fork
