"""Slots as JSON documents: how a test, or a builder with declared state overrides, hands one in.

The context is spelled as in block JSON of the consensus layer (decimal strings, 0x-hex). `state` is a
prestate's canonical JSON with its `codes`; absent, the relay knows the slot but not its parent's state.
"""

from typing import Any

from mev_dagster.chain.forks import DEVNET_CHAIN_ID, Fork, ForkSchedule, devnet_schedule
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.networks import schedule_for
from mev_dagster.errors import DecodeError, InputError
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import StateSource
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import codec_json
from mev_dagster.pbs.context import BlockContext
from mev_dagster.pbs.sandbox.slots import SandboxValidators, Slot
from mev_dagster.pbs.schema import ADDRESS, HASH, UINT64, UINT256, WITHDRAWALS
from mev_dagster.pbs.ssz import ByteList, SszType

_CODE = ByteList(2**24)
_OPTIONAL: dict[str, SszType] = {
    "withdrawals": WITHDRAWALS,
    "excess_blob_gas": UINT64,
    "parent_beacon_block_root": HASH,
}
_REQUIRED: dict[str, SszType] = {
    "slot": UINT64,
    "number": UINT64,
    "parent_hash": HASH,
    "timestamp": UINT64,
    "prev_randao": HASH,
    "gas_limit": UINT64,
    "base_fee_per_gas_wei": UINT256,
}


def slot_to_json(
    context: BlockContext, coinbase: bytes, state: Prestate | None, *, note: str = ""
) -> dict[str, Any]:
    """Return the document that hands a slot in; `coinbase` is the fee recipient of the block that landed."""
    document: dict[str, Any] = {
        "chain_id": str(context.schedule.chain_id),
        "fork": context.fork.name.lower(),
        "coinbase": to_hex(coinbase),
        "note": note,
    }
    for name, kind in (_REQUIRED | _OPTIONAL).items():
        value = getattr(context, name)
        document[name] = None if value is None else codec_json.to_json(kind, value)
    if state is not None:
        document["state"] = state.to_json()
        document["codes"] = [to_hex(code) for _, code in sorted(state.codes.items())]
    return document


def slot_from_json(document: Any, validators: SandboxValidators) -> Slot:
    """Read what `slot_to_json` wrote and give the slot its proposer."""
    if not isinstance(document, dict):
        raise DecodeError("json_type", "document: expected an object")
    values: dict[str, Any] = {}
    for name, kind in _REQUIRED.items():
        values[name] = codec_json.from_json(kind, document.get(name), name)
    for name, kind in _OPTIONAL.items():
        given = document.get(name)
        values[name] = None if given is None else codec_json.from_json(kind, given, name)
    context = BlockContext(schedule=_schedule(document), **values)
    coinbase = codec_json.from_json(ADDRESS, document.get("coinbase"), "coinbase")
    return validators.slot_for(context, _state(document), coinbase, note=str(document.get("note", "")))


def _schedule(document: dict[str, Any]) -> ForkSchedule:
    chain_id = codec_json.from_json(UINT64, document.get("chain_id"), "chain_id")
    if chain_id != DEVNET_CHAIN_ID:
        return schedule_for(chain_id)
    name = str(document.get("fork", "")).upper()
    if name not in Fork.__members__:
        raise DecodeError("json_type", f"fork: no fork is called {name.lower()!r}")
    return devnet_schedule(Fork[name])


def _state(document: dict[str, Any]) -> StateSource | None:
    if document.get("state") is None:
        return None
    codes = document.get("codes", [])
    if not isinstance(codes, list):
        raise DecodeError("json_type", "codes: expected an array")
    decoded = [codec_json.from_json(_CODE, code, f"codes[{at}]") for at, code in enumerate(codes)]
    try:
        return Prestate.from_json(document["state"], {keccak(code): code for code in decoded})
    except InputError as error:
        raise DecodeError("bad_state", f"state: {error}") from error
