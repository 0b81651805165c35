"""JSON-RPC answers and era1 files: blocks come out checked, damage is counted or named."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from era1_files import entry, root_of, snappy, write_era1
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mev_dagster.captures.format import open_capture
from mev_dagster.captures.importers import (
    Format,
    block_files,
    era1,
    import_blocks_prestate,
    import_era1,
    import_files,
    import_rpc_answers,
    prestate_files,
    rpc_answers,
)
from mev_dagster.captures.importers.choose import guess_format
from mev_dagster.captures.importers.e2store import MAX_ENTRY_BYTES, entries, unsnap
from mev_dagster.captures.importers.era1 import accumulator_root, blocks_of
from mev_dagster.captures.verify import verify_capture
from mev_dagster.chain.blocks import Block, Header, encode_header, header_hash, transactions_root
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.receipts import Receipt, receipts_root
from mev_dagster.chain.rlp import decode
from mev_dagster.chain.rlp import encode as rlp_encode
from mev_dagster.chain.rlp import encode_list as rlp_encode_list
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.errors import CaptureError, ImportRefused, InputError
from mev_dagster.events.types import BlockSeen, TxSeen


def make_chain(
    count: int, first: int = 9_000_000, *, chain_id: int = 1
) -> list[tuple[Block, tuple[Receipt, ...]]]:
    """Return consecutive pre-merge blocks with a transaction and its receipt each, 13 s apart."""
    chain, parent = [], bytes(32)
    for number in range(first, first + count):
        transaction = sign_transaction(
            b"\x01" * 32,
            type=0,
            chain_id=chain_id,
            nonce=number,
            to=b"\x05" * 20,
            value_wei=1,
            gas_limit=21_000,
            gas_price_wei=10**9,
        )
        receipt = Receipt(0, 1, None, 21_000, 21_000, ())
        header = Header(
            parent_hash=parent,
            uncles_hash=keccak(rlp_encode([])),
            coinbase=bytes(20),
            state_root=bytes(32),
            transactions_root=transactions_root([transaction]),
            receipts_root=receipts_root([receipt]),
            logs_bloom=bytes(256),
            difficulty=1000 + number,
            number=number,
            gas_limit=10_000_000,
            gas_used=21_000,
            timestamp=1_570_000_000 + 5 * (number - first),
            extra_data=b"",
            mix_hash=bytes(32),
            nonce=bytes(8),
        )
        parent = header_hash(header)
        chain.append((Block(parent, header, (transaction,)), (receipt,)))
    return chain


@pytest.fixture(scope="module")
def chain() -> list[tuple[Block, tuple[Receipt, ...]]]:
    return make_chain(20)


@pytest.fixture(scope="module")
def era_file(chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_era1(tmp_path_factory.mktemp("era") / "mainnet-01098.era1", chain)


def test_an_era1_file_gives_its_blocks_and_receipts(chain, era_file: Path, tmp_path: Path):
    report = import_files([era_file], tmp_path / "out")
    assert (report.blocks, report.transactions, report.rejected) == (20, 20, {})
    with open_capture(tmp_path / "out") as capture:
        assert capture.chain_id == 1
        assert capture.synthetic
        assert [(capture.block(n), capture.receipts(n)) for n in capture.numbers] == chain
    assert verify_capture(tmp_path / "out").receipts_root_matches == 20


def test_a_transaction_arrives_after_the_parent_where_the_parent_is_known(era_file: Path, tmp_path: Path):
    import_era1([era_file], tmp_path / "out")
    head_ns = 0
    with open_capture(tmp_path / "out") as capture:
        for event in capture.events():
            if isinstance(event, TxSeen):
                assert event.wall_ns > head_ns
            elif isinstance(event, BlockSeen):
                head_ns = event.wall_ns


def test_the_accumulator_is_the_ssz_root_of_all_headers():
    for count in (0, 1, 2, 3, 5, 8191, 8192):
        records = [index.to_bytes(64, "big") for index in range(count)]
        assert accumulator_root(records) == root_of(records)


def test_headers_that_do_not_make_the_accumulator_are_refused(chain, era_file: Path, tmp_path: Path):
    content = bytearray(era_file.read_bytes())
    accumulator = content.index(entry(0x07, b"")[:2] + (32).to_bytes(6, "little"), 1000)
    content[accumulator + 8] ^= 1
    (tmp_path / "mainnet-0.era1").write_bytes(content)
    with pytest.raises(CaptureError, match="do not make the file's accumulator"):
        import_era1([tmp_path / "mainnet-0.era1"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_named_after_another_accumulator_is_refused(chain, tmp_path: Path):
    path = write_era1(tmp_path / "mainnet-01098-0badc0de.era1", chain)
    with pytest.raises(CaptureError, match="named after another accumulator"):
        import_era1([path], tmp_path / "out")


def test_receipts_that_do_not_fit_their_block_are_counted_and_left_out(chain, tmp_path: Path):
    block, (receipt,) = chain[3]
    changed = [*chain[:3], (block, (replace(receipt, cumulative_gas_used=5),)), *chain[4:]]
    report = import_era1([write_era1(tmp_path / "mainnet-0.era1", changed)], tmp_path / "out")
    assert (report.blocks, report.rejected) == (20, {"receipts_do_not_match": 1})
    with open_capture(tmp_path / "out") as capture:
        assert not capture.has_receipts(block.header.number)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda chain: [chain[0], chain[2]], "follows block"),
        (lambda chain: [(replace(chain[0][0], transactions=()), chain[0][1])], ""),
    ],
)
def test_a_gap_or_a_foreign_body_is_found(chain, tmp_path: Path, change: Callable, complaint: str):
    path = write_era1(tmp_path / "mainnet-0.era1", change(chain))
    if complaint:
        with pytest.raises(CaptureError, match=complaint):
            import_era1([path], tmp_path / "out")
    else:
        with pytest.raises(ImportRefused, match="1 x block_mismatch"):
            import_era1([path], tmp_path / "out")


def test_whose_chain_an_era1_file_is_has_to_be_known(chain, tmp_path: Path):
    path = write_era1(tmp_path / "history.era1", chain)
    with pytest.raises(InputError, match="whose chain"):
        import_era1([path], tmp_path / "out")
    assert import_era1([path], tmp_path / "out", chain_id=1).blocks == 20


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_make_the_era1_reader_fail_but_by_type(
    tmp_path_factory: pytest.TempPathFactory, era_file: Path, data: st.DataObject
):
    content = bytearray(era_file.read_bytes())
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "mainnet-0.era1"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(CaptureError):
        for found in blocks_of(path):
            found.header.number.bit_length()
    with suppress(CaptureError):
        import_era1([path], path.with_name("out"))


@given(st.binary(max_size=200))
def test_no_bytes_make_snappy_fail_but_by_type(data: bytes):
    for frames in (data, snappy(b"x")[:10] + data):
        with suppress(CaptureError):
            unsnap(frames)


def test_sizes_are_refused_before_they_are_allocated(tmp_path: Path):
    path = tmp_path / "huge.era1"
    path.write_bytes(b"\x65\x32" + (MAX_ENTRY_BYTES + 1).to_bytes(6, "little"))
    with pytest.raises(CaptureError, match=f"a record of {MAX_ENTRY_BYTES + 1} bytes cannot be"):
        list(entries(path))
    crc, announced = bytes(4), b"\xff\xff\xff\xff\x0f"
    frame = b"\x00" + len(crc + announced).to_bytes(3, "little") + crc + announced
    with pytest.raises(CaptureError, match="snappy: 4294967295 bytes, the limit is"):
        unsnap(snappy(b"x")[:10] + frame)


@pytest.mark.fixtures
def test_json_rpc_answers_give_blocks_and_the_receipts_that_go_with_them(fixtures: Path, tmp_path: Path):
    report = import_rpc_answers([fixtures / "rpc_mainnet"], tmp_path / "out")
    assert report.blocks == 7
    assert report.rejected == {"receipts_without_block": 5}
    with open_capture(tmp_path / "out") as capture:
        with_receipts = [number for number in capture.numbers if capture.has_receipts(number)]
        assert with_receipts == [4662649, 18000000, 18951424, 20000000]
    assert verify_capture(tmp_path / "out").receipts_root_matches == 4


def test_answers_that_are_of_no_use_are_counted_by_reason(tmp_path: Path):
    answers = [
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "no"}},
        {"jsonrpc": "2.0", "id": 1, "result": None},
        {"jsonrpc": "2.0", "id": 1, "result": {"parentHash": "0x", "transactions": ["0x12"]}},
        {"response": {"jsonrpc": "2.0", "result": ["0x00"]}},
        {"response": {"jsonrpc": "2.0", "result": "0xzz"}},
        17,
        {"jsonrpc": "2.0", "result": {"parentHash": "0x", "number": "0x5", "transactions": []}},
    ]
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    with pytest.raises(ImportRefused) as refused:
        import_rpc_answers([tmp_path / "answers.json"], tmp_path / "out")
    reasons = str(refused.value).partition(": ")[2].split(", ")
    assert reasons == [
        "1 x bad_json_field",
        "1 x empty_answer",
        "1 x error_answer",
        "1 x no_block_or_receipts",
        "1 x not_hex",
        "1 x raw_receipts_without_request",
        "1 x transactions_are_hashes",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["answers.json"]


def raw_answer(block: Block) -> str:
    """A block as debug_getRawBlock answers it."""
    transactions = rlp_encode([decode(one.raw) for one in block.transactions])
    listed = rlp_encode_list([encode_header(block.header), transactions, rlp_encode([])])
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": "0x" + listed.hex()})


@pytest.mark.parametrize("name", ["blocks.ndjson", "blocks.jsonl", "blocks.json", "blocks.ndjson.zst"])
def test_a_block_a_line_is_imported_whatever_the_file_is_called(chain, tmp_path: Path, name: str):
    lines = "\n".join([raw_answer(block) for block, _ in chain[:5]] + ["", "no json", ""]).encode()
    (tmp_path / name).write_bytes(zstandard.compress(lines) if name.endswith(".zst") else lines)
    report = import_files([tmp_path / name], tmp_path / "out")
    assert (report.blocks, report.rejected) == (5, {"not_json": 1})


def test_the_chain_is_the_one_the_transactions_are_signed_for(tmp_path: Path):
    sepolia = make_chain(3, chain_id=11155111)
    (tmp_path / "blocks.ndjson").write_text("\n".join(raw_answer(block) for block, _ in sepolia))
    import_files([tmp_path / "blocks.ndjson"], tmp_path / "out")
    with open_capture(tmp_path / "out") as capture:
        assert capture.manifest.chain_id == 11155111


def test_blocks_of_another_chain_than_the_one_named_are_refused_and_leave_nothing(chain, tmp_path: Path):
    (tmp_path / "blocks.ndjson").write_text(raw_answer(chain[0][0]))
    with pytest.raises(ImportRefused, match="1 x other_chain"):
        import_files([tmp_path / "blocks.ndjson"], tmp_path / "out", chain_id=5)
    assert [path.name for path in tmp_path.iterdir()] == ["blocks.ndjson"]


ANSWER_FIELDS = [
    "jsonrpc",
    "result",
    "response",
    "request",
    "params",
    "transactions",
    "parentHash",
    "number",
    "blockNumber",
    "error",
]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("0x12"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(ANSWER_FIELDS),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_json_makes_the_reader_of_answers_fail_but_by_type(
    tmp_path_factory: pytest.TempPathFactory, document: object
):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "answers.json").write_text(json.dumps(document))
    with suppress(InputError):
        import_rpc_answers([folder / "answers.json"], folder / "out")


@pytest.mark.fixtures
def test_the_format_is_told_by_the_files(fixtures: Path, era_file: Path, tmp_path: Path):
    (tmp_path / "day.csv").touch()
    assert guess_format([fixtures / "blocks_prestate"]) is Format.BLOCKS
    assert guess_format([fixtures / "blocks_prestate" / "46147.json.zst"]) is Format.BLOCKS
    assert guess_format([fixtures / "rpc_mainnet"]) is Format.RPC
    assert guess_format([tmp_path]) is Format.DUMPSTER
    assert guess_format([era_file]) is Format.ERA1
    with pytest.raises(InputError, match="nothing there that can be imported"):
        guess_format([tmp_path / "notes.txt"])


def interrupt_at(stop: int) -> Callable[[int, int | None, str], None]:
    def interrupt(done: int, total: int | None, detail: str) -> None:
        if done == stop:
            raise KeyboardInterrupt

    return interrupt


def same_files(one: Path, two: Path) -> bool:
    return all(file.read_bytes() == (two / file.name).read_bytes() for file in one.iterdir())


def test_an_interrupted_era1_import_goes_on_and_ends_in_the_same_bytes(
    era_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(era1, "CHECKPOINT_BLOCKS", 3)
    import_era1([era_file], tmp_path / "whole")
    for stop in (5, 11, 20):
        with pytest.raises(KeyboardInterrupt):
            import_era1([era_file], tmp_path / "out", on_progress=interrupt_at(stop))
    assert import_era1([era_file], tmp_path / "out").resumed_at == 18
    assert same_files(tmp_path / "whole", tmp_path / "out")


@pytest.mark.fixtures
def test_an_interrupted_import_of_block_files_goes_on_and_ends_in_the_same_bytes(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prestate_files, "CHECKPOINT_BLOCKS", 2)
    files = block_files([fixtures / "blocks_prestate"])[:7]
    import_blocks_prestate(files, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        import_blocks_prestate(files, tmp_path / "out", on_progress=interrupt_at(5))
    assert import_blocks_prestate(files, tmp_path / "out").resumed_at == 4
    assert same_files(tmp_path / "whole", tmp_path / "out")
    assert verify_capture(tmp_path / "out").ok


@pytest.mark.fixtures
def test_an_interrupted_import_of_answers_goes_on_and_ends_in_the_same_bytes(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rpc_answers, "CHECKPOINT_BLOCKS", 2)
    sources = [fixtures / "rpc_mainnet"]
    whole = import_rpc_answers(sources, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        import_rpc_answers(sources, tmp_path / "out", on_progress=interrupt_at(5))
    resumed = import_rpc_answers(sources, tmp_path / "out")
    assert (resumed.resumed_at, resumed.rejected) == (4, whole.rejected)
    assert same_files(tmp_path / "whole", tmp_path / "out")
