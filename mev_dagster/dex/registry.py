"""The venues in use, and their tables: which topic, which selector and which code belongs to whom.

Ours come first, then those of other packages, each by name. What another package hands in is guarded: a hook
that raises or never ends costs what it would have told, and nothing else.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TypeAlias

from mev_dagster import plugins
from mev_dagster.chain.receipts import Log
from mev_dagster.dex.called import MadeCall
from mev_dagster.dex.guarded import GuardedPool, ask
from mev_dagster.dex.said import a_log, a_pool, an_event, an_intent
from mev_dagster.dex.venue import ChainAt, Pool, SwapIntent, Venue
from mev_dagster.dex.venue_events import SwapEvent, VenueEvent
from mev_dagster.dex.wrapped_ether import WRAPPED_ETHER_CODES
from mev_dagster.errors import MissingState, PluginFailed, Unquotable
from mev_dagster.hexadecimal import to_hex
from mev_dagster.plugins import Plugin

Decoder: TypeAlias = Callable[[Log], VenueEvent]
IntentDecoder: TypeAlias = Callable[[bytes, int], SwapIntent]
CallReader: TypeAlias = Callable[[MadeCall], Log | None]
Tables: TypeAlias = tuple[Mapping[bytes, Decoder], Mapping[bytes, IntentDecoder], Mapping[bytes, CallReader]]


NOTHING_KNOWN: Tables = ({}, {}, {})


@dataclass(frozen=True, slots=True)
class Venues:
    """Every venue in use. Several may claim one topic or selector; the first whose shape fits decides."""

    all: tuple[Plugin[Venue], ...]
    decoders: Mapping[bytes, tuple[Decoder, ...]]
    intents: Mapping[bytes, tuple[IntentDecoder, ...]]
    calls: Mapping[bytes, tuple[CallReader, ...]]

    @property
    def names(self) -> frozenset[str]:
        """Return what the venues call themselves."""
        return frozenset(plugin.hook.name for plugin in self.all)

    def tokens(
        self, event: SwapEvent, moved: Sequence[bytes], calls: Sequence[bytes]
    ) -> tuple[bytes, bytes] | None:
        """Return what the venue of a swap itself knows of its tokens."""
        for plugin in self.all:
            if plugin.hook.name == event.protocol:
                try:
                    return ask(plugin, lambda venue: venue.tokens(event, moved, calls))
                except PluginFailed:
                    return None
        return None

    @property
    def slots(self) -> tuple[int, ...]:
        """Return the slots worth fetching of an account that may be a pool."""
        return tuple(sorted({slot for plugin in self.all for slot in plugin.hook.slots}))

    def whose(self, code_hash: bytes, code: Callable[[], bytes]) -> tuple[Plugin[Venue], str] | None:
        """Return the venue whose pools have this code, and their family."""
        for plugin in self.all:
            try:
                family = ask(plugin, lambda venue: venue.family(code_hash, code))
            except (MissingState, PluginFailed):
                continue
            if family is not None:
                return plugin, family
        return None


def venues() -> Venues:
    """Return the venues of this process."""
    return _tables(plugins.load("venues"))


@lru_cache(maxsize=4)
def _tables(found: tuple[Plugin[Venue], ...]) -> Venues:
    ordered = tuple(
        sorted(
            plugins.usable(found, Venue, texts=("name",)),
            key=lambda plugin: (plugin.package != plugins.OURS, plugin.name),
        )
    )
    tables = {plugin: plugins.tried(plugin, _tables_of, None) for plugin in ordered}
    decoders: dict[bytes, tuple[Decoder, ...]] = {}
    intents: dict[bytes, tuple[IntentDecoder, ...]] = {}
    readers: dict[bytes, tuple[CallReader, ...]] = {}
    known = tuple(plugin for plugin in ordered if tables[plugin] is not None)
    for plugin in known:
        events, calls, told = tables[plugin] or NOTHING_KNOWN
        for topic, decoder in events.items():
            decoders[topic] = (*decoders.get(topic, ()), _guarded_decoder(plugin, decoder))
        for selector, intent in calls.items():
            intents[selector] = (*intents.get(selector, ()), _guarded_intent(plugin, intent))
        for selector, reader in told.items():
            readers[selector] = (*readers.get(selector, ()), _guarded_reader(plugin, reader))
    return Venues(known, decoders, intents, readers)


def _tables_of(venue: Venue) -> Tables:
    """Read a venue's tables; raises where they, or its slots, are not what the contract says."""
    events, intents, calls = dict(venue.events), dict(venue.intents), dict(venue.calls)
    shapes = (("topic", events, (0, 32)), ("selector", intents, (4,)), ("selector", calls, (4,)))
    for what, keys, sizes in shapes:
        for key in keys:
            if not isinstance(key, bytes) or len(key) not in sizes:
                raise ValueError(f"expected a {what} of {sizes[-1]} bytes, found {key!r:.80}")
    if not all(isinstance(slot, int) and slot >= 0 for slot in venue.slots):
        raise ValueError(f"expected slots to be integers from 0 on, found {venue.slots!r:.80}")
    return events, intents, calls


