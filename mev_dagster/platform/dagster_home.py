"""Dagster's instance folder: written once, migrated before any process opens it.

Two processes opening a fresh SQLite instance at once corrupt its migrations, so `prepare` opens it
alone first. Storage is the consolidated SQLite form: a third of the bytes and half of the CPU of one
database file per run (docs/decisions/0002-dagster-instance.md).
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mev_dagster.blockrun.run_tags import AT_ONCE, COLD, COLD_AT_ONCE, HOT, HOT_AT_ONCE, LANE_TAG
from mev_dagster.platform.dagster_storage import storage_yaml
from mev_dagster.serving.listen import reached
from mev_dagster.settings import Settings

SOCKET_PATH_LIMIT = 100  # a unix socket path may hold 107 bytes

INSTANCE = """\
{storage}local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config: {{base_dir: "{home}/storage"}}
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
run_coordinator:
  module: resources.runtime.lane_coordinator
  class: LaneRunCoordinator
  config:
    max_concurrent_runs: {at_once}
    dequeue_interval_seconds: 2
    max_user_code_failure_retries: 5
    user_code_failure_retry_delay: 15
    tag_concurrency_limits:
      - {{key: "{lane}", value: "{cold}", limit: {cold_at_once}}}
      - {{key: "{lane}", value: "{hot}", limit: {hot_at_once}}}
run_monitoring:
  enabled: true
  start_timeout_seconds: 600
  cancel_timeout_seconds: 60
  max_resume_run_attempts: 0
  poll_interval_seconds: 30
run_launcher:
  module: resources.runtime.warm_launcher
  class: WarmRunLauncher
  config: {{socket_path: "{worker}"}}
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


EVENTS_IN_A_BATCH = 256


def dagster_environment() -> dict[str, str]:
    """Return what Dagster's processes read from the environment: the events of a new run are one write."""
    return {"DAGSTER_EVENT_BATCH_SIZE": str(EVENTS_IN_A_BATCH)}


def short_socket(config: Settings, name: str) -> Path:
    """Return a unix socket's path: under the home, or in the temporary folder where that is too long."""
    path = config.home.resolve() / f"{name}.sock"
    if len(str(path)) <= SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"mev-{digest}.sock"


def worker_socket(config: Settings) -> Path:
    """Return the socket on which the warm worker takes runs."""
    return short_socket(config, "run-worker")


def prepare(config: Settings) -> Path:
    """Write `dagster.yaml` and `workspace.yaml` under the settings' home and create the databases."""
    home = config.dagster_home.resolve()
    (home / "storage").mkdir(parents=True, exist_ok=True)
    file = home / "dagster.yaml"
    file.touch(mode=0o600)  # it holds the password of a Postgres
    file.write_text(
        INSTANCE.format(
            storage=storage_yaml(config, home),
            home=home,
            worker=worker_socket(config),
            lane=LANE_TAG,
            cold=COLD,
            cold_at_once=COLD_AT_ONCE,
            hot=HOT,
            hot_at_once=HOT_AT_ONCE,
            at_once=AT_ONCE,
        )
    )
    (home / "workspace.yaml").write_text(
        WORKSPACE.format(host=reached(config.host), port=config.dagster.code_server_port)
    )
    subprocess.run(
        [sys.executable, "-c", "import dagster; dagster.DagsterInstance.get()"],
        env={**os.environ, "DAGSTER_HOME": str(home)},
        check=True,
        capture_output=True,
    )
    return home
