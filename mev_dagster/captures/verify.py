"""Is a capture what its manifest says: every digest, every record, every root."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mev_dagster.captures.format import Capture, open_capture
from mev_dagster.captures.layout import (
    BLOCKS,
    CODES,
    EVENTS,
    PART_NAMES,
    PRESTATES,
    RECEIPTS,
    WITNESSES,
)
from mev_dagster.captures.manifest import MANIFEST
from mev_dagster.chain.block_rules import check_contents, check_header
from mev_dagster.chain.blocks import Block, header_hash
from mev_dagster.chain.forks import Fork
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.networks import MAINNET, is_public_chain
from mev_dagster.chain.receipts import Receipt, receipts_root
from mev_dagster.errors import CaptureError, InvalidBlock, MevError, UnsupportedFork
from mev_dagster.events.types import BlockSeen, TxBody, TxSeen
from mev_dagster.evm.engines import get_engine
from mev_dagster.evm.parity import check
from mev_dagster.hexadecimal import to_hex


@dataclass(slots=True)
class CaptureReport:
    """What `verify_capture` counted and found wrong. Each error starts with the part it is about."""

    blocks: int = 0
    txs: int = 0
    events: int = 0
    prestates: int = 0
    codes: int = 0
    receipts_root_checked: int = 0
    receipts_root_matches: int = 0
    headers_checked: int = 0
    witnesses: int = 0
    state_root_checked: int = 0
    state_root_matches: int = 0
    access_list_checked: int = 0
    access_list_matches: int = 0
    arrival_times: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Say whether nothing was found wrong."""
        return not self.errors


def verify_capture(
    path: Path | str, *, on_block: Callable[[int, int], None] = lambda done, total: None
) -> CaptureReport:
    """Check a capture whole; what is wrong is listed, not raised, so that one look finds everything."""
    report = CaptureReport()
    try:
        with open_capture(path) as capture:
            report.arrival_times = str(capture.manifest.arrival_times)
            sound = [name for name in PART_NAMES if _check_part(capture, name, report)]
            if BLOCKS in sound:
                _check_blocks(capture, sound, report, on_block)
            if EVENTS in sound:
                _check_events(capture, report)
            if CODES in sound:
                _check_codes(capture, report)
    except CaptureError as error:
        report.errors.append(str(error))
    return report


def _check_part(capture: Capture, name: str, report: CaptureReport) -> bool:
    try:
        capture.part(name)
    except CaptureError as error:
        report.errors.append(str(error))
        return False
    return True


def _check_blocks(
    capture: Capture, sound: list[str], report: CaptureReport, on_block: Callable[[int, int], None]
) -> None:
    numbers = capture.numbers
    manifest = capture.manifest
    stated = (manifest.first_block, manifest.last_block, manifest.block_count)
    found = (numbers[0], numbers[-1], len(numbers)) if numbers else (None, None, 0)
    if stated != found or list(numbers) != sorted(set(numbers)):
        report.errors.append(f"{MANIFEST}: blocks: expected {stated}, part {BLOCKS} holds {found}")
    parent: Block | None = None
    for done, number in enumerate(numbers, 1):
        try:
            block = capture.block(number)
            report.blocks += 1
            _check_rules(capture, parent, block, report)
            parent = block
            report.txs += len(block.transactions)
            if RECEIPTS in sound and capture.has_receipts(number):
                _check_receipts(capture.chain_id, block, capture.receipts(number), report)
            if PRESTATES in sound and CODES in sound and capture.has_prestate(number):
                capture.prestate(number)
                report.prestates += 1
            if capture.has_witness(number):
                _check_witness(capture, block, report)
        except CaptureError as error:
            report.errors.append(str(error))
        on_block(done, len(numbers))


def _check_rules(capture: Capture, before: Block | None, block: Block, report: CaptureReport) -> None:
    """Hold a public network's block to what needs no state; its parent is in the capture or its witness."""
    if not is_public_chain(capture.chain_id):
        return  # a devnet's node may be told to break any of it
    header, number = block.header, block.header.number
    parents = [] if before is None else [before.header]
    if capture.has_witness(number):
        parents += capture.witness(number).ancestors
    parent = next((one for one in parents if header_hash(one) == header.parent_hash), None)
    try:
        check_contents(block, capture.schedule)
        if parent is not None:
            report.headers_checked += 1
            check_header(parent, header, capture.schedule)
    except InvalidBlock as error:
        report.errors.append(f"part {BLOCKS}: {error}")
    except UnsupportedFork:
        pass  # of a fork that is not known here there is nothing to hold it to


