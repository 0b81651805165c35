"""Every metric of the house: a new one is one line here. `docs/metrics.md` is made from it.

Names, kinds and labels are part of the interface: rules, dashboards and runbooks read them. Of each label it
is said what bounds it in `LABELS`; whatever comes from outside is held to `metric.MAX_LABEL_SETS` besides.
"""

from mev_dagster.telemetry.metric import RoomMetrics, counter, gauge, histogram

# From a loopback node's head (1 ms) to a block that waited a whole slot and more.
LAG_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 24.0, 60.0)
FAST_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
NETWORK_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
DECODE_SECONDS = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.2)
BODY_BYTES = (1e3, 1e4, 1e5, 1e6, 1e7, 1.6e7)

STAGES = ("fetched", "logged", "stored", "windowed", "simulated", "searched", "built", "submitted")
"""A block's way, in order; `mev_block_lag_seconds` says when each stage ended."""

LABELS = {
    "client": "a known client's family, or other",
    "code": "answer codes of our own services",
    "direction": "in, out",
    "engine": "py_evm, revm, node",
    "eth": "versions of the eth protocol we speak",
    "fork": "rule sets by name",
    "kind": "the event's, violation's or plug-in's kind in our code",
    "lane": "p2p, rpc, private, capture",
    "message": "eth messages by name",
    "outcome": "how it ended, from a closed set in our code",
    "python": "the interpreter's version",
    "reason": "a reason code of ours; a peer's words are never one",
    "result": "how a dial ended, from a closed set in our code",
    "seen": "before, in_block",
    "stage": "a stage in our code",
    "status": "HTTP status",
    "table": "tables of the store",
    "type": "transaction types 0 to 4, 5 for any other",
    "version": "the release",
    "via": "push, pull",
    "what": "what is tried again, by its policy in our code",
    "where": "node, capture, store",
    "vs": "the lane it is held against",
}


class ProcessMetrics(RoomMetrics):
    """What every process with a /metrics tells of itself, beside CPU, memory and open files."""

    exported_by = "every process"

    build_info = gauge("mev_build_info", "1", "1, labelled with what runs", "version", "python")
    clock_step = gauge(
        "mev_clock_step_seconds", "seconds", "By how much the wall clock was set since the start"
    )


class DoorMetrics(RoomMetrics):
    """The door of every service of ours that speaks HTTP."""

    exported_by = "ingest, relay"

    refused = counter("mev_http_refused_total", "requests", "Requests turned away at the door", "code")


class BlockMetrics(RoomMetrics):
    """A block's way, observed by the daemon and by runs under one name, so that one query reads all of it."""

    exported_by = "ingest"

    block_lag = histogram(
        "mev_block_lag_seconds",
        "seconds",
        "From a head's arrival to the end of a stage of its way",
        "stage",
        buckets=LAG_SECONDS,
    )


