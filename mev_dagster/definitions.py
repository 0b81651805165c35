"""The Dagster code location: collects assets, checks, jobs, sensors, schedules and resources."""

import dagster as dg


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
    )
