"""Where Dagster keeps runs, events and ticks: SQLite under the home, or `MEV_DAGSTER_POSTGRES_URL`.

The URL's parts go into `dagster.yaml`, not the URL: SQLAlchemy 2.1 takes `postgresql://` for another driver
than dagster-postgres speaks. Commits do not wait for the disk, as on SQLite: what a power cut takes of
Dagster's bookkeeping, a re-run of the block writes again.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mev_dagster.errors import InputError
from mev_dagster.settings import Settings

SQLITE = """\
run_storage:
  module: resources.runtime.instance_storage
  class: KeptRuns
  config: {{base_dir: "{home}/storage"}}
event_log_storage:
  module: resources.runtime.instance_storage
  class: KeptEventLog
  config: {{base_dir: "{home}/storage"}}
schedule_storage:
  module: resources.runtime.instance_storage
  class: KeptSchedules
  config: {{base_dir: "{home}/storage"}}
"""

SCHEME = "postgresql+psycopg2"
PACKAGES = {"dagster_postgres": "dagster-postgres", "psycopg2": "psycopg2-binary"}


def storage_yaml(config: Settings, home: Path) -> str:
    """Return the part of `dagster.yaml` that says where the records go."""
    if config.dagster.postgres_url is None:
        return SQLITE.format(home=home)
    return (
        f"storage: {json.dumps({'postgres': {'postgres_db': _postgres_db(config.dagster.postgres_url)}})}\n"
    )


def _postgres_db(url: str) -> dict[str, object]:
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise InputError(f"MEV_DAGSTER_POSTGRES_URL needs packages: pip install {' '.join(missing)}")
    parts = urlsplit(url)
    name = parts.path.removeprefix("/")
    if not parts.scheme.startswith("postgres") or not parts.hostname or not parts.username or not name:
        # The URL holds a password: say what is wrong without repeating it.
        raise InputError("MEV_DAGSTER_POSTGRES_URL: expected postgresql://user:password@host[:port]/database")
    return {
        "scheme": SCHEME,
        "hostname": parts.hostname,
        "port": parts.port or 5432,
        "username": unquote(parts.username),
        "password": unquote(parts.password or ""),
        "db_name": name,
        "params": {"options": "-c synchronous_commit=off"},
    }
