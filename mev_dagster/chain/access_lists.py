"""Block access lists (EIP-7928): what a block's accounts and slots were looked up for, and what came out.

Index 0 is before the transactions, 1 the first of them, one past the last what the block itself does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise, zip_longest

from mev_dagster.chain import rlp
from mev_dagster.chain.keccak import keccak
from mev_dagster.errors import DecodeError, InvalidBlock
from mev_dagster.hexadecimal import to_hex

ITEM_GAS = 2_000
"""A block may list one address or slot for so much of its gas limit."""
MAX_CODE_BYTES = 65_536
_MAX_INDEX_BITS = 32
_WHERE = "access list: "


@dataclass(frozen=True, slots=True)
class AccountAccess:
    """One account's accesses: pairs are (index, value after), slots with their own pairs."""

    address: bytes
    storage_changes: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = ()
    storage_reads: tuple[int, ...] = ()
    balance_changes: tuple[tuple[int, int], ...] = ()
    nonce_changes: tuple[tuple[int, int], ...] = ()
    code_changes: tuple[tuple[int, bytes], ...] = ()


def access_list_hash(encoded: bytes) -> bytes:
    """Return what the header holds of an encoded list."""
    return keccak(encoded)


def encode_access_list(accounts: Sequence[AccountAccess]) -> bytes:
    """Return the list as peers and the hash have it."""
    return rlp.encode(
        [
            [
                account.address,
                [[slot, [list(pair) for pair in pairs]] for slot, pairs in account.storage_changes],
                list(account.storage_reads),
                [list(pair) for pair in account.balance_changes],
                [list(pair) for pair in account.nonce_changes],
                [list(pair) for pair in account.code_changes],
            ]
            for account in accounts
        ]
    )


def decode_access_list(raw: bytes) -> tuple[AccountAccess, ...]:
    """Decode a list; its order is judged by `check_access_list`."""
    return tuple(_account(item) for item in rlp.decode_list(raw))


def _account(item: rlp.Item) -> AccountAccess:
    parts = rlp.items(item, name="account access")
    if len(parts) != len(fields(AccountAccess)):
        raise DecodeError("wrong_field_count", f"an account access has 6 fields, found {len(parts)}")
    slots = []
    for entry in rlp.items(parts[1], name="storage changes"):
        slot, changes = _pair(entry, "slot changes")
        slots.append((_word(slot, "slot"), _numbers(changes, "storage changes", 256)))
    return AccountAccess(
        rlp.fixed(parts[0], 20, name="address"),
        tuple(slots),
        tuple(_word(slot, "slot") for slot in rlp.items(parts[2], name="storage reads")),
        _numbers(parts[3], "balance changes", 256),
        _numbers(parts[4], "nonce changes", 64),
        tuple(
            (_index(index), rlp.text(code, name="code"))
            for index, code in (
                _pair(entry, "code change") for entry in rlp.items(parts[5], name="code changes")
            )
        ),
    )


def _pair(item: rlp.Item, name: str) -> tuple[rlp.Item, rlp.Item]:
    parts = rlp.items(item, name=name)
    if len(parts) != 2:
        raise DecodeError("wrong_field_count", f"{name}: expected 2 fields, found {len(parts)}")
    return parts[0], parts[1]


def _numbers(item: rlp.Item, name: str, bits: int) -> tuple[tuple[int, int], ...]:
    pairs = (_pair(entry, name) for entry in rlp.items(item, name=name))
    return tuple((_index(index), rlp.integer(value, bits=bits, name=name)) for index, value in pairs)


def _index(item: rlp.Item) -> int:
    return rlp.integer(item, bits=_MAX_INDEX_BITS, name="block access index")


def _word(item: rlp.Item, name: str) -> int:
    return rlp.integer(item, bits=256, name=name)


