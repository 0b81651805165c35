"""Logs are one JSON object a line and never hold a secret."""

import io
import json

import pytest

from mev_dagster.telemetry.logging import cleaned, configure, logger, public_address


@pytest.fixture
def lines():
    stream = io.StringIO()
    configure("DEBUG", stream=stream, json=True)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    configure("WARNING")


def test_an_event_is_one_json_object_with_its_fields(lines):
    logger("ingest.rpc").info("connected", source="node:8546", blocks=3, block_hash=b"\x01\x02")
    (line,) = lines()
    assert (line["level"], line["room"], line["event"]) == ("info", "ingest.rpc", "connected")
    assert (line["source"], line["blocks"], line["block_hash"]) == ("node:8546", 3, "0x0102")


def test_an_api_key_in_an_address_is_not_logged(lines):
    error = ConnectionError("cannot reach wss://user:pw@node.example/v3/0123abcd?key=zzz today")
    logger("ingest").warning("lane down", error=error, url="https://host.example:8443/secretkey")
    (line,) = lines()
    assert line["error"] == "ConnectionError: cannot reach wss://node.example today"
    assert line["url"] == "https://host.example:8443"


def test_fields_named_like_a_secret_are_masked(lines):
    logger("store").info("opened", store_password="hunter2", headers={"Authorization": "Bearer x", "n": 1})
    (line,) = lines()
    assert line["store_password"] == "***"
    assert line["headers"] == {"Authorization": "***", "n": 1}


def test_an_exception_keeps_its_trace_without_its_secrets(lines):
    try:
        raise RuntimeError("ws://u:p@h:1/key")
    except RuntimeError:
        logger("ingest").exception("lane died")
    (line,) = lines()
    assert line["level"] == "error"
    assert "RuntimeError: ws://h:1" in line["trace"]
    assert "u:p" not in line["trace"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://127.0.0.1:8545/key", "ws://127.0.0.1:8545"),
        ("https://u:p@h.example/x?y=z", "https://h.example"),
        ("ws://[::1]:8546", "ws://[::1]:8546"),
        ("not an address", "***"),
        ("ws://host:notaport", "***"),
    ],
)
def test_an_address_shows_scheme_host_and_port_only(url, shown):
    assert public_address(url) == shown


def test_text_without_addresses_is_unchanged():
    assert cleaned("block 12 at 12:30") == "block 12 at 12:30"


@pytest.mark.parametrize("after", [": refused", ", then", ".", ";", ") and"])
def test_punctuation_behind_an_address_does_not_hide_it(after):
    assert cleaned(f"no answer from ws://user:key@127.0.0.1:8545/secret{after}") == (
        f"no answer from ws://127.0.0.1:8545{after}"
    )
    assert cleaned(f"http://127.0.0.1:8545{after}") == f"http://127.0.0.1:8545{after}"
