"""What a relay's answer means, in the words of each relay."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mev_dagster.pbs.client.answers import AnswerClass, classify, message_of

GONE = AnswerClass.TERMINAL_SLOT


def boost(text: str) -> bytes:
    """An error body of mev-boost-relay."""
    return json.dumps({"code": 400, "message": text}).encode()


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"", AnswerClass.ACCEPTED),
        (200, b"{}\n", AnswerClass.ACCEPTED),
        (200, b"<html>", AnswerClass.UNKNOWN),
        (202, boost("accepted bid below floor, skipped validation"), AnswerClass.ACCEPTED_SKIPPED),
        (202, b'"accepted bid below floor, skipped validation"', AnswerClass.ACCEPTED_SKIPPED),
        (400, boost("payload attributes not (yet) known"), AnswerClass.NOT_YET),
        (400, boost("simulation failed: unknown ancestor"), AnswerClass.TRANSIENT),
        (400, boost("simulation failed: missing trie node 12"), AnswerClass.TRANSIENT),
        (400, boost("simulation failed: block requires a reorg"), AnswerClass.TRANSIENT),
        (400, boost("read tcp 1.2.3.4: i/o timeout"), AnswerClass.TRANSIENT),
        (502, b"Bad gateway", AnswerClass.TRANSIENT),
        (503, b"", AnswerClass.TRANSIENT),
        (504, boost("validation request timeout"), AnswerClass.TRANSIENT),
        (429, b"", AnswerClass.RATE_LIMITED),
        (400, boost("submission for past slot"), GONE),
        (400, boost("could not find slot duty"), GONE),
        (400, b"payload for this slot was already delivered", GONE),
        (400, boost("already using a newer payload"), GONE),
        (400, boost("simulation failed: wrong state root"), AnswerClass.TERMINAL_BLOCK),
        (400, boost("invalid signature"), AnswerClass.TERMINAL_BLOCK),
        (400, boost("not fulu payload"), AnswerClass.TERMINAL_BLOCK),
        (302, b"", AnswerClass.REFUSED),
        (418, b"\xff\xfe", AnswerClass.UNKNOWN),
        (400, b"[" * 100_000, AnswerClass.UNKNOWN),
    ],
)
def test_answers_of_mev_boost_relay_are_classified(status, body, outcome):
    assert classify(status, body) is outcome


@pytest.mark.parametrize(
    ("status", "text", "outcome"),
    [
        (400, "payload attributes not yet known", AnswerClass.NOT_YET),
        (400, "block validation: unknown parent hash: submission: 0x12, have: [0x34]", AnswerClass.NOT_YET),
        (400, "block validation: submission for wrong slot. expected: 11, got: 12", AnswerClass.NOT_YET),
        (
            400,
            "block validation: submission for wrong slot. expected: 12, got: 11",
            GONE,
        ),
        (
            400,
            "block validation: already processing newer payload for this builder",
            GONE,
        ),
        (
            400,
            "block validation: out of sequence submission: seen: 2, this request: 1",
            GONE,
        ),
        (400, "delivering payload: bid_slot: 7, delivering: 7", GONE),
        (400, "late sim, already on next slot", GONE),
        (400, "could not find proposer duty for slot", GONE),
        (400, 'block simulation: BlockValidationFailed("unknown ancestor")', AnswerClass.TRANSIENT),
        (400, "block simulation: NoSimulatorAvailable", AnswerClass.TRANSIENT),
        (408, "block simulation: Timeout", AnswerClass.TRANSIENT),
        (408, "request timeout", AnswerClass.TRANSIENT),
        (400, 'block simulation: BlockValidationFailed("wrong state root")', AnswerClass.TERMINAL_BLOCK),
        (400, "block validation: not Fulu payload", AnswerClass.TERMINAL_BLOCK),
        (400, "block validation: zero value block", AnswerClass.TERMINAL_BLOCK),
        (400, "signature: InvalidBlsSignature", AnswerClass.TERMINAL_BLOCK),
        (400, "ssz decode error: OffsetSkipsVariableBytes(4)", AnswerClass.TERMINAL_BLOCK),
        (401, "invalid api key", AnswerClass.REFUSED),
        (500, "internal error", AnswerClass.SERVER_ERROR),
        (500, "datastore error: connection reset", AnswerClass.SERVER_ERROR),
    ],
)
def test_helix_s_plain_texts_are_classified(status, text, outcome):
    assert classify(status, text.encode()) is outcome


@pytest.mark.parametrize("status", [500, 501, 520, 599])
def test_a_server_s_own_error_is_a_class_of_its_own(status):
    assert classify(status, boost("failed saving and updating bid")) is AnswerClass.SERVER_ERROR


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"null", AnswerClass.ACCEPTED),
        (200, b'""', AnswerClass.ACCEPTED),
        (200, b'{"message":""}', AnswerClass.ACCEPTED),
        (204, b"", AnswerClass.ACCEPTED),
        (200, b'{"error":"simulation failed: wrong state root"}', AnswerClass.TERMINAL_BLOCK),
        (200, b'{"error":{"code":-32000,"message":"submission for past slot"}}', GONE),
        (200, b"<!doctype html><title>Just a moment...</title>", AnswerClass.UNKNOWN),
        (400, b'\xef\xbb\xbf{"code":400,"message":"submission for past slot"}', GONE),
        (
            400,
            b'{"statusCode":400,"message":["invalid signature"],"error":"Bad Request"}',
            AnswerClass.TERMINAL_BLOCK,
        ),
        (400, b'{"title":"Bad Request","detail":"payload attributes not (yet) known"}', AnswerClass.NOT_YET),
        (400, boost("simulation failed: block already known"), GONE),
        (400, b"", AnswerClass.UNKNOWN),
        (400, b"<html><title>400 Bad Request</title><p>submission for past slot", AnswerClass.UNKNOWN),
        (403, b"<html><title>Attention Required! | Cloudflare</title>", AnswerClass.REFUSED),
        (404, b"404 page not found\n", AnswerClass.REFUSED),
        (413, b"<html><head><title>413 Request Entity Too Large</title>", AnswerClass.TERMINAL_BLOCK),
        (415, boost("invalid content type"), AnswerClass.REFUSED),
        (429, b"<html><title>429 Too Many Requests</title>", AnswerClass.RATE_LIMITED),
        (500, b"", AnswerClass.SERVER_ERROR),
        (500, b"<html><title>Internal Server Error</title>", AnswerClass.SERVER_ERROR),
        (502, b"<html>\r\n<head><title>502 Bad Gateway</title></head>", AnswerClass.TRANSIENT),
        (522, b"error code: 522", AnswerClass.TRANSIENT),
        (301, b'<a href="https://elsewhere">Moved Permanently</a>', AnswerClass.REFUSED),
        (307, b"", AnswerClass.REFUSED),
    ],
)
def test_what_proxies_and_frameworks_answer_in_a_relay_s_place_is_classified(status, body, outcome):
    assert classify(status, body) is outcome


def test_of_a_page_its_title_is_told():
    assert message_of(b"<html><head>\n<title>502 Bad\n Gateway</title></head></html>") == "502 Bad Gateway"


@given(st.binary(max_size=200), st.integers(100, 599))
def test_no_answer_breaks_the_classification(body, status):
    assert classify(status, body) in AnswerClass
    assert isinstance(message_of(body), str)
