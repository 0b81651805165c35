"""A venue: pools known by how their code ends, and wrapped ether as something that swaps."""

from dataclasses import dataclass, replace
from types import MappingProxyType

from mev_dagster.chain.receipts import Log
from mev_dagster.dex.abi import word
from mev_dagster.dex.erc20 import DEPOSIT_TOPIC
from mev_dagster.dex.venue import PairSwap, Pool, Venue
from mev_dagster.dex.venue_events import SwapEvent
from mev_dagster.errors import DecodeError

ETHER = bytes(20)
MASK = (1 << 112) - 1


@dataclass(frozen=True)
class ToyPool(Pool):
    address: bytes
    tokens: tuple[bytes, ...]
    reserves: tuple[int, ...]
    family: str = "toy"

    def quote(self, token_in, token_out, amount_in):
        held, wanted = (self.reserves[self.tokens.index(token)] for token in (token_in, token_out))
        return amount_in * 997 * wanted // (held * 1000 + amount_in * 997)

    def after(self, log):
        return replace(self, reserves=(word(log.data, 0), word(log.data, 1))) if len(log.data) == 64 else self

    def call(self, trade):
        outputs = [trade.amount_out if token == trade.token_out else 0 for token in self.tokens]
        return PairSwap(self.address, *outputs, trade.recipient)


def wrapped(log: Log) -> SwapEvent:
    if len(log.topics) != 2 or len(log.data) != 32:
        raise DecodeError("not_a_deposit", f"{len(log.topics)} topics")
    amount, owner = word(log.data, 0), log.topics[1][12:]
    return SwapEvent("toy", log.address, owner, owner, amount, -amount, tokens=(ETHER, log.address))


class ToyVenue(Venue):
    name = "toy"
    events = MappingProxyType({DEPOSIT_TOPIC: wrapped})
    slots = (6, 7, 8)

    def family(self, code_hash, code):
        return "toy" if code().endswith(b"toy pool") else None

    def read(self, chain, address, family):
        token0, token1, packed = (chain.state.storage(address, slot) for slot in self.slots)
        tokens = (token0.to_bytes(20, "big"), token1.to_bytes(20, "big"))
        return ToyPool(address, tokens, (packed & MASK, packed >> 112 & MASK))
