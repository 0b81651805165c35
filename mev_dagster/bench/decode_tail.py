"""A decode process that times itself: one frame of transactions in, the p99 in microseconds out."""

import gc
import struct
import sys

from mev_dagster.bench.decode_isolation import tail_of
from mev_dagster.errors import plain_refusals
from mev_dagster.settings import settings
from mev_dagster.windows.decode_frames import read_frame, unpack_request


def main() -> None:
    """Decode everything once to warm up, then again against the clock."""
    frame = read_frame(sys.stdin.buffer)
    if frame is None:
        sys.exit(1)
    raws = unpack_request(frame)
    tail_of(raws[:200])
    gc.collect()
    gc.freeze()
    sys.stdout.buffer.write(struct.pack("<d", tail_of(raws)))


if __name__ == "__main__":
    with plain_refusals():
        settings()
        main()
