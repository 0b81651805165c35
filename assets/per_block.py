"""What all per-block assets share, so that each of them is a title and a call.

    @block_asset("search", table="opportunities", team="search", deps=[simulations])
    def opportunities(block: BlockRun) -> dg.MaterializeResult: ...

The body works on one block. A run of one key calls it once; a run over a range of keys calls it block by
block and reports each block's figures and checks under its own partition. A block that fails takes no other
with it: the others are reported, then the step fails and names those that did not come to their end, which
are tried again one by one. The resources a body names after `block` are handed through.
"""

import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any

import dagster as dg

from assets import soundness
from assets.code_versions import code_version
from assets.lineage import column_lineage
from assets.partitions import block_number, blocks
from assets.tables import table_metadata
from assets.verdicts import NOTHING, by_partition, figures_of, judged, reported, unjudged
from mev_dagster.blockrun import failed_checks, stage_lag
from mev_dagster.blockrun.run import BlockRun
from mev_dagster.blockrun.run_tags import ENDED_TAG, SUPERSEDED
from mev_dagster.blockrun.stretches import BLOCKS_PER_RUN
from mev_dagster.errors import MevError, Superseded
from mev_dagster.settings import settings
from mev_dagster.telemetry.block_names import name_blocks
from mev_dagster.telemetry.run_reports import report, run_registry
from resources.block_search import BlockSearchResource

Body = Callable[..., dg.MaterializeResult[Any]]

PRIORITY_TAG = "dagster/priority"
CODE_VERSION_TAG = "dagster/code_version"


class RunOrder(IntEnum):
    """What a head's run does first: what leads to its opportunities, then the bid, then the rest."""

    TO_OPPORTUNITIES = 2
    TO_THE_RELAY = 1
    WHEN_THERE_IS_TIME = 0


FRESH_FOR = timedelta(minutes=10)
"""A chain that stands still this long is worth a look: fifty slots."""


def block_asset(
    group: str,
    *,
    table: str,
    team: str,
    deps: Sequence[Any],
    checks: Sequence[dg.AssetCheckSpec] = (),
    order: RunOrder = RunOrder.WHEN_THERE_IS_TIME,
) -> Callable[[Body], dg.AssetsDefinition]:
    """Make an asset that fills `table` block by block; `order` is its place among those ready to run."""

    def decorate(body: Body) -> dg.AssetsDefinition:
        upstream = [one for one in deps if isinstance(one, dg.AssetsDefinition)]
        lineage = column_lineage(table, upstream)

        def run(
            context: dg.AssetExecutionContext, search: BlockSearchResource, **others: Any
        ) -> Iterator[Any]:
            results: dict[str, dg.MaterializeResult[Any]] = {}
            failed: dict[str, Exception] = {}
            keys = context.partition_keys
            try:
                for key in keys:
                    try:
                        results[key] = _one_block(
                            context, search, key, table, lambda block: body(block, **others)
                        )
                    except Exception as error:
                        if len(keys) == 1:
                            raise
                        context.log.error(f"block {key}: {type(error).__name__}: {error}")
                        failed[key] = error
            finally:
                report(settings().home, run_registry())
            if failed:
                yield from _those_that_came_to_their_end(context, results)
                raise _of_failed_blocks(failed) from next(iter(failed.values()))
            yield from _reported(context, results, lineage)

        _shaped_like(run, body)
        return dg.asset(
            group_name=group,
            partitions_def=blocks,
            backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=BLOCKS_PER_RUN),
            deps=deps,
            owners=[f"team:{team}"],
            kinds={"python", "clickhouse"},
            metadata=table_metadata(table),
            code_version=code_version(table),
            op_tags={PRIORITY_TAG: str(order.value)},
            check_specs=by_partition(blocks, *checks, soundness.spec(body.__name__, table)),
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=FRESH_FOR),
        )(run)

    return decorate


def _one_block(
    context: dg.AssetExecutionContext,
    search: BlockSearchResource,
    key: str,
    table: str,
    work: Callable[[BlockRun], dg.MaterializeResult[Any]],
) -> dg.MaterializeResult[Any]:
    """Do one block's work; a block that lost its place ends the run with a sentence, not with a retry."""
    try:
        block = search.of(context, block_number(key))
        started = time.process_time()
        result = work(block)
        work_cpu_ms = round((time.process_time() - started) * 1_000)
        # Behind the fence: another run of this block shows its rows twice while it replaces them.
        with block.fence.held():
            sound = soundness.judged(block.store, table, block.number)
        checks = [*(result.check_results or []), sound]
        _tell_of_failed(context, block, checks)
        stage_lag.observe(block, table, run_registry())
    except Superseded as error:
        context.instance.add_run_tags(context.run_id, {ENDED_TAG: SUPERSEDED})
        raise dg.Failure(
            f"superseded: {error}",
            metadata={"block": key, "ended": SUPERSEDED},
            allow_retries=False,
        ) from error
    return dg.MaterializeResult(
        metadata={**(result.metadata or {}), "work_cpu_ms": work_cpu_ms},
        check_results=checks,
    )


