"""The proposer's side, as mev-boost plays it: register, take the best header, sign it blind, get the payload.

Only a header that its relay signed is taken. The proposer itself signs under the sandbox's domains alone, so
nothing it signs is worth anything elsewhere.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mev_dagster.errors import DecodeError, MevError, NodeAnswerError, RelayUnreachable
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import bls, codec_json, wire
from mev_dagster.pbs.blinded import (
    BLINDED_BLOCK,
    SIGNED_BLINDED_BLOCK,
    SignedBlindedBeaconBlock,
    blinded_block,
)
from mev_dagster.pbs.client.transport import RelayTransport
from mev_dagster.pbs.keys import BlsKey
from mev_dagster.pbs.schema import (
    BUILDER_BID,
    EXECUTION_PAYLOAD,
    PAYLOAD_AND_BLOBS,
    SIGNED_BUILDER_BID,
    SIGNED_VALIDATOR_REGISTRATIONS,
    VALIDATOR_REGISTRATION,
    payload_header,
)
from mev_dagster.pbs.signing import SANDBOX_GENESIS_FORK_VERSION, builder_domain, signing_root
from mev_dagster.pbs.types import (
    ConsensusFork,
    ExecutionPayload,
    SignedBuilderBid,
    SignedValidatorRegistration,
    ValidatorRegistration,
)

HEADER_SECONDS = 0.95
"""How long mev-boost lets relays take for a header."""
PAYLOAD_SECONDS = 4.0
HEADER_PATH = "/eth/v1/builder/header"
BLINDED_PATH = "/eth/v1/builder/blinded_blocks"
VALIDATORS_PATH = "/eth/v1/builder/validators"


class NoHeader(StrEnum):
    """Why a relay's answer is no bid to take."""

    UNREACHABLE = "unreachable"
    NONE = "none"
    UNREADABLE = "unreadable"
    OTHER_KEY = "other_key"
    OTHER_PARENT = "other_parent"
    WORTH_NOTHING = "worth_nothing"
    INVALID_SIGNATURE = "invalid_signature"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A relay a proposer uses, and the key that its bids must be signed with."""

    transport: RelayTransport
    pubkey: bytes


@dataclass(frozen=True, slots=True)
class Proposed:
    """What came of a slot: the payload, and what each relay that gave no usable header did instead."""

    payload: ExecutionPayload | None
    value_wei: int
    relays: tuple[str, ...]
    left_out: tuple[tuple[str, NoHeader], ...]


class SandboxProposer:
    """One validator with the relays it listens to."""

    def __init__(self, key: BlsKey, index: int, mailboxes: Sequence[Mailbox]) -> None:
        self._key, self._index = key, index
        self._mailboxes = tuple(mailboxes)

    async def register(self, *, fee_recipient: bytes, gas_limit: int, timestamp: int) -> int:
        """Tell every relay whom to pay; return how many took it."""
        message = ValidatorRegistration(fee_recipient, gas_limit, timestamp, self._key.pubkey)
        signature = self._key.sign(VALIDATOR_REGISTRATION, message, SANDBOX_GENESIS_FORK_VERSION)
        signed = (SignedValidatorRegistration(message, signature),)
        body = codec_json.dumps(codec_json.to_json(SIGNED_VALIDATOR_REGISTRATIONS, signed))
        headers = {"Content-Type": wire.JSON_TYPE}
        answers = await asyncio.gather(
            *(_posted(box, VALIDATORS_PATH, body, headers, HEADER_SECONDS) for box in self._mailboxes)
        )
        return sum(answer is not None for answer in answers)

    async def propose(self, fork: ConsensusFork, slot: int, parent_hash: bytes) -> Proposed:
        """Take the slot's best bid; ties go to the relay named first."""
        path = f"{HEADER_PATH}/{slot}/{to_hex(parent_hash)}/{to_hex(self._key.pubkey)}"
        found = await asyncio.gather(*(_header(box, path, fork, parent_hash) for box in self._mailboxes))
        offers = [
            (box, bid)
            for box, bid in zip(self._mailboxes, found, strict=True)
            if isinstance(bid, SignedBuilderBid)
        ]
        left_out = tuple(
            (box.transport.endpoint.name, reason)
            for box, reason in zip(self._mailboxes, found, strict=True)
            if isinstance(reason, NoHeader)
        )
        if not offers:
            return Proposed(None, 0, (), left_out)
        _, best = max(offers, key=lambda offer: offer[1].message.value)
        header = best.message.header
        boxes = [box for box, bid in offers if bid.message.header == header]
        payload = await self._payload(fork, slot, best, boxes)
        names = tuple(box.transport.endpoint.name for box in boxes)
        return Proposed(payload, best.message.value, names, left_out)

    async def _payload(
        self, fork: ConsensusFork, slot: int, bid: SignedBuilderBid, boxes: Sequence[Mailbox]
    ) -> ExecutionPayload | None:
        """Sign once, hand it to every relay that offered this block, and take the first payload of it."""
        message = bid.message
        block = blinded_block(
            fork,
            slot=slot,
            proposer_index=self._index,
            header=message.header,
            blob_kzg_commitments=message.blob_kzg_commitments or (),
            execution_requests=message.execution_requests,
        )
        signed = SignedBlindedBeaconBlock(block, self._key.sign_block(BLINDED_BLOCK[fork], block, fork))
        body = SIGNED_BLINDED_BLOCK[fork].encode(signed)
        headers = {
            "Content-Type": wire.SSZ_TYPE,
            "Accept": wire.SSZ_TYPE,
            "Eth-Consensus-Version": fork.version,
        }
        answers = await asyncio.gather(
            *(_posted(box, BLINDED_PATH, body, headers, PAYLOAD_SECONDS) for box in boxes)
        )
        for answer in answers:
            payload = None if answer is None else _unblinded(fork, answer)
            if payload is not None and payload_header(fork, payload) == message.header:
                return payload
        return None


