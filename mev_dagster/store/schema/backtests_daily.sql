-- Ex ante against ex post over a day: the sums of its blocks.
CREATE TABLE IF NOT EXISTS backtests_daily
(
    day DateTime64(9, 'UTC') COMMENT 'start of the day, UTC',
    kind LowCardinality(String) COMMENT 'kind that was scored; all for the sum',
    blocks UInt32 COMMENT 'blocks of the day that were scored',
    true_positives UInt64 COMMENT 'candidates that landed',
    false_positives UInt64 COMMENT 'candidates that did not land',
    false_negatives UInt64 COMMENT 'landed opportunities that were not found',
    precision Nullable(Float64) COMMENT 'share of candidates that landed; null without candidates',
    recall Nullable(Float64) COMMENT 'share of landed ones found; null when none landed',
    pnl_wei Int256 COMMENT 'simulated profit of the verified candidates',
    synthetic Bool COMMENT 'true when any arrival time was made by a rule',
    stored_at DateTime64(9, 'UTC') DEFAULT now64(9) COMMENT 'when this row was written; the newest version of a key wins' CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
PARTITION BY toDate(day)
ORDER BY (day, kind)
TTL toDateTime(stored_at) + INTERVAL {retention_days_results} DAY
SETTINGS ttl_only_drop_parts = 1, enable_block_number_column = 1, enable_block_offset_column = 1
