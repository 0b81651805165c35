"""What `mev up` starts for a node, a mode or a capture; no address of a node stands in a process list."""

import pytest
from typer.testing import CliRunner

from mev_dagster.commands import up as command
from mev_dagster.errors import InputError
from mev_dagster.platform import dagster_home, processes
from mev_dagster.settings import settings

KEY = "http://user:secret@127.0.0.1:1/v3/key"


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Yield what would be started: the ingest daemon's arguments and the environment."""
    monkeypatch.setenv("MEV_HOME", str(tmp_path))
    for name in ("MEV_RPC_URL", "MEV_PROVIDERS", "MEV_CAPTURE", "MEV_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    settings.cache_clear()
    found = {}

    def not_running(_):
        raise processes.NotRunning

    def start(_, listed, environment):
        [ingest] = [one for one in listed if one.name == "ingest"]
        found.update(arguments=ingest.argv, environment=environment)

    monkeypatch.setattr(processes, "supervisor", not_running)
    monkeypatch.setattr(processes, "check_ports", lambda *_: None)
    monkeypatch.setattr(processes, "start", start)
    monkeypatch.setattr(dagster_home, "prepare", lambda _: tmp_path)
    monkeypatch.setattr(command, "_await_health", lambda *_: [])
    yield found
    settings.cache_clear()


def up(*arguments: str) -> None:
    outcome = CliRunner().invoke(command.app, list(arguments), catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [
        (("--rpc", KEY), "rpc"),
        (("--rpc", KEY, "--mode", "hybrid"), "hybrid"),
        (("--mode", "p2p", "--rpc", KEY), "p2p"),
    ],
)
def test_a_nodes_address_goes_by_the_environment_and_stands_in_no_argument(started, arguments, mode):
    up(*arguments)
    assert started["arguments"][-3:] == ("ingest", "--mode", mode)
    assert started["environment"]["MEV_RPC_URL"] == KEY
    assert not any("secret" in word or "key" in word for word in started["arguments"])


def test_peers_alone_need_no_node_and_play_no_capture(started):
    up("--mode", "p2p")
    assert started["arguments"][-3:] == ("ingest", "--mode", "p2p")
    assert not {"MEV_RPC_URL", "MEV_CAPTURE"} & started["environment"].keys()


def test_without_a_node_the_shipped_capture_is_played(started):
    up()
    assert "--capture" in started["arguments"]
    assert "MEV_CAPTURE" in started["environment"]


@pytest.mark.parametrize("mode", ["rpc", "hybrid"])
def test_a_mode_that_needs_a_node_says_so(started, mode):
    with pytest.raises(InputError, match=f"--mode {mode} needs a node"):
        up("--mode", mode)
    assert not started