async def _header(
    box: Mailbox, path: str, fork: ConsensusFork, parent_hash: bytes
) -> SignedBuilderBid | NoHeader:
    headers = {"Accept": wire.SSZ_TYPE}
    try:
        answer = await box.transport.request("GET", path, headers=headers, timeout_s=HEADER_SECONDS)
    except (RelayUnreachable, NodeAnswerError):
        return NoHeader.UNREACHABLE
    if answer.status == 204:
        return NoHeader.NONE
    if answer.status != 200 or answer.headers.get("Eth-Consensus-Version") != fork.version:
        return NoHeader.UNREADABLE
    try:
        bid: SignedBuilderBid = SIGNED_BUILDER_BID[fork].decode(memoryview(answer.body))
    except DecodeError:
        return NoHeader.UNREADABLE
    return _refusal(bid, box.pubkey, parent_hash) or bid


def _refusal(bid: SignedBuilderBid, pubkey: bytes, parent_hash: bytes) -> NoHeader | None:
    message = bid.message
    if message.pubkey != pubkey:
        return NoHeader.OTHER_KEY
    if message.header.parent_hash != parent_hash:
        return NoHeader.OTHER_PARENT
    if message.value <= 0:
        return NoHeader.WORTH_NOTHING
    root = signing_root(BUILDER_BID[bid.fork], message, builder_domain(SANDBOX_GENESIS_FORK_VERSION))
    try:
        valid = bls.verify(pubkey, root, bid.signature)
    except DecodeError:
        valid = False
    return None if valid else NoHeader.INVALID_SIGNATURE


async def _posted(
    box: Mailbox, path: str, body: bytes, headers: dict[str, str], timeout_s: float
) -> bytes | None:
    """Return the body of a 200 or 202; anything else, and silence, is None."""
    try:
        answer = await box.transport.request("POST", path, data=body, headers=headers, timeout_s=timeout_s)
    except MevError:
        return None
    return answer.body if answer.status in {200, 202} else None


def _unblinded(fork: ConsensusFork, body: bytes) -> ExecutionPayload | None:
    whole = fork >= ConsensusFork.DENEB
    kind: Any = PAYLOAD_AND_BLOBS[fork] if whole else EXECUTION_PAYLOAD[fork]
    try:
        found = kind.decode(memoryview(body))
    except DecodeError:
        return None
    payload: ExecutionPayload = found.execution_payload if whole else found
    return payload
