"""The relay client: what it may reach, what an answer means, when it tries again, and what it keeps."""

import asyncio
import gzip
import random
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pbs_sandbox import SLOT, connected, make_relay, make_submission, offer

from mev_dagster.errors import InputError, NodeAnswerError, RelayRefused, RelayUnreachable
from mev_dagster.pbs.client import guard
from mev_dagster.pbs.client.answers import AnswerClass
from mev_dagster.pbs.client.breaker import CircuitBreaker
from mev_dagster.pbs.client.policy import RetryPolicy
from mev_dagster.pbs.client.relay import RelayClient
from mev_dagster.pbs.client.report import SubmissionEnd
from mev_dagster.pbs.client.transport import RelayEndpoint
from mev_dagster.pbs.rows import receipt_rows, submission_rows
from mev_dagster.pbs.sandbox.relay import RelayRules
from mev_dagster.telemetry.clock import VirtualClock
from mev_dagster.telemetry.tracing import Tracing

# The guard


@pytest.mark.parametrize(
    "url",
    [
        "https://boost-relay.flashbots.net",
        "https://0xac6e77dfe25ecd6110b8e780608cce0dab71fdd5ebea22a16c0205200f2f8e2e3ad3b71d3499c54ad14d6c21b41a37ae@boost-relay.flashbots.net",
        "https://RELAY.ultrasound.money.",
        "https://bloxroute.max-profit.blxrbdn.com:443/x",
        "http://agnostic-relay.net",
    ],
)
def test_known_relays_are_refused_by_name(url):
    with pytest.raises(RelayRefused, match="public relay"):
        guard.check_relay_url(url)


