"""Which forks the chain behind a node runs: by our own schedules, checked against what the node says.

`eth_config` (EIP-7910) tells when a node's present and next forks begin and what they hold. A public chain
that forks in a way unknown when this was written is thereby noticed, and a private one needs no entry here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mev_dagster.chain.forks import (
    BLOB_PARAMETERS,
    BlobParameters,
    Fork,
    ForkSchedule,
    devnet_schedule,
    is_public_chain,
    schedule_for,
)
from mev_dagster.errors import NodeAnswerError, UnsupportedFork
from mev_dagster.node.http import JsonRpc

# What `eth_config` lists from a fork on, newest first; later forks differ by blob parameters alone.
_SIGNS = (
    (Fork.OSAKA, "precompiles", "P256VERIFY"),
    (Fork.PRAGUE, "systemContracts", "HISTORY_STORAGE_ADDRESS"),
    (Fork.CANCUN, "systemContracts", "BEACON_ROOTS_ADDRESS"),
)


def is_anvil(rpc: JsonRpc) -> bool:
    """Say whether the node is anvil, which runs one fork whatever its chain id is."""
    version = rpc.batch_settled([("web3_clientVersion", [])])[0]
    return isinstance(version, str) and version.lower().startswith("anvil")


def schedule_of(rpc: JsonRpc) -> ForkSchedule:
    """Return the forks of the node's chain, or raise `UnsupportedFork` where its present one is not known."""
    chain_id = _chain_id(rpc)
    if is_anvil(rpc):
        return devnet_schedule(_fork_of_anvil(rpc), chain_id=chain_id)
    config = rpc.batch_settled([("eth_config", [])])[0]
    if is_public_chain(chain_id):
        schedule = schedule_for(chain_id)
        return _with_unknown_forks(schedule, config) if isinstance(config, Mapping) else schedule
    if not isinstance(config, Mapping) or not isinstance(config.get("current"), Mapping):
        raise UnsupportedFork(
            f"{rpc.shown_url}: chain {chain_id} is not known here, and the node has no eth_config to ask"
        )
    return devnet_schedule(_fork_of(rpc, config["current"]), chain_id=chain_id)


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


def _with_unknown_forks(schedule: ForkSchedule, config: Mapping[str, Any]) -> ForkSchedule:
    """Add a fork that no engine here executes wherever the node has one that our schedule does not know."""
    known = {start for start, _ in schedule.by_timestamp}
    entries = (config.get(name) for name in ("current", "next", "last"))
    begun = {entry.get("activationTime") for entry in entries if isinstance(entry, Mapping)}
    # Zero is a fork from before the first block.
    unknown = sorted(start for start in begun if isinstance(start, int) and start and start not in known)
    return replace(
        schedule, by_timestamp=(*schedule.by_timestamp, *((start, Fork.AMSTERDAM) for start in unknown))
    )


def _fork_of(rpc: JsonRpc, present: Mapping[str, Any]) -> Fork:
    """Return the newest fork of which the node lists a sign; the blobs it allows tell it from the next."""
    try:
        fork = next(fork for fork, part, sign in _SIGNS if sign in present[part])
        blobs = present["blobSchedule"]
        allowed = BlobParameters(blobs["target"], blobs["max"], blobs["baseFeeUpdateFraction"])
        return next(later for later in Fork if later >= fork and BLOB_PARAMETERS.get(later) == allowed)
    except (KeyError, TypeError):
        raise NodeAnswerError(f"{rpc.shown_url}: eth_config: unexpected form: {present!r:.200}") from None
    except StopIteration:
        raise UnsupportedFork(
            f"{rpc.shown_url}: the node's present fork is none of those known here"
        ) from None
