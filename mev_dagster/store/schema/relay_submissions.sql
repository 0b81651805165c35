-- Every attempt to hand a block to a relay.
CREATE TABLE IF NOT EXISTS relay_submissions
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    slot UInt64 COMMENT 'beacon slot',
    block_hash FixedString(32) COMMENT 'block that was submitted',
    relay LowCardinality(String) COMMENT 'name of the relay',
    attempt UInt16 COMMENT '1 for the first attempt',
    submitted_at DateTime64(9, 'UTC') COMMENT 'when the request was sent',
    latency_ns UInt64 DEFAULT 0 COMMENT 'time to the answer or the failure, volatile',
    status UInt16 COMMENT 'HTTP status; 0 when there was no answer',
    error_class LowCardinality(String) DEFAULT '' COMMENT 'class of the failure; empty when accepted',
    message String DEFAULT '' COMMENT 'what the relay said' CODEC(ZSTD(1)),
    accepted Bool COMMENT 'true when the relay took the block',
    dry_run Bool COMMENT 'true for every submission to the sandbox',
    value_wei UInt256 COMMENT 'bid',
    builder_pubkey FixedString(48) COMMENT 'BLS key the bid was signed with',
    opportunity_ids Array(FixedString(32)) DEFAULT [] COMMENT 'candidates in the block',
    request_bytes UInt32 DEFAULT 0 COMMENT 'size of the request body',
    trace_id Nullable(FixedString(16)) COMMENT 'W3C trace of the run that made the row, volatile',
    span_id Nullable(FixedString(8)) COMMENT 'W3C span of the attempt, volatile',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, block_hash, relay, attempt)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
