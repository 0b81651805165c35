"""Two sessions joined back to back, so that every byte one writes is in the test's hands."""

from collections.abc import Iterator

from mev_dagster.devp2p.eth.messages import Status
from mev_dagster.devp2p.forkid import ForkTable
from mev_dagster.devp2p.keys import NodeKey
from mev_dagster.devp2p.session import Event, Session

GENESIS = b"\x47" * 32
TABLE = ForkTable(GENESIS)
ALICE, BOB = NodeKey(b"\xa1" * 32), NodeKey(b"\xb0" * 32)


class FixedChain:
    """A status source for a chain that stands still."""

    def __init__(self, genesis: bytes = GENESIS, *, mimic: bool = False) -> None:
        self.genesis, self.mimic = genesis, mimic

    def own_status(self, version: int, remote: Status | None) -> Status | None:
        if self.mimic and remote is None:
            return None
        fork_id = ForkTable(self.genesis).fork_id(9, 9)
        return Status(version, 1337, self.genesis, fork_id, b"\x99" * 32, earliest=0, latest=9)

    def refusal(self, remote: Status) -> str | None:
        return None if remote.genesis == self.genesis else "other_genesis"


def pair(**options) -> tuple[Session, Session]:
    """A dialler and the session it dials; options named `alice_x` and `bob_x` go to one of them."""
    made = []
    for name, key, remote in (("alice", ALICE, BOB.id), ("bob", BOB, None)):
        given = {key_.removeprefix(f"{name}_"): v for key_, v in options.items() if key_.startswith(name)}
        made.append(Session(key, remote, **{"client": name, "statuses": FixedChain(), **given}))
    return made[0], made[1]


def events(session: Session) -> Iterator[Event]:
    while (event := session.next_event()) is not None:
        yield event


def converse(alice: Session, bob: Session, *, step: int = 1 << 20) -> tuple[list[Event], list[Event]]:
    """Carry bytes both ways, `step` at a time, until neither has anything to say."""
    heard_by: dict[int, list[Event]] = {id(alice): [], id(bob): []}
    while True:
        quiet = True
        for source, target in ((alice, bob), (bob, alice)):
            data = source.take_output()
            for at in range(0, len(data), step):
                quiet = False
                target.receive(data[at : at + step])
                heard_by[id(target)] += events(target)
        if quiet:
            return heard_by[id(alice)], heard_by[id(bob)]


def joined(**options) -> tuple[Session, Session]:
    """Two sessions that are past their Status."""
    alice, bob = pair(**options)
    converse(alice, bob)
    return alice, bob
