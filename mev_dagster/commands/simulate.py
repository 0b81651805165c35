"""`mev simulate`: execute a block, one of its transactions or a bundle on a captured or a live state."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeAlias

import typer
from rich.table import Table

from mev_dagster.commands.output import out, print_json
from mev_dagster.errors import DecodeError, InputError
from mev_dagster.hexadecimal import to_hex
from mev_dagster.units import GWEI

if TYPE_CHECKING:
    from mev_dagster.chain.blocks import Block
    from mev_dagster.chain.forks import ForkSchedule
    from mev_dagster.evm.types import SimulationEngine, StateSource, TxResult

app = typer.Typer(add_completion=False)

Outcome: TypeAlias = "tuple[dict[str, Any], list[TxResult]]"
"""What `--json` prints, and the results it is made of."""


class BlockSelection(NamedTuple):
    """What is executed of a block: all, one transaction, or raw ones in its place."""

    tx: int | None
    bundle: list[bytes] | None


@app.command()
def simulate(
    block: Annotated[str, typer.Argument(help="a block file as `mev parity` reads it; with --rpc a number")],
    engine: Annotated[str, typer.Option(help="auto, py_evm, revm or node")] = "py_evm",
    tx: Annotated[int | None, typer.Option(help="only this transaction, after those before it")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="in its place raw transactions, a line of hex each")
    ] = None,
    rpc: Annotated[str | None, typer.Option(help="take block and state from this node, http://…")] = None,
    store: Annotated[Path | None, typer.Option(help="with --rpc: keep the state read in this folder")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
) -> None:
    """Execute a block on the state it was captured with, or on a node's, loaded as it is read."""
    from mev_dagster.evm.engines import get_engine

    if store is not None and rpc is None:
        raise InputError("--store keeps what was read from a node: it goes with --rpc")
    chosen = get_engine(engine, rpc_url=rpc)
    part = BlockSelection(tx, None if bundle is None else _raw_lines(bundle))
    if rpc is None:
        document, results = _on_file(Path(block), chosen, part)
    else:
        document, results = _on_node(block, rpc, chosen, part, store)
    if as_json:
        print_json(document)
    else:
        _print(document, results)


def _on_file(path: Path, engine: "SimulationEngine", part: BlockSelection) -> "Outcome":
    from mev_dagster.chain.networks import schedule_for
    from mev_dagster.evm.block_files import load_block_file

    file = load_block_file(path)
    return _execute(engine, file.prestate, file.block, schedule_for(file.chain_id), part, str(path))


def _on_node(
    text: str, url: str, engine: "SimulationEngine", part: BlockSelection, store: Path | None
) -> "Outcome":
    from mev_dagster.evm.engines import get_engine
    from mev_dagster.evm.node.blocks import load_block
    from mev_dagster.evm.state.prestate_store import PrestateStore
    from mev_dagster.node.http import JsonRpc

    try:
        number = int(text, 0)
    except ValueError:
        raise InputError(f"{text}: with --rpc a block number is expected") from None
    with JsonRpc(url) as client:
        # A node's engine has the state where it runs; what it reads is found, and proven, by a local one.
        loaded = load_block(client, number, get_engine("auto") if engine.name == "node" else engine)
        state, where = loaded.state, f"block {number}"
        document, results = _execute(engine, state, loaded.block, loaded.schedule, part, where)
        recorded = state.recorded()
        document |= {
            "prestate": recorded.digest(),
            "accounts": len(recorded.accounts),
            "slots": sum(len(account.storage) for account in recorded.accounts.values()),
            "codes": len(recorded.codes),
            "rounds": loaded.rounds,
            "requests": client.requests,
            "round_trips": client.round_trips,
            "bytes_sent": client.bytes_sent,
            "bytes_received": client.bytes_received,
        }
    if store is not None:
        PrestateStore(store).put(recorded)
    return document, results


def _execute(
    engine: "SimulationEngine",
    state: "StateSource",
    block: "Block",
    schedule: "ForkSchedule",
    part: BlockSelection,
    where: str,
) -> "Outcome":
    from mev_dagster.evm.blocks import block_env, execute_block
    from mev_dagster.evm.bundle import simulate_bundle

    tx, count = part.tx, len(block.transactions)
    if tx is not None and not 0 <= tx < count:
        raise InputError(f"--tx {tx}: {where} holds transactions 0 to {count - 1}")
    env = block_env(block.header, schedule)
    started = time.perf_counter()
    receipts_root: bytes | None = None
    if part.bundle is not None:
        sim = simulate_bundle(engine, state, env, part.bundle, block.transactions[: tx or 0])
    elif tx is None:
        result = execute_block(engine, state, block, schedule)
        sim, receipts_root = result.sim, result.receipts_root
    else:
        session = engine.session(state, env, block.transactions[:tx])
        sim = session.run(block.transactions[tx : tx + 1])
    matches = None if receipts_root is None else receipts_root == block.header.receipts_root
    document = {
        "engine": sim.engine,
        "fork": env.fork.name,
        "txs": [_transaction(item) for item in sim.txs],
        "receipts_root": receipts_root,
        "receipts_root_matches": matches,
        "state_diff_hash": sim.state_diff_hash,
        "seconds": time.perf_counter() - started,
    }
    return document, list(sim.txs)


def _raw_lines(path: Path) -> list[bytes]:
    """Return the bytes each line spells; what is no hex is no transaction, and told so."""
    from mev_dagster.chain.lines import parse_hex

    try:
        lines = path.read_bytes().split()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    found = []
    for line in lines:
        try:
            found.append(parse_hex(line))
        except DecodeError:
            found.append(line)
    return found


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
            f"{to_hex(result.tx_hash)[:18]}…",
            f"[{colour}]{result.status.value}[/]",
            f"{result.gas_used:,}",
            str(len(result.logs)),
            f"{result.coinbase_payment_wei / GWEI:,.3f}",
            result.error or result.detail,
        )
    out.print(table)
    root = document["receipts_root"]
    out.print(f"{document['engine']}, {document['fork']}, {document['seconds']:.2f} s")
    out.print(f"receipts root  {'-' if root is None else to_hex(root)}", soft_wrap=True)
    out.print(f"state diff     {to_hex(document['state_diff_hash'])}", soft_wrap=True)
    if "requests" in document:
        out.print(
            f"prestate       {to_hex(document['prestate'])}: {document['accounts']} accounts, "
            f"{document['slots']} slots, {document['codes']} codes",
            soft_wrap=True,
        )
        out.print(
            f"from the node  {document['requests']:,} requests in {document['round_trips']} round trips, "
            f"{document['bytes_sent']:,} bytes sent, {document['bytes_received']:,} received"
        )
