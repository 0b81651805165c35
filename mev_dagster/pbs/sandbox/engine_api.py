"""A second opinion on blocks from an independent execution client, over the Engine API.

Only `VALID` counts: `SYNCING` and `ACCEPTED` say that the client does not know the parent. The client must
serve the Engine API without authentication, as test clients do on loopback.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Protocol

from mev_dagster.chain.jsonrpc import quantity
from mev_dagster.errors import MevError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.node.http import JsonRpc
from mev_dagster.pbs.checks import SubmissionCheck, failed, passed
from mev_dagster.pbs.payload import request_list, versioned_hash
from mev_dagster.pbs.sandbox.slots import Slot
from mev_dagster.pbs.types import ConsensusFork, ExecutionPayload, SubmitBlockRequest


class Validator(Protocol):
    """Judges a submission in the slot it is for; the first check that fails is the last."""

    def validate(self, submission: SubmitBlockRequest, slot: Slot) -> Iterator[SubmissionCheck]:
        """Yield checks in order."""
        ...


class AgreeingValidators:
    """Several validators that must all find nothing wrong."""

    def __init__(self, *validators: Validator) -> None:
        self._validators = validators

    def validate(self, submission: SubmitBlockRequest, slot: Slot) -> Iterator[SubmissionCheck]:
        """Yield every validator's checks until one fails."""
        for check in chain.from_iterable(item.validate(submission, slot) for item in self._validators):
            yield check
            if not check.ok:
                return


class EngineApi:
    """The part of the Engine API a validator and a proposer need."""

    def __init__(self, rpc: JsonRpc) -> None:
        self._rpc = rpc

    def new_payload(self, submission: SubmitBlockRequest, parent_beacon_block_root: bytes | None) -> Any:
        """Hand a block to the client and return its payload status."""
        parameters: list[Any] = [payload_to_rpc(submission.execution_payload)]
        if submission.blobs_bundle is not None and parent_beacon_block_root is not None:
            hashes = [to_hex(versioned_hash(item)) for item in submission.blobs_bundle.commitments]
            parameters += [hashes, to_hex(parent_beacon_block_root)]
        if submission.execution_requests is not None:
            parameters.append([to_hex(item) for item in request_list(submission.execution_requests)])
        return self._rpc.call(f"engine_newPayloadV{_VERSIONS[submission.fork]}", parameters)

    def set_head(self, block_hash: bytes) -> Any:
        """Make a block the client's head and return what it says of it."""
        state = {
            name: to_hex(block_hash) for name in ("headBlockHash", "safeBlockHash", "finalizedBlockHash")
        }
        return self._rpc.call("engine_forkchoiceUpdatedV3", [state, None])


# Fulu changed the blobs' proofs, not the payload: clients without V5 take it as V4.
_VERSIONS = {
    ConsensusFork.BELLATRIX: 1,
    ConsensusFork.CAPELLA: 2,
    ConsensusFork.DENEB: 3,
    ConsensusFork.ELECTRA: 4,
    ConsensusFork.FULU: 4,
}


class EngineApiValidator:
    """Asks the client whether the block is valid."""

    def __init__(self, engine: EngineApi) -> None:
        self._engine = engine

    def validate(self, submission: SubmitBlockRequest, slot: Slot) -> Iterator[SubmissionCheck]:
        """Yield the client's verdict."""
        try:
            status = self._engine.new_payload(submission, slot.context.parent_beacon_block_root)
            verdict = status["status"]
        except (MevError, KeyError, TypeError) as error:
            yield failed("engine_api", "no_verdict", f"validation request timeout: {error!r}")
            return
        if verdict == "VALID":
            yield passed("engine_api", "VALID")
        elif verdict in {"INVALID", "INVALID_BLOCK_HASH"}:
            yield failed("engine_api", "invalid_block", str(status.get("validationError") or verdict))
        else:
            yield failed("engine_api", "unknown_ancestor", f"unknown ancestor: the client says {verdict}")


def payload_to_rpc(payload: ExecutionPayload) -> dict[str, Any]:
    """Return a payload in the Engine API's spelling."""
    document: dict[str, Any] = {
        "parentHash": to_hex(payload.parent_hash),
        "feeRecipient": to_hex(payload.fee_recipient),
        "stateRoot": to_hex(payload.state_root),
        "receiptsRoot": to_hex(payload.receipts_root),
        "logsBloom": to_hex(payload.logs_bloom),
        "prevRandao": to_hex(payload.prev_randao),
        "blockNumber": quantity(payload.block_number),
        "gasLimit": quantity(payload.gas_limit),
        "gasUsed": quantity(payload.gas_used),
        "timestamp": quantity(payload.timestamp),
        "extraData": to_hex(payload.extra_data),
        "baseFeePerGas": quantity(payload.base_fee_per_gas),
        "blockHash": to_hex(payload.block_hash),
        "transactions": [to_hex(raw) for raw in payload.transactions],
    }
    if payload.withdrawals is not None:
        document["withdrawals"] = [
            {
                "index": quantity(item.index),
                "validatorIndex": quantity(item.validator_index),
                "address": to_hex(item.address),
                "amount": quantity(item.amount_gwei),
            }
            for item in payload.withdrawals
        ]
    if payload.blob_gas_used is not None and payload.excess_blob_gas is not None:
        document["blobGasUsed"] = quantity(payload.blob_gas_used)
        document["excessBlobGas"] = quantity(payload.excess_blob_gas)
    return document
