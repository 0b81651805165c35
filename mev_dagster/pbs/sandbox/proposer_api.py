"""The proposer's side of the relay (builder-specs): registrations, getHeader, getPayload."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import bls, codec_json, wire
from mev_dagster.pbs.blinded import BLINDED_BLOCK, SIGNED_BLINDED_BLOCK
from mev_dagster.pbs.sandbox.answers import refusal
from mev_dagster.pbs.sandbox.auction import ReceivedBid, key_of
from mev_dagster.pbs.sandbox.bodies import Unreadable, is_json, read_body, unreadable
from mev_dagster.pbs.sandbox.negotiation import preferred
from mev_dagster.pbs.sandbox.relay import SandboxRelay
from mev_dagster.pbs.schema import (
    EXECUTION_PAYLOAD,
    HASH,
    PAYLOAD_AND_BLOBS,
    PUBKEY,
    SIGNED_BUILDER_BID,
    SIGNED_VALIDATOR_REGISTRATIONS,
    UINT64,
    VALIDATOR_REGISTRATION,
    payload_header,
)
from mev_dagster.pbs.signing import builder_domain, sandbox_proposer_domain, signing_root
from mev_dagster.pbs.ssz import SszType
from mev_dagster.pbs.types import ConsensusFork, PayloadAndBlobs


def routes(relay: SandboxRelay) -> list[Route]:
    """Return the routes of this API."""

    async def register(request: Request) -> Response:
        kind = SIGNED_VALIDATOR_REGISTRATIONS
        domain = builder_domain(relay.rules.genesis_fork_version)
        for item in await _body(request, kind):
            root = signing_root(VALIDATOR_REGISTRATION, item.message, domain)
            if not _verifies(item.message.pubkey, root, item.signature):
                text = f"failed to verify validator signature for {to_hex(item.message.pubkey)}"
                raise Unreadable(refusal("invalid_signature", text))
            refused = relay.register(item)
            if refused is not None:
                raise Unreadable(refused)
        return Response(status_code=200)

    async def get_header(request: Request) -> Response:
        slot = _path(request, "slot", UINT64)
        parent_hash, pubkey = _path(request, "parent_hash", HASH), _path(request, "pubkey", PUBKEY)
        form = _accepted_form(request)
        if relay.is_past(slot):
            raise Unreadable(refusal("past_slot", "slot is too old"))
        late = _is_late(relay, slot, relay.rules.header_cutoff_ms)
        bid = None if late else relay.header_for((slot, parent_hash, pubkey))
        if bid is None:
            return Response(status_code=204)
        return _versioned(bid.fork, form, SIGNED_BUILDER_BID[bid.fork], bid)

    async def get_payload(request: Request) -> Response:
        form = _accepted_form(request)
        bid = await _delivered(request, relay)
        fork, submission = bid.submission.fork, bid.submission
        if submission.blobs_bundle is None:
            return _versioned(fork, form, EXECUTION_PAYLOAD[fork], submission.execution_payload)
        whole = PayloadAndBlobs(submission.execution_payload, submission.blobs_bundle)
        return _versioned(fork, form, PAYLOAD_AND_BLOBS[fork], whole)

    async def publish(request: Request) -> Response:
        """Take a blinded block without giving the payload back: the relay publishes (Fulu)."""
        await _delivered(request, relay)
        return Response(status_code=202)

    async def status(request: Request) -> Response:
        return Response(status_code=200)

    return [
        Route("/eth/v1/builder/status", status),
        Route("/eth/v1/builder/validators", register, methods=["POST"]),
        Route("/eth/v1/builder/header/{slot}/{parent_hash}/{pubkey}", get_header),
        Route("/eth/v1/builder/blinded_blocks", get_payload, methods=["POST"]),
        Route("/eth/v2/builder/blinded_blocks", publish, methods=["POST"]),
    ]


async def _unblinded(request: Request, relay: SandboxRelay) -> tuple[ReceivedBid, bytes]:
    """Return the bid whose payload a signed blinded block commits to, and the root that was signed."""
    version = request.headers.get("eth-consensus-version", "").lower()
    fork = next((item for item in ConsensusFork if item.version == version), None)
    if fork is None:
        raise Unreadable(
            refusal("consensus_version", f"invalid consensus version: {version or 'none given'}")
        )
    signed = await _body(request, SIGNED_BLINDED_BLOCK[fork])
    bid = relay.auction.with_block_hash(signed.message.header.block_hash)
    if bid is None or bid.submission.fork != fork:
        raise Unreadable(refusal("no_payload", "no execution payload for this request"))
    submission = bid.submission
    slot, _, pubkey = key_of(submission)
    if signed.message.slot != slot:
        raise Unreadable(refusal("slot_mismatch", "slot mismatch"))
    if signed.message.proposer_index != await _proposer_index(relay, bid):
        raise Unreadable(refusal("proposer_index", "could not match proposer index to pubkey"))
    if signed.message.header != payload_header(fork, submission.execution_payload):
        raise Unreadable(
            refusal("header_mismatch", "execution payload header is not the one that was offered")
        )
    root = signing_root(BLINDED_BLOCK[fork], signed.message, sandbox_proposer_domain(fork))
    if not _verifies(pubkey, root, signed.signature):
        raise Unreadable(refusal("invalid_signature", "could not verify payload signature"))
    return bid, root


async def _delivered(request: Request, relay: SandboxRelay) -> ReceivedBid:
    """Return the bid whose payload is handed over: to one block a slot, and none of a slot that is over."""
    bid, signed_root = await _unblinded(request, relay)
    slot = bid.submission.message.slot
    if relay.is_past(slot) and not (slot == relay.head_slot and relay.auction.is_delivered(slot)):
        raise Unreadable(refusal("past_slot", "payload request for a past slot"))
    if _is_late(relay, slot, relay.rules.payload_cutoff_ms):
        raise Unreadable(refusal("too_late", "timestamp too late"))
    if not relay.auction.deliver(bid, signed_root):
        raise Unreadable(refusal("payload_delivered", "another payload for this slot was already delivered"))
    return bid


async def _proposer_index(relay: SandboxRelay, bid: ReceivedBid) -> int:
    """Return the index of the validator whose duty the bid's slot is."""
    number = bid.submission.execution_payload.block_number
    slot = await run_in_threadpool(relay.slot_of_block, number)
    if slot is None or slot.number != bid.submission.message.slot:
        raise Unreadable(refusal("no_duty", "could not find slot duty"))
    return slot.validator_index


