"""What all per-block assets share, so that each of them is a title and a call.

    @block_asset("search", table="opportunities", team="search", deps=[simulations])
    def opportunities(block: BlockRun) -> dg.MaterializeResult: ...

The body works on one block. A run of one key calls it once; a run over a range of keys calls it block by
block and reports each block's figures under its own partition. The resources a body names after `block` are
handed through.
"""

import inspect
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any

import dagster as dg

from assets import soundness
from assets.lineage import column_lineage
from assets.partitions import block_number, blocks
from assets.tables import table_metadata
from mev_dagster.blockrun import stage_lag
from mev_dagster.blockrun.run import BlockRun
from mev_dagster.blockrun.run_tags import ENDED_TAG, SUPERSEDED
from mev_dagster.errors import Superseded
from mev_dagster.settings import settings
from mev_dagster.telemetry.run_reports import report, run_registry
from resources.block_search import BlockSearchResource

Body = Callable[..., dg.MaterializeResult[Any]]

PRIORITY_TAG = "dagster/priority"


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
        ) -> dg.MaterializeResult[Any]:
            results = {}
            try:
                for key in context.partition_keys:
                    results[key] = _one_block(
                        context, search, key, table, lambda block: body(block, **others)
                    )
            finally:
                report(settings().home, run_registry())
            return _reported(context, results, lineage)

        _shaped_like(run, body)
        return dg.asset(
            group_name=group,
            partitions_def=blocks,
            backfill_policy=dg.BackfillPolicy.single_run(),
            deps=deps,
            owners=[f"team:{team}"],
            kinds={"python", "clickhouse"},
            metadata=table_metadata(table),
            code_version="1",
            op_tags={PRIORITY_TAG: str(order.value)},
            check_specs=[*checks, soundness.spec(body.__name__, table)],
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
        check_results=[*(result.check_results or []), sound],
    )


def _reported(
    context: dg.AssetExecutionContext,
    results: dict[str, dg.MaterializeResult[Any]],
    lineage: dg.TableColumnLineage | None,
) -> dg.MaterializeResult[Any]:
    """Return a single block's result as it is; spread a range's over its partitions."""
    shared = {} if lineage is None else {"dagster/column_lineage": lineage}
    if len(results) == 1:
        ((_, only),) = results.items()
        return dg.MaterializeResult(
            metadata={**(only.metadata or {}), **shared}, check_results=only.check_results or []
        )
    for key, result in results.items():
        context.add_asset_metadata(result.metadata or {}, partition_key=key)
    verdicts = [check for result in results.values() for check in result.check_results or []]
    return dg.MaterializeResult(metadata=shared, check_results=_joined(results, verdicts))


def _joined(
    results: dict[str, dg.MaterializeResult[Any]], verdicts: Iterable[dg.AssetCheckResult]
) -> list[dg.AssetCheckResult]:
    """Return one verdict a check for the whole range: it passes when it passed for every block."""
    names = list(dict.fromkeys(check.check_name for check in verdicts))
    joined = []
    for name in names:
        of_block = {
            key: check
            for key, result in results.items()
            for check in result.check_results or []
            if check.check_name == name
        }
        failed = [key for key, check in of_block.items() if not check.passed]
        worst = next((of_block[key] for key in failed), next(iter(of_block.values())))
        joined.append(
            dg.AssetCheckResult(
                check_name=name,
                passed=not failed,
                severity=worst.severity,
                metadata={
                    **(worst.metadata or {}), "blocks": len(of_block), "failed_blocks": ", ".join(failed),
                },
            )
        )  # fmt: skip
    return joined


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
