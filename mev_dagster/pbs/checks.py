"""What a submission can be judged by on its own: pure functions from a submission to one `Check` each.

The sandbox relay stops at the first that fails; `mev relay check` runs them all. `code` is stable; `relay`
texts are those relays answer with.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mev_dagster.chain.blocks import Header, header_hash
from mev_dagster.chain.fees import GAS_PER_BLOB
from mev_dagster.chain.transactions import Transaction
from mev_dagster.errors import DecodeError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs import bls, kzg, schema, signing
from mev_dagster.pbs.payload import header_of, transactions_of, versioned_hash
from mev_dagster.pbs.signing import ConsensusNetwork
from mev_dagster.pbs.types import ConsensusFork, SubmitBlockRequest

OK = "ok"


@dataclass(frozen=True, slots=True)
class SubmissionCheck:
    """One judgement: `code` is `ok` or the stable reason of the failure."""

    name: str
    ok: bool
    code: str
    message: str


def passed(name: str, message: str) -> SubmissionCheck:
    """Return a check that holds."""
    return SubmissionCheck(name, True, OK, message)


def failed(name: str, code: str, message: str) -> SubmissionCheck:
    """Return a check that does not, with its stable code."""
    return SubmissionCheck(name, False, code, message)


def check_all(
    submission: SubmitBlockRequest,
    *,
    genesis_fork_version: bytes | None = None,
    parent_beacon_root: bytes | None = None,
) -> Iterator[SubmissionCheck]:
    """Run every check that needs nothing but the submission, and what the flags add."""
    network, signature_check = signature(submission, genesis_fork_version)
    if network is not None and network.genesis_time is not None:
        yield slot_time(submission, network)
    yield not_empty(submission)
    yield message(submission)
    yield gas(submission)
    decoded, transactions_check = transactions(submission)
    yield transactions_check
    if submission.blobs_bundle is not None:
        yield blobs(submission, decoded)
    yield signature_check
    yield block_hash(submission, parent_beacon_root)


def slot_time(submission: SubmitBlockRequest, network: ConsensusNetwork) -> SubmissionCheck:
    """The payload's timestamp is the start of its slot."""
    expected = network.slot_time(submission.message.slot)
    found = submission.execution_payload.timestamp
    if found != expected:
        return failed(
            "timestamp", "timestamp_mismatch", f"incorrect timestamp. got {found}, expected {expected}"
        )
    return passed("timestamp", f"slot {submission.message.slot} of {network.name} starts at {expected}")


def not_empty(submission: SubmitBlockRequest) -> SubmissionCheck:
    """There is something to offer; relays drop the rest without a word."""
    if submission.message.value == 0:
        return failed("value", "zero_value", "the bid is 0 wei; relays drop it silently")
    if not submission.execution_payload.transactions:
        return failed("value", "no_transactions", "the block is empty; relays drop it silently")
    return passed("value", f"{submission.message.value} wei")


def message(submission: SubmitBlockRequest) -> SubmissionCheck:
    """The signed message repeats the payload's own fields."""
    trace, payload = submission.message, submission.execution_payload
    pairs: tuple[tuple[str, bytes | int, bytes | int], ...] = (
        ("blockHash", trace.block_hash, payload.block_hash),
        ("parentHash", trace.parent_hash, payload.parent_hash),
        ("gasLimit", trace.gas_limit, payload.gas_limit),
        ("gasUsed", trace.gas_used, payload.gas_used),
    )
    for name, signed, carried in pairs:
        if signed != carried:
            detail = f"{name} mismatch: message has {_shown(signed)}, payload has {_shown(carried)}"
            return failed("message", f"{_snake(name)}_mismatch", detail)
    return passed("message", "block hash, parent hash, gas limit and gas used equal the payload's")


def gas(submission: SubmitBlockRequest) -> SubmissionCheck:
    """Gas figures are possible at all."""
    payload = submission.execution_payload
    if payload.gas_used > payload.gas_limit:
        return failed("gas", "gas_used_above_limit", f"{payload.gas_used} used of {payload.gas_limit}")
    if payload.base_fee_per_gas == 0:
        return failed("gas", "zero_base_fee", "the base fee never falls to 0")
    return passed("gas", f"{payload.gas_used} of {payload.gas_limit}")


def transactions(submission: SubmitBlockRequest) -> tuple[tuple[Transaction, ...] | None, SubmissionCheck]:
    """Every transaction decodes, has a sender, and can pay the base fee."""
    payload = submission.execution_payload
    try:
        decoded = transactions_of(payload)
    except DecodeError as error:
        return None, failed("transactions", error.reason, error.detail)
    chain_ids = {tx.chain_id for tx in decoded if tx.chain_id is not None}
    if len(chain_ids) > 1:
        detail = f"signed for several chains: {sorted(chain_ids)}"
        return decoded, failed("transactions", "mixed_chain_ids", detail)
    for index, tx in enumerate(decoded):
        if tx.fee_cap_wei < payload.base_fee_per_gas:
            detail = f"transactions[{index}]: fee cap {tx.fee_cap_wei} below {payload.base_fee_per_gas}"
            return decoded, failed("transactions", "fee_below_base", detail)
    return decoded, passed("transactions", f"{len(decoded)} transactions decode, with their senders")


