"""`mev events`: for people a line an event, for programs one document."""

import json
from pathlib import Path

import pytest

from mev_dagster.cli import main
from mev_dagster.events.log import EventLogWriter
from mev_dagster.events.types import BlockSeen, Event, Lane, LaneState, LaneStatus, TxBody, TxRejected, TxSeen

HASH = bytes(range(32))
EVENTS: list[Event] = [
    LaneStatus(-1, 1_700_000_000_123_456_789, 1, Lane.RPC, "node", LaneState.CONNECTED, "[bold]"),
    TxSeen(-1, 1_700_000_001_000_000_000, 2, Lane.P2P, "p2p", HASH, peer="geth", announced_type=2),
    TxBody(-1, 1_700_000_001_000_000_000, 3, Lane.RPC, "node", HASH, b"x" * 200),
    TxRejected(-1, 1_700_000_001_000_000_000, 3, Lane.RPC, "node", HASH, "rlp_truncated", "", b"\x02"),
    BlockSeen(-1, 1_700_000_012_000_000_000, 4, Lane.RPC, "node", 5, HASH, HASH, b"h" * 600, (HASH,)),
]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    with EventLogWriter(tmp_path / "log") as writer:
        writer.append_many(EVENTS)
    return tmp_path / "log"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["events", *arguments])
    captured = capsys.readouterr()
    return int(ended.value.code or 0), captured.out, captured.err


def test_cat_prints_an_event_a_line(log: Path, capsys: pytest.CaptureFixture[str]):
    status, out, _ = run(capsys, "cat", str(log))
    lines = out.splitlines()
    assert status == 0
    assert len(lines) == 5
    assert lines[0].startswith(
        "2023-11-14 22:13:20.123456789         0 LaneStatus    rpc:node state=connected"
    )
    assert "reason=[bold]" in lines[0]
    assert f"tx_hash=0x{HASH.hex()} peer=geth announced_type=2" in lines[1]
    assert "raw=200 bytes" in lines[2]
    assert "number=5" in lines[4]
    assert "tx_hashes=1 hashes" in lines[4]


def test_cat_and_tail_take_a_part(log: Path, capsys: pytest.CaptureFixture[str]):
    _, out, _ = run(capsys, "cat", str(log), "--from", "1", "--limit", "2", "--json")
    assert [event["seq"] for event in json.loads(out)["events"]] == [1, 2]
    _, out, _ = run(capsys, "tail", str(log), "-n", "2", "--json")
    events = json.loads(out)["events"]
    assert [(event["seq"], event["kind"]) for event in events] == [(3, "TxRejected"), (4, "BlockSeen")]
    assert events[1]["tx_hashes"] == ["0x" + HASH.hex()]


def test_a_document_cannot_be_followed(log: Path, capsys: pytest.CaptureFixture[str]):
    status, _, err = run(capsys, "tail", str(log), "--follow", "--json")
    assert status == 2
    assert "one document" in err


def test_verify_prints_one_document(log: Path, capsys: pytest.CaptureFixture[str]):
    status, out, _ = run(capsys, "verify", str(log), "--json")
    document = json.loads(out)
    assert status == 0
    assert (document["segments"], document["events"], document["ok"], document["errors"]) == (1, 5, True, [])
    status, out, _ = run(capsys, "verify", str(log))
    assert status == 0
    assert "holds: 1 segments, 5 events, 0 to 4" in " ".join(out.split())


def test_prune_removes_what_is_old_and_says_so(log: Path, capsys: pytest.CaptureFixture[str]):
    with EventLogWriter(log) as writer:
        writer.seal()
    status, out, _ = run(capsys, "prune", str(log), "--older-than-days", "36500", "--json")
    assert (status, json.loads(out)) == (0, {"removed": []})
    status, out, _ = run(capsys, "prune", str(log), "--older-than-days", "30", "--json")
    assert (status, json.loads(out)) == (0, {"removed": ["000000000000.segment"]})
    assert run(capsys, "verify", str(log))[0] == 0


def test_a_log_in_use_is_not_pruned(log: Path, capsys: pytest.CaptureFixture[str]):
    with EventLogWriter(log):
        status, _, err = run(capsys, "prune", str(log), "--older-than-days", "1")
    assert status == 1
    assert "is writing this log" in err


def test_a_missing_log_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for command in ("verify", "cat", "tail"):
        status, _, err = run(capsys, command, str(tmp_path / "nowhere"))
        assert status == 2
        assert err.count("\n") == 1
        assert "nowhere: no such event log" in err
