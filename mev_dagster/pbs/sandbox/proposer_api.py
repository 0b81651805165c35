"""The proposer's side of the relay (builder-specs): registrations, getHeader, getPayload."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import bls, codec_json
from mev_dagster.pbs.blinded import BLINDED_BLOCK, SIGNED_BLINDED_BLOCK
from mev_dagster.pbs.sandbox.answers import refusal
from mev_dagster.pbs.sandbox.auction import ReceivedBid, key_of
from mev_dagster.pbs.sandbox.bodies import Unreadable, is_json, read_body, unreadable
from mev_dagster.pbs.sandbox.relay import SandboxRelay
from mev_dagster.pbs.schema import (
    BLOBS_BUNDLE,
    EXECUTION_PAYLOAD,
    HASH,
    PUBKEY,
    SIGNED_BUILDER_BID,
    SIGNED_VALIDATOR_REGISTRATIONS,
    UINT64,
    VALIDATOR_REGISTRATION,
    payload_header,
)
from mev_dagster.pbs.signing import builder_domain, sandbox_proposer_domain, signing_root
from mev_dagster.pbs.types import ConsensusFork


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
            relay.register(item)
        return Response(status_code=200)

    async def get_header(request: Request) -> Response:
        slot = _path(request, "slot", UINT64)
        parent_hash, pubkey = _path(request, "parent_hash", HASH), _path(request, "pubkey", PUBKEY)
        bid = relay.header_for((slot, parent_hash, pubkey))
        if bid is None:
            return Response(status_code=204)
        document = codec_json.to_json(SIGNED_BUILDER_BID[bid.fork], bid)
        return _versioned(bid.fork, document)

    async def get_payload(request: Request) -> Response:
        bid = await _unblinded(request, relay)
        relay.auction.deliver(bid)
        return _versioned(bid.submission.fork, _payload_document(bid))

    async def publish(request: Request) -> Response:
        """Take a blinded block without giving the payload back: the relay publishes (Fulu)."""
        relay.auction.deliver(await _unblinded(request, relay))
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


async def _unblinded(request: Request, relay: SandboxRelay) -> ReceivedBid:
    """Return the bid whose payload a signed blinded block commits to."""
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
    if signed.message.header != payload_header(fork, submission.execution_payload):
        raise Unreadable(
            refusal("header_mismatch", "execution payload header is not the one that was offered")
        )
    root = signing_root(BLINDED_BLOCK[fork], signed.message, sandbox_proposer_domain(fork))
    if not _verifies(pubkey, root, signed.signature):
        raise Unreadable(refusal("invalid_signature", "could not verify payload signature"))
    return bid


def _payload_document(bid: ReceivedBid) -> Any:
    submission = bid.submission
    payload = codec_json.to_json(EXECUTION_PAYLOAD[submission.fork], submission.execution_payload)
    if submission.blobs_bundle is None:
        return payload
    bundle = codec_json.to_json(BLOBS_BUNDLE[submission.fork], submission.blobs_bundle)
    return {"execution_payload": payload, "blobs_bundle": bundle}


def _versioned(fork: ConsensusFork, document: Any) -> Response:
    return JSONResponse(
        {"version": fork.version, "data": document}, headers={"Eth-Consensus-Version": fork.version}
    )


def _verifies(pubkey: bytes, root: bytes, signature: bytes) -> bool:
    try:
        return bls.verify(pubkey, root, signature)
    except DecodeError:
        return False


async def _body(request: Request, kind: Any) -> Any:
    json = is_json(request)
    body = await read_body(request)
    try:
        return codec_json.from_json(kind, codec_json.loads(body)) if json else kind.decode(memoryview(body))
    except DecodeError as error:
        raise unreadable(error) from error


def _path(request: Request, name: str, kind: Any) -> Any:
    try:
        return codec_json.from_json(kind, request.path_params[name].lower(), name)
    except DecodeError as error:
        raise Unreadable(refusal(f"invalid_{name}", f"invalid {name}")) from error
