-- Per-block runs: when a head was seen and when its opportunities were stored.
CREATE TABLE IF NOT EXISTS block_runs
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    block_hash FixedString(32) COMMENT 'hash of that block',
    seen_at DateTime64(9, 'UTC') COMMENT 'when the daemon saw the head',
    finished_at DateTime64(9, 'UTC') COMMENT 'when the opportunities were stored, volatile',
    engine LowCardinality(String) COMMENT 'engine that verified the candidates',
    pending_txs UInt32 COMMENT 'pending transactions that were searched',
    candidates UInt32 COMMENT 'candidates ranked',
    verified UInt32 COMMENT 'candidates that execution confirmed',
    rechecked UInt32 DEFAULT 0 COMMENT 'executions run again on the reference engine, winners among them',
    mismatches UInt32 DEFAULT 0 COMMENT 'of those, how many came out otherwise; such candidates are dropped',
    rank_digest FixedString(32) COMMENT 'SHA-256 over the ranked candidates',
    live Bool COMMENT 'true when the block was first searched as a head came, false for backfills and captures',
    run_id String DEFAULT '' COMMENT 'Dagster run that made the row, volatile',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, block_hash)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
