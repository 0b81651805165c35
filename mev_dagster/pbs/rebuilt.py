"""A landed block built again from its own transactions: what ours is worth beside it, and what stayed out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mev_dagster.chain.blocks import Block
from mev_dagster.chain.forks import ForkSchedule
from mev_dagster.chain.networks import schedule_for
from mev_dagster.errors import MissingState
from mev_dagster.evm.blocks import execute_block
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.protocol_accounts import PROTOCOL_ACCOUNTS
from mev_dagster.evm.types import ABSENT_ACCOUNT, SimulationEngine, TxResult
from mev_dagster.hexadecimal import to_hex
from mev_dagster.pbs.bls import PUBKEY_BYTES
from mev_dagster.pbs.context import Proposer, context_of
from mev_dagster.pbs.keys import Keyring
from mev_dagster.pbs.payout import Payment
from mev_dagster.pbs.sim_values import Ordering
from mev_dagster.pbs.template import BlockTemplate, build_template


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One landed block beside ours of the same transactions. Values are what the coinbase gains, in wei.

    `chain_value_wei` is the landed block's, but for what its coinbase's own transactions pay or take; None
    where its file does not hold all that executing it takes. `protocol_accounts_missing` counts orders that
    stayed out because an account the protocol itself calls was not known.
    """

    number: int
    fork: str
    transactions: int
    included: int
    value_wei: int
    values_wei: Mapping[Ordering, int]
    ordering: Ordering
    chain_value_wei: int | None
    left_out: Mapping[str, int]
    protocol_accounts_missing: int


def rebuild(
    engine: SimulationEngine, block: Block, landed_on: Prestate, known: Prestate, chain: int | ForkSchedule
) -> Rebuilt:
    """Build on what is `known`, and on what the block found empty on the state it landed on."""
    schedule = schedule_for(chain) if isinstance(chain, int) else chain
    context = context_of(block, schedule, slot=0)
    header, landed = block.header, _landed(engine, block, landed_on, schedule)
    template = build_template(
        engine,
        known if landed is None else knowing_what_was_empty(known, landed_on, landed),
        context,
        Proposer(bytes(PUBKEY_BYTES), header.coinbase, header.gas_limit),
        Keyring.test_only("rebuilt"),
        pending=block.transactions,
        payment=Payment.COINBASE,
    )
    return Rebuilt(
        number=header.number,
        fork=context.fork.name,
        transactions=len(block.transactions),
        included=len(template.included),
        value_wei=template.block_value_wei,
        values_wei=template.values_wei,
        ordering=template.ordering,
        chain_value_wei=None if landed is None else _landed_value_wei(block, landed),
        left_out=dict(sorted(Counter(item.code for item in template.dropped).items())),
        protocol_accounts_missing=_protocol_accounts_missing(template),
    )


def _protocol_accounts_missing(template: BlockTemplate) -> int:
    names = [to_hex(address) for address in PROTOCOL_ACCOUNTS]
    missing = [item.detail for item in template.dropped if item.code == "missing_state"]
    return sum(any(name in detail for name in names) for detail in missing)


def knowing_what_was_empty(known: Prestate, landed_on: Prestate, landed: Sequence[TxResult]) -> Prestate:
    """Return what is known with what the landed block read and its state does not list: that was empty.

    A block file may leave out what its own block found empty. Only what was really read is taken for that:
    another order of the same transactions may read elsewhere, and there nothing is known.
    """
    accounts = dict(known.accounts)
    for result in landed:
        for address in result.accounts_read:
            if address not in accounts and landed_on.lists_every_account:
                accounts[address] = ABSENT_ACCOUNT
        for address, slot in result.slots_read:
            account = accounts.get(address)
            if account is not None and slot not in account.storage and landed_on.lists_every_slot:
                accounts[address] = replace(account, storage={**account.storage, slot: 0})
    return replace(known, accounts=accounts)


def _landed(
    engine: SimulationEngine, block: Block, state: Prestate, schedule: ForkSchedule
) -> tuple[TxResult, ...] | None:
    try:
        return execute_block(engine, state, block, schedule).sim.txs
    except MissingState:
        return None


def _landed_value_wei(block: Block, results: Sequence[TxResult]) -> int:
    return sum(
        result.coinbase_payment_wei
        for tx, result in zip(block.transactions, results, strict=True)
        if tx.sender != block.header.coinbase
    )
