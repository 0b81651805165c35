"""A witness of one block from a node: asked for where it has them, else put together from its proofs.

Either way it is proven before it is kept: executed alone, from the parent's state root to the block's own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import Block, Header, header_hash
from mev_dagster.chain.forks import ForkSchedule
from mev_dagster.chain.jsonrpc import header_from_rpc
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.errors import CaptureError, DecodeError, InputError, MissingState, NodeAnswerError
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.state.partial_trie import PartialTrie, nodes_by_hash, shortened_paths
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.witness import Witness
from mev_dagster.evm.state.witness_files import witness_from_json
from mev_dagster.evm.types import AccountDiff, SimulationEngine
from mev_dagster.hexadecimal import from_hex, to_hex
from mev_dagster.node.http import JsonRpc

PROOFS_A_REQUEST = 64
SOUGHT_NIBBLES = 5  # a million hashes


@dataclass(frozen=True, slots=True)
class _Proof:
    """The nodes from a root down to an account or one of its slots, or to where there is none."""

    address: bytes
    slot: int | None
    nodes: Sequence[bytes]

    def branch_beside(self) -> bytes | None:
        """Return the path of the branch that stands where this key would; None where none is shown."""
        if not self.nodes:
            return None
        key = self.address if self.slot is None else self.slot.to_bytes(32, "big")
        try:
            return PartialTrie(keccak(self.nodes[0]), nodes_by_hash(self.nodes)).branch_beside(keccak(key))
        except (MissingState, DecodeError):
            return None  # not a proof; what it lacks is told where the block is proven


def record_witness(
    rpc: JsonRpc, block: Block, schedule: ForkSchedule, engine: SimulationEngine, read: Prestate
) -> Witness:
    """Return the block's witness; `read` is what the block reads of its parent's state.

    Raises `CaptureError` where the node gives none that leads to the block's state root.
    """
    number = block.header.number
    parent = _header(rpc, block.header.parent_hash, number - 1)
    try:
        witness = witness_from_json(rpc.call("debug_executionWitness", [hex(number)]), parent=parent)
        _prove(witness, block, schedule, engine)
    except (NodeAnswerError, InputError, DecodeError, MissingState, CaptureError):
        witness = _from_proofs(rpc, block, schedule, engine, read, parent)
    return witness


def _prove(
    witness: Witness, block: Block, schedule: ForkSchedule, engine: SimulationEngine
) -> Mapping[bytes, AccountDiff]:
    state_diff = execute_block(engine, witness, block, schedule).state_diff
    root = witness.root_after(state_diff)
    if root != block.header.state_root:
        raise CaptureError(
            f"block {block.header.number}: its witness leads to state root {to_hex(root)}, "
            f"the header says {to_hex(block.header.state_root)}"
        )
    return state_diff


def _from_proofs(
    rpc: JsonRpc,
    block: Block,
    schedule: ForkSchedule,
    engine: SimulationEngine,
    read: Prestate,
    parent: Header,
) -> Witness:
    state_diff = execute_block(engine, read, block, schedule).state_diff
    wanted = {address: set(account.storage) for address, account in read.accounts.items()}
    for address, diff in state_diff.items():
        wanted.setdefault(address, set()).update(diff.storage)
    nodes = _proof_nodes(rpc, wanted, parent.number)
    ancestors = [parent]
    for ancestor in sorted(read.block_hashes, reverse=True):
        while ancestors[-1].number > ancestor:
            ancestors.append(_header(rpc, ancestors[-1].parent_hash, ancestors[-1].number - 1))
    preimages = [*wanted, *(slot.to_bytes(32, "big") for slots in wanted.values() for slot in slots)]
    codes = {found: code for found, code in read.codes.items() if found != EMPTY_CODE_HASH}
    hashes = {header.number: header_hash(header) for header in ancestors}

    def made() -> Witness:
        return Witness(
            parent.state_root, nodes, codes, hashes, ancestors=ancestors, preimages=sorted(set(preimages))
        )

    try:
        _prove(made(), block, schedule, engine)
    except MissingState as missing:
        if missing.what != "trie_node":
            raise CaptureError(f"block {block.header.number}: {missing}") from missing
        # What a removal joins is in no proof of what was removed: the state after shows what it was.
        later = _proofs(rpc, _removed(state_diff), block.header.number)
        nodes |= _joined(later) | _proof_nodes(rpc, _beside(later), parent.number)
        try:
            _prove(made(), block, schedule, engine)
        except MissingState as still:
            raise CaptureError(
                f"block {block.header.number}: {still}: the node's proofs do not hold it; record from a node "
                "with debug_executionWitness"
            ) from still
    return made()


def _removed(state_diff: Mapping[bytes, AccountDiff]) -> dict[bytes, set[int]]:
    return {
        address: {slot for slot, value in diff.storage.items() if not value}
        for address, diff in state_diff.items()
        if diff.deleted or not all(diff.storage.values())
    }


def _joined(proofs: Iterable[_Proof]) -> dict[bytes, bytes]:
    """Return what each leaf and extension may have been before a branch above it was joined to it."""
    return nodes_by_hash(
        before for proof in proofs for node in proof.nodes for before in shortened_paths(node)
    )


def _beside(proofs: Iterable[_Proof]) -> dict[bytes, set[int]]:
    """Return an account or a slot below each branch that a removal left alone, not deep in its trie."""
    wanted: dict[bytes, set[int]] = {}
    for proof in proofs:
        path = proof.branch_beside()
        if path is not None and proof.slot is None:
            wanted |= {key: set() for key in keys_below(path, length=20)}
        elif path is not None:
            found = keys_below(path, length=32)
            wanted.setdefault(proof.address, set()).update(int.from_bytes(key, "big") for key in found)
    return wanted


def keys_below(path: bytes, *, length: int) -> list[bytes]:
    """Return a key of so many bytes whose hash begins with these nibbles, by trial; none for a long path."""
    if len(path) > SOUGHT_NIBBLES:
        return []
    start = path.hex()[1::2]
    keys = (number.to_bytes(length, "big") for number in range(16 ** (len(path) + 1)))
    return list(islice((key for key in keys if keccak(key).hex().startswith(start)), 1))


def _proofs(rpc: JsonRpc, wanted: Mapping[bytes, Iterable[int]], number: int) -> list[_Proof]:
    entries = [(address, sorted(slots)) for address, slots in sorted(wanted.items())]
    found: list[_Proof] = []
    for start in range(0, len(entries), PROOFS_A_REQUEST):
        part = entries[start : start + PROOFS_A_REQUEST]
        answers = rpc.batch(
            [
                ("eth_getProof", [to_hex(address), [f"{slot:#066x}" for slot in slots], hex(number)])
                for address, slots in part
            ]
        )
        for (address, slots), answer in zip(part, answers, strict=True):
            found += _proofs_of(rpc, address, slots, answer)
    return found


def _proof_nodes(rpc: JsonRpc, wanted: Mapping[bytes, Iterable[int]], number: int) -> dict[bytes, bytes]:
    nodes = (node for proof in _proofs(rpc, wanted, number) for node in proof.nodes)
    # Nodes of less than 32 bytes stand inside the one above them.
    return nodes_by_hash(node for node in nodes if len(node) >= 32 or rlp.decode(node))


def _proofs_of(rpc: JsonRpc, address: bytes, slots: Sequence[int], answer: Any) -> list[_Proof]:
    try:
        lists = [answer["accountProof"], *(proof["proof"] for proof in answer["storageProof"])]
        nodes = [[from_hex(node) for node in listed] for listed in lists]
        return [_Proof(address, slot, of) for slot, of in zip((None, *slots), nodes, strict=True)]
    except (KeyError, TypeError, ValueError) as error:
        raise NodeAnswerError(f"{rpc.shown_url}: eth_getProof: unexpected form: {error}") from error


def _header(rpc: JsonRpc, block_hash: bytes, number: int) -> Header:
    answer = rpc.call("eth_getBlockByHash", [to_hex(block_hash), False])
    if not isinstance(answer, Mapping):
        raise NodeAnswerError(f"{rpc.shown_url} has no block {number} ({to_hex(block_hash)})")
    header = header_from_rpc(answer)
    if header_hash(header) != block_hash:
        raise NodeAnswerError(f"{rpc.shown_url}: block {number} is not the one asked for")
    return header
