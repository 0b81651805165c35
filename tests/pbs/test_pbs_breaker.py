"""A relay that keeps failing is given up for a while, by every run that comes after."""

import pytest

from mev_dagster.pbs.client import breaker as breakers
from mev_dagster.pbs.client.answers import AnswerClass
from mev_dagster.pbs.client.breaker import BreakerState, CircuitBreaker, FileMemory

URL = "http://127.0.0.1:18550"


def failed(breaker: CircuitBreaker, times: int, outcome: AnswerClass = AnswerClass.TRANSIENT) -> None:
    for _ in range(times):
        breaker.record(outcome)


def test_an_open_breaker_lets_one_probe_of_each_slot_through():
    breaker = CircuitBreaker(threshold=2)
    for _ in range(2):
        assert breaker.allows(7)
        breaker.record(AnswerClass.TRANSIENT)
    assert [breaker.allows(7), breaker.allows(7), breaker.allows(8)] == [True, False, True]
    breaker.record(AnswerClass.TERMINAL_BLOCK)
    assert breaker.allows(8)


def test_a_server_error_counts_as_a_failure():
    breaker = CircuitBreaker(threshold=2)
    failed(breaker, 2, AnswerClass.SERVER_ERROR)
    assert breaker.is_open


def test_a_request_for_patience_neither_opens_nor_closes_it():
    breaker = CircuitBreaker(threshold=2)
    failed(breaker, 1)
    failed(breaker, 3, AnswerClass.NOT_YET)
    assert not breaker.is_open
    failed(breaker, 1)
    failed(breaker, 1, AnswerClass.NOT_YET)
    assert breaker.is_open


def test_what_one_run_learnt_the_next_one_knows(tmp_path):
    failed(CircuitBreaker(FileMemory(tmp_path, URL)), 5)
    later = CircuitBreaker(FileMemory(tmp_path, URL))
    assert later.is_open
    assert [later.allows(9), CircuitBreaker(FileMemory(tmp_path, URL)).allows(9)] == [True, False]


def test_each_endpoint_has_its_own(tmp_path):
    failed(CircuitBreaker(FileMemory(tmp_path, URL)), 5)
    assert not CircuitBreaker(FileMemory(tmp_path, URL + "1")).is_open


def told(caplog) -> set[str]:
    return {record.msg["event"] for record in caplog.records}


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b'{"url":"http://127.0.0.1:18550","failures":"many","probed_slot":0}',
        b'{"url":"http://127.0.0.1:1","failures":9,"probed_slot":0}',
        b'{"url":"http://127.0.0.1:18550","failures":-1,"probed_slot":0}',
        b"0" * 10_000,
        b"[" * 10_000,
    ],
)
def test_a_damaged_file_is_said_and_begun_anew(tmp_path, caplog, damage):
    memory = FileMemory(tmp_path, URL)
    memory.write(BreakerState(9, 4))
    [file] = tmp_path.iterdir()
    file.write_bytes(damage)
    with caplog.at_level("WARNING", logger="mev"):
        assert memory.read() == BreakerState()
    assert told(caplog) == {"breaker_starts_anew"}
    memory.write(BreakerState(1))
    assert memory.read() == BreakerState(1)


def test_a_folder_that_takes_no_file_is_said_and_costs_nothing_else(tmp_path, caplog):
    (tmp_path / "taken").write_text("a file where the folder should be")
    with caplog.at_level("WARNING", logger="mev"):
        failed(CircuitBreaker(FileMemory(tmp_path / "taken", URL)), 1)
    assert "breaker_not_remembered" in told(caplog)


def test_only_so_many_endpoints_are_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(breakers, "MAX_ENDPOINTS", 3)
    for port in range(6):
        FileMemory(tmp_path, f"http://127.0.0.1:{port}").write(BreakerState(port))
    assert len(list(tmp_path.iterdir())) == 3


def test_as_many_endpoints_as_there_is_room_for_are_all_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(breakers, "MAX_ENDPOINTS", 300)
    for port in range(300):
        FileMemory(tmp_path, f"http://127.0.0.1:{port}").write(BreakerState(port))
    assert len(list(tmp_path.iterdir())) == 300
    FileMemory(tmp_path, "http://127.0.0.1:9999").write(BreakerState(1))
    assert len(list(tmp_path.iterdir())) == 300