def test_credentials_in_an_address_are_refused():
    with pytest.raises(RelayRefused, match="credentials"):
        guard.check_relay_url("http://0xabc@127.0.0.1:18550")


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:18550", "http://", "http://[::1", "http://h:x"]
)
def test_what_is_no_http_address_is_bad_input(url):
    with pytest.raises(InputError):
        guard.check_relay_url(url)


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "192.0.2.7", "8.8.8.8", "0.0.0.0", "::", "fe80::1%eth0", "::ffff:8.8.8.8", "2001:db8::1"],
)
def test_an_address_outside_loopback_gets_no_socket(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with pytest.raises(RelayRefused, match="loopback"):
        guard.loopback_socket((family, socket.SOCK_STREAM, 6, "", (host, 18550)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"])
def test_loopback_gets_a_socket(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    guard.loopback_socket((family, socket.SOCK_STREAM, 6, "", (host, 18550))).close()


@pytest.mark.parametrize("host", ["192.0.2.7", "[2001:db8::1]", "0.0.0.0"])
async def test_the_client_never_connects_to_an_address_that_is_not_loopback(host):
    async with RelayClient(RelayEndpoint(f"http://{host}:18550")) as client:
        with pytest.raises(RelayRefused):
            await client.get_json("/livez")


async def test_a_name_that_resolves_elsewhere_is_refused_at_the_socket(monkeypatch):
    """What counts is the address of the connection, not the answer of an earlier look-up."""

    async def rebound(self, host, port=0, family=socket.AF_UNSPEC):
        return [
            {
                "hostname": host,
                "host": "192.0.2.7",
                "port": port,
                "family": socket.AF_INET,
                "proto": 6,
                "flags": 0,
            }
        ]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", rebound)
    monkeypatch.setattr(aiohttp.AsyncResolver, "resolve", rebound, raising=False)
    async with RelayClient(RelayEndpoint("http://relay.test:18550")) as client:
        with pytest.raises(RelayRefused, match=r"192\.0\.2\.7"):
            await client.get_json("/livez")


@asynccontextmanager
async def scripted(*answers):
    """A server that gives these answers in order, the last one for ever; yields its address and requests."""
    requests = []

    async def handle(request):
        requests.append((request.method, request.path_qs, dict(request.headers), await request.read()))
        if request.path.startswith("/relay/v1/data"):
            return web.json_response([])
        status, body, headers = answers[min(len(submissions(requests)), len(answers)) - 1]
        if status == 0:
            request.transport.abort()
        return web.Response(status=status or 200, body=body, headers=headers)

    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", requests
    finally:
        await runner.cleanup()


def submissions(requests):
    return [request for request in requests if request[0] == "POST"]


def say(status, body=b"", **headers):
    return status, body, headers


@pytest.fixture(scope="module")
def submission():
    return make_submission(make_relay())


def client_of(url, **options):
    options.setdefault("clock", VirtualClock(10**18))
    options.setdefault("rng", random.Random(1))
    return RelayClient(RelayEndpoint(url), **options)


async def test_redirects_are_not_followed(submission):
    async with (
        scripted(say(307, Location="http://127.0.0.1:9/")) as (url, requests),
        client_of(url) as client,
    ):
        report = await offer(client, submission)
    assert [attempt.outcome for attempt in report.attempts] == [AnswerClass.REFUSED]
    assert len(requests) == 1


async def test_proxy_settings_of_the_environment_are_ignored(submission, monkeypatch):
    relay = make_relay()
    async with scripted(say(200)) as (proxy, proxied):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        async with connected(relay) as client:
            report = await offer(client, submission)
    assert report.accepted
    assert proxied == []


@given(st.integers(1, 3), st.integers(0, 2**32))
def test_jitter_is_drawn_from_the_generator_and_bounded(attempt, seed):
    policy = RetryPolicy()
    first = policy.wait_s(AnswerClass.TRANSIENT, attempt, random.Random(seed))
    assert first == policy.wait_s(AnswerClass.TRANSIENT, attempt, random.Random(seed))
    assert 0 <= first <= min(0.4, 0.025 * 2 ** (attempt - 1))


# Trying again


async def test_transient_failures_are_tried_four_times_and_every_attempt_is_kept(submission):
    async with scripted(say(502, b"bad gateway")) as (url, requests), client_of(url) as client:
        report = await offer(client, submission)
    assert [attempt.status for attempt in report.attempts] == [502] * 4
    assert [attempt.number for attempt in report.attempts] == [1, 2, 3, 4]
    assert report.ended == "transient"
    assert not report.accepted
    assert len(requests) == 4


async def test_a_dropped_connection_is_an_attempt_with_status_0(submission):
    async with scripted(say(0), say(200)) as (url, _), client_of(url) as client:
        report = await offer(client, submission)
    assert [attempt.status for attempt in report.attempts] == [0, 200]
    assert report.attempts[0].outcome is AnswerClass.TRANSIENT


async def test_no_relay_at_all_is_tried_and_reported(submission):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with client_of(f"http://127.0.0.1:{port}") as client:
        report = await offer(client, submission)
        with pytest.raises(RelayUnreachable, match=str(port)):
            await client.duties()
    assert len(report.attempts) == 4
    assert "ClientConnectorError" in report.attempts[0].message


async def test_waits_are_reproducible_from_the_seed(submission):
    waits = []
    for _ in range(2):
        async with scripted(say(503)) as (url, _), client_of(url, rng=random.Random(5)) as client:
            report = await offer(client, submission)
            waits.append([attempt.waited_s for attempt in report.attempts])
    assert waits[0] == waits[1]
    assert waits[0][0] == 0


NOT_YET = [
    b'{"code":400,"message":"payload attributes not (yet) known"}',
    b"payload attributes not yet known",
    b"block validation: unknown parent hash: submission: 0x12, have: []",
    b'"Payload attributes not yet known"',
]


@pytest.mark.parametrize("said", NOT_YET)
async def test_a_relay_that_never_knows_the_slot_is_left_at_the_deadline(submission, said):
    clock = VirtualClock(10**18)
    async with scripted(say(400, said)) as (url, _), client_of(url, clock=clock) as client:
        report = await offer(client, submission, deadline_ns=clock.mono_ns() + 220_000_000)
    assert len(report.attempts) == 5
    assert report.ended is SubmissionEnd.DEADLINE
    assert clock.mono_ns() < 10**18 + 220_000_000


async def test_patience_costs_some_dozen_attempts_of_a_slot_not_hundreds(submission):
    clock = VirtualClock(10**18)
    async with scripted(say(400, NOT_YET[0])) as (url, _), client_of(url, clock=clock) as client:
        report = await offer(client, submission, deadline_ns=clock.mono_ns() + 12 * 10**9)
    assert 30 < len(report.attempts) < 60
    assert report.ended is SubmissionEnd.DEADLINE


async def test_a_relay_that_never_answers_is_left_at_the_deadline(submission):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with RelayClient(RelayEndpoint(url)) as client:
            deadline_ns = client.clock.mono_ns() + 200_000_000
            report = await offer(client, submission, deadline_ns=deadline_ns)
            late_ns = client.clock.mono_ns() - deadline_ns
    assert report.ended is SubmissionEnd.DEADLINE
    assert [attempt.status for attempt in report.attempts] == [0]
    assert late_ns < 1_000_000_000


async def test_a_probe_of_a_relay_that_was_given_up_is_short(submission):
    breaker = CircuitBreaker(threshold=1)
    breaker.record(AnswerClass.TRANSIENT)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = RelayEndpoint(f"http://127.0.0.1:{silent.getsockname()[1]}", probe_timeout_s=0.1)
        async with RelayClient(endpoint, breaker=breaker) as client:
            report = await offer(client, submission)
    assert report.ended is SubmissionEnd.CIRCUIT_OPEN
    assert len(report.attempts) == 1
    assert report.attempts[0].latency_ns < 2_000_000_000


async def test_a_deadline_that_has_passed_sends_nothing(submission):
    async with scripted(say(200)) as (url, requests), client_of(url) as client:
        report = await offer(client, submission, deadline_ns=1)
    assert (report.attempts, report.ended, requests) == ((), "deadline", [])


async def test_retry_after_is_honoured_inside_the_deadline(submission):
    limited = say(429, **{"Retry-After": "2"})
    clock = VirtualClock(10**18)
    async with scripted(limited, say(200)) as (url, _), client_of(url, clock=clock) as client:
        report = await offer(client, submission, deadline_ns=clock.mono_ns() + 3 * 10**9)
    assert [attempt.waited_s for attempt in report.attempts] == [0.0, 2.0]
    async with scripted(limited) as (url, _), client_of(url, clock=clock) as client:
        report = await offer(client, submission, deadline_ns=clock.mono_ns() + 10**9)
    assert (len(report.attempts), report.ended) == (1, "deadline")


async def test_a_better_block_ends_the_attempts(submission):
    async with scripted(say(502)) as (url, requests), client_of(url) as client:
        report = await offer(client, submission, superseded=lambda: len(requests) >= 2)
    assert report.ended == "superseded"
    assert len(report.attempts) == 2


async def test_terminal_answers_are_not_tried_again(submission):
    answer = say(400, b'{"code":400,"message":"simulation failed: wrong state root"}')
    async with scripted(answer) as (url, requests), client_of(url) as client:
        report = await offer(client, submission)
    assert (len(requests), report.ended) == (1, "terminal_block")


async def test_a_200_that_the_data_api_does_not_show_is_a_silent_drop(submission):
    async with scripted(say(200)) as (url, _), client_of(url) as client:
        report = await offer(client, submission)
    assert report.attempts[0].outcome is AnswerClass.ACCEPTED
    assert not report.accepted
    assert report.ended == "silently_dropped"


async def test_a_submission_s_endless_answer_is_an_outcome_not_a_failure_of_the_run(submission):
    async with scripted(say(200, bytes(5 * 1024 * 1024))) as (url, _), client_of(url) as client:
        report = await offer(client, submission)
    assert report.ended is SubmissionEnd.UNKNOWN
    assert "longer than" in report.attempts[0].message


async def test_an_address_that_is_not_loopback_is_an_outcome_of_its_relay(submission):
    async with RelayClient(RelayEndpoint("http://192.0.2.7:18550")) as client:
        report = await offer(client, submission)
    assert report.ended is SubmissionEnd.REFUSED


@pytest.mark.parametrize("asked", ["nan", "inf", "-1", "soon", "1e400"])
async def test_a_wait_that_is_no_time_is_not_taken_at_its_word(submission, asked):
    limited = say(429, **{"Retry-After": asked})
    async with scripted(limited, say(200)) as (url, _), client_of(url) as client:
        report = await offer(client, submission)
    assert [attempt.waited_s for attempt in report.attempts] == [0.0, 0.4]


async def test_a_server_error_is_tried_again(submission):
    async with scripted(say(500, b"internal error"), say(200)) as (url, _), client_of(url) as client:
        report = await offer(client, submission)
    assert [attempt.outcome for attempt in report.attempts] == [
        AnswerClass.SERVER_ERROR,
        AnswerClass.ACCEPTED,
    ]


async def test_an_endless_answer_is_cut_off():
    async with scripted(say(200, bytes(5 * 1024 * 1024))) as (url, _), client_of(url) as client:
        with pytest.raises(NodeAnswerError, match="longer than"):
            await client.post_json("/x", {})


@pytest.mark.parametrize(
    ("body", "encoding", "ended"),
    [
        (gzip.compress(b'{"message":"submission for past slot"}', mtime=0), "gzip", "terminal_slot"),
        (
            gzip.compress(b"submission for ", mtime=0) + gzip.compress(b"past slot", mtime=0),
            "x-gzip",
            "terminal_slot",
        ),
        (b'{"message":"submission for past slot"}', "identity", "terminal_slot"),
        (b"", "gzip", "unknown"),
        (b"not gzip", "gzip", "unknown"),
        (gzip.compress(bytes(8 * 1024 * 1024), mtime=0), "gzip", "unknown"),
        (b"\x0b\x02\x80", "br", "unknown"),
    ],
)
async def test_what_a_proxy_compressed_is_read_or_is_an_outcome(submission, body, encoding, ended):
    answer = say(400, body, **{"Content-Encoding": encoding})
    async with scripted(answer) as (url, requests), client_of(url) as client:
        report = await offer(client, submission)
    assert report.ended == ended
    assert [headers["Accept-Encoding"] for _, _, headers, _ in submissions(requests)] == ["gzip"]


async def test_the_breaker_stops_a_failing_relay_within_a_slot(submission):
    async with scripted(say(502)) as (url, requests), client_of(url) as client:
        ended = [(await offer(client, submission)).ended for _ in range(3)]
    assert ended == ["transient", "circuit_open", "circuit_open"]
    assert len(requests) == 6


# One trace, and the rows


async def test_one_trace_runs_from_the_caller_s_span_to_the_relay_s(submission):
    spans = InMemorySpanExporter()
    relay = make_relay(tracing=Tracing("relay", [spans], seed=b"relay"))
    tracing = Tracing("builder", [spans], seed=b"builder")
    async with connected(relay, tracing=tracing) as client:
        with tracing.span("slot") as root, tracing.span("block.build", parent=root) as build:
            await offer(client, submission, parent=build)
    found = {span.name: span for span in spans.get_finished_spans()}
    assert list(found) == ["relay.validate", "relay.submit", "block.build", "slot"]
    assert len({span.context.trace_id for span in found.values()}) == 1
    assert found["relay.validate"].parent.span_id == found["relay.submit"].context.span_id
    assert found["relay.submit"].parent.span_id == found["block.build"].context.span_id
    assert found["relay.submit"].attributes["outcome"] == "accepted"


async def test_attempts_and_receipts_are_rows_of_their_tables(submission):
    from mev_dagster.store.tables import TABLES

    relay = make_relay()
    async with connected(relay) as client:
        report = await offer(client, submission)
        receipts = await client.receipts(submission.message.block_hash)
    for name, columns in (
        ("relay_submissions", submission_rows(report, opportunity_ids=[b"\x01" * 32])),
        ("relay_receipts", receipt_rows(report, receipts)),
    ):
        table = TABLES[name]
        assert {column.name for column in table.columns if column.required} <= set(columns)
        assert {len(values) for values in columns.values()} == {1}
        for column in table.columns:
            if column.name in columns:
                column.type.encode(columns[column.name], column.name)
    rows = receipt_rows(report, receipts)
    assert rows["accepted"] == [True]
    assert rows["attempt"] == [1]
    assert rows["check_names"][0][-1] == "stored"


async def test_how_a_submission_ended_stands_in_its_last_row(submission):
    answers = say(502, b"bad gateway"), say(200)
    async with scripted(*answers) as (url, _), client_of(url) as client:
        rows = submission_rows(await offer(client, submission))
    assert rows["error_class"] == ["transient", "silently_dropped"]
    assert rows["accepted"] == [False, False]


async def test_a_submission_that_sent_nothing_is_a_row_too(submission):
    async with scripted(say(200)) as (url, _), client_of(url) as client:
        rows = submission_rows(await offer(client, submission, deadline_ns=1))
    assert (rows["attempt"], rows["status"], rows["error_class"]) == ([0], [0], ["deadline"])
    assert (rows["trace_id"], rows["submitted_at"]) == ([None], [10**18])


async def test_no_key_material_is_in_any_artefact(submission, caplog, tmp_path):
    from pbs_sandbox import BUILDER

    from mev_dagster.telemetry.tracing import JsonLinesExporter

    caplog.set_level("DEBUG")
    traces = tmp_path / "traces.jsonl"
    relay = make_relay(tracing=Tracing("relay", [JsonLinesExporter(traces)]))
    async with connected(relay, tracing=Tracing("builder", [JsonLinesExporter(traces)])) as client:
        report = await offer(client, submission)
        receipts = await client.receipts(submission.message.block_hash)
    artefacts = "".join(
        [
            traces.read_text(),
            caplog.text,
            repr(report),
            repr(receipts),
            repr(submission_rows(report)),
            repr(BUILDER),
            repr(vars(relay.validators)),
        ]
    ).lower()
    secrets = [BUILDER.bls._secret.reveal(), BUILDER.payout._secret.reveal(), relay.key._secret.reveal()]
    secrets += [key._secret.reveal() for key in relay.validators._keys]
    for secret in (value for value in secrets if value > 2**64):
        assert f"{secret:x}" not in artefacts
        assert str(secret) not in artefacts


async def test_several_relays_are_independent():
    good, bad = make_relay(), make_relay(rules=RelayRules(cancellations=False))
    submission = make_submission(good)
    other = {"cancellations": True, "json": True, "gzip": True}
    async with connected(good, cancellations=True) as first, connected(bad, **other) as second:
        reports = await asyncio.gather(offer(first, submission), offer(second, submission))
    assert [report.accepted for report in reports] == [True, False]
    assert reports[0].submission.message.slot == SLOT


async def test_a_bid_that_repeats_a_verified_one_stands():
    relay = make_relay()
    submission = make_submission(relay)
    async with connected(relay) as client:
        reports = [await offer(client, submission) for _ in range(2)]
    assert [report.accepted for report in reports] == [True, True]