def blobs(submission: SubmitBlockRequest, decoded: tuple[Transaction, ...] | None) -> SubmissionCheck:
    """The bundle holds exactly the blobs the transactions name, with proofs that hold."""
    bundle, payload = submission.blobs_bundle, submission.execution_payload
    assert bundle is not None, "only called for forks with blobs"
    count = len(bundle.commitments)
    proofs = count * kzg.proofs_per_blob(submission.fork)
    if (len(bundle.blobs), len(bundle.proofs)) != (count, proofs):
        detail = f"{count} commitments, {len(bundle.blobs)} blobs, {len(bundle.proofs)} proofs"
        return failed("blobs", "blob_count", detail)
    named = [versioned for tx in decoded or () for versioned in tx.blob_versioned_hashes]
    if decoded is not None and named != [versioned_hash(item) for item in bundle.commitments]:
        detail = f"the transactions name {len(named)} blobs, the bundle's {count} commitments are not those"
        return failed("blobs", "versioned_hash_mismatch", detail)
    if payload.blob_gas_used != count * GAS_PER_BLOB:
        detail = f"blob_gas_used is {payload.blob_gas_used}, {count} blobs use {count * GAS_PER_BLOB}"
        return failed("blobs", "blob_gas_mismatch", detail)
    try:
        if not kzg.verify(submission.fork, bundle):
            return failed("blobs", "invalid_kzg_proof", "a proof does not hold")
    except DecodeError as error:
        return failed("blobs", "malformed_kzg", error.detail)
    return passed("blobs", f"{count} blobs, {proofs} proofs hold")


def signature(
    submission: SubmitBlockRequest, genesis_fork_version: bytes | None = None
) -> tuple[ConsensusNetwork | None, SubmissionCheck]:
    """The builder signed the message; without a fork version, under any network's domain we know."""
    try:
        network = signed_for(submission, genesis_fork_version)
    except DecodeError as error:
        detail = f"failed verifying builder signature: {error}"
        return None, failed("signature", "malformed_signature", detail)
    if network is None:
        asked = "any known network" if genesis_fork_version is None else to_hex(genesis_fork_version)
        detail = f"invalid signature under {asked}'s builder domain"
        return None, failed("signature", "invalid_signature", detail)
    version = network.genesis_fork_version.hex()
    return network, passed("signature", f"verifies under {network.name}'s builder domain (0x{version})")


def signed_for(
    submission: SubmitBlockRequest, genesis_fork_version: bytes | None = None
) -> ConsensusNetwork | None:
    """Return the network whose builder domain the signature verifies under."""
    candidates = [*signing.NETWORKS, signing.SANDBOX]
    if genesis_fork_version is not None:
        named = [item for item in candidates if item.genesis_fork_version == genesis_fork_version]
        candidates = named or [signing.unnamed_network(genesis_fork_version)]
    trace = submission.message
    for network in candidates:
        domain = signing.builder_domain(network.genesis_fork_version)
        root = signing.signing_root(schema.BID_TRACE, trace, domain)
        if bls.verify(trace.builder_pubkey, root, submission.signature):
            return network
    return None


def block_hash(submission: SubmitBlockRequest, parent_beacon_root: bytes | None = None) -> SubmissionCheck:
    """The block hash is the hash of the header the payload stands for."""
    return header_and_hash(submission, parent_beacon_root)[1]


def header_and_hash(
    submission: SubmitBlockRequest, parent_beacon_root: bytes | None = None
) -> tuple[Header | None, SubmissionCheck]:
    """Return the header too, so that it is worked out once."""
    fork, payload = submission.fork, submission.execution_payload
    if fork >= ConsensusFork.DENEB and parent_beacon_root is None:
        detail = f"a {fork.version} block hash covers the parent beacon block root: give --parent-beacon-root"
        return None, failed("block_hash", "parent_beacon_root_missing", detail)
    header = header_of(
        fork,
        payload,
        parent_beacon_block_root=parent_beacon_root,
        requests=submission.execution_requests,
    )
    computed = header_hash(header)
    if computed != payload.block_hash:
        detail = f"payload says {to_hex(payload.block_hash)}, its content hashes to {to_hex(computed)}"
        return header, failed("block_hash", "block_hash_mismatch", detail)
    return header, passed("block_hash", to_hex(computed))


def _shown(value: bytes | int) -> str:
    return str(value) if isinstance(value, int) else to_hex(value)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
