"""The relay's data API and the proposers it announces (relay-specs)."""

from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import codec_json
from mev_dagster.pbs.sandbox.answers import refusal
from mev_dagster.pbs.sandbox.auction import ReceivedBid
from mev_dagster.pbs.sandbox.bodies import Unreadable
from mev_dagster.pbs.sandbox.relay import SandboxRelay
from mev_dagster.pbs.sandbox.slots import Slot
from mev_dagster.pbs.schema import BID_TRACE, HASH, PUBKEY, SIGNED_VALIDATOR_REGISTRATION, UINT64
from mev_dagster.units import NS_PER_MS, NS_PER_SECOND

MAX_RECEIVED = 500
MAX_DELIVERED = 200
MAX_LIMIT_DIGITS = 20

Filter = Callable[[ReceivedBid], bool]


def routes(relay: SandboxRelay) -> list[Route]:
    """Return the routes of this API."""

    async def received(request: Request) -> Response:
        if "cursor" in request.query_params:
            raise _bad("cursor argument not supported")
        filters = _filters(request, "slot", "block_hash", "block_number", "builder_pubkey")
        if not filters:
            text = "need to query for specific slot or block_hash or block_number or builder_pubkey"
            raise _bad(text)
        found = _select(relay.auction.bids(), filters, _limit(request, MAX_RECEIVED))
        return JSONResponse([_received_row(bid) for bid in found])

    async def delivered(request: Request) -> Response:
        names = ("slot", "block_hash", "block_number", "proposer_pubkey", "builder_pubkey")
        filters = _filters(request, *names)
        if "cursor" in request.query_params:
            if "slot" in request.query_params:
                raise _bad("cannot specify both slot and cursor")
            cursor = _parameter(request, "cursor")
            filters.append(lambda bid: bid.submission.message.slot <= cursor)
        limit = _limit(request, MAX_DELIVERED)
        found = _select(_ordered(relay.auction.delivered, request), filters, limit)
        return JSONResponse([_trace_row(bid) for bid in found])

    async def registration(request: Request) -> Response:
        if "pubkey" not in request.query_params:
            raise _bad("missing pubkey argument")
        pubkey = _parameter(request, "pubkey")
        found = relay.registration_of(pubkey)
        if found is None:
            raise _bad(f"no registration found for validator {to_hex(pubkey)}")
        return JSONResponse(codec_json.to_json(SIGNED_VALIDATOR_REGISTRATION, found))

    async def validators(request: Request) -> Response:
        return JSONResponse([duty_row(slot) for slot in relay.announced()])

    return [
        Route("/relay/v1/builder/validators", validators),
        Route("/relay/v1/data/bidtraces/builder_blocks_received", received),
        Route("/relay/v1/data/bidtraces/proposer_payload_delivered", delivered),
        Route("/relay/v1/data/validator_registration", registration),
    ]


def duty_row(slot: Slot) -> dict[str, Any]:
    """Return a slot's proposer as relays announce it."""
    return {
        "slot": str(slot.number),
        "validator_index": str(slot.validator_index),
        "entry": codec_json.to_json(SIGNED_VALIDATOR_REGISTRATION, slot.registration),
    }


def _trace_row(bid: ReceivedBid) -> dict[str, Any]:
    payload = bid.submission.execution_payload
    trace: dict[str, Any] = codec_json.to_json(BID_TRACE, bid.submission.message)
    return trace | {
        "num_tx": str(len(payload.transactions)),
        "block_number": str(payload.block_number),
    }


def _received_row(bid: ReceivedBid) -> dict[str, Any]:
    return _trace_row(bid) | {
        "timestamp": str(bid.received_ns // NS_PER_SECOND),
        "timestamp_ms": str(bid.received_ns // NS_PER_MS),
        "optimistic_submission": False,
    }


def _ordered(bids: list[ReceivedBid], request: Request) -> Iterable[ReceivedBid]:
    order = request.query_params.get("order_by")
    if order is None:
        return reversed(bids)
    if order not in {"value", "-value"}:
        raise _bad("invalid order_by argument")
    return sorted(bids, key=lambda bid: bid.submission.message.value, reverse=order == "-value")


def _select(bids: Iterable[ReceivedBid], filters: list[Filter], limit: int) -> list[ReceivedBid]:
    found: list[ReceivedBid] = []
    for bid in bids:
        if len(found) == limit:
            break
        if all(holds(bid) for holds in filters):
            found.append(bid)
    return found


_KINDS = {
    "slot": UINT64,
    "cursor": UINT64,
    "block_number": UINT64,
    "block_hash": HASH,
    "proposer_pubkey": PUBKEY,
    "builder_pubkey": PUBKEY,
    "pubkey": PUBKEY,
}


def _parameter(request: Request, name: str) -> Any:
    try:
        return codec_json.from_json(_KINDS[name], request.query_params[name].lower(), name)
    except DecodeError as error:
        raise _bad(f"invalid {name} argument") from error


def _filters(request: Request, *names: str) -> list[Filter]:
    filters: list[Filter] = []
    for name in names:
        if name in request.query_params:
            filters.append(_equals(name, _parameter(request, name)))
    return filters


def _equals(name: str, wanted: Any) -> Filter:
    if name == "block_number":
        return lambda bid: bool(bid.submission.execution_payload.block_number == wanted)
    return lambda bid: bool(getattr(bid.submission.message, name) == wanted)


def _limit(request: Request, maximum: int) -> int:
    text = request.query_params.get("limit")
    if text is None:
        return maximum
    if not (text.isascii() and text.isdecimal()):
        raise _bad("invalid limit argument")
    limit = int(text[:MAX_LIMIT_DIGITS])
    if limit > maximum or len(text) > MAX_LIMIT_DIGITS:
        raise _bad(f"maximum limit is {maximum}")
    return limit


def _bad(message: str) -> Unreadable:
    return Unreadable(refusal("bad_argument", message))
