"""What a label says: one value for every kind, so that nothing behind the inspectors knows the kinds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

Amounts: TypeAlias = tuple[tuple[bytes, int], ...]
"""Signed amounts by token, in the order of the tokens' addresses."""


NOT_TAKEN = frozenset({"failed_arbitrage", "cex_dex", "suspect"})
"""Kinds of which nothing is known to have been taken: a search that finds none of them misses nothing."""


class Confidence(StrEnum):
    """How far the evidence reaches."""

    HIGH = "high"
    """Every step was seen: what moved, who held it before and after."""
    MEDIUM = "medium"
    """The steps were seen, what they earned only in part: some of it has no price or left no trace."""
    LOW = "low"
    """The shape is there; somebody with another aim may have made it."""


class Detail(Protocol):
    """What a kind has to say that other kinds do not."""

    def to_json(self) -> Mapping[str, Any]:
        """Return the keys this kind adds to its labels, or says in its own way."""


@dataclass(frozen=True, slots=True)
class NoDetail:
    """A kind that has nothing to add."""

    def to_json(self) -> Mapping[str, Any]:
        """Return no keys."""
        return {}


@dataclass(frozen=True, slots=True)
class Victim:
    """Whoever paid for it. `loss` is what it cost them, empty where it cannot be told.

    `tx_hash` is None where the victim sent nothing: a borrower who is liquidated.
    """

    tx_hash: bytes | None
    account: bytes
    loss: Amounts = ()


@dataclass(frozen=True, slots=True)
class Costs:
    """What the label's own transactions paid, each counted once."""

    gas_wei: int = 0
    coinbase_wei: int = 0

    @property
    def total_wei(self) -> int:
        """Return gas, tips and direct payments together."""
        return self.gas_wei + self.coinbase_wei


@dataclass(frozen=True, slots=True)
class Label:
    """One thing that happened in a block, whatever its kind.

    `accounts` acted together, the one that kept the profit first. `tx_hashes` are their transactions in the
    order of the block; victims' are not among them. `behind` is the transaction whose price move was taken,
    `opportunity` the kind under which a search would have proposed it, empty where none would. `profit` is
    before `costs`; `net_wei` is None where some of it has no price in ether. `why` is for a reader.
    """

    kind: str
    accounts: tuple[bytes, ...]
    tx_hashes: tuple[bytes, ...]
    venues: tuple[bytes, ...]
    profit: Amounts
    costs: Costs
    net_wei: int | None
    confidence: Confidence
    why: str
    victims: tuple[Victim, ...] = ()
    behind: bytes | None = None
    opportunity: str = ""
    detail: Detail = NoDetail()

    @property
    def beneficiary(self) -> bytes:
        """Return the account that kept the profit."""
        return self.accounts[0]

    @property
    def victim_hashes(self) -> tuple[bytes, ...]:
        """Return the transactions it lived on, each once, in the order of the block."""
        passive = (victim.tx_hash for victim in self.victims if victim.tx_hash)
        return tuple(dict.fromkeys((*passive, *((self.behind,) if self.behind else ()))))

    def worth_wei(self, wrapped_ether: bytes | None) -> int | None:
        """Return the profit before costs; None where some of it is no ether."""
        return self.profit[0][1] if [token for token, _ in self.profit] == [wrapped_ether] else None
