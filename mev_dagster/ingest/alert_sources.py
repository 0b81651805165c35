"""Firing alerts asked of the services that the settings name: Alertmanager and Prometheus."""

import http.client
import urllib.request
from collections.abc import Callable

from mev_dagster.errors import MevError
from mev_dagster.settings import Settings
from mev_dagster.telemetry.alerts import MAX_BODY_BYTES, Alert, Heard, parse_alertmanager, parse_prometheus

FETCH_SECONDS = 3.0
MAX_TOLD = 4


def fetch(config: Settings) -> tuple[list[Alert], list[str]]:
    """Return the firing alerts and, a line each, what was not answered as it should be.

    Other teams' alerts are left out; one alert that cannot be read is told and takes no other with it.
    """
    asked: list[tuple[str | None, str, Callable[[bytes], Heard]]] = [
        (config.alerts.alertmanager_url, "/api/v2/alerts?active=true", parse_alertmanager),
        (config.alerts.prometheus_url, "/api/v1/alerts", parse_prometheus),
    ]
    found: list[Alert] = []
    silent: list[str] = []
    for base, path, parse in asked:
        if base is None:
            continue
        url = base.rstrip("/") + path
        if not url.startswith(("http://", "https://")):
            silent.append(f"{url}: expected http(s)://")
            continue
        try:
            with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - scheme checked
                heard = parse(answer.read(MAX_BODY_BYTES + 1))
        except (OSError, http.client.HTTPException, ValueError, MevError) as error:
            silent.append(f"{url}: {error}")
            continue
        found += heard.alerts
        silent += [f"{url}: {refused}" for refused in heard.refused[:MAX_TOLD]]
    return found, silent
