"""Witnesses in every form that others write; what is wrong is told, and roots are right on both paths."""

import json
from dataclasses import replace

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mev_dagster.chain import rlp
from mev_dagster.chain.blocks import encode_header
from mev_dagster.chain.jsonrpc import block_from_rpc, header_from_rpc
from mev_dagster.chain.keccak import EMPTY_CODE_HASH, keccak
from mev_dagster.chain.networks import MAINNET
from mev_dagster.chain.trie import nibbles_of, state_root
from mev_dagster.errors import DecodeError, InputError, MissingState
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.native import native_is_installed
from mev_dagster.evm.state.partial_trie import PartialTrie, root_of_nodes, shortened_paths
from mev_dagster.evm.state.witness import Witness
from mev_dagster.evm.state.witness_files import witness_from_json, witness_to_json
from mev_dagster.evm.types import AccountDiff
from mev_dagster.hexadecimal import from_hex, to_hex

NUMBER = 25_134_887


@pytest.fixture(scope="module")
def block_and_witness(fixtures):
    def read(name):
        raw = (fixtures / "blocks_recent" / name).read_bytes()
        return json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(raw))

    return block_from_rpc(read(f"{NUMBER}.json.zst")["block"]), read(f"{NUMBER}.witness.json.zst")["witness"]


def by_hash(listed):
    return {to_hex(keccak(from_hex(item))): item for item in listed}


def forms(document):
    headers = document["ancestors"]
    plain = {"state": document["state"], "codes": document["codes"]}
    rlp_headers = [to_hex(encode_header(header_from_rpc(header))) for header in headers]
    keys = ["0x" + "11" * 20, "0x" + "22" * 32]
    return {
        "geth": plain | {"headers": headers, "keys": None},
        "reth": plain | {"headers": rlp_headers, "keys": keys},
        "reth's older": {
            "state": by_hash(document["state"]), "codes": by_hash(document["codes"]),
            "keys": by_hash(keys), "headers": rlp_headers,
        },
        "an answer": {"jsonrpc": "2.0", "id": 1, "result": plain | {"headers": rlp_headers}},
        "a prover's": {"block": {}, "witness": plain | {"ancestor_headers": headers}},
        "without ancestors": plain,
        "without 0x": {
            name: [item.removeprefix("0x") for item in items]
            for name, items in (plain | {"headers": rlp_headers, "keys": keys}).items()
        },
        "ancestors newest first": plain | {"headers": headers[::-1]},
        "ancestors in no order": plain | {"headers": [*rlp_headers[1::2], *rlp_headers[::2]]},
        "nodes of other states": plain | {"state": [*document["state"], "0xc0", "0x80"], "headers": headers},
        "without keys": plain | {"headers": rlp_headers},
        "an answer's object": {"result": {"executionWitness": plain | {"headers": rlp_headers, "keys": []}}},
    }  # fmt: skip


@pytest.mark.fixtures
@pytest.mark.parametrize(
    "form",
    ["geth", "reth", "reth's older", "an answer", "a prover's", "without ancestors", "without 0x",
     "ancestors newest first", "ancestors in no order", "nodes of other states", "without keys",
     "an answer's object"],
)  # fmt: skip
def test_a_block_is_executed_from_the_parents_root_to_its_own_by_any_form(block_and_witness, form):
    block, document = block_and_witness
    witness = witness_from_json(forms(document)[form])
    assert witness.anchored == (form != "without ancestors")
    result = execute_block(get_engine("auto"), witness, block, MAINNET)
    assert result.receipts_root == block.header.receipts_root
    assert witness.root_after(result.state_diff) == block.header.state_root
    assert witness.root_by_reference(result.state_diff) == block.header.state_root


@pytest.mark.fixtures
def test_a_parents_header_anchors_a_witness_that_has_none(block_and_witness):
    block, document = block_and_witness
    parent = max((header_from_rpc(one) for one in document["ancestors"]), key=lambda header: header.number)
    witness = witness_from_json({"state": document["state"], "codes": document["codes"]}, parent=parent)
    assert witness.anchored
    assert witness.block_hash(parent.number) == block.header.parent_hash


