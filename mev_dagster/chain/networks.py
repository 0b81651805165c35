"""The networks and what they schedule: `forks.toml`, a file that extends it, or a devnet's genesis."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mev_dagster.chain.forks import (
    DEPOSIT_CONTRACT,
    BlobActivation,
    BlobParameters,
    Fork,
    ForkSchedule,
)
from mev_dagster.errors import InputError
from mev_dagster.hexadecimal import from_hex

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Network:
    """A chain: its schedule, and what its fork ids (EIP-2124) are made of beside that."""

    name: str
    schedule: ForkSchedule
    public: bool = False
    genesis_hash: bytes = b""
    genesis_time: int = 0
    network_split: int | None = None


def networks_of(document: Json, known: Mapping[str, Json] | None = None) -> dict[str, Network]:
    """Read a document of the form of `forks.toml`; `known` is one that it extends.

    Raises `InputError` that names the entry.
    """
    unknown = set(document) - {"forks", "networks"}
    if unknown:
        raise InputError(f"unknown table '{min(unknown)}': expected forks and networks")
    merged = _merged(known or {}, document)
    forks = {name: _fork_entry(name, entry) for name, entry in _table(merged, "forks").items()}
    found = {name: _network(name, entry, forks) for name, entry in _table(merged, "networks").items()}
    named: dict[int, str] = {}
    for name, network in found.items():
        other = named.setdefault(network.schedule.chain_id, name)
        if other != name:
            raise InputError(f"networks.{name}: chain id {network.schedule.chain_id} is {other}'s")
    return found


def _table(document: Json, name: str) -> Json:
    found = document.get(name, {})
    if not isinstance(found, Mapping):
        raise InputError(f"{name}: expected a table, found {found!r:.60}")
    return found


def _merged(base: Json, above: Json) -> dict[str, Any]:
    merged = dict(base)
    for key, value in above.items():
        below = base.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _fork_entry(name: str, entry: Any) -> tuple[Fork | None, BlobParameters | None]:
    if not isinstance(entry, Mapping):
        raise InputError(f"forks.{name}: expected a table, found {entry!r:.60}")
    unknown = set(entry) - {"rules", "blobs"}
    if unknown:
        raise InputError(f"forks.{name}: unknown field '{min(unknown)}': expected rules and blobs")
    rules = entry.get("rules")
    if rules is not None and (not isinstance(rules, str) or rules not in Fork.__members__):
        raise InputError(f"forks.{name}.rules: there is no rule set '{rules}'")
    blobs = entry.get("blobs")
    try:
        return (
            None if rules is None else Fork[rules],
            None if blobs is None else _blobs(blobs, ("target", "max", "base_fee_update_fraction")),
        )
    except InputError as error:
        raise InputError(f"forks.{name}: {error}") from error


def _blobs(entry: Any, fields: tuple[str, str, str]) -> BlobParameters:
    try:
        numbers = [entry[field] for field in fields]
    except (KeyError, TypeError):
        raise InputError(f"blob schedule: expected {', '.join(fields)}, found {entry!r:.80}") from None
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in numbers):
        raise InputError(f"blob schedule: {', '.join(fields)} are whole numbers, found {entry!r:.80}")
    return BlobParameters(*numbers)


def _network(
    name: str, entry: Any, forks: Mapping[str, tuple[Fork | None, BlobParameters | None]]
) -> Network:
    try:
        if not isinstance(entry, Mapping):
            raise InputError(f"expected a table, found {entry!r:.60}")
        unknown = set(entry) - _NETWORK_FIELDS
        if unknown:
            raise InputError(f"unknown field '{min(unknown)}': expected {', '.join(sorted(_NETWORK_FIELDS))}")
        schedule = _schedule(
            _number(entry["chain_id"], "chain_id"),
            [(_number(start, fork), fork) for fork, start in _table(entry, "blocks").items()],
            [(_number(start, fork), fork) for fork, start in _table(entry, "times").items()],
            forks,
        )
        contract = from_hex(entry.get("deposit_contract", DEPOSIT_CONTRACT.hex()), 20)
        genesis_hash, split = entry.get("genesis_hash"), entry.get("network_split")
        return Network(
            name=name,
            schedule=replace(
                schedule,
                deposit_contract=contract,
                may_lack_request_contracts=_flag(entry, "may_lack_request_contracts"),
            ),
            public=_flag(entry, "public"),
            genesis_hash=b"" if genesis_hash is None else from_hex(genesis_hash, 32),
            genesis_time=_number(entry.get("genesis_time", 0), "genesis_time"),
            network_split=None if split is None else _number(split, "network_split"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"networks.{name}: {type(error).__name__}: {error}") from error
    except InputError as error:
        raise InputError(f"networks.{name}: {error}") from error


_NETWORK_FIELDS = {
    *("chain_id", "blocks", "times", "public", "may_lack_request_contracts"),
    *("deposit_contract", "genesis_hash", "genesis_time", "network_split"),
}


def _flag(entry: Json, name: str) -> bool:
    found = entry.get(name, False)
    if not isinstance(found, bool):
        raise InputError(f"{name}: expected true or false, found {found!r:.40}")
    return found


def _number(value: Any, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f"{what}: expected a whole number, found {value!r:.40}")
    return value


def _schedule(
    chain_id: int,
    blocks: Iterable[tuple[int, str]],
    times: Iterable[tuple[int, str]],
    forks: Mapping[str, tuple[Fork | None, BlobParameters | None]],
) -> ForkSchedule:
    """Make a schedule of named forks. Rules and blobs that a fork does not state are those before it."""
    by_number = []
    for start, name in sorted(blocks):
        if name not in Fork.__members__:
            raise InputError(f"no fork {name} is known that begins at a block")
        by_number.append((start, Fork[name]))
    by_number.sort()
    schedule = ForkSchedule(chain_id, tuple(by_number), ())
    for start, name in sorted(times, key=lambda entry: (entry[0], Fork.__members__.get(entry[1], 999))):
        rules, blobs = forks.get(name, (None, None))
        if rules is None:
            rules = Fork.__members__.get(name)
        present = schedule.by_timestamp[-1][1] if schedule.by_timestamp else None
        if rules is None and blobs is not None:
            rules = present if present is not None else schedule.fork_at(1 << 63, 0)
        own = (BlobActivation(start, name, blobs),) if blobs is not None else ()
        # Forks that begin at one time are one for a block: the later name and its numbers hold.
        earlier = tuple(entry for entry in schedule.blobs if entry.start != start or not own)
        schedule = replace(
            schedule,
            by_timestamp=(*schedule.by_timestamp, (start, Fork.UNKNOWN if rules is None else rules)),
            blobs=(*earlier, *own),
        )
    return schedule


# What a genesis calls its forks, where that is not their name with `Block` or `Time` behind it.
_GENESIS_NAMES = {
    "daoFork": "DAO",
    "eip150": "TANGERINE_WHISTLE",
    "eip158": "SPURIOUS_DRAGON",
    "muirGlacier": "MUIR_GLACIER",
    "arrowGlacier": "ARROW_GLACIER",
    "grayGlacier": "GRAY_GLACIER",
    "mergeNetsplit": "PARIS",
}
_NO_FORKS = {"eip155"}  # the other half of Spurious Dragon


def schedule_of_genesis(config: Json) -> ForkSchedule:
    """Return the schedule of a devnet's genesis, given its `config` as geth, reth and others write it."""
    if not isinstance(config, Mapping):
        raise InputError(f"genesis config: expected an object, found {config!r:.60}")
    blocks: list[tuple[int, str]] = []
    times: list[tuple[int, str]] = []
    for key, start in config.items():
        for suffix, into in (("Block", blocks), ("Time", times)):
            stem = key.removesuffix(suffix)
            if stem == key or stem in _NO_FORKS or start is None:
                continue
            into.append((_number(start, key), _GENESIS_NAMES.get(stem, stem.upper())))
    if config.get("terminalTotalDifficulty") == 0 and "mergeNetsplitBlock" not in config:
        blocks.append((0, "PARIS"))
    try:
        stated = {
            name.upper(): (None, _blobs(entry, ("target", "max", "baseFeeUpdateFraction")))
            for name, entry in (config.get("blobSchedule") or {}).items()
        }
        schedule = _schedule(_number(config.get("chainId"), "chainId"), blocks, times, stated)
        contract = config.get("depositContractAddress") or DEPOSIT_CONTRACT.hex()
        return replace(schedule, deposit_contract=from_hex(contract))
    except (ValueError, AttributeError) as error:
        raise InputError(f"genesis config: depositContractAddress: {error}") from error
    except InputError as error:
        raise InputError(f"genesis config: {error}") from error


