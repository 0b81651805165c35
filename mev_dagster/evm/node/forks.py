"""Which forks the chain behind a node runs: by our own schedules, extended by what the node says.

`eth_config` (EIP-7910) tells when a node's present, next and last forks begin and what they hold. A fork that
changes blob numbers alone (EIP-7892) is taken up with them; one that brings anything else, and is none of
those known here, becomes `Fork.UNKNOWN` from its time on: nothing executes it, and nothing guesses.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mev_dagster.chain.forks import BLOB_PARAMETERS, BlobParameters, Fork, ForkSchedule, devnet_schedule
from mev_dagster.chain.networks import is_public_chain, network_of, schedule_for
from mev_dagster.errors import InputError, NodeAnswerError, UnsupportedFork
from mev_dagster.node.http import JsonRpc

# What `eth_config` lists from a fork on, newest first; later forks differ by blob parameters alone.
_SIGNS = (
    (Fork.AMSTERDAM, "systemContracts", "BUILDER_DEPOSIT_CONTRACT_ADDRESS"),
    (Fork.OSAKA, "precompiles", "P256VERIFY"),
    (Fork.PRAGUE, "systemContracts", "HISTORY_STORAGE_ADDRESS"),
    (Fork.CANCUN, "systemContracts", "BEACON_ROOTS_ADDRESS"),
)
_CONTRACTS = {
    *("BEACON_ROOTS_ADDRESS", "HISTORY_STORAGE_ADDRESS", "DEPOSIT_CONTRACT_ADDRESS"),
    *("WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS", "CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS"),
    *("BUILDER_DEPOSIT_CONTRACT_ADDRESS", "BUILDER_EXIT_CONTRACT_ADDRESS"),
}
_LAST_PRECOMPILES = {*range(1, 0x12), 0x100}
_KINDS = ("current", "next", "last")


def is_anvil(rpc: JsonRpc) -> bool:
    """Say whether the node is anvil, which runs one fork whatever its chain id is."""
    version = rpc.batch_settled([("web3_clientVersion", [])])[0]
    return isinstance(version, str) and version.lower().startswith("anvil")


def schedule_of(rpc: JsonRpc) -> ForkSchedule:
    """Return the forks of the node's chain, or raise `UnsupportedFork` where nothing says what they are."""
    chain_id = _chain_id(rpc)
    if is_anvil(rpc):
        return devnet_schedule(_fork_of_anvil(rpc), chain_id=chain_id)
    config = rpc.batch_settled([("eth_config", [])])[0]
    told = isinstance(config, Mapping) and isinstance(config.get("current"), Mapping)
    known = is_public_chain(chain_id) or (network_of(chain_id) is not None and not told)
    if not known and not told:
        raise UnsupportedFork(
            f"{rpc.shown_url}: chain {chain_id} is not known here, and the node has no eth_config to ask"
        )
    try:
        if not known:
            return schedule_of_config(chain_id, config)
        schedule = schedule_for(chain_id)
        return extended_by_config(schedule, config) if isinstance(config, Mapping) else schedule
    except InputError as error:
        raise NodeAnswerError(f"{rpc.shown_url}: {error}") from error


def schedule_of_config(chain_id: int, config: Mapping[str, Any]) -> ForkSchedule:
    """Return the schedule of a chain of which nothing but an `eth_config` answer is known.

    What came before its present fork is not told: the present one is taken to hold since genesis.
    """
    present = {**config["current"], "activationTime": 0}
    rules, blobs = _rules_of(present), _blobs_of(present)
    schedule = ForkSchedule(chain_id, ((0, Fork.PARIS),), ())
    own = None if blobs == BLOB_PARAMETERS.get(rules) else blobs
    schedule = schedule.with_fork(0, rules.name, rules=rules, blobs=own)
    return extended_by_config(schedule, {**config, "current": present})


def extended_by_config(schedule: ForkSchedule, config: Mapping[str, Any]) -> ForkSchedule:
    """Return a schedule with the forks that an `eth_config` answer knows and it does not."""
    known = {start for start, _ in schedule.by_timestamp}
    told: dict[int, Mapping[str, Any]] = {}
    for kind in _KINDS:
        entry = config.get(kind)
        if isinstance(entry, Mapping):
            # Of the present fork the schedule knows when it began, and the node may leave it out.
            start = entry.get("activationTime", 0) if kind == "current" else _time_of(entry, kind)
            # Zero is a fork from before the first block.
            if isinstance(start, int) and start > 0 and start not in known:
                told[start] = entry
    for start, entry in sorted(told.items()):
        schedule = _with_told(schedule, start, entry)
    return schedule


