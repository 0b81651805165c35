"""GraphQL by its method: what a page can send without asking reads at most."""

from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from mev_dagster.settings import Settings
from resources.runtime.web import guarded

SOCKET = "ws://127.0.0.1:13000/graphql"
WIPE = 'mutation{wipeAssets(assetPartitionRanges:[{assetKey:{path:["mev_labels"]}}]){__typename}}'


async def answered(_):
    return PlainTextResponse("answered")


async def socket(websocket):
    await websocket.accept(subprotocol="graphql-ws")
    await websocket.close()


@pytest.fixture
def client(tmp_path) -> TestClient:
    app = Starlette(
        routes=[
            Route("/graphql", answered, methods=["GET", "POST"]),
            Route("/report_asset_materialization/{key}", answered, methods=["POST"]),
            WebSocketRoute("/graphql", socket),
        ]
    )
    return TestClient(guarded(app, Settings(home=tmp_path)), base_url="http://127.0.0.1:13000")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (WIPE, 405),
        ("query A{version} " + WIPE.replace("mutation", "mutation B"), 405),
        ("fragment F on Query{version} mutation{x}", 405),
        ("# query\nmutation{x}", 405),
        ("subscription{x}", 405),
        ("{version", 400),
        ("{" * 10_000, 400),
        ("{version}", 200),
        ("query{version}", 200),
    ],
)
def test_a_get_reads_and_changes_nothing(client, query, status):
    assert client.get("/graphql?query=" + quote(query)).status_code == status
    assert client.get("/graphql?x=1&query={version}&query=" + quote(query)).status_code == status


def test_the_page_of_the_playground_is_a_get_without_a_query(client):
    assert client.get("/graphql").text == "answered"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_form_can_post_is_refused(client, content_type):
    url = "/graphql?query=" + quote(WIPE)
    assert client.post(url, content=b"{}", headers={"content-type": content_type}).status_code == 415


def test_the_ui_s_own_posts_come_in_and_another_page_s_do_not(client):
    ours = {"origin": "http://127.0.0.1:13000"}
    theirs = {"origin": "http://pages.example"}
    assert client.post("/graphql", json={"query": WIPE}, headers=ours).status_code == 200
    assert client.post("/graphql", json={"query": WIPE}, headers=theirs).status_code == 403
    assert client.post("/graphql", json={"query": WIPE}, headers={"host": "pages.example"}).status_code == 421


def test_another_page_cannot_open_the_websocket(client):
    with client.websocket_connect(
        SOCKET, headers={"host": "127.0.0.1:13000", "origin": "http://127.0.0.1:13000"}
    ):
        pass
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(
            SOCKET, headers={"host": "127.0.0.1:13000", "origin": "http://pages.example"}
        ),
    ):
        pass


def test_reporting_a_materialisation_shows_the_home_s_token(client, tmp_path):
    url = "/report_asset_materialization/opportunities"
    assert client.post(url, json={}).status_code == 401
    token = (tmp_path / "access.token").read_text()
    assert client.post(url, json={}, headers={"authorization": f"Bearer {token}"}).status_code == 200