def _check_witness(capture: Capture, block: Block, report: CaptureReport) -> None:
    """Execute the block on its witness alone, from the parent's state root to its own."""
    number = block.header.number
    where = f"part {WITNESSES}: block {number}"
    report.witnesses += 1
    witness = capture.witness(number)
    parents = {header_hash(header): header for header in witness.ancestors}
    parent = parents.get(block.header.parent_hash)
    if parent is None or parent.state_root != witness.state_root:
        report.errors.append(f"{where}: holds no header of the parent to begin at")
        return
    receipts = capture.receipts(number) if capture.has_receipts(number) else None
    report.state_root_checked += 1
    report.access_list_checked += block.header.block_access_list_hash is not None
    try:
        parity = check(block, witness, receipts, get_engine("auto"), chain=capture.schedule, witness=witness)
    except UnsupportedFork as error:
        report.state_root_checked -= 1
        report.errors.append(f"{where}: not executed: {error}")
        return
    except MevError as error:
        report.errors.append(f"{where}: {error}")
        return
    report.state_root_matches += parity.state_root_matches is True
    report.access_list_matches += parity.access_list_matches is True
    report.errors += [
        f"{where}: {found.what}: expected {found.expected:.200}, executed {found.found:.200}"
        for found in parity.differences
    ]


def _check_receipts(
    chain_id: int, block: Block, receipts: tuple[Receipt, ...], report: CaptureReport
) -> None:
    where = f"part {RECEIPTS}: block {block.header.number}"
    if len(receipts) != len(block.transactions):
        report.errors.append(f"{where}: {len(block.transactions)} transactions, {len(receipts)} receipts")
        return
    gas_used = receipts[-1].cumulative_gas_used if receipts else 0
    if gas_used != block.header.gas_used:
        report.errors.append(f"{where}: the header used {block.header.gas_used} gas, they used {gas_used}")
    if not _root_is_known(chain_id, block, receipts):
        return
    root = receipts_root(receipts)
    report.receipts_root_checked += 1
    if root == block.header.receipts_root:
        report.receipts_root_matches += 1
    else:
        stated = block.header.receipts_root.hex()
        report.errors.append(f"{where}: receipts root is 0x{stated} but the content gives {to_hex(root)}")


def _root_is_known(chain_id: int, block: Block, receipts: tuple[Receipt, ...]) -> bool:
    """Before Byzantium the root covers intermediate state roots, which a capture may lack."""
    if all(receipt.post_state is not None for receipt in receipts):
        return True
    header = block.header
    byzantium = chain_id != MAINNET.chain_id or (
        MAINNET.fork_at(header.number, header.timestamp) >= Fork.BYZANTIUM
    )
    return byzantium and all(receipt.status is not None for receipt in receipts)


def _check_events(capture: Capture, report: CaptureReport) -> None:
    numbers = set(capture.numbers)
    span = range(min(numbers, default=0), max(numbers, default=-1) + 1)
    try:
        for event in capture.events():
            report.events += 1
            if isinstance(event, TxSeen | TxBody) and event.synthetic and not capture.synthetic:
                report.errors.append(f"part {EVENTS}: event {event.seq} is synthetic, the capture observed")
                return
            if isinstance(event, BlockSeen) and event.number in span and event.number not in numbers:
                report.errors.append(
                    f"part {EVENTS}: event {event.seq}: block {event.number} is not in {BLOCKS}"
                )
    except CaptureError as error:
        report.errors.append(str(error))


def _check_codes(capture: Capture, report: CaptureReport) -> None:
    try:
        for code_hash, code in capture.part(CODES):
            report.codes += 1
            if keccak(code) != code_hash:
                report.errors.append(f"part {CODES}: code {to_hex(code_hash)} has another keccak")
    except CaptureError as error:
        report.errors.append(str(error))
