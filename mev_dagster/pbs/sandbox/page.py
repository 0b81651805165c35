"""The page at `/`: every slot that was bid for, its bids, which one stands, and why others were refused."""

from collections.abc import Iterable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.sandbox.auction import key_of
from mev_dagster.pbs.sandbox.relay import RelayReceipt, SandboxRelay
from mev_dagster.units import ETHER, NS_PER_MS

SLOTS_SHOWN = 64
BIDS_SHOWN = 64
_SHORT = 10
_WEI_DIGITS = 18
_REFUSED = ' class="no"'
_STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}"
    "td,th{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #8884;vertical-align:top}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}code{font-size:12px}"
    ".best{font-weight:600}.no{color:#b3261e}:root{color-scheme:light dark}"
)


def routes(relay: SandboxRelay) -> list[Route]:
    """Return the page's route."""

    async def index(request: Request) -> Response:
        return HTMLResponse(page(relay), headers={"Cache-Control": "no-store"})

    return [Route("/", index)]


def page(relay: SandboxRelay) -> str:
    """Return the page's text: a function of what the relay remembers."""
    by_slot: dict[int, list[RelayReceipt]] = {}
    for receipt in relay.receipts:
        by_slot.setdefault(receipt.submission.message.slot, []).append(receipt)
    slots = sorted(by_slot, reverse=True)[:SLOTS_SHOWN]
    announced = sum(1 for _ in relay.announced())
    known = f"{len(by_slot)} slots were bid for, {announced} are announced"
    sections = "".join(_slot(relay, slot, by_slot[slot]) for slot in slots)
    faults = "".join(
        f"<li>{escape(rule.kind)} on <code>{escape(rule.path)}</code>: {met} of {asked} requests</li>"
        for rule, asked, met in zip(relay.faults.rules, relay.faults.asked, relay.faults.met, strict=True)
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Sandbox relay</title>'
        f"<style>{_STYLE}</style></head><body><h1>Sandbox relay</h1>"
        f"<p>Key <code>{to_hex(relay.key.pubkey)}</code>. {known}. Nothing here leaves this machine.</p>"
        + (f"<h2>Faults</h2><ul>{faults}</ul>" if faults else "")
        + (sections or "<p>No bid yet: <code>POST /relay/v1/builder/blocks</code></p>")
        + "</body></html>"
    )


def _slot(relay: SandboxRelay, number: int, receipts: list[RelayReceipt]) -> str:
    newest = receipts[: -BIDS_SHOWN - 1 : -1]
    delivered = relay.auction.is_delivered(number)
    state = "payload delivered" if delivered else "past" if relay.is_past(number) else "open"
    head = "".join(f"<th>{name}</th>" for name in ("", "ether", "builder", "block", "ms", "answer", "why"))
    first_ns = receipts[0].received_ns
    rows = "".join(_bid(relay, receipt, first_ns) for receipt in newest)
    count = f"{len(receipts)} bids" if len(receipts) != 1 else "1 bid"
    return f"<h2>Slot {number}</h2><p>{state}, {count}</p><table><tr>{head}</tr>{rows}</table>"


def _bid(relay: SandboxRelay, receipt: RelayReceipt, first_ns: int) -> str:
    submission, answer = receipt.submission, receipt.answer
    best = relay.auction.best(key_of(submission))
    stands = best is not None and best.submission is submission
    cells: Iterable[str] = (
        f"<td>{'best' if stands else ''}</td>",
        f'<td class="n">{_ether(submission.message.value)}</td>',
        f"<td><code>{_short(submission.message.builder_pubkey)}</code></td>",
        f"<td><code>{_short(submission.message.block_hash)}</code></td>",
        f'<td class="n">+{(receipt.received_ns - first_ns) // NS_PER_MS}</td>',
        f"<td>{answer.status} {escape(answer.code)}</td>",
        f"<td{'' if answer.accepted else _REFUSED}>{escape(_why(receipt))}</td>",
    )
    kind = ' class="best"' if stands else ""
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _why(receipt: RelayReceipt) -> str:
    """Return what the first check that failed found; of an accepted bid how much was checked."""
    failed = next((check for check in receipt.checks if not check.ok), None)
    if failed is not None:
        return f"{failed.name}: {failed.message}"
    return f"{len(receipt.checks)} checks hold" if receipt.answer.accepted else receipt.answer.message


def _short(value: bytes) -> str:
    return to_hex(value)[:_SHORT] + "…"


def _ether(amount_wei: int) -> str:
    return f"{amount_wei // ETHER}.{amount_wei % ETHER:0{_WEI_DIGITS}d}".rstrip("0").rstrip(".")