class DeclaredIngestMetrics(RoomMetrics):
    """The ingest daemon: lanes, event log, store."""

    exported_by = "ingest"

    events = counter("mev_ingest_events_total", "events", "Events logged", "lane", "kind")
    dropped = counter("mev_ingest_dropped_total", "events", "Arrivals lost before the log", "lane", "reason")
    duplicates = counter("mev_ingest_duplicate_bodies_total", "bodies", "Bodies of known hashes", "lane")
    rejected = counter("mev_ingest_rejected_total", "bodies", "Offers that could not be decoded", "reason")
    sidecar_bytes = counter("mev_ingest_sidecar_bytes_total", "bytes", "Blob sidecars dropped")
    included = counter(
        "mev_ingest_included_txs_total",
        "transactions",
        "Transactions of canonical blocks, by whether a lane had shown them before",
        "seen",
    )
    reverted_blocks = counter("mev_ingest_reverted_blocks_total", "blocks", "Blocks a reorg reverted")
    missing_blocks = counter("mev_ingest_missing_blocks_total", "blocks", "Heads that no lane ever showed")
    queue_depth = gauge("mev_ingest_queue_depth", "events", "Arrivals that wait for the log")
    queue_capacity = gauge("mev_ingest_queue_capacity", "events", "Bound of that queue")
    lane_up = gauge("mev_lane_up", "1", "1 while the lane delivers", "lane")
    lane_restarts = counter("mev_lane_restarts_total", "restarts", "Deaths of the lane", "lane")
    wrong_chain = counter(
        "mev_wrong_chain_total", "refusals", "Connects refused because another chain was found there", "where"
    )
    resynced = counter(
        "mev_lane_resynced_txs_total", "transactions", "Pending transactions a resync brought", "lane"
    )
    first_seen = histogram(
        "mev_first_seen_delta_seconds",
        "seconds",
        "By how much a lane saw a transaction before another one",
        "lane",
        "vs",
        buckets=FAST_SECONDS,
    )
    head_block = gauge("mev_head_block_number", "blocks", "Number of the newest head")
    head_age = gauge(
        "mev_head_age_seconds",
        "seconds",
        "Age of the newest head by its own timestamp; before the first one, of the daemon",
    )
    durable_seq = gauge("mev_log_durable_seq", "events", "Number of the last acknowledged event")
    commit_seconds = histogram(
        "mev_log_commit_seconds", "seconds", "Write and sync of a batch", buckets=FAST_SECONDS
    )
    stored_seq = gauge("mev_store_applied_seq", "events", "Number of the last event in the store")
    backlog = gauge("mev_store_backlog_events", "events", "Events logged and not stored yet")
    backlog_age = gauge(
        "mev_store_backlog_age_seconds", "seconds", "Age of the oldest event that is logged and not stored"
    )
    store_rows = counter("mev_store_rows_total", "rows", "Rows written", "table")
    store_failures = counter("mev_store_failures_total", "inserts", "Inserts the store refused or lost")
    store_batch_seconds = histogram(
        "mev_store_batch_seconds", "seconds", "Rows of a batch built and inserted", buckets=FAST_SECONDS
    )
    engine_mismatches = gauge(
        "mev_sim_parity_mismatch_inputs",
        "inputs",
        "Inputs in the home on which the engine in use and the reference disagree",
    )
    execution_stopped = gauge(
        "mev_execution_stopped",
        "stages",
        "1 while blocks are seen and stored, and cannot be executed, by why",
        "reason",
    )
    loop_lag = histogram("mev_loop_lag_seconds", "seconds", "Delay of the event loop", buckets=FAST_SECONDS)
    run_reports = counter(
        "mev_run_reports_total", "reports", "Reports of runs taken up, or why not", "outcome"
    )


class RpcLaneMetrics(RoomMetrics):
    """The RPC lane: what nodes did not tell by themselves."""

    exported_by = "ingest"

    silences = counter(
        "mev_lane_silences_total",
        "silences",
        "Subscriptions that showed nothing while the node, asked, had news",
        "kind",
    )


class RunMetrics(RoomMetrics):
    """Runs of Dagster, whatever process they are in: they report to the ingest daemon, which exports them."""

    exported_by = "ingest"

    rechecks = counter("mev_sim_rechecks_total", "results", "Results run again on py_evm", "engine")
    unchecked = counter(
        "mev_sim_unchecked_total",
        "results",
        "Results of forks that py_evm does not execute, and so nothing runs again",
        "engine",
        "fork",
    )
    mismatches = counter(
        "mev_sim_parity_mismatch_total",
        "results",
        "Results that differ from the reference engine's",
        "engine",
    )


class PluginMetrics(RoomMetrics):
    """What runs and lanes went on without."""

    exported_by = "ingest"

    failures = counter(
        "mev_plugin_failures_total", "plug-ins", "Plug-ins a run or a lane went on without", "kind", "reason"
    )


class RetryMetrics(RoomMetrics):
    """What was tried again, in the ingest daemon and in runs."""

    exported_by = "ingest"

    retries = counter(
        "mev_retries_total",
        "tries",
        "Further tries, by what was tried and why it had failed",
        "what",
        "reason",
    )


