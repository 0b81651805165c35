"""The Dagster code location: collects assets, checks, jobs, sensors, schedules and resources."""

import dagster as dg

from mev_dagster.blockrun.source_code import CODE_TAG, loaded
from mev_dagster.errors import plain_refusals
from mev_dagster.settings import settings

with plain_refusals():  # before Dagster catches what is raised and shows a traceback of its own
    settings()


@dg.definitions
def defs() -> dg.Definitions:
    """Return everything Dagster should know."""
    import assets
    import resources
    import sensors

    return dg.Definitions(
        assets=dg.load_assets_from_package_module(assets, include_specs=True),
        asset_checks=dg.load_asset_checks_from_package_module(assets),
        jobs=sensors.JOBS,
        sensors=sensors.SENSORS,
        schedules=sensors.SCHEDULES,
        resources=resources.defaults(),
        executor=dg.in_process_executor,
        metadata={CODE_TAG: loaded()},  # runs of other code are refused
    )