def _is_late(relay: SandboxRelay, number: int, cutoff_ms: int | None) -> bool:
    if cutoff_ms is None:
        return False
    slot = next((one for one in relay.announced() if one.number == number), None)
    return slot is not None and relay.milliseconds_into(slot) > cutoff_ms


def _accepted_form(request: Request) -> str:
    """Return the media type the caller prefers of the two the relay speaks; 406 where it takes neither."""
    form = preferred(request.headers.get("accept", ""), (wire.JSON_TYPE, wire.SSZ_TYPE))
    if form is None:
        text = f"only {wire.JSON_TYPE} and {wire.SSZ_TYPE} are served"
        raise Unreadable(refusal("not_acceptable", text, 406))
    return form


def _versioned(fork: ConsensusFork, form: str, kind: SszType, value: Any) -> Response:
    headers = {"Eth-Consensus-Version": fork.version}
    if form == wire.SSZ_TYPE:
        return Response(kind.encode(value), media_type=wire.SSZ_TYPE, headers=headers)
    return JSONResponse({"version": fork.version, "data": codec_json.to_json(kind, value)}, headers=headers)


def _verifies(pubkey: bytes, root: bytes, signature: bytes) -> bool:
    try:
        return bls.verify(pubkey, root, signature)
    except DecodeError:
        return False


async def _body(request: Request, kind: Any) -> Any:
    json = is_json(request)
    body = await read_body(request)
    try:
        if json:
            return codec_json.from_json(kind, codec_json.loads_unambiguous(body))
        return kind.decode(memoryview(body))
    except DecodeError as error:
        raise unreadable(error) from error


def _path(request: Request, name: str, kind: Any) -> Any:
    try:
        return codec_json.from_json(kind, request.path_params[name].lower(), name)
    except DecodeError as error:
        raise Unreadable(refusal(f"invalid_{name}", f"invalid {name}")) from error