@pytest.mark.fixtures
def test_an_ancestor_that_no_header_proves_is_refused(block_and_witness):
    block, document = block_and_witness
    headers = [header_from_rpc(one) for one in document["ancestors"]]
    parent = max(headers, key=lambda header: header.number)
    oldest = min(headers, key=lambda header: header.number)
    for apart in (
        replace(oldest, number=oldest.number - 5),
        replace(oldest, extra_data=b"another"),
        replace(parent, extra_data=b"another", number=parent.number - 1),
    ):
        given = [*headers, apart]
        with pytest.raises(InputError, match=f"block {apart.number} is no ancestor of block {parent.number}"):
            witness_from_json(document | {"ancestors": [to_hex(encode_header(one)) for one in given]})
    with_itself = [*headers, block.header]
    witness = witness_from_json(
        document | {"ancestors": [to_hex(encode_header(one)) for one in with_itself]}, parent=parent
    )
    assert witness.state_root == parent.state_root


@pytest.mark.fixtures
def test_a_witness_that_is_empty_or_lacks_its_root_is_told_by_what_is_missing(block_and_witness):
    block, document = block_and_witness
    empty = witness_from_json({"state": [], "codes": None, "ancestors": document["ancestors"]})
    with pytest.raises(MissingState, match="trie_node"):
        run(block, empty)


@pytest.mark.fixtures
def test_what_is_written_is_read_to_the_same(block_and_witness):
    _, document = block_and_witness
    written = witness_to_json(witness_from_json(forms(document)["reth"]))
    assert witness_to_json(witness_from_json(written)) == written
    assert sorted(written["state"]) == sorted(document["state"])
    assert written["keys"] == ["0x" + "11" * 20, "0x" + "22" * 32]


def run(block, witness):
    witness.root_after(execute_block(get_engine("auto"), witness, block, MAINNET).state_diff)


@pytest.mark.fixtures
def test_a_missing_node_and_a_wrong_code_are_told_by_their_hashes(block_and_witness):
    block, document = block_and_witness
    for cut in (0, len(document["state"]) // 2, len(document["state"]) - 1):
        kept = [node for index, node in enumerate(document["state"]) if index != cut]
        lost = to_hex(keccak(from_hex(document["state"][cut])))
        witness = witness_from_json({**document, "state": kept})
        with pytest.raises(MissingState, match=lost):
            run(block, witness)
    wrong = [to_hex(from_hex(code) + b"\x00") for code in document["codes"]]
    with pytest.raises(MissingState, match="code 0x"):
        execute_block(get_engine("auto"), witness_from_json({**document, "codes": wrong}), block, MAINNET)
    stated = by_hash(document["codes"])
    stated[next(iter(stated))] = "0x00"
    with pytest.raises(InputError, match=r"codes: what is stored as 0x\w+ does not have that hash"):
        witness_from_json({**document, "codes": stated})


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "expected an object"),
        ({}, "state: missing"),
        ({"state": []}, "codes: missing"),
        ({"state": "0x00", "codes": []}, "state: expected a list"),
        ({"state": ["zz"], "codes": []}, "ValueError"),
        ({"state": [5], "codes": []}, "ValueError"),
    ],
)
def test_a_document_that_is_no_witness_is_refused(document, reason):
    with pytest.raises(InputError, match=reason):
        witness_from_json(document)


def test_nodes_without_one_root_are_refused():
    with pytest.raises(DecodeError, match="0 of 0 nodes"):
        root_of_nodes({})
    leaves = [rlp.encode([b"\x20", b"x" * 40]), rlp.encode([b"\x20", b"y" * 40])]
    with pytest.raises(DecodeError, match="2 of 2"):
        root_of_nodes({keccak(leaf): leaf for leaf in leaves})


# Small states, all of whose nodes are at hand: addresses and slots are few, so that they meet and part again.
addresses = st.integers(0, 12).map(lambda number: bytes([number]) * 20)
slots = st.integers(0, 9)
values = st.integers(0, 3)
storages = st.dictionaries(slots, st.integers(1, 3))
states = st.dictionaries(addresses, st.tuples(st.integers(0, 3), st.integers(0, 2**70), storages))
diffs = st.dictionaries(
    addresses,
    st.one_of(
        st.just(AccountDiff(None, None, None, {}, deleted=True)),
        st.builds(
            AccountDiff,
            st.none() | st.integers(0, 2**70),
            st.none() | st.integers(0, 5),
            st.none() | st.binary(max_size=3),
            st.dictionaries(slots, values),
            st.just(False),
            st.booleans(),
        ),
    ),
)


