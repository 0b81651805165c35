"""Flags, environment, `.env`, profile file and defaults, in this order; unknown names are refused."""

from pathlib import Path

import pytest

from mev_dagster.errors import InputError
from mev_dagster.settings import LaneItem, Settings, StrategyItem
from mev_dagster.settings.names import OTHERS
from mev_dagster.settings.settings import known_names

ROOT = Path(__file__).resolve().parents[2]

NAMES_OF_THE_FIRST_PLAN = [
    "HOME",
    "HOST",
    "RPC_URL",
    "RPC_HTTP_URL",
    "CAPTURE",
    "CHAIN_ID",
    "STORE_URL",
    "STORE_USER",
    "STORE_PASSWORD",
    "STORE_DATABASE",
    "STORE_PORT",
    "P2P_PORT",
    "P2P_PEERS",
    "P2P_TRUSTED",
    "P2P_BOOTNODES",
    "P2P_DNS_LIST",
    "P2P_OUTBOUND",
    "P2P_REDIAL_SECONDS",
    "INGEST_PORT",
    "INGEST_QUEUE_EVENTS",
    "SEGMENT_BYTES",
    "SEGMENT_SECONDS",
    "FSYNC_INTERVAL_MS",
    "WEBSERVER_PORT",
    "DAGSTER_POSTGRES_URL",
    "CODE_SERVER_PORT",
    "RELAY_PORT",
    "RELAY_URL",
    "ALERTMANAGER_URL",
    "PROMETHEUS_URL",
    "BLOCKS_KEPT",
    "ENGINE",
    "METER_SIMULATIONS",
    "RECHECK_SHARE",
    "SEARCH_BUDGET",
    "RETENTION_DAYS_SIGHTINGS",
    "RETENTION_DAYS_TRANSACTIONS",
    "RETENTION_DAYS_RESULTS",
    "RETENTION_DAYS_EVENTS",
    "RETENTION_DAYS_RUNS",
    "RETENTION_DAYS_ALERTS",
    "RETENTION_DAYS_RECORDINGS",
]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder with no name set."""
    import os

    for name in [name for name in os.environ if name.startswith("MEV_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(**told: object) -> str:
    with pytest.raises(InputError) as refused:
        Settings(**told)
    return str(refused.value)


@pytest.mark.parametrize("name", NAMES_OF_THE_FIRST_PLAN)
def test_a_name_of_before_the_sections_still_names_a_setting(name: str):
    assert f"MEV_{name}" in known_names()


def test_a_flag_comes_before_the_environment_the_environment_before_the_files_the_profile_last(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
):
    ports = ("ingest", "store", "relay", "p2p")
    (nowhere / "mev.toml").write_text("".join(f"[{section}]\nport = 1\n" for section in ports))
    (nowhere / ".env").write_text("MEV_INGEST_PORT=2\nMEV_STORE_PORT=2\nMEV_RELAY_PORT=2\nCOMPOSE=x\n")
    monkeypatch.setenv("MEV_INGEST_PORT", "3")
    monkeypatch.setenv("MEV_STORE_PORT", "3")
    found = Settings(ingest={"port": 4})
    assert (found.ingest.port, found.store.port, found.relay.port, found.p2p.port) == (4, 3, 2, 1)
    assert found.dagster.webserver_port == 13000


def test_the_profile_that_is_named_is_read_in_place_of_the_folders_own(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
):
    (nowhere / "mev.toml").write_text("[store]\nport = 1\n")
    (nowhere / "lab.toml").write_text("[store]\nport = 2\n")
    monkeypatch.setenv("MEV_PROFILE", "lab.toml")
    assert Settings().store.port == 2


def test_a_profile_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEV_PROFILE", "none.toml")
    assert refusal() == "profile none.toml: No such file or directory"


def test_an_empty_variable_takes_back_what_the_profile_says(nowhere: Path, monkeypatch: pytest.MonkeyPatch):
    (nowhere / "mev.toml").write_text('[store]\nurl = "http://127.0.0.1:8123"\n')
    monkeypatch.setenv("MEV_STORE_URL", "")
    assert Settings().store.url is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MEV_STOR_PORT", "MEV_STORE_PORT"),
        ("MEV_STORE_PROT", "MEV_STORE_PORT"),
        ("MEV_INGEST_QUEUE_EVENT", "MEV_INGEST_QUEUE_EVENTS"),
        ("MEV_EVM_ENGINE", "MEV_ENGINE"),
        ("MEV_EVENTS_SEGMENT_BYTES", "MEV_SEGMENT_BYTES"),
        ("MEV_PROFIL", "MEV_PROFILE"),
        ("mev_relay_prot", "MEV_RELAY_PORT"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(
    name: str, meant: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, "1")
    assert refusal() == f"{name}: no such setting; did you mean {meant}?"
    monkeypatch.delenv(name)
    (nowhere / ".env").write_text(f"{name}=1\n")
    assert refusal() == f".env: {name}: no such setting; did you mean {meant}?"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[stor]\nport = 1\n", "mev.toml: stor: no such setting; did you mean store?"),
        ("[store]\nprot = 1\n", "mev.toml: store.prot: no such setting; did you mean port?"),
        (
            '[[relays]]\nurl = "http://a:1"\nnme = "b"\n',
            "mev.toml: relays.0.nme: no such setting; did you mean name?",
        ),
        (
            "[store]\nport = 70000\n",
            "mev.toml: store.port: expected less than or equal to 65535, found 70000",
        ),
        ("store = 3\n", "mev.toml: store: expected a section, found 3"),
        (
            "[store\n",
            "profile mev.toml: Expected ']' at the end of a table declaration (at line 1, column 7)",
        ),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused_by_its_key(text: str, said: str, nowhere: Path):
    (nowhere / "mev.toml").write_text(text)
    assert refusal() == said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MEV_STORE_PORT", "abc", "expected a valid integer, found 'abc'"),
        ("MEV_ENGINE", "geth", "expected 'auto', 'py_evm', 'revm' or 'node', found 'geth'"),
        ("MEV_RECHECK_SHARE", "2", "expected less than or equal to 1, found '2'"),
        ("MEV_LANES", "p2p,p2p", "names have to differ, p2p stands twice"),
        ("MEV_STORE_URL", "ftp://x", "expected http://host[:port] or https://host[:port]: found ftp://"),
        (
            "MEV_STORE_URL",
            "http://k:abc",
            "expected http://host[:port] or https://host[:port]: its host or port cannot be read",
        ),
        (
            "MEV_ALERTMANAGER_URL",
            "am:9093",
            "expected http://host[:port] or https://host[:port]: it has no scheme",
        ),
        ("MEV_P2P_REDIAL_SECONDS", "inf", "expected less than or equal to 86400, found 'inf'"),
        ("MEV_RETENTION_DAYS_RUNS", "1000000", "expected less than or equal to 36500, found '1000000'"),
        ("MEV_RELAYS", '[{"url', "not JSON: Unterminated string at character 2"),
    ],
)
def test_a_bad_value_is_one_line_with_the_name_it_came_under(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, value)
    assert refusal() == f"{name}: {said}"


@pytest.mark.parametrize("url", ["ws://node:8546", "https://node", "/run/reth.ipc", "geth.ipc", "./node"])
def test_a_node_is_an_address_or_a_socket_of_this_machine(url: str):
    assert Settings(rpc={"url": url}).node_url == url


@pytest.mark.parametrize("url", ["node", "ftp://node", "ws://", "ws://node:port", "ws://[::1"])
def test_what_is_no_node_is_refused_without_showing_what_may_be_a_key(url: str):
    with pytest.raises(InputError, match=r"rpc\.url: expected ws://host") as refused:
        Settings(rpc={"url": url})
    with pytest.raises(InputError, match=r"MEV_PROVIDERS|providers"):
        Settings(providers=[url])
    assert "\n" not in str(refused.value)


def test_names_of_tests_and_tools_are_no_settings_and_no_mistakes(monkeypatch: pytest.MonkeyPatch):
    for name in [*OTHERS, "MEV_TEST_ANYTHING"]:
        monkeypatch.setenv(name, "x")
    assert Settings() == Settings()


def test_a_list_is_words_or_items_in_the_environment_and_in_the_profile(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MEV_LANES", "p2p, private")
    monkeypatch.setenv("MEV_STRATEGIES", '["backrun", {"name": "sandwich", "options": {"budget": 8}}]')
    (nowhere / "mev.toml").write_text(
        'relays = ["http://127.0.0.1:1"]\n[[providers]]\nurl = "ws://node:8546"\n'
    )
    found = Settings()
    assert found.lanes == (LaneItem(name="p2p"), LaneItem(name="private"))
    assert found.strategies == (
        StrategyItem(name="backrun"),
        StrategyItem(name="sandwich", options={"budget": 8}),
    )
    assert [(relay.name, relay.url) for relay in found.submission_relays] == [
        ("127.0.0.1:1", "http://127.0.0.1:1")
    ]
    assert (found.node_url, found.node_http_url) == ("ws://node:8546", "http://node:8546")


def test_the_one_node_and_the_one_relay_come_before_the_lists(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MEV_PROVIDERS", "ws://listed:8546,http://second:8545")
    monkeypatch.setenv("MEV_RELAYS", "http://127.0.0.1:1,http://127.0.0.1:2")
    found = Settings()
    assert [node.name for node in found.nodes] == ["listed:8546", "second:8545"]
    assert len(found.submission_relays) == 2
    told = found.changed(rpc={"url": "http://told:8545"}, relay={"url": "http://127.0.0.1:3"})
    assert [node.name for node in told.nodes] == ["told:8545"]
    assert [relay.url for relay in told.submission_relays] == ["http://127.0.0.1:3"]


def test_without_a_relay_submissions_go_to_the_sandbox():
    assert [relay.url for relay in Settings(relay={"port": 7}).submission_relays] == ["http://127.0.0.1:7"]


@pytest.mark.parametrize("show", [repr, str, "{}".format])
def test_no_credential_is_shown(show, monkeypatch: pytest.MonkeyPatch):
    for name in ("RPC", "STORE", "RELAY", "ALERTMANAGER", "PROMETHEUS", "DAGSTER_POSTGRES", "RPC_HTTP"):
        monkeypatch.setenv(f"MEV_{name}_URL", "http://user:hunter2@host:1/hunter2?key=hunter2")
    monkeypatch.setenv("MEV_STORE_PASSWORD", "hunter2")
    monkeypatch.setenv("MEV_PROVIDERS", "http://user:hunter2@host:1/hunter2")
    monkeypatch.setenv("MEV_RELAYS", "http://hunter2@host:2")
    shown = show(Settings())
    assert "hunter2" not in shown
    assert "http://host:1" in shown


def test_no_credential_is_in_a_refusal(nowhere: Path):
    (nowhere / "mev.toml").write_text('[[relays]]\nurl = "http://hunter2@host:1"\nextra = "hunter2"\n')
    assert "hunter2" not in refusal()
    (nowhere / "mev.toml").write_text('[store]\npassword = ["hunter2"]\n')
    assert refusal() == "mev.toml: store.password: expected a valid string"


def test_a_change_is_checked_as_the_settings_were():
    assert Settings().changed(store={"port": 5}).store.port == 5
    with pytest.raises(InputError, match=r"store\.port: expected a valid integer"):
        Settings().changed(store={"port": "x"})
    with pytest.raises(InputError, match=r"stor: no such setting; did you mean store"):
        Settings().changed(stor={"port": 1})


def test_the_page_of_settings_lists_every_name_with_its_key():
    page = (ROOT / "docs" / "settings.md").read_text()
    missing = [
        f"{s.name} {s.key}" for s in known_names().values() if f"| `{s.name}` | `{s.key}` |" not in page
    ]
    assert not missing
