"""What is installed is found by name; what cannot be used is left out, said in one line and counted."""

import itertools
import sys
import threading
import types
from importlib import import_module
from importlib.metadata import EntryPoint

import pytest
from prometheus_client import CollectorRegistry

from mev_dagster import plugins
from mev_dagster.errors import PluginFailed
from mev_dagster.telemetry.metrics import exposition


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module that an entry point can name."""
    made = types.ModuleType("installed_elsewhere")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def line(name: str, value: str, kind: str = "strategies") -> EntryPoint:
    return EntryPoint(name, value, f"mev_dagster.{kind}")


def endless_clock():
    """A clock on which an hour passes between two looks."""
    return itertools.count(0, 3600).__next__


@pytest.mark.parametrize("kind", sorted(plugins.BUILT_IN))
def test_every_line_of_ours_names_something(kind):
    for value in plugins.BUILT_IN[kind].values():
        module_name, _, attribute = value.partition(":")
        assert hasattr(import_module(module_name), attribute), value


def test_plugins_come_in_the_order_of_their_names_whatever_is_found_first(module):
    module.one = object()
    lines = [line(name, "installed_elsewhere:one") for name in ("zebra", "ant", "mole")]
    orders = [plugins.find("strategies", order).plugins for order in itertools.permutations(lines)]
    names = [[one.name for one in found] for found in orders]
    assert names == [sorted(names[0])] * len(orders)


def test_a_class_is_made_and_anything_else_is_taken_as_it_is(module):
    module.Made, module.taken = dict, len
    found = plugins.find(
        "relays", [line("a", "installed_elsewhere:Made"), line("b", "installed_elsewhere:taken")]
    )
    assert [one.hook for one in found.plugins if one.name in {"a", "b"}] == [{}, len]


def test_a_line_that_fails_to_import_is_left_out_and_the_others_stay(module):
    module.good = object()
    found = plugins.find("lanes", [line("bad", "no_such_module:x"), line("good", "installed_elsewhere:good")])
    assert "good" in [one.name for one in found.plugins]
    assert [(failure.name, failure.reason) for failure in found.left_out] == [("bad", "import_failed")]
    assert "no_such_module" in str(found.left_out[0])
    assert "\n" not in str(found.left_out[0])


def test_a_module_that_ends_the_program_when_imported_is_left_out(module):
    def leave():
        raise SystemExit(3)

    module.Leaves = type("Leaves", (), {"__init__": lambda self: leave()})
    found = plugins.find("strategies", [line("leaves", "installed_elsewhere:Leaves")])
    assert [failure.reason for failure in found.left_out] == ["import_failed"]


def test_a_name_that_two_packages_claim_is_nobodys(module):
    module.one, module.two = object(), object()
    lines = [line("same", "installed_elsewhere:one"), line("same", "installed_elsewhere:two")]
    found = plugins.find("strategies", lines)
    assert "same" not in [one.name for one in found.plugins]
    assert [failure.reason for failure in found.left_out] == ["name_taken", "name_taken"]
    assert "installed_elsewhere:one" in str(found.left_out[1])


def test_a_name_of_ours_stays_ours(module, monkeypatch):
    module.ours, module.theirs = object(), object()
    monkeypatch.setattr(plugins, "BUILT_IN", {"strategies": {"taken": "installed_elsewhere:ours"}})
    found = plugins.find("strategies", [line("taken", "installed_elsewhere:theirs")])
    assert [one.hook for one in found.plugins] == [module.ours]
    assert [failure.reason for failure in found.left_out] == ["name_taken"]


def test_what_is_left_out_is_said_once_and_counted(module, monkeypatch, caplog):
    monkeypatch.setattr(plugins, "entry_points", lambda group: [line("bad", "no_such_module:x", "lanes")])
    monkeypatch.setattr(plugins, "FAILURES", plugins.FailureCounter())
    plugins.forget()
    try:
        plugins.load("lanes")
        plugins.load("lanes")
        assert [failure.name for failure in plugins.left_out("lanes")] == ["bad"]
    finally:
        plugins.forget()
    registry = CollectorRegistry()
    plugins.FAILURES.register(registry)
    assert b'mev_plugin_failures_total{kind="lanes",reason="import_failed"} 1.0' in exposition(registry)[0]


def test_an_unknown_kind_is_a_fault_of_the_caller():
    with pytest.raises(ValueError, match="no kind of plug-in 'colours'"):
        plugins.load("colours")


def test_a_hook_that_raises_is_named_with_what_it_said():
    hook = plugins.given("strategies", "broken", None)
    with pytest.raises(PluginFailed, match=r"broken.*raised: ZeroDivisionError") as caught:
        plugins.bounded(hook, lambda _: 1 // 0)
    assert (caught.value.kind, caught.value.reason) == ("strategies", "raised")


def test_a_hook_that_never_ends_is_stopped():
    ended = threading.Event()

    def endless(_: None) -> None:
        try:
            while True:
                pass
        finally:
            ended.set()

    with pytest.raises(PluginFailed, match="timed_out"):
        plugins.bounded(plugins.given("strategies", "endless", None), endless, clock=endless_clock())
    assert ended.wait(10)


def test_a_hook_that_waits_for_ever_is_left_behind():
    never = threading.Event()
    waiting = plugins.given("strategies", "waiting", never)
    with pytest.raises(PluginFailed, match="timed_out"):
        plugins.bounded(waiting, threading.Event.wait, clock=endless_clock())
    never.set()


def test_ours_run_uncut_on_the_callers_thread():
    ours = plugins.Plugin("strategies", "ours", plugins.OURS, None)
    seen = plugins.bounded(ours, lambda _: threading.current_thread(), seconds=0, clock=endless_clock())
    assert seen is threading.current_thread()


def test_an_answer_in_time_is_the_answer():
    assert plugins.bounded(plugins.given("venues", "quick", 20), lambda hook: hook + 1) == 21


class Unwritable(Exception):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), GeneratorExit(), BaseException("any"), SystemExit(2), Unwritable()]
)
def test_whatever_a_hook_raises_costs_its_answer_and_not_the_run(error):
    def raising(_):
        raise error

    with pytest.raises(PluginFailed, match=type(error).__name__) as caught:
        plugins.bounded(plugins.given("inspectors", "broken", None), raising)
    assert caught.value.reason == "raised"


def test_a_hook_whose_time_is_over_is_not_called_again_in_the_block(monkeypatch):
    monkeypatch.setattr(plugins, "FAILURES", plugins.FailureCounter())
    never, asked = threading.Event(), []
    waiting = plugins.given("venues", "waiting", never)

    def wait(event):
        asked.append(event)
        event.wait()

    with plugins.one_block():
        assert plugins.tried(waiting, wait, None, seconds=0.05) is None
        with plugins.one_block():
            assert plugins.tried(waiting, wait, "nothing", seconds=0.05) == "nothing"
    assert (len(asked), plugins.FAILURES.count("venues", "timed_out")) == (1, 1)
    never.set()
    with plugins.one_block():
        plugins.tried(waiting, wait, None)
    assert len(asked) == 2


def test_many_short_calls_together_take_no_more_than_a_slot():
    slow, clock = plugins.given("venues", "slow", "abc"), itertools.count(0, 3).__next__
    with plugins.one_block():
        answers = [plugins.bounded(slow, len, clock=clock) for _ in range(3)]
        with pytest.raises(PluginFailed, match="its calls took more than 12 s of a block") as caught:
            plugins.bounded(slow, len, clock=clock)
    assert (answers, caught.value.reason) == ([3, 3, 3], "timed_out")


class Unnamed:
    kind, name = "unnamed", None

    @property
    def plans(self):
        raise RuntimeError("no plans today")


@pytest.mark.parametrize("shape", [("kind", "name"), ("plans",), (), dict])
def test_a_hook_without_a_name_or_that_cannot_be_looked_at_is_left_out(shape):
    assert plugins.usable([plugins.given("strategies", "x", Unnamed())], shape, texts=("kind", "name")) == ()