def _time_of(entry: Mapping[str, Any], kind: str) -> int:
    """Return when a fork begins; a time that cannot be read would be a fork that nobody sees coming."""
    start = entry.get("activationTime")
    if not isinstance(start, int) or isinstance(start, bool) or not 0 <= start < 1 << 64:
        raise InputError(f"eth_config: {kind}: activationTime: expected seconds, found {start!r:.40}")
    return start


def _with_told(schedule: ForkSchedule, start: int, entry: Mapping[str, Any]) -> ForkSchedule:
    present = schedule.fork_at(1 << 63, start - 1)
    blobs: BlobParameters | None = _blobs_of(entry)
    rules = _rules_of(entry)
    before = schedule.blobs_at(1 << 63, start - 1)
    if present is Fork.UNKNOWN or (rules <= present and blobs == before):
        rules = Fork.UNKNOWN  # a fork that changes what cannot be seen from here
    elif rules is not Fork.UNKNOWN:
        rules = max(rules, present)
    if rules is Fork.UNKNOWN:
        # Whatever was planned for later comes after rules that nobody here knows.
        schedule = replace(
            schedule,
            by_timestamp=tuple(found for found in schedule.by_timestamp if found[0] < start),
            blobs=tuple(found for found in schedule.blobs if found.start < start),
        )
    elif rules is not present and blobs == before:
        blobs = None
    return schedule.with_fork(start, _name_of(schedule, start, rules), rules=rules, blobs=blobs)


def _name_of(schedule: ForkSchedule, start: int, rules: Fork) -> str:
    """Number a fork of blobs after those before it: the third is BPO3, whatever the rules it runs under."""
    if rules is Fork.UNKNOWN or rules > schedule.fork_at(1 << 63, start - 1):
        return rules.name
    named = {entry.name for entry in schedule.blobs if entry.start < start} | {
        fork.name for begun, fork in schedule.by_timestamp if begun < start
    }
    return (
        f"BPO{max([0, *(int(name[3:]) for name in named if name[:3] == 'BPO' and name[3:].isdigit())]) + 1}"
    )


def _chain_id(rpc: JsonRpc) -> int:
    answer = rpc.call("eth_chainId")
    try:
        return int(answer, 16)
    except (TypeError, ValueError):
        raise NodeAnswerError(
            f"{rpc.shown_url}: eth_chainId: expected a quantity, got {answer!r:.80}"
        ) from None


def _fork_of_anvil(rpc: JsonRpc) -> Fork:
    info = rpc.call("anvil_nodeInfo")
    name = str(info.get("hardFork") if isinstance(info, Mapping) else info).upper()
    try:
        return Fork[name]
    except KeyError:
        raise UnsupportedFork(f"{rpc.shown_url}: anvil runs {name}, which is not known here") from None


def _rules_of(entry: Mapping[str, Any]) -> Fork:
    """Return the newest rules of which the node lists a sign; UNKNOWN where it lists what no fork has."""
    try:
        contracts, precompiles = set(entry["systemContracts"]), entry["precompiles"]
        addresses = {int(address, 16) for address in precompiles.values()}
        fork = next(fork for fork, part, sign in _SIGNS if sign in entry[part])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"eth_config: unexpected form: {entry!r:.200}") from None
    except StopIteration:
        return Fork.UNKNOWN
    if contracts - _CONTRACTS or addresses - _LAST_PRECOMPILES:
        return Fork.UNKNOWN
    if fork is Fork.OSAKA or fork is Fork.AMSTERDAM:
        blobs = _blobs_of(entry)
        named = (later for later in (Fork.BPO2, Fork.BPO1) if BLOB_PARAMETERS[later] == blobs)
        return next(named, fork) if fork is Fork.OSAKA else fork
    return fork


def _blobs_of(entry: Mapping[str, Any]) -> BlobParameters:
    try:
        blobs = entry["blobSchedule"]
        found = [blobs[name] for name in ("target", "max", "baseFeeUpdateFraction")]
    except (KeyError, TypeError):
        raise InputError(f"eth_config: unexpected form: {entry!r:.200}") from None
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in found):
        raise InputError(f"eth_config: blobSchedule: expected whole numbers, found {blobs!r:.80}")
    return BlobParameters(*found)
