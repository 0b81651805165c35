"""Relays are what the settings list: each with its own address, form, limits and breaker."""

import pytest

from mev_dagster.errors import InputError, RelayRefused
from mev_dagster.pbs.client.answers import AnswerClass
from mev_dagster.pbs.client.breaker import CircuitBreaker, FileMemory
from mev_dagster.pbs.client.registry import FOLDER, relay_clients
from mev_dagster.settings import RelayItem, Settings
from mev_dagster.telemetry.tracing import Tracing

A, B = "http://127.0.0.1:18551", "http://127.0.0.1:18552"


def clients(home, *items):
    return relay_clients([RelayItem(**item) for item in items], home=home, tracing=Tracing("builder"))


def test_each_relay_is_sent_what_it_likes(tmp_path):
    found = clients(
        tmp_path,
        {"url": A},
        {"url": B, "name": "other", "encoding": "json", "gzip": True, "timeout_ms": 500},
    )
    forms = [(one.endpoint.name, one.endpoint.json, one.endpoint.gzip) for one in found]
    assert forms == [("127.0.0.1:18551", False, False), ("other", True, True)]
    assert [one.endpoint.total_timeout_s for one in found] == [15.0, 0.5]


def test_a_relay_s_failures_are_its_own(tmp_path):
    breaker = CircuitBreaker(FileMemory(tmp_path / FOLDER, A))
    for _ in range(5):
        breaker.record(AnswerClass.TRANSIENT)
    assert [one._breaker.is_open for one in clients(tmp_path, {"url": A}, {"url": B})] == [True, False]


def test_a_kind_that_nobody_has_is_named(tmp_path):
    with pytest.raises(InputError, match="'grpc' is not known; there are http"):
        clients(tmp_path, {"url": A, "kind": "grpc"})


def test_a_public_relay_is_refused_before_anything_is_sent(tmp_path):
    with pytest.raises(RelayRefused):
        clients(tmp_path, {"url": "https://boost-relay.flashbots.net"})


def test_the_sandbox_is_the_relay_where_none_is_named(monkeypatch):
    monkeypatch.delenv("MEV_RELAY_URL", raising=False)
    assert [item.name for item in Settings().submission_relays] == ["sandbox"]
    assert [item.url for item in Settings(relay={"url": A}).submission_relays] == [A]
