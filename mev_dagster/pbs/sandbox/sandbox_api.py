"""What only a sandbox has: the slot of a block number, posted slots with their states, full receipts."""

from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mev_dagster.errors import DecodeError, InputError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import codec_json
from mev_dagster.pbs.sandbox.answers import refusal
from mev_dagster.pbs.sandbox.bodies import Unreadable, read_json, unreadable
from mev_dagster.pbs.sandbox.data_api import duty_row
from mev_dagster.pbs.sandbox.faults import plan_of
from mev_dagster.pbs.sandbox.posts import slot_from_json
from mev_dagster.pbs.sandbox.relay import RelayReceipt, SandboxRelay
from mev_dagster.pbs.schema import HASH, UINT64
from mev_dagster.units import MIB

MAX_SLOT_BYTES = 256 * MIB
"""Whole devnet states and mainnet witnesses are large; this endpoint listens on loopback only."""


def routes(relay: SandboxRelay) -> list[Route]:
    """Return the routes of this API."""

    async def slot_of_block(request: Request) -> Response:
        number = _value(UINT64, request.path_params["number"], "number")
        slot = await run_in_threadpool(relay.slot_of_block, number)
        if slot is None:
            raise Unreadable(refusal("unknown_block", f"no slot is known for block {number}", 404))
        return JSONResponse(duty_row(slot))

    async def post_slot(request: Request) -> Response:
        document = await read_json(request, MAX_SLOT_BYTES)
        try:
            slot = await run_in_threadpool(slot_from_json, document, relay.validators)
        except DecodeError as error:
            raise unreadable(error) from error
        relay.slots.add(slot)
        known = await run_in_threadpool(relay.slot_of_block, slot.context.number)
        return JSONResponse(duty_row(known or slot))

    async def post_head(request: Request) -> Response:
        document = await read_json(request)
        slot = document.get("slot") if isinstance(document, dict) else None
        relay.head_slot = _value(UINT64, slot, "slot")
        return Response(status_code=200)

    async def faults(request: Request) -> Response:
        return JSONResponse(relay.faults.document())

    async def post_faults(request: Request) -> Response:
        document = await read_json(request)
        try:
            relay.faults = plan_of(document)
        except InputError as error:
            raise Unreadable(refusal("bad_plan", str(error))) from error
        return JSONResponse(relay.faults.document())

    async def receipts(request: Request) -> Response:
        wanted = request.query_params.get("block_hash")
        block_hash = None if wanted is None else _value(HASH, wanted, "block_hash")
        return JSONResponse(
            [
                receipt_document(receipt)
                for receipt in relay.receipts
                if block_hash in {None, receipt.submission.message.block_hash}
            ]
        )

    return [
        Route("/sandbox/v1/slots/{number}", slot_of_block),
        Route("/sandbox/v1/slots", post_slot, methods=["POST"]),
        Route("/sandbox/v1/head", post_head, methods=["POST"]),
        Route("/sandbox/v1/faults", faults),
        Route("/sandbox/v1/faults", post_faults, methods=["POST"]),
        Route("/sandbox/v1/receipts", receipts),
    ]


def receipt_document(receipt: RelayReceipt) -> dict[str, Any]:
    """Return a receipt as JSON."""
    submission = receipt.submission
    return {
        "slot": str(submission.message.slot),
        "block_number": str(submission.execution_payload.block_number),
        "block_hash": to_hex(submission.message.block_hash),
        "builder_pubkey": to_hex(submission.message.builder_pubkey),
        "value": str(submission.message.value),
        "received_ns": str(receipt.received_ns),
        "status": receipt.answer.status,
        "accepted": receipt.answer.accepted,
        "code": receipt.answer.code,
        "message": receipt.answer.message,
        "checks": [asdict(check) for check in receipt.checks],
        "trace_id": receipt.trace_id.hex(),
        "sender_span_id": receipt.sender_span_id.hex(),
    }


def _value(kind: Any, value: Any, name: str) -> Any:
    try:
        return codec_json.from_json(kind, value, name)
    except DecodeError as error:
        raise unreadable(error) from error
