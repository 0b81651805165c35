"""Bodies on the wire and in files: size limits, gzip and zstd, JSON or SSZ, and which fork a body is of.

Limits hold before and after decompression; nothing is inflated past them.
"""

import zlib
from typing import Any

import zstandard

from mev_dagster.chain.networks import MAINNET
from mev_dagster.errors import DecodeError
from mev_dagster.pbs import codec_json
from mev_dagster.pbs.schema import CELLS_PER_BLOB, SUBMIT_BLOCK_REQUEST
from mev_dagster.pbs.signing import MAINNET_CONSENSUS
from mev_dagster.pbs.types import ConsensusFork, SubmitBlockRequest, consensus_fork_of
from mev_dagster.units import MIB

JSON_TYPE = "application/json"
SSZ_TYPE = "application/octet-stream"
GZIP_NAMES = frozenset({"gzip", "x-gzip"})
"""The second is an old name of the first (RFC 9110, section 8.4.1.3)."""
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
MAX_BODY_BYTES = 15 * MIB
"""What relays accept: 15 MiB, after decompression too."""
MAX_GZIP_MEMBERS = 64

# Where the first offset of a submission lies, and what the inline part's size says about the fork.
_OFFSET_AT = 236
_INLINE_BYTES = {336: ConsensusFork.CAPELLA, 340: ConsensusFork.DENEB, 344: ConsensusFork.ELECTRA}
_EXTRA_DATA_OFFSET_AT = 436
_BELLATRIX_PAYLOAD_INLINE = 508


def decompress(data: bytes, limit: int = MAX_BODY_BYTES) -> bytes:
    """Return `data` inflated when it is gzip or zstd, unchanged otherwise; never more than `limit` bytes."""
    if len(data) > limit:
        raise DecodeError("too_large", f"at most {limit} bytes, got {len(data)}")
    if data.startswith(GZIP_MAGIC):
        return gunzip(data, limit)
    if data.startswith(ZSTD_MAGIC):
        return _unzstd(data, limit)
    return data


def gunzip(data: bytes, limit: int = MAX_BODY_BYTES) -> bytes:
    """Inflate gzip members, one or several (RFC 1952); the last must end where the data ends."""
    parts: list[bytes] = []
    size = 0
    while True:
        inflater = zlib.decompressobj(wbits=31)
        try:
            parts.append(inflater.decompress(data, limit + 1 - size))
        except zlib.error as error:
            raise DecodeError("gzip", str(error)) from error
        size += len(parts[-1])
        if size > limit:
            raise DecodeError("too_large", f"inflates to more than {limit} bytes")
        if not inflater.eof:
            raise DecodeError("gzip", "the stream is truncated")
        if len(parts) > MAX_GZIP_MEMBERS:
            raise DecodeError("gzip", f"more than {MAX_GZIP_MEMBERS} members")
        data = inflater.unused_data
        if not data:
            return b"".join(parts)


def _unzstd(data: bytes, limit: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(data) as reader:
            inflated = reader.read(limit + 1)
        if len(inflated) > limit:
            raise DecodeError("too_large", f"inflates to more than {limit} bytes")
        # The reader ends quietly on a truncated frame; only this object says whether the frame ended.
        checker = zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj()
        checker.decompress(data)
    except zstandard.ZstdError as error:
        raise DecodeError("zstd", str(error)) from error
    if not checker.eof or checker.unused_data:
        raise DecodeError("zstd", "the frame is truncated or followed by other bytes")
    return inflated


def decode_submission(
    body: bytes, *, json: bool | None = None, fork: ConsensusFork | None = None
) -> SubmitBlockRequest:
    """Decode a submission. Without `json` the first byte tells the form; without `fork` the content does."""
    if json if json is not None else body.lstrip()[:1] in (b"{", b"["):
        document = _unwrapped(codec_json.loads_unambiguous(body))
        kind = SUBMIT_BLOCK_REQUEST[fork or fork_of_json(document)]
        submission: SubmitBlockRequest = codec_json.from_json(kind, document)
        return submission
    decoded: SubmitBlockRequest = SUBMIT_BLOCK_REQUEST[fork or fork_of_ssz(body)].decode(memoryview(body))
    return decoded


def encode_submission(submission: SubmitBlockRequest, *, json: bool) -> bytes:
    """Return the body that carries a submission."""
    kind = SUBMIT_BLOCK_REQUEST[submission.fork]
    if json:
        return codec_json.dumps(codec_json.to_json(kind, submission))
    return kind.encode(submission)


def fork_of_ssz(body: bytes) -> ConsensusFork:
    """Tell a submission's fork from the sizes of its inline parts, without decoding it."""
    inline = int.from_bytes(body[_OFFSET_AT : _OFFSET_AT + 4], "little")
    fork = _INLINE_BYTES.get(inline)
    if fork is None or len(body) < inline:
        raise DecodeError("ssz_offset", f"execution_payload: no fork's submission has its offset at {inline}")
    if fork == ConsensusFork.CAPELLA:
        at = inline + _EXTRA_DATA_OFFSET_AT
        if int.from_bytes(body[at : at + 4], "little") == _BELLATRIX_PAYLOAD_INLINE:
            return ConsensusFork.BELLATRIX
    if fork == ConsensusFork.ELECTRA:
        return _electra_or_fulu(SUBMIT_BLOCK_REQUEST[ConsensusFork.FULU].decode(memoryview(body)))
    return fork


def fork_of_json(document: Any) -> ConsensusFork:
    """Tell a submission's fork from the fields it has."""
    if not isinstance(document, dict):
        raise DecodeError("json_type", "document: expected an object")
    payload = document.get("execution_payload")
    if "execution_requests" in document:
        return _electra_or_fulu(codec_json.from_json(SUBMIT_BLOCK_REQUEST[ConsensusFork.FULU], document))
    if "blobs_bundle" in document:
        return ConsensusFork.DENEB
    if isinstance(payload, dict) and "withdrawals" not in payload:
        return ConsensusFork.BELLATRIX
    return ConsensusFork.CAPELLA


def _electra_or_fulu(submission: SubmitBlockRequest) -> ConsensusFork:
    """Electra and Fulu share one form; blobs tell them apart, else the slot time of a public network."""
    bundle = submission.blobs_bundle
    if bundle is not None and bundle.commitments:
        cells = len(bundle.proofs) == CELLS_PER_BLOB * len(bundle.commitments)
        return ConsensusFork.FULU if cells else ConsensusFork.ELECTRA
    payload, slot = submission.execution_payload, submission.message.slot
    if payload.timestamp == MAINNET_CONSENSUS.slot_time(slot):
        return consensus_fork_of(MAINNET.fork_at(payload.block_number, payload.timestamp))
    return ConsensusFork.ELECTRA


def _unwrapped(document: Any) -> Any:
    """Take the submission out of the wrappings of specification examples and versioned answers."""
    for name in ("value", "data"):
        if isinstance(document, dict) and "message" not in document and name in document:
            document = document[name]
    return document
