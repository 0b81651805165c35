"""chDB as it is loaded here: without the stack trace it prints where no cgroup file system is mounted.

The library looks for a memory limit while it loads. In a container without `/sys/fs/cgroup` it does not find
one, goes on without it, and prints forty lines on the process' stderr: in front of our own error's one line.
"""

import importlib
import os
import re
import sys
import tempfile
from typing import Any

_NO_LIMIT = re.compile(rb"Cannot use cgroups reader: .*?\(version [^)\n]*\)\n?", re.DOTALL)


def without_notice(printed: bytes) -> bytes:
    """Return what was printed, but for the notice that there is no memory limit to read."""
    return _NO_LIMIT.sub(b"", printed)


def load() -> Any:
    """Return the library; whatever else is printed while it loads comes out behind it."""
    if "chdb" not in sys.modules:
        with tempfile.TemporaryFile() as printed:
            kept = os.dup(2)
            os.dup2(printed.fileno(), 2)
            try:
                importlib.import_module("chdb")
            finally:
                os.dup2(kept, 2)
                os.close(kept)
                printed.seek(0)
                os.write(2, without_notice(printed.read()))
    return sys.modules["chdb"]
