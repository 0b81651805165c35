"""A scripted relay goes wrong as its plan says, and our client reads each fault as what it was."""

import json

import aiohttp
import pytest
from pbs_sandbox import connected, make_relay, make_submission, offer, running

from mev_dagster.errors import InputError
from mev_dagster.pbs.client.answers import AnswerClass
from mev_dagster.pbs.sandbox.faults import FaultPlan, FaultRule, plan_of

PATH = "/relay/v1/builder/blocks"


def plan(*faults: dict, seed: str = "tests") -> FaultPlan:
    return plan_of({"seed": seed, "faults": list(faults)})


def test_a_window_of_requests_meets_a_fault_and_the_others_do_not():
    script = plan({"kind": "reset", "first": 2, "last": 3}, {"kind": "too_many", "path": "/eth"})
    assert [bool(script.next(PATH)) for _ in range(4)] == [False, True, True, False]
    assert script.next("/eth/v1/builder/status").kind == "too_many"
    assert [fault["met"] for fault in script.document()["faults"]] == [2, 1]


def test_a_share_is_drawn_from_the_seed_and_about_right():
    def met(seed: str) -> list[bool]:
        script = plan({"kind": "latency", "share_bps": 2_500}, seed=seed)
        return [script.next(PATH) is not None for _ in range(400)]

    assert met("one") == met("one") != met("two")
    assert 70 < sum(met("one")) < 130


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "gremlins"}, {"kind": "reset", "first": 0}, {"kind": "reset", "first": 3, "last": 2},
        {"kind": "reset", "share_bps": 10_001}, {"kind": "latency", "ms": 60_001},
        {"kind": "reset", "whence": 1},
        {"kind": "server_error", "status": 200}, {},
    ],
)  # fmt: skip
def test_a_plan_that_means_nothing_is_refused(rule):
    with pytest.raises(InputError, match="fault plan"):
        plan(rule)


TOO_MANY_RULES = json.dumps({"faults": [{"kind": "reset"}] * 257}).encode()


@pytest.mark.parametrize("document", [b"", b"[]", b"{", TOO_MANY_RULES])
def test_a_document_that_is_no_plan_is_refused(document):
    with pytest.raises(InputError, match="fault plan"):
        plan_of(document)


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        ({"kind": "too_many"}, AnswerClass.RATE_LIMITED),
        ({"kind": "server_error"}, AnswerClass.SERVER_ERROR),
        ({"kind": "server_error", "status": 503}, AnswerClass.TRANSIENT),
        ({"kind": "reset"}, AnswerClass.TRANSIENT),
        ({"kind": "truncated"}, AnswerClass.TRANSIENT),
        ({"kind": "not_yet_known"}, AnswerClass.NOT_YET),
        ({"kind": "delivered"}, AnswerClass.TERMINAL_SLOT),
        ({"kind": "plain_text", "text": "Internal Server Error"}, AnswerClass.SERVER_ERROR),
    ],
)
async def test_the_first_attempt_is_read_as_what_it_was(rule, outcome):
    relay = make_relay()
    relay.faults = plan({**rule, "last": 1})
    submission = make_submission(relay)
    async with connected(relay) as client:
        report = await offer(client, submission)
    assert report.attempts[0].outcome is outcome
    assert relay.faults.met == [1]


async def test_a_dropped_bid_looks_accepted_and_is_not_kept():
    relay = make_relay()
    relay.faults = plan({"kind": "silent_drop"})
    async with connected(relay) as client:
        report = await offer(client, make_submission(relay))
    assert report.attempts[0].status == 200
    assert list(relay.auction.bids()) == []


async def test_an_answer_that_breaks_off_came_after_the_bid_was_kept():
    relay = make_relay()
    relay.faults = plan({"kind": "truncated", "last": 1})
    async with connected(relay) as client:
        await offer(client, make_submission(relay))
    assert len({bid.submission.message.block_hash for bid in relay.auction.bids()}) == 1
    assert len(relay.receipts) == 2


async def test_a_plan_is_posted_and_read_while_the_relay_runs():
    relay = make_relay()
    async with running(relay) as url, aiohttp.ClientSession() as session:
        document = {"seed": "x", "faults": [{"kind": "server_error", "path": "/eth", "status": 502}]}
        async with session.post(url + "/sandbox/v1/faults", json=document) as answer:
            assert answer.status == 200
        async with session.get(url + "/eth/v1/builder/status") as answer:
            assert answer.status == 502
        async with session.get(url + "/sandbox/v1/faults") as answer:
            assert (await answer.json())["faults"][0]["met"] == 1
        async with session.post(url + "/sandbox/v1/faults", json={"faults": [{"kind": "?"}]}) as answer:
            assert answer.status == 400
    assert relay.faults.rules == (FaultRule(kind="server_error", path="/eth", status=502),)
