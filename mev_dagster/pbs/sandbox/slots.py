"""What the sandbox knows of each slot: attributes, proposer, parent state; from a capture, a node, or posts.

A beacon node would announce these. Here slots replay blocks that exist: the slot of block N has the
attributes N was built with, so that our block competes with the one that landed.
"""

import hashlib
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from mev_dagster.captures.format import Capture
from mev_dagster.captures.source import ChainSource
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.networks import schedule_for
from mev_dagster.errors import InputError, NodeAnswerError
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import StateSource
from mev_dagster.pbs import bls
from mev_dagster.pbs.context import BlockContext, Proposer, context_of
from mev_dagster.pbs.keys import BlsKey
from mev_dagster.pbs.schema import VALIDATOR_REGISTRATION
from mev_dagster.pbs.signing import NETWORKS, PUBLIC_CHAIN_IDS, SANDBOX_GENESIS_FORK_VERSION
from mev_dagster.pbs.types import SignedValidatorRegistration, ValidatorRegistration

VALIDATOR_COUNT = 8
ANNOUNCED_SLOTS = 64
"""Relays announce the proposers of two epochs of 32 slots."""


@dataclass(frozen=True, slots=True)
class SlotClock:
    """When slots start, in Unix seconds."""

    genesis_time: int = 0
    seconds_per_slot: int = 1

    def slot_at(self, timestamp: int) -> int:
        """Return the slot that runs at a time."""
        return (timestamp - self.genesis_time) // self.seconds_per_slot

    def start_of(self, slot: int) -> int:
        """Return when a slot starts."""
        return self.genesis_time + slot * self.seconds_per_slot


def clock_for(chain_id: int) -> SlotClock:
    """Return a public network's slot clock; a devnet's slots are its seconds, for its blocks keep no beat."""
    for network in NETWORKS:
        if network.chain_id == chain_id and network.genesis_time is not None:
            return SlotClock(network.genesis_time, network.seconds_per_slot)
    return SlotClock()


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot: who proposes, what the block must look like, and the state it is executed on."""

    context: BlockContext
    validator_index: int
    registration: SignedValidatorRegistration
    state: StateSource | None
    note: str = ""

    @property
    def number(self) -> int:
        """The slot's number."""
        return self.context.slot

    @property
    def proposer(self) -> Proposer:
        """The slot's proposer as a builder needs it."""
        message = self.registration.message
        return Proposer(message.pubkey, message.fee_recipient, message.gas_limit)


class SandboxValidators:
    """The proposers: a few keys made for this process, or TEST-ONLY ones derived from a seed."""

    def __init__(self, seed: str | None = None, count: int = VALIDATOR_COUNT) -> None:
        self._keys = [BlsKey(_secret(seed, index), test_only=seed is not None) for index in range(count)]

    def knows(self, pubkey: bytes) -> bool:
        """Say whether this is one of the proposers."""
        return any(key.pubkey == pubkey for key in self._keys)

    def of_slot(self, slot: int) -> tuple[int, BlsKey]:
        """Return the proposer's index and key."""
        index = slot % len(self._keys)
        return index, self._keys[index]

    def slot_for(
        self, context: BlockContext, state: StateSource | None, coinbase: bytes, *, note: str = ""
    ) -> Slot:
        """Give a block context its proposer.

        On a witness only the block's own fee recipient is sure to be known, and on a public chain the
        proposer is paid as coinbase: there it is the one that really was. Elsewhere it is an account of the
        sandbox's. The registration is as old as the chain, so that whatever the validator sends is newer.
        """
        index, key = self.of_slot(context.slot)
        witness = isinstance(state, Prestate) and not state.complete
        own = hashlib.sha256(b"mev_dagster sandbox proposer" + key.pubkey).digest()[:20]
        public = context.schedule.chain_id in PUBLIC_CHAIN_IDS
        message = ValidatorRegistration(
            fee_recipient=coinbase if public or witness else own,
            gas_limit=context.gas_limit,
            timestamp=clock_for(context.schedule.chain_id).genesis_time,
            pubkey=key.pubkey,
        )
        signature = key.sign(VALIDATOR_REGISTRATION, message, SANDBOX_GENESIS_FORK_VERSION)
        return Slot(context, index, SignedValidatorRegistration(message, signature), state, note)


def _secret(seed: str | None, index: int) -> int:
    if seed is None:
        return 1 + secrets.randbelow(bls.CURVE_ORDER - 1)
    digest = hashlib.sha512(b"mev_dagster TEST-ONLY validator %d %s" % (index, seed.encode())).digest()
    return int.from_bytes(digest, "big") % (bls.CURVE_ORDER - 1) + 1


class SourceSlots:
    """The slots of the blocks of a capture or a node.

    `open_source` gives the source for one look-up: a node's connection serves one thread at a time, and the
    state it returns goes on using it.
    """

    def __init__(self, open_source: Callable[[], ChainSource], validators: SandboxValidators) -> None:
        self._open_source = open_source
        self._validators = validators
        self._lock = threading.Lock()

    def of_block(self, number: int) -> Slot | None:
        """Return the slot in which a block of this number is proposed; None before the merge or the end."""
        with self._lock:
            source = self._open_source()
            if isinstance(source, Capture) and number not in source.numbers:
                return None
            try:
                block = source.block(number)
            except NodeAnswerError:
                return None
            if isinstance(source, Capture) and not source.has_prestate(number):
                return _slot_of_block(block, source.chain_id, None, self._validators)
            return _slot_of_block(block, source.chain_id, source.prestate(number), self._validators)


class SlotBook:
    """Posted slots first, then those of a capture or a node. The last ones asked for are announced."""

    def __init__(self, source: SourceSlots | None = None) -> None:
        self._posted: dict[int, Slot] = {}
        self._recent: dict[int, Slot] = {}
        self._source = source

    def add(self, slot: Slot) -> None:
        """Add a slot, or replace the one for the same block number."""
        self._posted[slot.context.number] = slot
        _trim(self._posted)

    def of_block(self, number: int) -> Slot | None:
        """Return the slot in which a block of this number is proposed."""
        found = self._posted.get(number)
        if found is None and self._source is not None:
            found = self._source.of_block(number)
            if found is not None:
                self._recent[number] = replace(found, state=None)
                _trim(self._recent)
        return found

    def announced(self) -> Iterator[Slot]:
        """Yield the slots whose proposers the relay announces."""
        yield from sorted((self._recent | self._posted).values(), key=lambda slot: slot.number)


def _trim(slots: dict[int, Slot]) -> None:
    while len(slots) > ANNOUNCED_SLOTS:
        del slots[min(slots)]


def _slot_of_block(
    block: Block, chain_id: int, state: StateSource | None, validators: SandboxValidators
) -> Slot | None:
    header, schedule, clock = block.header, schedule_for(chain_id), clock_for(chain_id)
    if schedule.fork_at(header.number, header.timestamp) < Fork.PARIS:
        return None
    context = context_of(block, schedule, clock.slot_at(header.timestamp))
    if clock.start_of(context.slot) != header.timestamp:
        raise InputError(f"block {header.number}: its timestamp {header.timestamp} is no slot's start")
    return validators.slot_for(context, state, header.coinbase)
