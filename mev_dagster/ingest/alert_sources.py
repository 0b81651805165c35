"""Firing alerts asked of the services that the settings name: Alertmanager and Prometheus."""

import http.client
import urllib.request
from collections.abc import Callable

from mev_dagster.errors import MevError
from mev_dagster.settings import Settings
from mev_dagster.telemetry.alerts import MAX_BODY_BYTES, Alert, parse_alertmanager, parse_prometheus

FETCH_SECONDS = 3.0


def fetch(config: Settings) -> tuple[list[Alert], list[str]]:
    """Return the firing alerts and, a line each, which service did not answer as it should."""
    asked: list[tuple[str | None, str, Callable[[bytes], list[Alert]]]] = [
        (config.alerts.alertmanager_url, "/api/v2/alerts?active=true", parse_alertmanager),
        (config.alerts.prometheus_url, "/api/v1/alerts", parse_prometheus),
    ]
    found, silent = [], []
    for base, path, parse in asked:
        if base is None:
            continue
        url = base.rstrip("/") + path
        if not url.startswith(("http://", "https://")):
            silent.append(f"{url}: expected http(s)://")
            continue
        try:
            with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - scheme checked
                found += parse(answer.read(MAX_BODY_BYTES + 1))
        except (OSError, http.client.HTTPException, ValueError, MevError) as error:
            silent.append(f"{url}: {error}")
    return found, silent