class DeclaredP2PMetrics(RoomMetrics):
    """The peer-to-peer lane; nothing a peer says becomes a label as it is."""

    exported_by = "ingest"

    peers = gauge("mev_p2p_peers", "peers", "Peers past Status", "direction", "client", "eth")
    dials = counter("mev_p2p_dials_total", "dials", "Dials by how they ended", "result")
    refused = counter(
        "mev_p2p_inbound_refused_total", "connections", "Inbound connections refused unread", "reason"
    )
    disconnects = counter(
        "mev_p2p_disconnects_total", "conversations", "Conversations that ended", "direction", "reason"
    )
    handshake_seconds = histogram(
        "mev_p2p_handshake_seconds",
        "seconds",
        "From the connection to a stage's end",
        "stage",
        buckets=NETWORK_SECONDS,
    )
    messages = counter("mev_p2p_messages_total", "messages", "eth messages", "direction", "message")
    bytes = counter("mev_p2p_bytes_total", "bytes", "Bytes on sockets", "direction")
    announced = counter(
        "mev_p2p_announced_hashes_total", "hashes", "Announced hashes by what became of them", "outcome"
    )
    requests = counter(
        "mev_p2p_fetch_requests_total", "requests", "Requests for bodies by how they ended", "outcome"
    )
    fetch_seconds = histogram(
        "mev_p2p_fetch_seconds", "seconds", "From a request to its answer", buckets=NETWORK_SECONDS
    )
    announce_to_payload = histogram(
        "mev_p2p_announce_to_payload_seconds",
        "seconds",
        "From a transaction's first announcement to its body, for those that were asked for",
        buckets=NETWORK_SECONDS,
    )
    decode_seconds = histogram(
        "mev_p2p_decode_seconds",
        "seconds",
        "From a message's encrypted frame to its fields; of announcements one in 32 is timed",
        "message",
        buckets=DECODE_SECONDS,
    )
    refused_bodies = counter(
        "mev_p2p_refused_bodies_total", "bodies", "Bodies that found no room and are asked for again"
    )
    in_flight = gauge("mev_p2p_fetch_in_flight", "requests", "Requests without an answer")
    wanted = gauge("mev_p2p_wanted_hashes", "hashes", "Hashes still to be fetched")
    transactions = counter("mev_p2p_transactions_total", "transactions", "Bodies received", "type", "via")
    sidecar_bytes = counter("mev_p2p_sidecar_bytes_total", "bytes", "Blob sidecars dropped")
    violations = counter(
        "mev_p2p_violations_total", "violations", "What peers did against the protocol", "kind"
    )
    pauses = counter("mev_p2p_backpressure_pauses_total", "pauses", "Sockets told to wait")
    holds = counter("mev_p2p_holds_total", "holds", "Times all reading waited for the queue")
    datagrams_ignored = counter(
        "mev_p2p_datagrams_ignored_total", "datagrams", "Discovery datagrams beyond what is read a second"
    )
    known_nodes = gauge("mev_p2p_known_nodes", "nodes", "Nodes in the peer book")


class RelayMetrics(RoomMetrics):
    """The sandbox relay, by the names public relays use."""

    exported_by = "relay"

    answered = counter(
        "relay_submit_new_block_answers_total",
        "submissions",
        "Submissions by HTTP status and code of the answer",
        "status",
        "code",
    )
    latency_seconds = histogram(
        "relay_submit_new_block_latency_seconds",
        "seconds",
        "From the request line to the answer",
        buckets=NETWORK_SECONDS,
    )
    simulation_seconds = histogram(
        "relay_submit_new_block_simulation_latency_seconds",
        "seconds",
        "Re-execution of one block",
        buckets=NETWORK_SECONDS,
    )
    payload_bytes = histogram(
        "relay_submit_new_block_payload_size_bytes", "bytes", "Bodies as received", buckets=BODY_BYTES
    )
    bid_value = gauge("relay_submit_new_block_bid_value_wei", "wei", "The last accepted bid")


ROOMS: tuple[type[RoomMetrics], ...] = (
    ProcessMetrics,
    DoorMetrics,
    BlockMetrics,
    DeclaredIngestMetrics,
    RpcLaneMetrics,
    RunMetrics,
    PluginMetrics,
    RetryMetrics,
    DeclaredP2PMetrics,
    RelayMetrics,
)
