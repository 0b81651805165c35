"""A capture gives back what went in, is the same bytes twice, and says which part is wrong."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mev_dagster.captures.format import Capture, CaptureWriter, open_capture
from mev_dagster.captures.layout import PART_NAMES
from mev_dagster.captures.manifest import ArrivalTimes, SearcherInfo
from mev_dagster.captures.verify import verify_capture
from mev_dagster.chain.blocks import Block, Header, header_hash, transactions_root, withdrawals_root
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.receipts import Log, Receipt, receipts_root
from mev_dagster.chain.rlp import encode as rlp_encode
from mev_dagster.chain.signing import sign_transaction
from mev_dagster.errors import CaptureError, InputError
from mev_dagster.events.types import Lane, TxSeen
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.types import EMPTY_CODE_HASH, Account

KEY = b"\x01" * 32
CODE = bytes.fromhex("60006000fd")
SEARCHER = SearcherInfo("mev_dagster TEST-ONLY searcher 1", b"\x02" * 20, b"\x03" * 20, b"\x04" * 20)


def make_block(number: int) -> tuple[Block, tuple[Receipt, ...]]:
    transaction = sign_transaction(
        KEY,
        type=2,
        chain_id=31337,
        nonce=number,
        to=b"\x05" * 20,
        value_wei=number,
        gas_limit=30_000,
        max_fee_per_gas_wei=10**9,
        max_priority_fee_per_gas_wei=1,
    )
    receipt = Receipt(2, 1, None, 30_000, 30_000, (Log(b"\x05" * 20, (bytes(32),), b"data"),))
    header = Header(
        parent_hash=bytes(32),
        uncles_hash=keccak(rlp_encode([])),
        coinbase=bytes(20),
        state_root=bytes(32),
        transactions_root=transactions_root([transaction]),
        receipts_root=receipts_root([receipt]),
        logs_bloom=bytes(256),
        difficulty=0,
        number=number,
        gas_limit=30_000_000,
        gas_used=30_000,
        timestamp=1_700_000_000 + 12 * number,
        extra_data=b"",
        mix_hash=bytes(32),
        nonce=bytes(8),
        base_fee_per_gas_wei=7,
        withdrawals_root=withdrawals_root([]),
    )
    return Block(header_hash(header), header, (transaction,), (), ()), (receipt,)


def make_prestate(number: int) -> Prestate:
    accounts = {
        b"\x05" * 20: Account(number, 1, keccak(CODE), {1: number}),
        b"\x06" * 20: Account(5, 0, EMPTY_CODE_HASH),
    }
    return Prestate(accounts, {keccak(CODE): CODE}, {number - 1: bytes(32)}, complete=True)


def make_event(seq: int) -> TxSeen:
    return TxSeen(seq, 1_000 + seq, seq, Lane.RPC, "node", seq.to_bytes(32, "big"))


def write(path: Path, blocks: range = range(1, 4), events: int = 5) -> Path:
    with CaptureWriter(
        path,
        chain_id=31337,
        arrival_times=ArrivalTimes.OBSERVED,
        recorded_with="a test",
        searcher=SEARCHER,
        contracts={"weth": b"\x04" * 20},
    ) as writer:
        for number in blocks:
            block, receipts = make_block(number)
            writer.add_block(block, receipts, make_prestate(number))
        for seq in range(events):
            writer.add_event(replace(make_event(seq), seq=-1))
    return path


@pytest.fixture(scope="module")
def capture_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("captures") / "capture")


def test_everything_comes_back_as_it_went_in(capture_path: Path):
    with open_capture(capture_path) as capture:
        assert capture.numbers == (1, 2, 3)
        for number in capture.numbers:
            assert (capture.block(number), capture.receipts(number)) == make_block(number)
            assert capture.prestate(number).canonical() == make_prestate(number).canonical()
            assert capture.prestate(number).code(keccak(CODE)) == CODE
        assert [event.seq for event in capture.events()] == [0, 1, 2, 3, 4]
        assert next(capture.events()) == make_event(0)
        assert capture.searcher == SEARCHER
        assert capture.manifest.contracts == {"weth": b"\x04" * 20}
        assert not capture.synthetic


def test_the_same_input_makes_the_same_bytes(tmp_path: Path, capture_path: Path):
    again = write(tmp_path / "again")
    for name in (*PART_NAMES, "capture.json"):
        assert (again / name).read_bytes() == (capture_path / name).read_bytes()


def test_codes_are_stored_once(capture_path: Path):
    with open_capture(capture_path) as capture:
        assert capture.part("codes.zst").records == 1


def test_a_capture_that_holds_nothing_is_still_one(tmp_path: Path):
    report = verify_capture(write(tmp_path / "empty", range(0), 0))
    assert (report.ok, report.blocks, report.events) == (True, 0, 0)


def test_a_sound_capture_verifies(capture_path: Path):
    report = verify_capture(capture_path)
    assert report.ok, report.errors
    assert (report.blocks, report.txs, report.events, report.prestates, report.codes) == (3, 3, 5, 3, 1)
    assert report.receipts_root_matches == report.receipts_root_checked == 3


def test_what_the_capture_lacks_is_named(tmp_path: Path, capture_path: Path):
    with open_capture(capture_path) as capture, pytest.raises(CaptureError, match="nothing about block 9"):
        capture.block(9)
    bare = tmp_path / "bare"
    with CaptureWriter(
        bare, chain_id=31337, arrival_times=ArrivalTimes.OBSERVED, recorded_with="a test"
    ) as writer:
        writer.add_block(make_block(1)[0])
    with open_capture(bare) as capture:
        assert not capture.has_prestate(1)
        assert not capture.has_receipts(1)
        with pytest.raises(CaptureError, match=r"prestates\.zst: holds nothing about block 1"):
            capture.prestate(1)


def test_blocks_out_of_order_and_receipts_that_do_not_fit_are_refused(tmp_path: Path):
    writer = CaptureWriter(
        tmp_path / "out", chain_id=1, arrival_times=ArrivalTimes.OBSERVED, recorded_with="a test"
    )
    block, receipts = make_block(5)
    writer.add_block(block, receipts)
    with pytest.raises(InputError, match="block 5: blocks of a capture ascend"):
        writer.add_block(block, receipts)
    with pytest.raises(InputError, match="1 transactions, 2 receipts"):
        writer.add_block(make_block(6)[0], receipts * 2)
    writer.abandon()


def test_synthetic_times_need_their_rule(tmp_path: Path):
    with pytest.raises(InputError, match="rule"):
        CaptureWriter(
            tmp_path / "out", chain_id=1, arrival_times=ArrivalTimes.SYNTHETIC, recorded_with="a test"
        )


def test_a_failed_write_leaves_no_capture(tmp_path: Path):
    with (
        pytest.raises(RuntimeError),
        CaptureWriter(
            tmp_path / "out", chain_id=1, arrival_times=ArrivalTimes.OBSERVED, recorded_with="a test"
        ),
    ):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_an_existing_capture_is_not_overwritten_by_accident(tmp_path: Path):
    path = write(tmp_path / "out")
    with pytest.raises(InputError, match="already exists"):
        write(path)


def read_everything(capture: Capture) -> None:
    for name in PART_NAMES:
        capture.part(name)
    list(capture.events())
    for number in capture.numbers:
        capture.block(number)
        if capture.has_receipts(number):
            capture.receipts(number)
        if capture.has_prestate(number):
            capture.prestate(number)


def copy(source: Path, target: Path) -> Path:
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


@pytest.mark.parametrize("name", PART_NAMES)
@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1], lambda data: data[:5], lambda data: data[:20] + b"\0" + data[21:]],
    ids=["cut", "stump", "altered"],
)
def test_a_damaged_part_is_named(
    tmp_path: Path, capture_path: Path, name: str, damage: Callable[[bytes], bytes]
):
    path = copy(capture_path, tmp_path / "damaged")
    (path / name).write_bytes(damage((path / name).read_bytes()))
    with pytest.raises(CaptureError, match=f"part {name}"), open_capture(path) as capture:
        read_everything(capture)
    report = verify_capture(path)
    assert not report.ok
    assert any(f"part {name}" in error for error in report.errors)


def test_a_missing_part_and_a_missing_manifest_are_named(tmp_path: Path, capture_path: Path):
    path = copy(capture_path, tmp_path / "damaged")
    (path / "blocks.zst").unlink()
    with pytest.raises(CaptureError, match=r"part blocks\.zst"):
        open_capture(path)
    (path / "capture.json").unlink()
    with pytest.raises(CaptureError, match=r"capture\.json is missing"):
        open_capture(path)


def test_a_later_format_version_is_refused(tmp_path: Path, capture_path: Path):
    path = copy(capture_path, tmp_path / "later")
    document = json.loads((path / "capture.json").read_text()) | {"format_version": 2, "new": {}}
    (path / "capture.json").write_text(json.dumps(document))
    with pytest.raises(CaptureError, match="format version 2, this program reads 1"):
        open_capture(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_makes_a_reader_fail_with_anything_but_a_capture_error(
    tmp_path_factory: pytest.TempPathFactory, capture_path: Path, data: st.DataObject
):
    """Also when the manifest has been made to agree with the damage, as someone hostile would."""
    path = copy(capture_path, tmp_path_factory.mktemp("fuzz") / "capture")
    name = data.draw(st.sampled_from((*PART_NAMES, "capture.json")))
    content = bytearray((path / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.sampled_from([len(content), len(content) - 1, len(content) // 2]))]
    (path / name).write_bytes(content)
    if name != "capture.json":
        forge(path)
    with suppress(CaptureError), open_capture(path) as capture:
        read_everything(capture)


def forge(path: Path) -> None:
    import hashlib

    document = json.loads((path / "capture.json").read_text())
    for part in document["parts"]:
        content = (path / part["name"]).read_bytes()
        part |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (path / "capture.json").write_text(json.dumps(document))
