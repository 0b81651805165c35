"""Which senders' transactions can change each other's value, and the best order of each such group.

Two are in conflict where one writes a storage slot that the other reads or writes, or changes the balance
another one pays from. What is in no conflict is worth the same wherever it stands, so only the groups are
tried out in several orders: a block of hundreds of orders is merged from groups of a few.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

from mev_dagster.evm.types import StateSession, TxStatus
from mev_dagster.pbs.sim_values import Ordering, SimValue, SimValues

MOST_PERMUTED = 4
"""Of so many senders every order is tried: 24 at most."""
MOST_TRIED = 64
"""Groups whose every order is tried in one block; the largest values come first."""


def conflict_groups(values: SimValues) -> list[frozenset[bytes]]:
    """Return the groups of senders in conflict, each of two or more; the order follows the senders'."""
    writers: dict[tuple[bytes, int], list[bytes]] = defaultdict(list)
    readers: dict[tuple[bytes, int], list[bytes]] = defaultdict(list)
    leader = {sender: sender for sender in values}

    def found(sender: bytes) -> bytes:
        while leader[sender] != sender:
            leader[sender] = leader[leader[sender]]
            sender = leader[sender]
        return sender

    def joined(one: bytes, other: bytes) -> None:
        first, second = sorted((found(one), found(other)))
        leader[second] = first

    for sender, queue in values.items():
        for one in queue:
            if one.result is None:
                continue
            for slot in one.result.slots_written:
                writers[slot].append(sender)
            for slot in one.result.slots_read:
                readers[slot].append(sender)
            for address in one.result.balance_changes_wei:
                if address != sender and address in leader:
                    joined(sender, address)
    for slot, by in writers.items():
        for sender in (*by[1:], *readers.get(slot, ())):
            joined(by[0], sender)
    groups: dict[bytes, list[bytes]] = defaultdict(list)
    for sender in values:
        groups[found(sender)].append(sender)
    return [frozenset(group) for group in groups.values() if len(group) > 1]


def merged(
    session: StateSession,
    values: SimValues,
    sequences: Mapping[Ordering, Sequence[SimValue]],
) -> tuple[list[SimValue], dict[Ordering, int]]:
    """Return the first sequence with each group in its best order, and what each ordering is worth.

    Worth is what execution says of the groups on top of what is committed, and what was simulated of the
    rest.
    """
    base, groups = next(iter(sequences.values())), conflict_groups(values)
    grouped = frozenset(sender for group in groups for sender in group)
    alone = sum(
        max(one.value_wei, 0) for sender, queue in values.items() if sender not in grouped for one in queue
    )
    worth = dict.fromkeys(sequences, alone)
    merged_sequence, places = list(base), _places(base)
    by_value = sorted(groups, key=lambda group: (-_value(values, group), min(group)))
    permuted = frozenset(group for group in by_value[:MOST_TRIED] if len(group) <= MOST_PERMUTED)
    for group in groups:
        tried: dict[tuple[bytes, ...], int] = {}
        best: tuple[int, Sequence[SimValue]] | None = None
        for ordering, sequence in _orders(values, sequences, group, permute=group in permuted):
            key = tuple(one.tx.hash for one in sequence)
            if key not in tried:
                tried[key] = _worth(session, sequence)
            if ordering is not None:
                worth[ordering] += tried[key]
            if best is None or tried[key] > best[0]:
                best = tried[key], sequence
        assert best is not None, "the orderings' own orders come first"
        for place, one in zip(sorted(p for s in group for p in places[s]), best[1], strict=True):
            merged_sequence[place] = one
    return merged_sequence, worth


def _orders(
    values: SimValues,
    sequences: Mapping[Ordering, Sequence[SimValue]],
    group: frozenset[bytes],
    *,
    permute: bool,
) -> Iterator[tuple[Ordering | None, list[SimValue]]]:
    """Yield the orders a group is tried in: each ordering's, then reversed, by length, or every one."""
    for ordering, sequence in sequences.items():
        yield ordering, [one for one in sequence if one.tx.sender in group]
    senders = sorted(group, key=lambda sender: (-sum(one.value_wei for one in values[sender]), sender))
    if permute:
        orders = list(permutations(senders))
    else:
        longest = sorted(senders, key=lambda sender: (-len(values[sender]), sender))
        orders = [tuple(reversed(senders)), tuple(longest)]
    for order in orders:
        yield None, [one for sender in order for one in values[sender]]


def _places(sequence: Sequence[SimValue]) -> dict[bytes, list[int]]:
    places: dict[bytes, list[int]] = defaultdict(list)
    for place, one in enumerate(sequence):
        places[one.tx.sender].append(place)
    return places


def _value(values: SimValues, group: frozenset[bytes]) -> int:
    return sum(one.value_wei for sender in group for one in values[sender])


def _worth(session: StateSession, sequence: Sequence[SimValue]) -> int:
    results = session.try_out([one.tx for one in sequence if one.result is not None or one.tip_wei >= 0])
    return sum(
        result.coinbase_payment_wei
        for result in results
        if result.status is not TxStatus.INVALID and result.coinbase_payment_wei >= 0
    )
