"""What a header and a body must keep to whatever executing them gives.

Sources: EIP-1559 (base fee, gas limit), 4844, 7691, 7892 and 7918 (blobs), 4895, 7685, 7928 and 7843 (fields
that come with a fork), 7934 (size). Proof of work's difficulty is not judged.
"""

from mev_dagster.chain.blocks import Block, Header, encode_block
from mev_dagster.chain.fees import ELASTICITY, GAS_PER_BLOB, calc_excess_blob_gas, next_base_fee
from mev_dagster.chain.forks import Fork, ForkSchedule
from mev_dagster.chain.validity import validate_for_fork
from mev_dagster.errors import InvalidBlock, InvalidTransaction, UnsupportedFork

MAX_BLOCK_BYTES = 8 * 1024 * 1024  # EIP-7934: ten MiB less two for the beacon block
GAS_LIMIT_BOUND_DIVISOR = 1_024
MIN_GAS_LIMIT = 5_000
MAX_EXTRA_DATA_BYTES = 32

# The fork that each field comes with.
_FIELDS = (
    ("base_fee_per_gas_wei", Fork.LONDON),
    ("withdrawals_root", Fork.SHANGHAI),
    ("blob_gas_used", Fork.CANCUN),
    ("excess_blob_gas", Fork.CANCUN),
    ("parent_beacon_block_root", Fork.CANCUN),
    ("requests_hash", Fork.PRAGUE),
    ("block_access_list_hash", Fork.AMSTERDAM),
    ("slot_number", Fork.AMSTERDAM),
)


def check_header(parent: Header, header: Header, schedule: ForkSchedule) -> None:
    """Raise `InvalidBlock` where a header cannot follow its parent; `UnsupportedFork` where none can say."""
    fork = schedule.fork_at(header.number, header.timestamp)
    if fork is Fork.UNKNOWN or header.later_fields:
        name = schedule.name_at(header.number, header.timestamp)
        raise UnsupportedFork(f"block {header.number}: the rules of its fork ({name}) are not known here")
    _check_fields(header, fork)
    if header.number != parent.number + 1:
        raise _wrong(header, f"follows block {parent.number}")
    if header.timestamp <= parent.timestamp:
        raise _wrong(header, f"timestamp {header.timestamp}, its parent's is {parent.timestamp}")
    if header.gas_used > header.gas_limit:
        raise _wrong(header, f"gas used {header.gas_used} above the limit {header.gas_limit}")
    if len(header.extra_data) > MAX_EXTRA_DATA_BYTES:
        raise _wrong(header, f"{len(header.extra_data)} bytes of extra data, at most {MAX_EXTRA_DATA_BYTES}")
    _check_gas_limit(parent, header)
    if fork >= Fork.LONDON and header.base_fee_per_gas_wei != (expected := next_base_fee(parent)):
        raise _wrong(header, f"base fee {header.base_fee_per_gas_wei}, its parent gives {expected}")
    if fork >= Fork.CANCUN:
        _check_blobs(parent, header, fork, schedule)


def _check_fields(header: Header, fork: Fork) -> None:
    for name, since in _FIELDS:
        is_there = getattr(header, name) is not None
        if is_there != (fork >= since):
            raise _wrong(header, f"{name} is {'set' if is_there else 'missing'} under {fork.name}")


def _check_gas_limit(parent: Header, header: Header) -> None:
    first_london = parent.base_fee_per_gas_wei is None and header.base_fee_per_gas_wei is not None
    before = parent.gas_limit * (ELASTICITY if first_london else 1)
    reach = before // GAS_LIMIT_BOUND_DIVISOR
    if abs(header.gas_limit - before) >= reach or header.gas_limit < MIN_GAS_LIMIT:
        raise _wrong(header, f"gas limit {header.gas_limit}: expected {before} ± {reach - 1}")


def _check_blobs(parent: Header, header: Header, fork: Fork, schedule: ForkSchedule) -> None:
    blobs = schedule.blobs_at(header.number, header.timestamp)
    assert blobs is not None, "a fork with blobs has blob parameters"
    used = header.blob_gas_used or 0
    if used % GAS_PER_BLOB or used > blobs.maximum * GAS_PER_BLOB:
        raise _wrong(
            header, f"blob gas {used}: expected whole blobs of {GAS_PER_BLOB}, at most {blobs.maximum}"
        )
    expected = calc_excess_blob_gas(parent, fork, blobs)
    if header.excess_blob_gas != expected:
        raise _wrong(header, f"excess blob gas {header.excess_blob_gas}, its parent gives {expected}")


def check_contents(block: Block, schedule: ForkSchedule) -> None:
    """Raise `InvalidBlock` where a block holds what its fork does not allow, whatever the state is.

    That the body is the one its header commits to is `blocks.check_body`'s to say.
    """
    header = block.header
    fork = schedule.fork_at(header.number, header.timestamp)
    blobs = schedule.blobs_at(header.number, header.timestamp)
    if fork >= Fork.OSAKA and (size := len(encode_block(block))) > MAX_BLOCK_BYTES:
        raise _wrong(header, f"{size} bytes, at most {MAX_BLOCK_BYTES} (EIP-7934)")
    for index, transaction in enumerate(block.transactions):
        try:
            validate_for_fork(transaction, fork, chain_id=schedule.chain_id, blobs=blobs)
        except InvalidTransaction as error:
            raise _wrong(header, f"transaction {index}: {error}") from error
    held = GAS_PER_BLOB * sum(len(tx.blob_versioned_hashes) for tx in block.transactions)
    if fork >= Fork.CANCUN and held != header.blob_gas_used:
        raise _wrong(header, f"blob gas used {header.blob_gas_used}, its transactions hold {held}")


def _wrong(header: Header, what: str) -> InvalidBlock:
    return InvalidBlock(f"block {header.number}: {what}")