def _guarded_decoder(plugin: Plugin[Venue], decoder: Decoder) -> Decoder:
    if plugin.package == plugins.OURS:
        return decoder
    return lambda log: ask(plugin, lambda _: an_event(decoder(log)))


def _guarded_intent(plugin: Plugin[Venue], intent: IntentDecoder) -> IntentDecoder:
    if plugin.package == plugins.OURS:
        return intent
    return lambda data, value_wei: ask(plugin, lambda _: an_intent(intent(data, value_wei)))


def _guarded_reader(plugin: Plugin[Venue], reader: CallReader) -> CallReader:
    if plugin.package == plugins.OURS:
        return reader
    return lambda call: _refused_is_none(plugin, lambda: a_log(reader(call)))


def _refused_is_none(plugin: Plugin[Venue], read: Callable[[], Log | None]) -> Log | None:
    try:
        return ask(plugin, lambda _: read())
    except PluginFailed:
        return None


@dataclass(frozen=True, slots=True)
class DiscoveredPools:
    """What a set of accounts holds: pools that trade, pools that could not be read, wrapped ether."""

    pools: tuple[Pool, ...]
    families: Mapping[bytes, str]
    unreadable: Mapping[bytes, str]
    wrapped_ether: bytes | None


def discover(chain: ChainAt, addresses: Iterable[bytes]) -> DiscoveredPools:
    """Read every pool among `addresses` that a venue knows by its code.

    A captured prestate holds the slots its block touched, so a pool that was only looked at may miss its
    tokens: it is reported with the missing slot, not guessed.
    """
    known = venues()
    whose: dict[bytes, tuple[Plugin[Venue], str] | None] = {}
    pools: list[Pool] = []
    families: dict[bytes, str] = {}
    unreadable: dict[bytes, str] = {}
    wrapped_ether = None
    for address in sorted(addresses):
        code_hash = chain.state.account(address).code_hash
        if code_hash in WRAPPED_ETHER_CODES:
            wrapped_ether = address
        if code_hash not in whose:
            whose[code_hash] = known.whose(code_hash, partial(chain.state.code, code_hash))
        found = whose[code_hash]
        if found is None:
            continue
        families[address] = found[1]
        try:
            pool = read(found[0], chain, address, found[1])
        except (MissingState, Unquotable, PluginFailed) as reason:
            unreadable[address] = str(reason)
            continue
        if pool is not None:
            pools.append(pool)
    return DiscoveredPools(tuple(pools), families, unreadable, wrapped_ether)


def read(plugin: Plugin[Venue], chain: ChainAt, address: bytes, family: str) -> Pool | None:
    """Return one pool as its venue reads it, guarded where the venue is not ours."""
    if plugin.package == plugins.OURS:
        return plugin.hook.read(chain, address, family)
    pool = ask(plugin, lambda venue: a_pool(venue.read(chain, address, family), address))
    return None if pool is None else GuardedPool(plugin, pool)


def read_again(chain: ChainAt, pool: Pool) -> Pool:
    """Return a pool as it is at another moment; raises `Unquotable` where that cannot be told."""
    try:
        code_hash = chain.state.account(pool.address).code_hash
        found = venues().whose(code_hash, partial(chain.state.code, code_hash))
        again = read(found[0], chain, pool.address, found[1]) if found else None
    except (MissingState, PluginFailed) as reason:
        raise Unquotable(str(reason)) from reason
    if again is None:
        raise Unquotable(f"{pool.family} pool {to_hex(pool.address)} is none any more")
    return again
