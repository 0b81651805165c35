"""Dagster's web server behind a door of ours: `python -m resources.runtime.web WORKSPACE`.

Dagster serves its UI to whoever connects: under any name, to any page, mutations by GET included. This
serves the same ASGI application with the rules of `mev_dagster.serving` in front, GraphQL's WebSocket too.
What comes by the REST endpoints that report materialisations shows the home's token; the UI uses none.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from mev_dagster.errors import plain_refusals
from mev_dagster.serving.doors import App, Door, Guarded, hosts_of
from mev_dagster.serving.graphql import GraphQLByItsMethod
from mev_dagster.serving.listen import bind
from mev_dagster.serving.protocol import DeadlineProtocol
from mev_dagster.serving.token import home_token
from mev_dagster.settings import Settings, settings

GUARDED = ("/report_asset_",)
STATEMENT_MS, POOL_RECYCLE_SECONDS, POOL_OVERFLOW = 15_000, 3_600, 20
"""Dagster's own defaults for a web server."""


def guarded(app: App, config: Settings) -> App:
    """Return Dagster's application behind the door of these settings."""
    door = Door(hosts_of(config.host), home_token(config.home), GUARDED)
    return Guarded(GraphQLByItsMethod(app), door)


@contextmanager
def application(workspace: str, config: Settings) -> Iterator[App]:
    """Yield Dagster's application over a workspace file, guarded."""
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(STATEMENT_MS, POOL_RECYCLE_SECONDS, POOL_OVERFLOW)
        with WorkspaceProcessContext(
            instance,
            version=__version__,
            read_only=False,
            workspace_load_target=WorkspaceFileTarget([workspace]),
        ) as context:
            yield guarded(create_app_from_workspace_process_context(context), config)


def main(workspace: str) -> None:
    """Serve until told to stop."""
    config = settings()
    listener = bind("webserver", config.host, config.dagster.webserver_port, "MEV_WEBSERVER_PORT")
    with application(workspace, config) as app:
        uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                lifespan="off",
                http=DeadlineProtocol,
                timeout_graceful_shutdown=1,  # a UI's subscription would never end by itself
            )
        ).run([listener])


if __name__ == "__main__":
    with plain_refusals():
        main(sys.argv[1])
