"""Checks keep their partition, and one that had nothing to look at is not green: it has no verdict there."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import dagster as dg

NOTHING = "nothing_checked"


def by_partition(partitions: dg.PartitionsDefinition, *specs: dg.AssetCheckSpec) -> list[dg.AssetCheckSpec]:
    """Return checks that have a verdict a partition: the next one's does not hide one that failed."""
    return [spec._replace(partitions_def=partitions) for spec in specs]


def without_verdict(check_name: str, why: str) -> dg.AssetCheckResult:
    """Return what a check says that had nothing to look at; it is reported as no verdict at all."""
    return dg.AssetCheckResult(check_name=check_name, passed=True, metadata={NOTHING: why})


def judged(result: dg.MaterializeResult[Any]) -> list[dg.AssetCheckResult]:
    """Return the checks of a result that had something to look at."""
    return [check for check in result.check_results or () if NOTHING not in (check.metadata or {})]


def figures_of(result: dg.MaterializeResult[Any]) -> dict[str, Any]:
    """Return what is shown of a result, and which of its checks had nothing to look at, and why."""
    idle = {
        check.check_name: check.metadata[NOTHING]
        for check in result.check_results or ()
        if NOTHING in (check.metadata or {})
    }
    said = {"not_checked": "; ".join(f"{name}: {_text(why)}" for name, why in idle.items())} if idle else {}
    return {**(result.metadata or {}), **said}


def _text(why: Any) -> str:
    return str(why.value if isinstance(why, dg.MetadataValue) else why)


def reported(
    context: dg.AssetExecutionContext, result: dg.MaterializeResult[Any], shared: Mapping[str, Any]
) -> Iterator[Any]:
    """Report one partition's result, and of its checks those that have a verdict."""
    verdicts = judged(result)
    yield dg.MaterializeResult(metadata={**figures_of(result), **shared})
    yield from verdicts
    yield from unjudged(context, {check.check_name for check in verdicts})


def unjudged(context: dg.AssetExecutionContext, told: Collection[str | None]) -> Iterator[dg.Output[None]]:
    """Let what follows a check go on where the check itself has reported no verdict as Dagster expects it."""
    for key in context.selected_asset_check_keys:
        if key.name not in told:
            yield dg.Output(None, output_name=context.assets_def.get_output_name_for_asset_check_key(key))
