-- What the sandbox relay decoded, checked and answered.
CREATE TABLE IF NOT EXISTS relay_receipts
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    block_hash FixedString(32) COMMENT 'block that was submitted',
    relay LowCardinality(String) COMMENT 'name of the relay',
    attempt UInt16 COMMENT 'attempt that this answers',
    received_at DateTime64(9, 'UTC') COMMENT 'when the relay had the request',
    accepted Bool COMMENT 'true when every check held',
    code LowCardinality(String) COMMENT 'stable code of the answer',
    message String DEFAULT '' COMMENT 'text of the answer' CODEC(ZSTD(1)),
    check_names Array(LowCardinality(String)) COMMENT 'checks in the order the relay makes them',
    check_ok Array(Bool) COMMENT 'whether each check held; parallel to check_names',
    check_messages Array(String) COMMENT 'what each check says; parallel to check_names',
    trace_id Nullable(FixedString(16)) COMMENT 'W3C trace of the run that made the row, volatile',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, block_hash, relay, attempt)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
