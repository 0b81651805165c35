"""`mev bench decode`: raw bytes to hash, sender and every field, against eth_account and against C.

The limit is `decode.c` on coincurve's libsecp256k1; without a compiler it is that library's recovery alone,
called in a tight loop, and the budget allows for what C needs besides. Rounds are interleaved (harness).
"""

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from mev_dagster.bench.decode_isolation import isolation, scaling
from mev_dagster.bench.harness import Options, Result, interleave, judge
from mev_dagster.bench.native import build_native_decoder
from mev_dagster.bench.transactions import generate
from mev_dagster.chain.columns import decode_columns
from mev_dagster.chain.ecdsa import recover_address
from mev_dagster.chain.envelope import split_transaction
from mev_dagster.chain.keccak import keccak
from mev_dagster.chain.transactions import decode_transaction
from mev_dagster.errors import MevError

TRANSACTIONS = 50_000
BLOCK = 2_000
ROUNDS = 7
PEER_EVERY = 20  # the peer decodes every 20th transaction of each block, being ten times slower

AT_MOST_C = 1.35
AT_MOST_RECOVERY = 1.6
AT_LEAST_PEER = 8.0
DUPLICATE_SHARE = 1 / 20

Block = list[bytes]


def run(options: Options) -> Iterator[Result]:
    """Yield the figures of decoding."""
    count = TRANSACTIONS // 10 if options.quick else TRANSACTIONS
    options.step(f"signing {count} transactions")
    raws = list(generate(count))
    yield from throughput(raws, options)
    yield from scaling(raws, options)
    yield from isolation(raws, options)


def throughput(raws: Sequence[bytes], options: Options) -> Iterator[Result]:
    """Measure decoding into columns, into objects, and duplicates, beside peer and limits."""
    blocks: list[Block] = [list(raws[start : start + BLOCK]) for start in range(0, len(raws), BLOCK)]
    numbers = list(range(len(blocks)))
    recoveries = [
        [(item.signing_hash, item.signature, item.y_parity) for item in map(split_transaction, block)]
        for block in blocks
    ]
    known = {keccak(raw) for raw in raws}
    peer = _eth_account()
    native = build_native_decoder()

    def each(work: Callable[[Block], object]) -> Callable[[int], object]:
        return lambda number: work(blocks[number])

    contenders: dict[str, Callable[[int], object]] = {
        "columns": each(decode_columns),
        "objects": each(lambda block: [decode_transaction(raw) for raw in block]),
        "recovery": lambda number: [recover_address(*signed) for signed in recoveries[number]],
        "duplicate": each(lambda block: [keccak(raw) in known for raw in block]),
    }
    if native is not None:
        packed = [native.pack(block) for block in blocks]
        for batch in packed:
            if native.decode(batch) != batch.count:
                raise MevError("decode.c refuses a transaction that we signed")
        contenders["c"] = lambda number: native.decode(packed[number])
    if peer is not None:
        contenders["peer"] = each(lambda block: [peer(raw) for raw in block[::PEER_EVERY]])

    seconds = interleave(contenders, numbers, rounds=3 if options.quick else ROUNDS, step=options.step)
    micros = {name: total / len(raws) * 1e6 for name, total in seconds.items()}
    if "peer" in micros:
        micros["peer"] = seconds["peer"] / sum(len(block[::PEER_EVERY]) for block in blocks) * 1e6
    limit = micros.get("c", micros["recovery"])
    at_most = AT_MOST_C if "c" in micros else AT_MOST_RECOVERY
    limited_by = "limit: C batch" if "c" in micros else "limit: recovery alone, there is no C compiler"
    peer_name = "" if peer is None else "eth_account"
    yield judge(
        "decode",
        micros["columns"],
        "us/tx",
        peer=peer_name,
        peer_value=micros.get("peer"),
        limit_value=limit,
        at_least_peer=AT_LEAST_PEER,
        at_most_limit=at_most,
        note=f"{limited_by}; {len(raws)} transactions into columns",
    )
    yield judge(
        "decode_objects",
        micros["objects"],
        "us/tx",
        peer=peer_name,
        peer_value=micros.get("peer"),
        limit_value=limit,
        at_most_limit=AT_MOST_RECOVERY,
        note=f"{limited_by}; one Transaction each",
    )
    yield judge(
        "decode_recovery",
        micros["recovery"],
        "us/tx",
        limit_value=limit,
        note="recovery of the sender alone, through coincurve's libsecp256k1",
    )
    yield judge(
        "decode_duplicate",
        micros["duplicate"],
        "us/tx",
        limit_value=micros["columns"],
        at_most_limit=DUPLICATE_SHARE,
        note="hash and lookup of a transaction that is known already, against decoding it",
    )


def _eth_account() -> Callable[[bytes], object] | None:
    """Return the same work by the usual libraries, or None without them.

    Fields as plain values, hash, sender, and the signer of each authorization, as decoding gives them.
    """
    if find_spec("eth_account") is None:
        return None
    import rlp
    from eth_account import Account
    from eth_account._utils.legacy_transactions import Transaction as LegacyTransaction
    from eth_account.typed_transactions import TypedTransaction
    from eth_utils import keccak as eth_keccak
    from hexbytes import HexBytes

    def authority(signed: dict[str, Any]) -> object:
        tuple_rlp = rlp.encode([signed["chainId"], bytes(signed["address"]), signed["nonce"]])
        return Account._recover_hash(
            eth_keccak(b"\x05" + tuple_rlp), vrs=(signed["yParity"], signed["r"], signed["s"])
        )

    def decode(raw: bytes) -> object:
        kind = LegacyTransaction if raw[0] >= 0xC0 else TypedTransaction
        fields = kind.from_bytes(HexBytes(raw)).as_dict()
        authorities = [authority(signed) for signed in fields.get("authorizationList", ())]
        return fields, eth_keccak(raw), Account.recover_transaction(raw), authorities

    return decode