def _tell_of_failed(
    context: dg.AssetExecutionContext, block: BlockRun, checks: Sequence[dg.AssetCheckResult]
) -> None:
    """Raise an alert for each check that failed and stops nothing; one that blocks fails the run."""
    blocking = {spec.name: spec.blocking for spec in context.assets_def.check_specs}
    for check in checks:
        if check.passed or NOTHING in (check.metadata or {}) or blocking[check.check_name or ""]:
            continue
        why = check.description or "; ".join(
            f"{name}={getattr(value, 'value', value)}" for name, value in (check.metadata or {}).items()
        )
        try:
            failed_checks.raise_check_alert(
                block.store,
                asset=context.asset_key.path[-1],
                check=check.check_name or "",
                number=block.number,
                why=why,
            )
        except MevError as error:
            context.log.warning(f"the alert of {check.check_name} is not stored: {error}")


def _reported(
    context: dg.AssetExecutionContext,
    results: dict[str, dg.MaterializeResult[Any]],
    lineage: dg.TableColumnLineage | None,
) -> Iterator[Any]:
    """Report a single block's result as it is; spread a range's over its partitions."""
    shared = {} if lineage is None else {"dagster/column_lineage": lineage}
    if len(results) == 1:
        ((_, only),) = results.items()
        yield from reported(context, only, shared)
        return
    for key, result in results.items():
        context.add_asset_metadata(figures_of(result), partition_key=key)
    yield dg.MaterializeResult(metadata=shared)
    yield from unjudged(context, ())
    yield from _verdicts(context, results)


def _those_that_came_to_their_end(
    context: dg.AssetExecutionContext, results: dict[str, dg.MaterializeResult[Any]]
) -> Iterator[Any]:
    """Report a range's good blocks one by one: the step's own output would be about all of its blocks."""
    version = context.assets_def.code_versions_by_key[context.asset_key]
    for key, result in results.items():
        yield dg.AssetMaterialization(
            context.asset_key,
            partition=key,
            metadata=figures_of(result),
            tags={CODE_VERSION_TAG: version} if version else None,
        )
    yield from _verdicts(context, results)


def _verdicts(
    context: dg.AssetExecutionContext, results: dict[str, dg.MaterializeResult[Any]]
) -> Iterator[dg.AssetCheckEvaluation]:
    """Return every check's verdict of every block, under the block's key."""
    blocking = {spec.name: spec.blocking for spec in context.assets_def.check_specs}
    for key, result in results.items():
        for check in judged(result):
            name = check.check_name or ""
            yield dg.AssetCheckEvaluation(
                asset_key=context.asset_key,
                check_name=name,
                passed=check.passed,
                metadata=check.metadata,
                severity=check.severity,
                description=check.description,
                blocking=blocking[name],
                partition=key,
            )


def _of_failed_blocks(failed: dict[str, Exception]) -> dg.Failure:
    """Say which blocks of a range did not come to their end, and why the first did not."""
    key, error = next(iter(failed.items()))
    names = name_blocks(int(one) for one in failed if one.isascii() and one.isdigit())
    return dg.Failure(
        f"{len(failed)} of the run's blocks failed ({names or key}); the others are stored. "
        f"Block {key}: {type(error).__name__}: {error}",
        metadata={"failed_blocks": ", ".join(failed)},
    )


def _shaped_like(run: Callable[..., Any], body: Body) -> None:
    """Give `run` the name, the words and the resource parameters of the body, as Dagster reads them."""
    parameters = list(inspect.signature(run).parameters.values())[:2]
    handed_through = list(inspect.signature(body).parameters.values())[1:]
    run.__name__, run.__doc__, run.__module__ = body.__name__, body.__doc__, body.__module__
    run.__signature__ = inspect.Signature([*parameters, *handed_through])  # type: ignore[attr-defined]
    run.__annotations__ = {
        **{one.name: one.annotation for one in (*parameters, *handed_through)},
        "return": dg.MaterializeResult,
    }
