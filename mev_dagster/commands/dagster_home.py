"""Dagster's instance folder: written once, migrated before any process opens it.

Two processes opening a fresh SQLite instance at once corrupt its migrations, so `prepare` opens it
alone first. Storage is the consolidated SQLite form: a third of the bytes and half of the CPU of one
database file per run (docs/decisions/0002-dagster-instance.md).
"""

import os
import subprocess
import sys
from pathlib import Path

from mev_dagster.settings import Settings

INSTANCE = """\
run_storage:
  module: dagster._core.storage.runs
  class: SqliteRunStorage
  config: {{base_dir: "{home}/storage"}}
event_log_storage:
  module: dagster._core.storage.event_log
  class: ConsolidatedSqliteEventLogStorage
  config: {{base_dir: "{home}/storage"}}
schedule_storage:
  module: dagster._core.storage.schedules
  class: SqliteScheduleStorage
  config: {{base_dir: "{home}/storage"}}
local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config: {{base_dir: "{home}/storage"}}
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
run_coordinator:
  module: dagster._core.run_coordinator
  class: DefaultRunCoordinator
sensors: {{use_threads: true, num_workers: 4}}
schedules: {{use_threads: true, num_workers: 2}}
retention:
  sensor: {{purge_after_days: {{skipped: 1, failure: 7, success: 7}}}}
  schedule: {{purge_after_days: {{skipped: 1, failure: 7, success: 7}}}}
telemetry: {{enabled: false}}
nux: {{enabled: false}}
"""

WORKSPACE = """\
load_from:
  - grpc_server: {{host: {host}, port: {port}, location_name: mev_dagster}}
"""


def prepare(config: Settings) -> Path:
    """Write `dagster.yaml` and `workspace.yaml` under the settings' home and create the databases."""
    home = config.dagster_home.resolve()
    (home / "storage").mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(INSTANCE.format(home=home))
    (home / "workspace.yaml").write_text(WORKSPACE.format(host=config.host, port=config.code_server_port))
    subprocess.run(  # noqa: S603 - our own interpreter, a fixed program
        [sys.executable, "-c", "import dagster; dagster.DagsterInstance.get()"],
        env={**os.environ, "DAGSTER_HOME": str(home)},
        check=True,
        capture_output=True,
    )
    return home
