"""What the sandbox knows of each slot: attributes, proposer, parent state; from a capture, a node, or posts.

A beacon node would announce these. Here slots replay blocks that exist: the slot of block N has the
attributes N was built with, so that our block competes with the one that landed.
"""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from mev_dagster.captures.format import Capture
from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import Fork, ForkSchedule, schedule_for
from mev_dagster.chain.jsonrpc import block_from_rpc
from mev_dagster.errors import InputError
from mev_dagster.evm.prestate import Prestate
from mev_dagster.evm.rpc import JsonRpc
from mev_dagster.evm.rpc_state import RpcState
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


class SlotSource(Protocol):
    """Where the sandbox learns of slots."""

    clock: SlotClock

    def of_block(self, number: int) -> Slot | None:
        """Return the slot in which a block of this number is proposed."""
        ...

    def announced(self) -> Iterator[Slot]:
        """Yield the slots whose proposers the relay announces."""
        ...


class SandboxValidators:
    """The proposers: a few keys made for this process, or TEST-ONLY ones derived from a seed."""

    def __init__(self, seed: str | None = None, count: int = VALIDATOR_COUNT) -> None:
        self._keys = [BlsKey(_secret(seed, index), test_only=seed is not None) for index in range(count)]

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
        sandbox's.
        """
        index, key = self.of_slot(context.slot)
        witness = isinstance(state, Prestate) and not state.complete
        own = hashlib.sha256(b"mev_dagster sandbox proposer" + key.pubkey).digest()[:20]
        public = context.schedule.chain_id in PUBLIC_CHAIN_IDS
        message = ValidatorRegistration(
            fee_recipient=coinbase if public or witness else own,
            gas_limit=context.gas_limit,
            timestamp=context.timestamp,
            pubkey=key.pubkey,
        )
        signature = key.sign(VALIDATOR_REGISTRATION, message, SANDBOX_GENESIS_FORK_VERSION)
        return Slot(context, index, SignedValidatorRegistration(message, signature), state, note)


def _secret(seed: str | None, index: int) -> int:
    if seed is None:
        return 1 + secrets.randbelow(bls.CURVE_ORDER - 1)
    digest = hashlib.sha512(b"mev_dagster TEST-ONLY validator %d %s" % (index, seed.encode())).digest()
    return int.from_bytes(digest, "big") % (bls.CURVE_ORDER - 1) + 1


class SlotBook:
    """Posted slots first, then those of a capture or a node."""

    def __init__(self, source: SlotSource | None = None) -> None:
        self._posted: dict[int, Slot] = {}
        self._source = source

    def add(self, slot: Slot) -> None:
        """Add a slot, or replace the one for the same block number."""
        self._posted[slot.context.number] = slot

    def of_block(self, number: int) -> Slot | None:
        """Return the slot in which a block of this number is proposed."""
        found = self._posted.get(number)
        if found is None and self._source is not None:
            return self._source.of_block(number)
        return found

    def clock_of(self, slot: Slot | None) -> SlotClock:
        """Return the clock of a slot's chain; of the source's chain when the slot is not known."""
        if slot is not None:
            return clock_for(slot.context.schedule.chain_id)
        return SlotClock() if self._source is None else self._source.clock

    def announced(self) -> Iterator[Slot]:
        """Yield the slots whose proposers the relay announces."""
        yield from sorted(self._posted.values(), key=lambda slot: slot.number)[-ANNOUNCED_SLOTS:]
        if self._source is not None:
            yield from self._source.announced()


class CaptureSlots:
    """The slots of a capture's blocks."""

    def __init__(self, capture: Capture, validators: SandboxValidators) -> None:
        self.clock = clock_for(capture.chain_id)
        self._capture = capture
        self._validators = validators
        self._schedule = schedule_for(capture.chain_id)

    def of_block(self, number: int) -> Slot | None:
        """Return the slot of a captured block from the merge on."""
        if number not in self._capture.numbers:
            return None
        state = self._capture.prestate(number) if self._capture.has_prestate(number) else None
        return _slot_of_block(
            self._capture.block(number), self._schedule, self.clock, state, self._validators
        )

    def announced(self) -> Iterator[Slot]:
        """Yield the slots of the last blocks."""
        for number in self._capture.numbers[-ANNOUNCED_SLOTS:]:
            block = self._capture.block(number)
            slot = _slot_of_block(block, self._schedule, self.clock, None, self._validators)
            if slot is not None:
                yield slot


class NodeSlots:
    """The slots of a live node's blocks; states are read from the node at the parent."""

    def __init__(self, url: str, validators: SandboxValidators) -> None:
        self._rpc = JsonRpc(url)
        chain_id = int(self._rpc.call("eth_chainId"), 16)
        self.clock = clock_for(chain_id)
        self._schedule = schedule_for(chain_id)
        self._validators = validators

    def of_block(self, number: int) -> Slot | None:
        """Return the slot of a block the node has."""
        found = self._rpc.call("eth_getBlockByNumber", [hex(number), True])
        if found is None:
            return None
        state = RpcState(self._rpc, number - 1)
        return _slot_of_block(block_from_rpc(found), self._schedule, self.clock, state, self._validators)

    def announced(self) -> Iterator[Slot]:
        """Yield the slot of the newest block."""
        newest = self.of_block(int(self._rpc.call("eth_blockNumber"), 16))
        if newest is not None:
            yield newest


def _slot_of_block(
    block: Block,
    schedule: ForkSchedule,
    clock: SlotClock,
    state: StateSource | None,
    validators: SandboxValidators,
) -> Slot | None:
    header = block.header
    if schedule.fork_at(header.number, header.timestamp) < Fork.PARIS:
        return None
    context = context_of(block, schedule, clock.slot_at(header.timestamp))
    if clock.start_of(context.slot) != header.timestamp:
        raise InputError(f"block {header.number}: its timestamp {header.timestamp} is no slot's start")
    return validators.slot_for(context, state, header.coinbase)
