"""`mev simulate`: execute a block, or one of its transactions, on its captured state."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from mev_dagster.commands.output import out, print_json
from mev_dagster.errors import InputError

if TYPE_CHECKING:
    from mev_dagster.evm.types import TxResult

app = typer.Typer(add_completion=False)


@app.command()
def simulate(
    block_file: Annotated[Path, typer.Argument(help="a block file as `mev parity` reads it")],
    engine: Annotated[str, typer.Option(help="auto, py_evm, revm or node")] = "py_evm",
    tx: Annotated[int | None, typer.Option(help="only this transaction, after those before it")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Execute a block on the state it was captured with."""
    from mev_dagster.evm.block_files import load_block_file
    from mev_dagster.evm.blocks import block_env, execute_block
    from mev_dagster.evm.engines import get_engine

    file = load_block_file(block_file)
    count = len(file.block.transactions)
    if tx is not None and not 0 <= tx < count:
        raise InputError(f"--tx {tx}: {block_file} holds transactions 0 to {count - 1}")
    chosen, env = get_engine(engine), block_env(file.block.header, file.chain_id)
    started = time.perf_counter()
    if tx is None:
        result = execute_block(chosen, file.prestate, file.block, file.chain_id)
        sim, receipts_root = result.sim, result.receipts_root
    else:
        session = chosen.session(file.prestate, env, file.block.transactions[:tx])
        sim, receipts_root = session.run(file.block.transactions[tx : tx + 1]), None
    document = {
        "engine": sim.engine,
        "fork": env.fork.name,
        "txs": [_transaction(item) for item in sim.txs],
        "receipts_root": receipts_root,
        "state_diff_hash": sim.state_diff_hash,
        "seconds": time.perf_counter() - started,
    }
    if as_json:
        print_json(document)
    else:
        _print(document, list(sim.txs))


def _transaction(result: "TxResult") -> dict[str, Any]:
    from mev_dagster.chain.receipts import logs_hash

    return {
        "hash": result.tx_hash,
        "status": result.status.value,
        "gas_used": result.gas_used,
        "logs_hash": logs_hash(result.logs),
        "error": result.error,
        "detail": result.detail,
    }


def _print(document: dict[str, Any], results: "list[TxResult]") -> None:
    table = Table(box=None, padding=(0, 2))
    for column in ("transaction", "status", "gas", "logs", "coinbase, gwei", ""):
        table.add_column(column)
    for result in results:
        colour = "green" if result.status == "success" else "red"
        table.add_row(
            f"0x{result.tx_hash.hex()[:16]}…",
            f"[{colour}]{result.status.value}[/]",
            f"{result.gas_used:,}",
            str(len(result.logs)),
            f"{result.coinbase_payment_wei / 1e9:,.3f}",
            result.error or result.detail,
        )
    out.print(table)
    root = document["receipts_root"]
    out.print(f"{document['engine']}, {document['fork']}, {document['seconds']:.2f} s")
    out.print(f"receipts root  {'-' if root is None else '0x' + root.hex()}", soft_wrap=True)
    out.print(f"state diff     0x{document['state_diff_hash'].hex()}", soft_wrap=True)
