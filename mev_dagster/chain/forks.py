"""The rule sets Ethereum has had, and schedules that say which of them, and how many blobs, a block has.

What the networks schedule is data: `forks.toml`, read by `networks.py`, and whatever a settings file, a
devnet's genesis or a node's `eth_config` adds to it. Sources: execution-specs' fork list; EIP-7607 (Osaka),
EIP-7892 (blob-parameter-only forks).
"""

from bisect import insort
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

from mev_dagster.errors import InputError, UnsupportedFork

MAX_BLOBS_PER_BLOCK = 1 << 16
"""No schedule comes near; past it a number is a mistake."""


DEPOSIT_CONTRACT = bytes.fromhex("00000000219ab540356cbb839cbe05303d7705fa")
"""Mainnet's, and that of most networks."""


class Fork(IntEnum):
    """Rule sets of the execution layer; a later one compares greater."""

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
    UNKNOWN = 1_000
    """A fork whose rules are not among these: its blocks are seen and kept, and executed by nothing."""


@dataclass(frozen=True, slots=True)
class BlobParameters:
    """Blob target and limit per block, and how fast the blob base fee moves (EIP-4844, 7691, 7892)."""

    target: int
    maximum: int
    base_fee_update_fraction: int

    def __post_init__(self) -> None:
        """Refuse what no block could keep to."""
        if not 0 <= self.target <= self.maximum <= MAX_BLOBS_PER_BLOCK:
            raise InputError(
                f"blob schedule: target {self.target} and maximum {self.maximum}: "
                f"expected 0 ≤ target ≤ maximum ≤ {MAX_BLOBS_PER_BLOCK}"
            )
        if self.base_fee_update_fraction < 1:
            raise InputError(
                f"blob schedule: base fee update fraction {self.base_fee_update_fraction}: expected above 0"
            )


# Osaka kept Prague's; Amsterdam keeps those of the fork before it.
BLOB_PARAMETERS = {
    Fork.CANCUN: BlobParameters(3, 6, 3_338_477),
    Fork.PRAGUE: BlobParameters(6, 9, 5_007_716),
    Fork.OSAKA: BlobParameters(6, 9, 5_007_716),
    Fork.BPO1: BlobParameters(10, 15, 8_346_193),
    Fork.BPO2: BlobParameters(14, 21, 11_684_671),
    Fork.AMSTERDAM: BlobParameters(14, 21, 11_684_671),
}


def blob_parameters(fork: Fork) -> BlobParameters:
    """Return the blob parameters of a fork that has blobs, where no schedule says otherwise."""
    try:
        return BLOB_PARAMETERS[fork]
    except KeyError:
        if fork is Fork.UNKNOWN:
            raise UnsupportedFork("a fork not known here: neither are its blob parameters") from None
        raise InputError(f"{fork.name} has no known blob parameters") from None


@dataclass(frozen=True, slots=True)
class BlobActivation:
    """From `start` (Unix seconds) on these blob parameters hold, under a fork of this name."""

    start: int
    name: str
    blobs: BlobParameters