def check_access_list(accounts: Sequence[AccountAccess], *, gas_limit: int, transactions: int) -> None:
    """Raise `InvalidBlock` where a list is not in order, repeats itself, or is larger than it may be."""
    _ascending([account.address for account in accounts], "accounts")
    items = len(accounts)
    for account in accounts:
        where = to_hex(account.address)
        written = [slot for slot, _ in account.storage_changes]
        _ascending(written, f"{where}: slots written")
        _ascending(account.storage_reads, f"{where}: slots read")
        both = set(written) & set(account.storage_reads)
        if both:
            raise InvalidBlock(f"access list: {where}: slot {min(both):#x} is listed as read and as written")
        items += len(written) + len(account.storage_reads)
        for slot, pairs in account.storage_changes:
            if not pairs:
                raise InvalidBlock(f"access list: {where}: slot {slot:#x} is written by nothing")
            _indexes(pairs, f"{where}: slot {slot:#x}", transactions)
        _indexes(account.balance_changes, f"{where}: balance", transactions)
        _indexes(account.nonce_changes, f"{where}: nonce", transactions)
        _indexes(account.code_changes, f"{where}: code", transactions)
        for _, code in account.code_changes:
            if len(code) > MAX_CODE_BYTES:
                raise InvalidBlock(f"access list: {where}: a code of {len(code)} bytes")
    if items > gas_limit // ITEM_GAS:
        raise InvalidBlock(
            f"access list: {items} accounts and slots, and a gas limit of {gas_limit} allows "
            f"{gas_limit // ITEM_GAS}"
        )


def access_list_fault(
    stated: bytes | None,
    stated_hash: bytes | None,
    executed: bytes | None,
    *,
    gas_limit: int,
    transactions: int,
) -> str | None:
    """Return why what a block states of its accesses is not what executing it gave, None where it is.

    `stated` is the list told beside the block, where one was; `stated_hash` is what its header holds.
    """
    if stated_hash is None:
        return None if stated is None else "a list is stated, and the header has no hash of one"
    if executed is None:
        return "the header has the hash of a list, and the rules of its fork give none"
    if stated is not None:
        try:
            listed = decode_access_list(stated)
            check_access_list(listed, gas_limit=gas_limit, transactions=transactions)
        except (DecodeError, InvalidBlock) as error:
            return str(error).removeprefix(_WHERE)
        different = first_difference(executed, stated)
        if different is not None:
            return different
    found = access_list_hash(executed)
    if found != stated_hash:
        return f"the header has {to_hex(stated_hash)}, executing gives {to_hex(found)}"
    return None


def _indexes(pairs: Sequence[tuple[int, int | bytes]], what: str, transactions: int) -> None:
    indexes = [index for index, _ in pairs]
    _ascending(indexes, f"{what}: changes")
    if indexes and indexes[-1] > transactions + 1:
        raise InvalidBlock(
            f"access list: {what}: index {indexes[-1]} in a block of {transactions} transactions"
        )


def _ascending(found: Sequence[bytes] | Sequence[int], what: str) -> None:
    for earlier, later in pairwise(found):
        if later <= earlier:  # type: ignore[operator]
            shown = later.hex() if isinstance(later, bytes) else f"{later:x}"
            raise InvalidBlock(f"access list: {what} are not in strictly ascending order at 0x{shown}")


def first_difference(expected: bytes, found: bytes) -> str | None:
    """Say where two encoded lists part, None where they do not."""
    if expected == found:
        return None
    pairs = zip_longest(decode_access_list(expected), decode_access_list(found))
    return next(_differences(pairs), "the encodings differ")


def _differences(
    pairs: Iterator[tuple[AccountAccess | None, AccountAccess | None]],
) -> Iterator[str]:
    for want, have in pairs:
        if want == have:
            continue
        if want is None or (have is not None and have.address < want.address):
            assert have is not None, "they are not both absent"
            yield f"account {to_hex(have.address)} is not expected"
        elif have is None or want.address < have.address:
            yield f"account {to_hex(want.address)} is missing"
        else:
            name = next(
                f.name for f in fields(AccountAccess) if getattr(want, f.name) != getattr(have, f.name)
            )
            expected, found = (
                _shown(getattr(side, name), getattr(other, name))
                for side, other in ((want, have), (have, want))
            )
            what = name.replace("_", " ")
            yield f"account {to_hex(want.address)}: {what}: expected {expected}, found {found}"


def _shown(entries: Sequence[object], others: Sequence[object]) -> str:
    """Return the first entry that the other side does not have at its place."""
    for entry, other in zip_longest(entries, others):
        if entry != other:
            return "nothing" if entry is None else f"{entry!r:.200}"
    return "nothing"
