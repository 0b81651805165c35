-- Ex-ante candidates against ex-post labels over a range of blocks.
CREATE TABLE IF NOT EXISTS backtests
(
    first_block_number UInt64 COMMENT 'first block of the range',
    last_block_number UInt64 COMMENT 'last block of the range',
    first_block_time DateTime64(9, 'UTC') COMMENT 'timestamp of the first block',
    source LowCardinality(String) COMMENT 'capture or store the range was read from',
    kind LowCardinality(String) COMMENT 'kind that was scored; all for the sum',
    true_positives UInt32 COMMENT 'candidates that landed',
    false_positives UInt32 COMMENT 'candidates that did not land',
    false_negatives UInt32 COMMENT 'landed opportunities that were not found',
    precision Nullable(Float64) COMMENT 'share of candidates that landed; null without candidates',
    recall Nullable(Float64) COMMENT 'share of landed ones found; null when none landed',
    pnl_wei Int256 COMMENT 'simulated profit of the verified candidates',
    captured_share Nullable(Float64) COMMENT 'our profit over the profit that landed; null when none landed',
    synthetic Bool COMMENT 'true when any arrival time was made by a rule',
    computed_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when the row was computed, volatile',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(first_block_time)
ORDER BY (first_block_number, last_block_number, source, kind)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
