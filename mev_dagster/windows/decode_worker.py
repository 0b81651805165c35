"""The decode process: batches of raw transactions in on stdin, columns out on stdout, until stdin closes.

It is a process of its own so that nothing else takes its interpreter lock: with one busy Python thread
beside it, decoding a transaction takes a hundred times as long (docs/performance.md).
"""

import gc
import os
import signal
import sys

from mev_dagster.chain.columns import decode_columns
from mev_dagster.errors import plain_refusals
from mev_dagster.settings import settings
from mev_dagster.windows.decode_frames import pack_reply, read_frame, unpack_request, write_frame


def main() -> None:
    """Serve one parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent closes stdin
    reply_to = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not tear a frame
    gc.collect()
    gc.freeze()
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        batch = decode_columns(unpack_request(frame), network_form=True)
        write_frame(reply_to, *pack_reply(batch))


if __name__ == "__main__":
    with plain_refusals():
        settings()
        main()
