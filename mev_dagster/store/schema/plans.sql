-- What candidates do, whole: with their rows in opportunities, all that a score asks a strategy about.
CREATE TABLE IF NOT EXISTS plans
(
    block_number UInt64 COMMENT 'number of the block the row is about' CODEC(Delta, ZSTD(1)),
    block_time DateTime64(9, 'UTC') COMMENT 'timestamp of that block' CODEC(Delta, ZSTD(1)),
    opportunity_id FixedString(32) COMMENT 'candidate whose plan it is',
    plan String COMMENT 'prize and items as JSON: pending transactions by their hashes, calls of ours in full' CODEC(ZSTD(3)),
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(block_time)
ORDER BY (block_number, opportunity_id)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
