"""Deep Python recursion only where the EVM needs it.

py-evm nests Python calls for nested EVM calls (1,024 deep) and raises the interpreter's recursion limit for
the whole process when it is imported; py_ecc, which it brings along, raises it to 100,000. With such limits a
hostile `[[[[...` overflows the C stack of the JSON parser and kills the process, so the limit is put back,
whoever raised it before, and is high only while a transaction runs.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SAFE_LIMIT = 3_000
_LIMIT_BEFORE = min(sys.getrecursionlimit(), SAFE_LIMIT)

import eth  # noqa: E402 - raises the limit as it loads
import py_ecc  # noqa: E402, F401 - likewise, and much further

_DEEP_LIMIT = eth.EVM_RECURSION_LIMIT
sys.setrecursionlimit(_LIMIT_BEFORE)

_lock = threading.Lock()
_running = 0


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Allow the EVM's depth until the last user in any thread is done."""
    global _running  # noqa: PLW0603 - the limit itself is one number for the process
    with _lock:
        _running += 1
        sys.setrecursionlimit(_DEEP_LIMIT)
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0:
                sys.setrecursionlimit(_LIMIT_BEFORE)
