"""Which runs start at once and which wait in Dagster's own queue.

A head's run starts at once: Dagster's queue is looked into every two seconds. Everything else waits in it,
where it is seen, can be cancelled and has a priority, until the cold lane has a place; so does a head's run
when more of them are under way than the hot lane takes. A run that nobody gave a lane is of the cold one.
"""

from dagster import DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES

from mev_dagster.blockrun.run_tags import (
    BY_A_PERSON,
    COLD,
    HOT,
    HOT_AT_ONCE,
    LANE_TAG,
    PRIORITY_TAG,
    is_of_a_person,
    lane_of,
)


class LaneRunCoordinator(QueuedRunCoordinator):
    """Starts the hot lane's runs and queues the others."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Launch a head's run while the lane has room; put every other run into the queue, in its lane."""
        run = context.dagster_run
        if run.status is not DagsterRunStatus.NOT_STARTED:
            return super().submit_run(context)
        lane = lane_of(run.tags)
        if lane == HOT and self._has_room():
            self._instance.launch_run(run.run_id, context.workspace)
            return self._instance.get_run_by_id(run.run_id) or run
        tags = {} if lane == run.tags.get(LANE_TAG) else {LANE_TAG: lane}
        if lane == COLD and PRIORITY_TAG not in run.tags and is_of_a_person(run.tags):
            tags[PRIORITY_TAG] = str(BY_A_PERSON)
        if tags:
            self._instance.add_run_tags(run.run_id, tags)
        return super().submit_run(context)

    def _has_room(self) -> bool:
        under_way = RunsFilter(statuses=ACTIVE_RUN_STATUSES, tags={LANE_TAG: HOT})
        return self._instance.get_runs_count(under_way) < HOT_AT_ONCE
