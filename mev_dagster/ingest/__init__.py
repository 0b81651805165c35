"""The ingest daemon: lanes bring arrivals, one bounded queue, one path into the event log and the store.

    lane.run(queue) -> ArrivalQueue -> Pipeline (dedupe, decode, order) -> event log -> StoreFeeder -> store

what comes in       `arrivals`, `queue` (bounded, counted), `lanes/` (rpc, capture), `supervisor`, `rpc_ws`
what is logged      `pipeline` (the one path), `chain` (which blocks are canonical), `memory`, `restore`
what is stored      `rows` (events to columns, a pure function), `checkpoints`, `feeder`, `backfill`
what is served      `daemon` (the wiring), `http` (/metrics, /healthz, /readyz, /heads), `metrics`
beside the daemon   `recording` (a capture from a live node), `log_windows`, `coverage`, `decode_workers`
"""