class AllNodes(dict):
    """Every node of the tries under a state, gathered by building them."""

    @classmethod
    def of(cls, state):
        nodes = cls()
        accounts = PartialTrie(rlp_root(), nodes)
        for address, (nonce, balance, storage) in state.items():
            trie = PartialTrie(rlp_root(), nodes)
            for slot, value in storage.items():
                trie.put(keccak(slot.to_bytes(32, "big")), rlp.encode_int(value))
            nodes.keep(trie)
            accounts.put(keccak(address), rlp.encode([nonce, balance, trie.root(), EMPTY_CODE_HASH]))
        nodes.keep(accounts)
        return nodes, accounts.root()

    def keep(self, trie):
        for encoded in trie.encoded_nodes():
            self[keccak(encoded)] = encoded


def rlp_root():
    return keccak(b"\x80")


def after(state, changes):
    found = {
        address: (nonce, balance, EMPTY_CODE_HASH, dict(storage))
        for address, (nonce, balance, storage) in state.items()
    }
    for address, diff in changes.items():
        if diff.deleted:
            found.pop(address, None)
            continue
        nonce, balance, code_hash, storage = found.get(address, (0, 0, EMPTY_CODE_HASH, {}))
        storage = {**({} if diff.storage_cleared else storage), **diff.storage}
        found[address] = (
            nonce if diff.nonce is None else diff.nonce,
            balance if diff.balance_wei is None else diff.balance_wei,
            code_hash if diff.code is None else keccak(diff.code),
            {slot: value for slot, value in storage.items() if value},
        )
    return found


@settings(max_examples=200, deadline=None)
@given(states, diffs)
def test_the_root_after_any_changes_is_that_of_the_changed_state(state, changes):
    nodes, root = AllNodes.of(state)
    witness = Witness(root, nodes, {}, {})
    expected = state_root(after(state, changes))
    assert witness.root_by_reference(changes) == expected
    if native_is_installed():
        assert witness.root_after(changes) == expected


class Noting(dict):
    """Nodes that note which of them were asked for: the proof of a key."""

    def __init__(self, nodes):
        super().__init__(nodes)
        self.asked = {}

    def get(self, key, default=None):
        found = super().get(key, default)
        if found is not None:
            self.asked[key] = found
        return found


def proof(root, nodes, key):
    noting = Noting(nodes)
    PartialTrie(root, noting).get(key)
    return noting.asked


@settings(deadline=None)
@given(st.sets(st.integers(0, 40), min_size=1), st.integers(0, 40))
@example({*range(11), 18, 28}, 12)  # what stays is a branch
def test_a_removal_is_joined_to_what_a_proof_of_the_state_after_shows(numbers, which):
    """What `captures/record_witness.py` relies on where a node has no witnesses to give."""
    keys = {number: keccak(bytes([number])) for number in numbers}
    gone = keys[sorted(numbers)[which % len(numbers)]]
    roots, nodes = [], []
    for kept in (keys.values(), [key for key in keys.values() if key != gone]):
        trie = PartialTrie(rlp_root(), {})
        for key in kept:
            trie.put(key, b"value of more than a few bytes " + key)
        roots.append(trie.root())
        nodes.append({keccak(encoded): encoded for encoded in trie.encoded_nodes()})
    before, later = (proof(root, held, gone) for root, held in zip(roots, nodes, strict=True))
    grown = {keccak(node): node for found in later.values() for node in shortened_paths(found)}
    branch = PartialTrie(roots[1], later).branch_beside(gone)
    if branch is not None:  # what stays beside it is a branch: the proof of whatever is below it shows it
        below = next(key for key in keys.values() if key != gone and nibbles_of(key).startswith(branch))
        grown |= proof(roots[0], nodes[0], below)
    trie = PartialTrie(roots[0], before | grown)
    trie.put(gone, b"")
    assert trie.root() == roots[1]