def _shipped_document() -> Json:
    return tomllib.loads((files("mev_dagster.chain") / "forks.toml").read_text())


SHIPPED = networks_of(_shipped_document())
MAINNET, SEPOLIA, HOODI = (SHIPPED[name].schedule for name in ("mainnet", "sepolia", "hoodi"))


@lru_cache(maxsize=8)
def _extended_by(path: Path) -> dict[str, Network]:
    try:
        return networks_of(tomllib.loads(path.read_text()), _shipped_document())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


_told_by: list[Callable[[], Path | None]] = []


def extend_by(told: Callable[[], Path | None]) -> None:
    """Say where the file that extends the shipped table is told: the settings do."""
    _told_by[:] = [told]


def networks() -> Mapping[str, Network]:
    """Return every network that is shipped, with what the settings' `forks_file` adds."""
    extension = _told_by[0]() if _told_by else None
    return SHIPPED if extension is None else _extended_by(extension)


def network_of(chain_id: int) -> Network | None:
    """Return the network with this chain id, if it is known."""
    return next((found for found in networks().values() if found.schedule.chain_id == chain_id), None)


def is_public_chain(chain_id: int) -> bool:
    """Say whether a chain is one for all, whose forks are agreed on ahead of time."""
    found = network_of(chain_id)
    return found is not None and found.public


def schedule_for(chain_id: int) -> ForkSchedule:
    """Return the schedule of a known chain."""
    found = network_of(chain_id)
    if found is None:
        known = ", ".join(str(number) for number in sorted(n.schedule.chain_id for n in networks().values()))
        raise InputError(f"no fork schedule for chain id {chain_id}; known: {known}")
    return found.schedule
