"""A strategy that takes options is told them by `[[strategies]]`; what it is told wrongly is one line."""

import pytest

from mev_dagster import plugins
from mev_dagster.errors import InputError
from mev_dagster.plugins import FailureCounter, given
from mev_dagster.search.strategy import chosen
from mev_dagster.settings.items import StrategyItem


class Careful:
    kind, options = "careful", frozenset({"least_profit_wei"})

    def __init__(self, name="careful/1", least_wei=0):
        self.name, self.least_wei = name, least_wei

    def configured(self, options):
        least_wei = options["least_profit_wei"]
        if not isinstance(least_wei, int):
            raise InputError(f"careful: least_profit_wei is a number, found {least_wei!r}")
        if least_wei < 0:
            raise RuntimeError("less than nothing")
        return Careful(f"careful/1 least {least_wei}", least_wei)

    def plans(self, view):
        yield from ()

    def matches(self, plan, landed):
        return False


class Nothing(Careful):
    def configured(self, options):
        return None


class Plain:
    kind, name = "plain", "plain/1"
    plans = matches = Careful.plans


FOUND = (given("strategies", "careful", Careful()), given("strategies", "plain", Plain()))


def told(name="careful", **options):
    return [StrategyItem(name=name, options=options)]


@pytest.fixture
def counted(monkeypatch):
    counter = FailureCounter()
    monkeypatch.setattr(plugins, "FAILURES", counter)
    return counter


def test_a_strategy_is_as_its_options_make_it_and_says_so():
    [plugin] = chosen(FOUND, told(least_profit_wei=7))
    assert (plugin.name, plugin.hook.name, plugin.hook.least_wei) == ("careful", "careful/1 least 7", 7)


def test_without_options_it_is_as_it_was_made():
    [plugin] = chosen(FOUND, told())
    assert plugin.hook.name == "careful/1"


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (
            told(most_profit_wei=1),
            "strategies: careful: no option 'most_profit_wei'; there are: least_profit_wei",
        ),
        (told("plain", size=1), "strategies: plain: no option 'size'; there are: none"),
        (told(least_profit_wei="much"), "careful: least_profit_wei is a number, found 'much'"),
        (told("carful"), "strategies: no strategy 'carful'; there are careful, plain"),
    ],
)
def test_what_it_is_told_wrongly_is_refused_in_one_line(item, said):
    with pytest.raises(InputError) as refused:
        chosen(FOUND, item)
    assert str(refused.value) == said


def test_one_that_fails_over_its_options_is_left_out_and_counted(counted):
    for _ in range(3):
        assert chosen(FOUND, told(least_profit_wei=-1)) == ()
    assert counted.count("strategies", "raised") == 1


def test_one_that_its_options_make_no_strategy_is_left_out_and_counted(counted):
    assert chosen((given("strategies", "careful", Nothing()),), told(least_profit_wei=1)) == ()
    assert counted.count("strategies", "not_usable") >= 1
