"""Tell the running daemon to do something: it alone writes the event log."""

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

import msgspec

from mev_dagster.errors import DaemonUnreachable, NodeAnswerError
from mev_dagster.serving.listen import reached
from mev_dagster.serving.token import bearer
from mev_dagster.settings import Settings

TIMEOUT_SECONDS = 30.0


def tell(settings: Settings, path: str, body: Any) -> dict[str, Any]:
    """POST JSON to the daemon and return its answer."""
    url = f"http://{reached(settings.host)}:{settings.ingest.port}{path}"
    headers = {"content-type": "application/json", **bearer(settings.home)}
    request = urllib.request.Request(url, msgspec.json.encode(body), headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            found: dict[str, Any] = msgspec.json.decode(answer.read(), type=dict[str, Any])
            return found
    except urllib.error.HTTPError as error:
        raise NodeAnswerError(f"{url}: {error.code}: {error.read(500).decode(errors='replace')}") from error
    except (OSError, HTTPException) as error:
        raise DaemonUnreachable(f"the ingest daemon does not answer at {url}: {error}") from error
    except msgspec.DecodeError as error:
        raise NodeAnswerError(f"{url}: {error}") from error
