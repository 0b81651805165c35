"""Loading from a node by the batch: run on guesses, ask for everything guessed at once, run again.

Asked one by one, a transaction costs a round trip for each account and slot. Run on a guess of zero instead,
it goes on to what it reads next; one batch then fetches all of that with proofs. A guess may lead it astray,
which costs a batch that was not needed, never a wrong result: what counts is executed on the state itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from mev_dagster.errors import MissingState
from mev_dagster.evm.state.prestate import Prestate
from mev_dagster.evm.state.rpc_state import RpcState
from mev_dagster.evm.types import ABSENT_ACCOUNT, Account, StateSource
from mev_dagster.hexadecimal import to_hex

MAX_ROUNDS = 32
_KEYS_PER_ROUND = 4_096


def load_by_rounds(
    state: RpcState, attempt: Callable[[StateSource], object], *, max_rounds: int = MAX_ROUNDS
) -> int:
    """Load what `attempt` reads of the state it is handed, and return how many batches that took.

    `attempt` executes and drops what comes out. Code that names its next slot by the last one's content can
    outlast any number of rounds; the rest is then asked for one by one, by whoever reads it.
    """
    loaded: dict[bytes, set[int]] = {}
    for made in range(max_rounds):
        guess = _Guess(state)
        attempt(_known_part(state, loaded, guess))
        wanted = guess.wanted()
        numbers = sorted(guess.block_hashes)
        if not wanted and not numbers:
            return made
        if numbers:
            state.prefetch_block_hashes(numbers)
        if wanted:
            state.prefetch(wanted.items(), codes=True)
        for address, slots in wanted.items():
            loaded.setdefault(address, set()).update(slots)
    return max_rounds


def _known_part(state: RpcState, loaded: Mapping[bytes, set[int]], guess: StateSource) -> Prestate:
    """Return what the rounds have loaded as a prestate, which engines take faster than key by key."""
    accounts, codes = {}, {}
    for address, slots in loaded.items():
        account = state.known_account(address)
        code = None if account is None else state.known_code(account.code_hash)
        if account is None or code is None:
            continue
        storage = {slot: state.known_slot(address, slot) or 0 for slot in slots}
        accounts[address] = replace(account, storage=storage)
        codes[account.code_hash] = code
    return Prestate(accounts, codes, fallback=guess)


class _Guess:
    """A `StateSource` that answers zero where the state would have to ask, and notes what it was asked."""

    def __init__(self, state: RpcState) -> None:
        self._state = state
        self._accounts: set[bytes] = set()
        self._slots: set[tuple[bytes, int]] = set()
        self._holder_of_code: dict[bytes, bytes] = {}
        self.block_hashes: set[int] = set()

    def wanted(self) -> dict[bytes, set[int]]:
        """Return what was asked and is not known, by address in order, not more than a batch's worth."""
        wanted: dict[bytes, set[int]] = {
            address: set() for address in sorted(self._accounts)[:_KEYS_PER_ROUND]
        }
        for address, slot in sorted(self._slots)[:_KEYS_PER_ROUND]:
            wanted.setdefault(address, set()).add(slot)
        return wanted

    def account(self, address: bytes) -> Account:
        """Return the account; one that is not known is guessed to be absent."""
        known = self._state.known_account(address)
        if known is None:
            self._accounts.add(address)
            return ABSENT_ACCOUNT
        self._holder_of_code[known.code_hash] = address
        return known

    def storage(self, address: bytes, slot: int) -> int:
        """Return the slot; one that is not known is guessed to be zero."""
        known = self._state.known_slot(address, slot)
        if known is None:
            self._slots.add((address, slot))
        return known or 0

    def code(self, code_hash: bytes) -> bytes:
        """Return the code; without it there is nothing to go on with."""
        known = self._state.known_code(code_hash)
        if known is None:
            self._accounts.add(self._holder_of_code[code_hash])
            raise MissingState("code", to_hex(code_hash))
        return known

    def block_hash(self, number: int) -> bytes:
        """Return the hash; one that is not known is guessed to be zero."""
        known = self._state.known_block_hash(number)
        if known is None:
            self.block_hashes.add(number)
        return known or bytes(32)
