"""`mev bench ssz`: our SSZ codec beside remerkleable, on submissions that relays have published.

remerkleable is the library of the executable consensus specification. Its types are made here from ours, so
both read one schema; bytes and roots of both must be equal before anything is measured.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.errors import InputError
from mev_dagster.pbs import codec_json, schema
from mev_dagster.pbs.ssz import ByteList, ByteVector, Container, List, SszType, Uint
from mev_dagster.pbs.types import ConsensusFork

ROUNDS = 5
SUBMISSIONS = {
    "alloy_relay_single_payload.json.zst": ConsensusFork.CAPELLA,
    "helix_signed-bid-submission-electra-3.json.zst": ConsensusFork.ELECTRA,
    "helix_signed-bid-submission-fulu.json.zst": ConsensusFork.FULU,
}
_ABSENT = "needs MEV_FIXTURES (relay/) and the development package remerkleable"


@dataclass(frozen=True, slots=True)
class Sample:
    """One submission with the types that both codecs read it by."""

    kind: Container
    peer: Any
    encoded: bytes
    value: Any
    peer_value: Any


def run(options: Options) -> Iterator[Result]:
    """Yield the cost of reading, writing and of the root, or say why there are no figures."""
    folder = Path(os.environ.get("MEV_FIXTURES", "")) / "relay"
    if not folder.is_dir() or find_spec("remerkleable") is None:
        yield Result("ssz", 0.0, "ms", ok=None, note=_ABSENT)
        return
    options.step("reading submissions with both codecs")
    samples = [read_sample(folder / name, fork) for name, fork in SUBMISSIONS.items()]
    rounds = 2 if options.quick else ROUNDS
    size = sum(len(one.encoded) for one in samples)
    work: dict[str, tuple[Any, Any]] = {
        "decode": (_decode, lambda one: one.peer.decode_bytes(one.encoded)),
        "encode": (lambda one: one.kind.encode(one.value), lambda one: one.peer_value.encode_bytes()),
        # The library keeps the roots it has worked out, so each round reads the bytes anew.
        "decode and root": (
            lambda one: one.kind.hash_tree_root(_decode(one)),
            lambda one: one.peer.decode_bytes(one.encoded).hash_tree_root(),
        ),
    }
    for name, (ours, theirs) in work.items():
        best = interleave({"ours": ours, "peer": theirs}, samples, rounds=rounds, step=options.step)
        yield judge(
            f"ssz: {name}",
            1e3 * best["ours"],
            "ms",
            peer="remerkleable",
            peer_value=1e3 * best["peer"],
            at_least_peer=1.0,
            note=f"{len(samples)} published submissions, {size:,} bytes; bytes and roots are equal",
        )


def read_sample(path: Path, fork: ConsensusFork) -> Sample:
    """Read a submission with both codecs; `InputError` where they do not agree on its bytes or its root."""
    kind = schema.SUBMIT_BLOCK_REQUEST[fork]
    value = codec_json.from_json(kind, codec_json.loads(_unpacked(path)))
    encoded = kind.encode(value)
    peer = peer_type(kind)
    peer_value = peer.decode_bytes(encoded)
    if peer_value.encode_bytes() != encoded:
        raise InputError(f"{path.name}: remerkleable writes other bytes")
    if bytes(peer_value.hash_tree_root()) != kind.hash_tree_root(value):
        raise InputError(f"{path.name}: remerkleable finds another root")
    return Sample(kind, peer, encoded, value, peer_value)


def peer_type(kind: SszType) -> Any:
    """Return remerkleable's type of the same wire form."""
    from remerkleable import basic, byte_arrays, complex

    match kind:
        case Uint():
            return getattr(basic, f"uint{8 * kind.fixed_bytes}")
        case ByteVector():
            return byte_arrays.ByteVector[kind.fixed_bytes]
        case ByteList():
            return byte_arrays.ByteList[kind.limit]
        case List():
            return complex.List[peer_type(kind.element), kind.limit]
        case Container():
            fields = {item.name: peer_type(item.type) for item in kind.fields}
            return type(kind.cls.__name__, (complex.Container,), {"__annotations__": fields})
        case _:
            raise InputError(f"no submission holds a {type(kind).__name__}")


def _decode(sample: Sample) -> Any:
    return sample.kind.decode(memoryview(sample.encoded))


def _unpacked(path: Path) -> bytes:
    from zstandard import ZstdDecompressor

    return ZstdDecompressor().decompressobj().decompress(path.read_bytes())
