"""How Dagster's instance answers after many runs: `python -m resources.runtime.instance_growth 1 10 100`.

For each number of small days (72 blocks) a fresh instance, with the storages `mev up` configures, is given
one real run of five assets with a check each, cloned once a block inside its database, and 50,000 block
keys. Then it is asked what a sensor's tick, the start of a run and retention ask, in turns over all of them.
Prints one JSON document; `mev bench growth` reads it.
"""

import json
import sqlite3
import sys
import uuid
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import dagster as dg

from mev_dagster.errors import plain_refusals
from mev_dagster.settings import settings
from resources.runtime.instance_retention import delete_runs, expired_keys, old_runs

KEYS = 50_000
KEYS_AT_ONCE = 5_000
BLOCKS_A_DAY = 72
ROUNDS = 9
ASSETS = 5
RUN_KEY_TAG = "dagster/run_key"

INSTANCE = """\
run_storage:
  {{module: resources.runtime.instance_storage, class: KeptRuns, config: {{base_dir: "{home}"}}}}
event_log_storage:
  {{module: resources.runtime.instance_storage, class: KeptEventLog, config: {{base_dir: "{home}"}}}}
schedule_storage:
  {{module: resources.runtime.instance_storage, class: KeptSchedules, config: {{base_dir: "{home}"}}}}
telemetry: {{enabled: false}}
"""

blocks = dg.DynamicPartitionsDefinition(name="blocks")


def _asset(number: int) -> dg.AssetsDefinition:
    name = f"probe_{number}"

    @dg.asset(
        name=name,
        partitions_def=blocks,
        deps=[f"probe_{number - 1}"] if number else [],
        check_specs=[dg.AssetCheckSpec("sound", asset=name)],
    )
    def probe() -> dg.MaterializeResult:
        return dg.MaterializeResult(
            metadata={f"figure_{index}": index for index in range(8)},
            check_results=[dg.AssetCheckResult(check_name="sound", passed=True)],
        )

    return probe


_DEFINITIONS = dg.Definitions(
    assets=[_asset(number) for number in range(ASSETS)],
    jobs=[dg.define_asset_job("probe", executor_def=dg.in_process_executor)],
)


def _run(instance: dg.DagsterInstance, key: str) -> str:
    """Run the five assets of one block for real; return the run's id."""
    job = _DEFINITIONS.resolve_job_def("probe")
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    tags = {RUN_KEY_TAG: key}
    return job.execute_in_process(partition_key=key, instance=instance, tags=tags, run_config=quiet).run_id


def _clone(home: Path, run_id: str, runs: int) -> None:
    """Copy a run, its tags, events and check results, as often as there are blocks."""
    names = [(str(uuid.uuid5(uuid.NAMESPACE_OID, str(index))), str(KEYS + index)) for index in range(runs)]
    for file in home.glob("*.db"):
        with closing(sqlite3.connect(file)) as database:
            listed = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            database.execute("CREATE TEMP TABLE clones (clone_id TEXT, clone_key TEXT)")
            database.executemany("INSERT INTO clones VALUES (?, ?)", names)
            for table in ("runs", "run_tags", "event_logs", "asset_check_executions"):
                if table in listed:
                    _clone_rows(database, table, run_id)
            database.commit()
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _clone_rows(database: sqlite3.Connection, table: str, run_id: str) -> None:
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
    copied = {
        "run_id": "clone_id",
        "partition": "CASE WHEN partition IS NULL THEN NULL ELSE clone_key END",
        "event": "replace(event, :run, clone_id)",
        "run_body": "replace(run_body, :run, clone_id)",
        "evaluation_event": "replace(evaluation_event, :run, clone_id)",
        "value": "CASE WHEN key IN ('dagster/partition', 'dagster/run_key') THEN clone_key ELSE value END",
    }
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(copied.get(name, f'"{name}"') for name in columns)
    database.execute(
        f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}, clones WHERE run_id = :run",  # noqa: S608
        {"run": run_id},
    )


def _filled(home: Path, days: int, stack: ExitStack) -> dg.DagsterInstance:
    (home / "storage").mkdir(parents=True)
    (home / "dagster.yaml").write_text(INSTANCE.format(home=home / "storage"))
    instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
    for first in range(0, KEYS, KEYS_AT_ONCE):
        instance.add_dynamic_partitions("blocks", [str(key) for key in range(first, first + KEYS_AT_ONCE)])
    _clone(home / "storage", _run(instance, "0"), days * BLOCKS_A_DAY)
    return instance


def questions() -> dict[str, Callable[[dg.DagsterInstance, int], object]]:
    """Return what is asked, by name; a question gets the instance and a number no other asking got."""
    unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.QUEUED])
    ages_ago = datetime.now(UTC) - timedelta(days=365)
    return {
        "tick: block keys": lambda instance, _: instance.get_dynamic_partitions("blocks"),
        "tick: runs under way": lambda instance, _: instance.get_runs_count(unfinished),
        "tick: run of a key": lambda instance, number: instance.get_runs(
            dg.RunsFilter(tags={RUN_KEY_TAG: str(KEYS + number)}), limit=1
        ),
        "run: five assets": lambda instance, number: _run(instance, str(1 + number)),
        "retention: expired keys": lambda instance, _: expired_keys(
            instance.get_dynamic_partitions("blocks"), KEYS
        ),
        "retention: old runs": lambda instance, _: old_runs(instance, ages_ago),
        "retention: delete a run": lambda instance, number: delete_runs(
            instance, [str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))]
        ),
    }


def measure(instances: dict[int, dg.DagsterInstance]) -> dict[str, dict[int, float]]:
    """Return the best milliseconds of each question on each instance, asked in turns."""
    found: dict[str, dict[int, float]] = {}
    for name, ask in questions().items():
        best = found.setdefault(name, dict.fromkeys(instances, float("inf")))
        for number in range(ROUNDS):
            for days, instance in instances.items():
                started = perf_counter()
                ask(instance, number)
                best[days] = min(best[days], (perf_counter() - started) * 1e3)
    return found


def main() -> None:
    """Fill, ask, print."""
    scales = [int(argument) for argument in sys.argv[1:]]
    with TemporaryDirectory(prefix="mev-growth-") as folder, ExitStack() as stack:
        homes = {days: Path(folder) / str(days) for days in scales}
        instances = {days: _filled(home, days, stack) for days, home in homes.items()}
        sizes = {
            days: sum(file.stat().st_size for file in (home / "storage").glob("*.db"))
            for days, home in homes.items()
        }
        runs = {days: days * BLOCKS_A_DAY for days in scales}
        note = f"{runs[scales[-1]]:,} runs and {KEYS:,} keys; limit: {runs[scales[0]]:,} runs"
        document = {
            name: {"values": values, "unit": "ms", "note": note}
            for name, values in measure(instances).items()
        }
        per_run = (sizes[scales[-1]] - sizes[scales[0]]) / (runs[scales[-1]] - runs[scales[0]])
        document["bytes"] = {
            "values": dict.fromkeys(scales, per_run),
            "unit": "bytes/run",
            "note": "what a run of five assets with a check each adds to the databases",
        }
        print(json.dumps(document))


if __name__ == "__main__":
    with plain_refusals():
        settings()
        main()
