"""The ingest daemon: lanes bring arrivals, one bounded queue, one path into the event log and the store.

    lane.run(queue) -> ArrivalQueue -> Pipeline (dedupe, decode, order) -> event log -> StoreFeeder -> store

`arrivals` what a lane may hand over      `lanes/`    where it comes from (rpc, capture)
`queue`    the bounded, counted queue     `pipeline`  arrivals to logged events: the one path
`chain`    which blocks are canonical     `rows`      logged events to the store's columns, a pure function
`feeder`   log to store, resumable        `daemon`    supervision, /metrics, /healthz, /readyz
`rpc_ws`   JSON-RPC over one WebSocket    `recording` a capture from a live node
"""
