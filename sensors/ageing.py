"""Who waits grows in rank: what is asked later and oftener does not keep a run in the queue for ever."""

import time

import dagster as dg

from mev_dagster.blockrun.run_tags import aged

EVERY_SECONDS = 60
LOOKED_AT = 64
"""The oldest of the queue: the others' turn to grow comes."""


@dg.sensor(
    minimum_interval_seconds=EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Raises the priority of the runs that have waited longest in the queue, a step a minute.",
)
def ageing(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Raise the priorities that are due; nothing is requested."""
    queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
    now, raised = time.time(), 0
    for record in context.instance.get_run_records(queued, limit=LOOKED_AT, ascending=True):
        run = record.dagster_run
        waited = now - record.create_timestamp.timestamp()
        if tags := aged(run.tags, waited):
            context.instance.add_run_tags(run.run_id, tags)
            raised += 1
    return dg.SkipReason(f"{raised} waiting runs were raised")