@dataclass(frozen=True, slots=True)
class ForkSchedule:
    """When each fork starts: by block number before the merge, by timestamp (seconds) from Shanghai on.

    `blobs` holds the blob parameters that a fork does not have by its name alone: those of a fork that
    changes nothing else (EIP-7892) stand beside an entry of `by_timestamp` whose rules stay what they were.
    `deposit_contract` is the one whose events are deposits (EIP-6110). A devnet that has been told so
    `may_lack_request_contracts`: there a block is not invalid because the contracts of EIP-7002 and later
    are missing, as anvil's blocks show.
    """

    chain_id: int
    by_number: tuple[tuple[int, Fork], ...]
    by_timestamp: tuple[tuple[int, Fork], ...]
    blobs: tuple[BlobActivation, ...] = ()
    deposit_contract: bytes = DEPOSIT_CONTRACT
    may_lack_request_contracts: bool = False

    def __post_init__(self) -> None:
        """Refuse a schedule that goes backwards."""
        for unit, entries in (("block", self.by_number), ("timestamp", self.by_timestamp)):
            for (start, fork), (following, later) in pairwise(entries):
                if following < start or later < fork:
                    raise InputError(
                        f"fork schedule of chain {self.chain_id} goes backwards: {later.name} at {unit} "
                        f"{following} after {fork.name} at {unit} {start}"
                    )
        starts = {start for start, _ in self.by_timestamp}
        for entry in self.blobs:
            if entry.start not in starts:
                raise InputError(
                    f"fork schedule of chain {self.chain_id}: {entry.name} sets blobs at {entry.start}, "
                    "where no fork begins"
                )

    def fork_at(self, number: int, timestamp: int) -> Fork:
        """Return the rules of the block with this number and timestamp (Unix seconds)."""
        fork = Fork.FRONTIER
        for start, candidate in self.by_number:
            if number >= start:
                fork = candidate
        for start, candidate in self.by_timestamp:
            if timestamp >= start:
                fork = candidate
        return fork

    def blobs_at(self, number: int, timestamp: int) -> BlobParameters | None:
        """Return the blob parameters of the block, None where its fork has no blobs or is not known."""
        own = {entry.start: entry.blobs for entry in self.blobs}
        found: BlobParameters | None = None
        for start, fork in self.by_timestamp:
            if timestamp < start:
                break
            # A named fork keeps what the fork before it had, unless it is one that sets blobs itself.
            inherits = found is not None and fork in {Fork.OSAKA, Fork.AMSTERDAM, Fork.UNKNOWN}
            found = own.get(start) or (found if inherits else BLOB_PARAMETERS.get(fork, found))
        return found if self.fork_at(number, timestamp) >= Fork.CANCUN else None

    def name_at(self, number: int, timestamp: int) -> str:
        """Return what the block's fork is called: BPO3, where its rules are those of BPO2."""
        fork, latest = self.fork_at(number, timestamp), None
        for start, candidate in self.by_timestamp:
            if timestamp >= start:
                latest = start, candidate
        named = {entry.start: entry.name for entry in self.blobs}
        if latest is not None and latest[0] in named:
            return named[latest[0]]
        return f"unknown since {latest[0]}" if latest is not None and fork is Fork.UNKNOWN else fork.name

    def with_fork(
        self, start: int, name: str, *, rules: Fork | None = None, blobs: BlobParameters | None = None
    ) -> "ForkSchedule":
        """Return this schedule with one more fork by timestamp, or with the one at that time replaced.

        Without `rules`, a fork that sets blobs keeps the rules it finds; one that sets none is UNKNOWN.
        """
        kept = [entry for entry in self.by_timestamp if entry[0] != start]
        before = [fork for begun, fork in kept if begun <= start]
        found = before[-1] if before else self.by_number[-1][1] if self.by_number else Fork.FRONTIER
        fork = rules if rules is not None else found if blobs is not None else Fork.UNKNOWN
        insort(kept, (start, fork), key=lambda entry: entry[0])
        own = [entry for entry in self.blobs if entry.start != start]
        if blobs is not None:
            insort(own, BlobActivation(start, name, blobs), key=lambda entry: entry.start)
        return replace(self, by_timestamp=tuple(kept), blobs=tuple(own))


DEVNET_CHAIN_ID = 31_337


def devnet_schedule(fork: Fork = Fork.PRAGUE, *, chain_id: int = DEVNET_CHAIN_ID) -> ForkSchedule:
    """Return the schedule of a chain that has run one fork since genesis, as anvil does."""
    if fork >= Fork.SHANGHAI:
        return ForkSchedule(chain_id, ((0, Fork.PARIS),), ((0, fork),), may_lack_request_contracts=True)
    return ForkSchedule(chain_id, ((0, fork),), ())
