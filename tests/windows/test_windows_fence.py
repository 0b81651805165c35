"""Who may write a block's rows: one run at a time, and none once the log has reverted the block."""

import fcntl
from pathlib import Path

import pytest

from mev_dagster.errors import Superseded
from mev_dagster.events.log import EventLogWriter
from mev_dagster.events.types import BlockReverted, BlockSeen, Event, Lane
from mev_dagster.windows.fence import LOCK_FILES, BlockFence
from mev_dagster.windows.log_windows import WindowSpan

NUMBER = 7
OURS, RIVAL, OTHER = (bytes([name]) * 32 for name in (1, 2, 3))
SPAN = WindowSpan(NUMBER, OURS, first_seq=0, last_seq=0, previous_head_seq=-1)


def seen(block_hash: bytes, number: int = NUMBER) -> BlockSeen:
    return BlockSeen(-1, 0, 0, Lane.RPC, "node", number, block_hash, bytes(32), b"", ())


def reverted(block_hash: bytes, number: int = NUMBER) -> BlockReverted:
    return BlockReverted(-1, 0, 0, Lane.RPC, "node", number, block_hash)


def fence_over(folder: Path, *later: Event) -> BlockFence:
    """Return the fence of block 7 over a log that holds the block and then `later`."""
    with EventLogWriter(folder / "log") as writer:
        writer.append_many([seen(OURS), *later])
    return BlockFence(SPAN, folder / "log", folder / "locks")


def lock_is_free(folder: Path) -> bool:
    with (folder / "locks" / f"block-{NUMBER % LOCK_FILES}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_a_block_that_stands_may_be_written(tmp_path: Path):
    with fence_over(tmp_path, seen(OTHER, NUMBER + 1)).held():
        pass


def test_nothing_is_written_of_a_block_that_was_reverted(tmp_path: Path):
    fence = fence_over(tmp_path, reverted(OURS))
    with pytest.raises(Superseded, match="no block has taken its place yet"), fence.held():
        pytest.fail("the rows of a reverted block were let through")


def test_the_block_that_took_its_place_is_named(tmp_path: Path):
    with pytest.raises(Superseded, match=f"0x{RIVAL.hex()} took its place"):
        fence_over(tmp_path, reverted(OURS), seen(RIVAL)).check()


def test_a_revert_of_another_block_is_nothing_to_it(tmp_path: Path):
    fence_over(tmp_path, reverted(RIVAL), reverted(OTHER, NUMBER + 1)).check()


def test_a_revert_logged_while_the_run_works_stops_its_next_write(tmp_path: Path):
    fence = fence_over(tmp_path)
    with fence.held():
        pass
    with EventLogWriter(tmp_path / "log") as writer:
        writer.append(reverted(OURS))
    with pytest.raises(Superseded), fence.held():
        pytest.fail("the rows of a reverted block were let through")


def test_one_run_writes_at_a_time(tmp_path: Path):
    with fence_over(tmp_path).held():
        assert not lock_is_free(tmp_path)
    assert lock_is_free(tmp_path)


def test_a_write_that_fails_gives_the_lock_back(tmp_path: Path):
    with pytest.raises(RuntimeError, match="the store is gone"), fence_over(tmp_path).held():
        raise RuntimeError("the store is gone")
    assert lock_is_free(tmp_path)
