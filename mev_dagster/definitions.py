"""The Dagster code location: collects assets, checks, jobs, sensors, schedules and resources."""

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """Return everything Dagster should know."""
    import assets
    import resources
    import sensors

    return dg.Definitions.merge(
        dg.load_definitions_from_package_module(assets),
        dg.Definitions(
            jobs=sensors.JOBS,
            sensors=sensors.SENSORS,
            schedules=sensors.SCHEDULES,
            resources=resources.defaults(),
            executor=dg.in_process_executor,
        ),
    )
