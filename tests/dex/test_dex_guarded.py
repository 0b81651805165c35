"""A venue of another package may refuse, raise or never end; ours go on."""

import threading
from types import MappingProxyType, SimpleNamespace

import pytest

from mev_dagster import plugins
from mev_dagster.chain.receipts import Log
from mev_dagster.dex import events, registry
from mev_dagster.dex.venue import Pool, Venue
from mev_dagster.dex.venues.uniswap_v2 import events as v2
from mev_dagster.dex.venues.uniswap_v2.venue import UniswapV2
from mev_dagster.errors import MissingState, Unquotable
from mev_dagster.evm.types import Account
from mev_dagster.plugins import Plugin

POOL, STRANGE = b"\x01" * 20, b"\x99" * 32
SYNC = Log(POOL, (v2.SYNC_TOPIC,), bytes(64))


def broken(*_):
    raise ZeroDivisionError("in another package")


class BrokenPool(Pool):
    address, family, tokens = POOL, "broken", (b"\x0a" * 20, b"\x0b" * 20)
    quote = constant_product = after = call = broken


class Broken(Venue):
    name = "broken"
    events = MappingProxyType({v2.SYNC_TOPIC: broken, STRANGE: broken})
    intents = MappingProxyType({b"\x01\x02\x03\x04": broken})

    def family(self, code_hash, code):
        return "broken" if code_hash == b"\x07" * 32 else broken()

    def read(self, chain, address, family):
        return BrokenPool()


class Unreadable(Broken):
    def read(self, chain, address, family):
        broken()


@pytest.fixture
def installed(monkeypatch):
    """Put venues beside ours, as if another package had brought them."""

    def install(*venues):
        theirs = [Plugin("venues", f"theirs{at}", "another", venue) for at, venue in enumerate(venues)]
        ours = Plugin("venues", "uniswap_v2", plugins.OURS, UniswapV2())
        monkeypatch.setattr(registry.plugins, "load", lambda kind: (*theirs, ours))
        monkeypatch.setattr(plugins, "FAILURES", plugins.FailureCounter())

    return install


def chain(code_hash=b"\x07" * 32):
    return SimpleNamespace(
        state=SimpleNamespace(account=lambda address: Account(0, 1, code_hash), code=lambda found: b"")
    )


def test_ours_read_their_logs_whatever_another_venue_does_with_the_topic(installed):
    installed(Broken())
    assert [event.protocol for _, event in events.events_of([SYNC, Log(POOL, (STRANGE,), b"")])] == [
        "uniswap_v2"
    ]
    assert plugins.FAILURES.count("venues", "raised") == 1


def test_a_pool_whose_code_raises_is_unquotable_and_counted(installed):
    installed(Broken())
    (pool,) = registry.discover(chain(), [POOL]).pools
    for ask in (lambda: pool.quote(*pool.tokens, 1), lambda: pool.constant_product(*pool.tokens)):
        with pytest.raises(Unquotable, match="ZeroDivisionError"):
            ask()
    assert pool.after(SYNC) is None
    assert plugins.FAILURES.count("venues", "raised") == 3


def test_a_pool_that_cannot_be_read_is_named_and_the_search_of_code_goes_on(installed):
    installed(Unreadable(), object())
    found = registry.discover(chain(), [POOL])
    assert found.pools == ()
    assert "ZeroDivisionError" in found.unreadable[POOL]
    assert registry.discover(chain(b"\x08" * 32), [POOL]).unreadable == {}
    assert plugins.FAILURES.count("venues", "not_usable") == 1


def test_a_quote_that_never_ends_is_given_up(installed, monkeypatch):
    never = threading.Event()

    class Waiting(BrokenPool):
        def quote(self, *_):
            never.wait()

    class Waits(Broken):
        def read(self, chain, address, family):
            return Waiting()

    installed(Waits())
    (pool,) = registry.discover(chain(), [POOL]).pools
    bounded = plugins.bounded
    monkeypatch.setattr(plugins, "bounded", lambda plugin, call: bounded(plugin, call, seconds=0.05))
    with pytest.raises(Unquotable, match="timed_out"):
        pool.quote(*pool.tokens, 1)
    never.set()


def test_a_slot_that_is_not_known_is_no_failure_of_the_venue(installed):
    class Missing(Broken):
        def read(self, chain, address, family):
            raise MissingState("storage", "0x08")

    installed(Missing())
    assert registry.discover(chain(), [POOL]).unreadable[POOL] == "prestate holds no storage 0x08"
    assert plugins.FAILURES.count("venues", "raised") == 0
